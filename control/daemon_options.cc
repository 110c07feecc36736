// SPDX-License-Identifier: Apache-2.0
#include "control/daemon_options.h"

#include <algorithm>

#include "control/config_lcores.h"
#include "dataplane/base/limits.h"
#include "dataplane/io/packet_memory.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

// Nodes of rte_rib for a route of IPv6, the larger of the two, in three generations: running,
// retired and not yet freed, and the one being built.
constexpr uint64_t kBytesPerRoute = 3 * 2 * 128;
// Room for tables that reloads bring.
constexpr size_t kRoutesSpare = 8192;

config::Facing FacingOf(v1::Vlan::Facing facing) {
  switch (facing) {
    case v1::Vlan::CLIENT:
      return config::Facing::kClient;
    case v1::Vlan::SERVER:
      return config::Facing::kServer;
    case v1::Vlan::BOTH:
      break;
  }
  return config::Facing::kBoth;
}

// What all VLANs of the port have in common.
config::Facing FacingOf(const v1::Config& config, const std::string& port) {
  bool first = true;
  config::Facing facing = config::Facing::kBoth;
  for (const v1::Vlan& vlan : config.vlan()) {
    if (vlan.port() != port) continue;
    const config::Facing its = FacingOf(vlan.facing());
    if (!first && its != facing) return config::Facing::kBoth;
    facing = its;
    first = false;
  }
  return facing;
}

}  // namespace

std::vector<io::PortOptions> PortOptionsOf(const Document& document) {
  std::vector<io::PortOptions> ports;
  const v1::Config& config = document.config();
  for (int i = 0; i < config.port_size(); ++i) {
    const v1::Port& from = config.port(i);
    io::PortOptions port;
    port.name = from.name();
    port.where = document.LocationOf("port", i);
    port.device = from.device();
    port.mtu = static_cast<uint16_t>(from.mtu());
    port.promiscuous = from.promiscuous();
    port.rx_descriptors = static_cast<uint16_t>(from.rx_descriptors());
    port.tx_descriptors = static_cast<uint16_t>(from.tx_descriptors());
    port.facing = FacingOf(config, from.name());
    ports.push_back(std::move(port));
  }
  return ports;
}

std::optional<io::PortOptions> MirrorPortOptionsOf(const Document& document) {
  if (!document.config().has_mirroring()) return std::nullopt;
  const v1::Mirroring& from = document.config().mirroring();
  io::PortOptions port;
  port.name = "mirroring";
  port.where = document.LocationOf("mirroring");
  port.device = from.device();
  port.mtu = static_cast<uint16_t>(from.mtu());
  port.rx_descriptors = static_cast<uint16_t>(from.rx_descriptors());
  port.tx_descriptors = static_cast<uint16_t>(from.tx_descriptors());
  return port;
}

io::EalOptions EalOptionsOf(const v1::Config& config, const std::vector<io::PortOptions>& ports,
                            const std::optional<io::PortOptions>& mirror_port) {
  const v1::Device& device = config.device();
  io::EalOptions options;
  options.file_prefix = io::FilePrefixOf(device.name());
  options.lcores = device.lcores();
  options.workers = WorkerCount(device);
  for (const io::PortOptions& port : ports) {
    options.devices.push_back(port.device);
  }
  options.hugepages = device.hugepages();
  const auto routes = static_cast<size_t>(config.route_size() + config.self_ip_size());
  options.memory_needed = io::PlanBuffers(ports, options.workers).bytes +
                          std::min(routes + kRoutesSpare, kRoutesMax) * kBytesPerRoute;
  if (mirror_port.has_value()) {
    options.devices.push_back(mirror_port->device);
    options.memory_needed += io::PlanBuffers({&*mirror_port, 1}, 1).bytes;
  }
  options.memory_mib = device.memory_mib();
  options.extra.assign(device.eal_args().begin(), device.eal_args().end());
  return options;
}

std::vector<MacAddress> MasqueradeMacs(const v1::Config& config) {
  std::vector<MacAddress> macs;
  for (const v1::TrafficGroup& group : config.traffic_group()) {
    const auto mac = ParseMac(group.mac());
    if (mac && std::find(macs.begin(), macs.end(), *mac) == macs.end()) macs.push_back(*mac);
  }
  return macs;
}

}  // namespace tandem::control
