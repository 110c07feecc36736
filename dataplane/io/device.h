// SPDX-License-Identifier: Apache-2.0
//
// From what the configuration calls a device to DPDK's port number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace tandem::io {

// Devices on a bus were probed when EAL came up; a virtual one is created here. REQUIRES: EAL.
absl::StatusOr<uint16_t> FindDevice(const std::string& device);

// What DPDK calls it: "0000:03:00.0" of "pci:03:00.0,arg=1", "net_tap0" of "net_tap0,iface=t0".
std::string DeviceName(std::string_view device);

// The kernel's interface behind a device of an af_packet or af_xdp driver; "" of others.
std::string KernelInterface(std::string_view device);

// `device` with arguments that the operator left to us. An af_packet device gets rings of four
// frames a descriptor, because the kernel fills them also while no CPU is left for a worker (with
// its own 512 frames TCP lost a packet in twelve on two busy cores), and frames for the MTU.
std::string CompleteDevice(const std::string& device, uint16_t descriptors, uint16_t mtu);

}  // namespace tandem::io
