// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/device.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <optional>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "dataplane/io/eal.h"
#include "dataplane/io/packet_memory.h"

namespace tandem::io {
namespace {

std::optional<uint16_t> PortOf(const std::string& name) {
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0) return id;
  for (id = 0; id < RTE_MAX_ETHPORTS; ++id) {
    rte_eth_dev_info info{};
    if (rte_eth_dev_is_valid_port(id) != 0 && rte_eth_dev_info_get(id, &info) == 0 &&
        name == rte_dev_name(info.device)) {
      return id;
    }
  }
  return std::nullopt;
}

// The kernel's interface behind a device, if it names one that does not exist: the drivers say so
// in words of system calls.
std::string MissingInterface(std::string_view device) {
  const std::string name = KernelInterface(device);
  const bool is_missing = !name.empty() && if_nametoindex(name.c_str()) == 0;
  return is_missing ? name : std::string();
}

}  // namespace

std::string KernelInterface(std::string_view device) {
  constexpr std::string_view kKey = ",iface=";
  if (device.substr(0, 7) != "net_af_") return {};  // others make the interface
  const size_t at = device.find(kKey);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = device.substr(at + kKey.size());
  return std::string(rest.substr(0, rest.find(',')));
}

std::string DeviceName(std::string_view device) {
  std::string_view name = device.substr(0, device.find(','));
  if (IsBusDevice(name) || name.substr(0, 4) == "pci:") name.remove_prefix(name.find(':') + 1);
  if (!IsPciDevice(name)) return std::string(name);
  std::string address(name);
  std::transform(address.begin(), address.end(), address.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::count(address.begin(), address.end(), ':') == 1 ? "0000:" + address : address;
}

std::string CompleteDevice(const std::string& device, uint16_t descriptors, uint16_t mtu) {
  constexpr std::string_view kAfPacket = "net_af_packet";
  constexpr uint32_t kFramesPerDescriptor = 4;
  constexpr uint32_t kMtuOfUsualFrame = 1900;  // in frames of 2048 bytes
  constexpr uint32_t kPage = 4096;
  if (device.compare(0, kAfPacket.size(), kAfPacket) != 0) return device;
  std::string complete = device;
  if (device.find("framecnt=") == std::string::npos) {
    absl::StrAppend(&complete, ",framecnt=", kFramesPerDescriptor * descriptors);
  }
  if (mtu > kMtuOfUsualFrame && device.find("framesz=") == std::string::npos &&
      device.find("blocksz=") == std::string::npos) {
    // The driver takes frames for contiguous, so a block is a whole number of them, and of pages.
    const uint32_t frame = FrameRoom(mtu);
    absl::StrAppend(&complete, ",framesz=", frame, ",blocksz=", std::lcm(frame, kPage));
  }
  return complete;
}

absl::StatusOr<uint16_t> FindDevice(const std::string& device) {
  const std::string name = DeviceName(device);
  const bool on_bus = IsPciDevice(device) || IsBusDevice(device);
  TakeEalError();
  if (const std::string missing = MissingInterface(device); !missing.empty()) {
    return absl::NotFoundError(absl::StrCat("there is no network interface '", missing, "'"));
  }
  if (!on_bus) {
    const int code = rte_dev_probe(device.c_str());
    if (code != 0) {
      const std::string detail = TakeEalError();
      return absl::NotFoundError(
          detail.empty() ? absl::StrCat("DPDK cannot create it: ", rte_strerror(-code)) : detail);
    }
  }
  const std::optional<uint16_t> id = PortOf(name);
  if (id.has_value()) return *id;
  return absl::NotFoundError(
      on_bus ? "there is no such device, or it is not bound to a driver that DPDK can use "
               "(dpdk-devbind.py --status)"
             : "no network driver of DPDK knows it");
}

}  // namespace tandem::io
