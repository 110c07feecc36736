// SPDX-License-Identifier: Apache-2.0
//
// Choosing a SNAT port whose replies come to the worker that asks: what a choice costs while the ports
// of one address to one member fill up, and how evenly ports and workers are used.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/config/steering.h"
#include "dataplane/flow/table.h"
#include "dataplane/nat/snat.h"
#include "tools/bench/cycles.h"
#include "tools/bench/huge_memory.h"
#include "tools/bench/scale_parts.h"

namespace tandem::bench {
namespace {

using config::SourcePort;
using config::Steering;
using flow::FlowHot4;
using nat::PortShare;

constexpr uint32_t kSnat = 0x0a010101;    // 10.1.1.1
constexpr uint32_t kMember = 0x0a010001;  // 10.1.0.1
constexpr uint32_t kPorts = 0x10000;
constexpr uint32_t kCapacity = kPorts;
constexpr size_t kChoices = 64;  // a sample
constexpr unsigned kDrawsAPort = 50;

net::FlowKey4 ServerKey(uint16_t port) {
  return {.source = htonl(kMember),
          .destination = htonl(kSnat),
          .source_port = htons(80),
          .destination_port = htons(port)};
}

// Of a worker's flows to one member.
class Chooser {
 public:
  Chooser(unsigned workers, unsigned worker, SourcePort policy, PortShare share = {})
      : memory_(flow::FlowTable<FlowHot4>::BytesNeeded(kCapacity)),
        table_(memory_.bytes(), kCapacity, 42),
        steering_(workers) {
    request_.addresses = addresses_;
    request_.policy = policy;
    request_.worker = worker;
    request_.share = share;
  }

  // Those of the share whose replies come to the worker.
  std::vector<uint16_t> OwnPorts() const {
    std::vector<uint16_t> ports;
    for (uint32_t port = nat::kPortMin; port < kPorts; ++port) {
      const auto number = static_cast<uint16_t>(port);
      if (request_.share.Has(number) &&
          steering_.OwnerOf(htonl(kSnat), htons(number)) == request_.worker)
        ports.push_back(number);
    }
    return ports;
  }

  // Takes so many per cent of them, by chance which.
  void Fill(unsigned percent) {
    std::vector<uint16_t> ports = OwnPorts();
    for (size_t i = ports.size(); i > 1; --i)
      std::swap(ports[i - 1], ports[prng_.Below(static_cast<uint32_t>(i))]);
    ports.resize(ports.size() * percent / 100);
    for (const uint16_t port : ports) {
      const net::FlowKey4 client = {.source = htonl(0x14000000U + port),
                                    .destination = htonl(0x0a000064),
                                    .source_port = htons(port),
                                    .destination_port = htons(80)};
      const auto result = table_.Insert(0, client, ServerKey(port), IPPROTO_TCP, false);
      if (result.status != flow::InsertStatus::kInserted) std::abort();
    }
  }

  // For a client that comes from `client_port`. False: no port was found.
  bool Choose(uint16_t client_port, uint16_t& port) {
    nat::SourceSearch<FlowHot4> search;
    search.request = request_;
    search.request.client_port = htons(client_port);
    search.Begin(steering_, prng_);
    net::FlowKey4 key = ServerKey(0);
    bool found = search.Next(key);
    while (found && table_.FindOne(key, IPPROTO_TCP))
      found = search.Next(key);
    port = ntohs(key.destination_port);
    return found;
  }

 private:
  const std::array<IpAddress, 1> addresses_ = {IpAddress::V4(htonl(kSnat))};
  HugeMemory memory_;
  flow::FlowTable<FlowHot4> table_;
  Steering steering_;
  Prng prng_{1};
  nat::SnatRequest request_;
};

struct Cost {
  double nanos;
  double kept;    // share of choices that are the client's own port
  double failed;  // share of those that found none
};

Cost MeasureChoices(Chooser& chooser, size_t samples) {
  Prng prng(2);
  std::vector<double> nanos;
  size_t kept = 0;
  size_t failed = 0;
  for (size_t sample = 0; sample < samples; ++sample) {
    std::array<uint16_t, kChoices> clients;
    for (uint16_t& client : clients)
      client = static_cast<uint16_t>(nat::kPortMin + prng.Below(kPorts - nat::kPortMin));
    const uint64_t begin = __rdtsc();
    for (const uint16_t client : clients) {
      uint16_t port = 0;
      if (!chooser.Choose(client, port)) {
        ++failed;
      } else if (port == client) {
        ++kept;
      }
    }
    nanos.push_back(static_cast<double>(__rdtsc() - begin) * NanosPerCycle() / kChoices);
  }
  const auto all = static_cast<double>(samples * kChoices);
  return {MedianOf(std::move(nanos)), static_cast<double>(kept) / all,
          static_cast<double>(failed) / all};
}

Table MeasureCost(const ScaleExtent& extent) {
  Table table("snat_cost",
              "A SNAT port whose replies come to its worker: ns per choice, of one address and one "
              "member, by how "
              "many per cent of the worker's ports are taken. kept: share that is the client's own "
              "port. failed: "
              "share that found none in as many probes as a choice may take.",
              {{"policy", 10},
               {"workers", 10, 0},
               {"taken", 8, 0},
               {"ns", 10},
               {"kept", 9, 3},
               {"failed", 9, 4}});
  for (const auto& [policy, name] :
       {std::pair{SourcePort::kPreserve, "preserve"}, {SourcePort::kChange, "change"}}) {
    for (const unsigned workers : kWorkerCounts) {
      for (const unsigned percent : {0U, 50U, 90U, 99U}) {
        Chooser chooser(workers, 0, policy);
        chooser.Fill(percent);
        const Cost cost = MeasureChoices(chooser, extent.runs * extent.rounds);
        table.Add({name, Number(workers), Number(percent), cost.nanos, cost.kept, cost.failed});
      }
    }
  }
  return table;
}

// Pearson's, of draws over the ports, by degrees of freedom: 1 is what chance gives.
double ChiSquare(const std::vector<uint32_t>& counts, const std::vector<uint16_t>& ports) {
  double sum = 0;
  for (const uint16_t port : ports) {
    const double off = static_cast<double>(counts[port]) - kDrawsAPort;
    sum += off * off / kDrawsAPort;
  }
  return sum / static_cast<double>(ports.size() - 1);
}

void AddEvenness(unsigned workers, PortShare share, Table& table) {
  size_t most = 0;
  size_t all = 0;
  size_t never = 0;
  double chi_square = 0;
  for (unsigned worker = 0; worker < workers; ++worker) {
    Chooser chooser(workers, worker, SourcePort::kChange, share);
    const std::vector<uint16_t> ports = chooser.OwnPorts();
    std::vector<uint32_t> counts(kPorts);
    for (size_t draw = 0; draw < ports.size() * kDrawsAPort; ++draw) {
      uint16_t port = 0;
      // No client comes from port 1: none is passed over.
      if (!chooser.Choose(1, port)) std::abort();
      ++counts[port];
    }
    chi_square = std::max(chi_square, ChiSquare(counts, ports));
    never += static_cast<size_t>(std::count_if(ports.begin(), ports.end(),
                                               [&](uint16_t port) { return counts[port] == 0; }));
    most = std::max(most, ports.size());
    all += ports.size();
  }
  table.Add({Number(workers),
             std::to_string(share.index + 1) + " of " + std::to_string(share.count),
             static_cast<double>(all) / workers,
             static_cast<double>(most) * workers / static_cast<double>(all), chi_square,
             static_cast<double>(never)});
}

Table MeasureEvenness() {
  Table table("snat_evenness",
              "Ports that a worker can give away, alone and as a device of a pair: how many on the "
              "mean, those of the "
              "worker with most of the mean, chi-square of 50 draws a port by degrees of freedom "
              "(the worst worker; "
              "1 is chance), and ports that were never drawn.",
              {{"workers", 10, 0},
               {"share", 10},
               {"ports", 9, 0},
               {"max_mean", 10, 4},
               {"chi_square", 12, 3},
               {"never", 8, 0}});
  for (const PortShare share : {PortShare{0, 1}, PortShare{0, 2}, PortShare{1, 2}}) {
    for (const unsigned workers : kWorkerCounts)
      AddEvenness(workers, share, table);
  }
  return table;
}

}  // namespace

std::vector<Table> MeasureSnat(const ScaleExtent& extent) {
  Table cost = MeasureCost(extent);
  return {std::move(cost), MeasureEvenness()};
}

}  // namespace tandem::bench
