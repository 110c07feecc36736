// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/devices.h"

#include <rte_log.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "dataplane/config/steering.h"
#include "dataplane/io/clock.h"
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

// While ports are being started, their errors are in the Status.
std::atomic<bool> tells_errors{false};

void TellErrors(unsigned level, std::string_view line) {
  if (level > RTE_LOG_ERR || !tells_errors.load(std::memory_order_relaxed)) return;
  std::fprintf(stderr, "DPDK: %.*s\n", static_cast<int>(line.size()), line.data());
}

constexpr unsigned kPollMicros = 10'000;

// Of the first whose link is down; ok when all are up.
absl::Status LinkStatus(io::Ports& ports) {
  for (size_t i = 0; i < ports.size(); ++i) {
    io::Port& port = ports.port(i);
    port.PollLink();
    if (port.link_up()) continue;
    return absl::UnavailableError(absl::StrCat(port.options().name, " \"", port.options().device,
                                               "\": its link does not come up"));
  }
  return absl::OkStatus();
}

absl::Status AwaitLinks(io::Ports& ports, Nanos deadline) {
  absl::Status status = LinkStatus(ports);
  while (!status.ok() && io::MonotonicNow() < deadline) {
    usleep(kPollMicros);
    status = LinkStatus(ports);
  }
  return status;
}

bool HasMemif(const io::Ports& ports) {
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports.port(i).options().device.compare(0, 9, "net_memif") == 0) return true;
  }
  return false;
}

// A memif of the client's role connects when it is started, and finds nobody, or an end that is still
// busy with an earlier connection, until the device has opened its end: it is started again then.
absl::Status BringUp(io::Ports& ports, unsigned queues, Nanos within) {
  const Nanos deadline = io::MonotonicNow() + within;
  const bool tries_again = HasMemif(ports);
  for (;;) {
    absl::Status status = ports.Start(config::Steering(queues));
    if (status.ok()) {
      const Nanos patience = tries_again ? kSecond : within;
      status = AwaitLinks(ports, std::min(deadline, io::MonotonicNow() + patience));
    }
    if (status.ok() || !tries_again || io::MonotonicNow() >= deadline) return status;
    ports.Stop();
    usleep(20 * kPollMicros);
  }
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
  eal_options.memory_needed = io::PlanBuffers(ports, machine.queues).bytes;
  eal_options.extra = machine.eal;
  for (const io::PortOptions& port : ports) {
    eal_options.devices.push_back(port.device);
    // A memif that does not copy hands its buffers to the other end as one file.
    if (port.device.find("zero-copy=yes") != std::string::npos) {
      eal_options.extra.push_back("--single-file-segments");
    }
  }
  absl::StatusOr<io::Eal> eal = io::Eal::Start(eal_options, TellErrors);
  if (!eal.ok()) return eal.status();
  std::unique_ptr<Devices> devices(new Devices(*std::move(eal)));
  absl::StatusOr<std::unique_ptr<io::Ports>> opened = io::Ports::Open(ports, machine.queues);
  if (!opened.ok()) return opened.status();
  devices->ports_ = *std::move(opened);
  if (absl::Status status = BringUp(*devices->ports_, machine.queues, options.resolve_within);
      !status.ok()) {
    return status;
  }
  tells_errors.store(true, std::memory_order_relaxed);
  const io::WorkerQueues queues = devices->ports_->QueuesOf(0);
  const auto rx_queues = [&](size_t port) { return devices->ports_->port(port).rx_queues(); };
  devices->client_.emplace(queues.tx[0].port_id, rx_queues(0), queues.tx[0].pool);
  if (ports.size() > 1)
    devices->server_.emplace(queues.tx[1].port_id, rx_queues(1), queues.tx[1].pool);
  return devices;
}

}  // namespace tandem::pktgen
