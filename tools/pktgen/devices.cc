// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/devices.h"

#include <rte_log.h>
#include <unistd.h>

#include <cstdio>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "dataplane/config/steering.h"
#include "dataplane/io/packet_memory.h"

namespace tandem::pktgen {
namespace {

std::vector<io::PortOptions> PortOptionsOf(const Options& options, const MachineOptions& machine) {
  std::vector<io::PortOptions> ports(options.server_port.empty() ? 1 : 2);
  ports[0].name = "--client_port";
  ports[0].device = options.client_port;
  if (ports.size() > 1) {
    ports[1].name = "--server_port";
    ports[1].device = options.server_port;
  }
  for (io::PortOptions& port : ports) {
    port.mtu = options.mtu;
    // A device without ARP sends to any MAC.
    port.promiscuous = options.device_mac.has_value() || !options.pcap.empty();
    port.rx_descriptors = port.tx_descriptors = machine.descriptors;
  }
  return ports;
}

std::string LcoreOn(int core) {
  if (core >= 0) return absl::StrCat("0@", core);
  return absl::StrCat("0@(", absl::StrJoin(io::ReadMachine().cpus, ","), ")");
}

void TellErrors(unsigned level, std::string_view line) {
  if (level > RTE_LOG_ERR) return;
  std::fprintf(stderr, "DPDK: %.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Devices>> Devices::Start(const Options& options,
                                                        const MachineOptions& machine) {
  const std::vector<io::PortOptions> ports = PortOptionsOf(options, machine);
  io::EalOptions eal_options;
  // Not the daemon's, nor another generator's.
  eal_options.file_prefix = absl::StrCat("tandem-pktgen-", getpid());
  eal_options.lcores = LcoreOn(machine.core);
  eal_options.hugepages = machine.hugepages;
  eal_options.memory_needed = io::PlanBuffers(ports, 1).bytes;
  eal_options.extra = machine.eal;
  for (const io::PortOptions& port : ports)
    eal_options.devices.push_back(port.device);
  absl::StatusOr<io::Eal> eal = io::Eal::Start(eal_options, TellErrors);
  if (!eal.ok()) return eal.status();
  std::unique_ptr<Devices> devices(new Devices(*std::move(eal)));
  absl::StatusOr<std::unique_ptr<io::Ports>> opened = io::Ports::Open(ports, 1);
  if (!opened.ok()) return opened.status();
  devices->ports_ = *std::move(opened);
  if (absl::Status status = devices->ports_->Start(config::Steering(1)); !status.ok()) {
    return status;
  }
  const io::WorkerQueues queues = devices->ports_->QueuesOf(0);
  devices->client_.emplace(queues.tx[0].port_id, queues.tx[0].pool);
  if (ports.size() > 1) devices->server_.emplace(queues.tx[1].port_id, queues.tx[1].pool);
  return devices;
}

bool Devices::AreLinksUp() {
  bool all = true;
  for (size_t i = 0; i < ports_->size(); ++i) {
    ports_->port(i).PollLink();
    all = all && ports_->port(i).link_up();
  }
  return all;
}

std::string Devices::LinkDown() const {
  for (size_t i = 0; i < ports_->size(); ++i) {
    const io::Port& port = ports_->port(i);
    if (!port.link_up()) {
      return absl::StrCat(port.options().name, " \"", port.options().device, "\"");
    }
  }
  return {};
}

}  // namespace tandem::pktgen
