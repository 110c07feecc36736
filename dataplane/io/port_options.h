// SPDX-License-Identifier: Apache-2.0
//
// What the configuration says about a port, as io needs it.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/config/objects.h"

namespace tandem::io {

struct PortOptions {
  std::string name;
  std::string where;   // "file:line:column" of its configuration, for errors; may be empty
  std::string device;  // PCI address, or DPDK virtual device with its arguments
  uint16_t mtu = 1500;
  bool promiscuous = false;
  uint16_t rx_descriptors = 1024;
  uint16_t tx_descriptors = 1024;
  // Who all of its VLANs lead to: what the NIC may hash on.
  config::Facing facing = config::Facing::kBoth;
};

}  // namespace tandem::io
