// SPDX-License-Identifier: Apache-2.0
//
// How evenly the device's own hash gives flows to workers, for several kinds of clients. No packet is
// made: what counts is the endpoint that both legs share.
#include <arpa/inet.h>

#include <algorithm>
#include <string>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/config/steering.h"
#include "tools/bench/scale_parts.h"

namespace tandem::bench {
namespace {

struct Endpoint {
  uint32_t address;  // in network byte order, as the port
  uint16_t port;
};

enum class Clients : uint8_t { kNeighbours, kOneAddress, kAnywhere };

struct Population {
  const char* name;
  Clients clients;
  uint32_t flows;
};

constexpr uint32_t kFirstAddress = 0xc6120000;  // 198.18.0.0
constexpr uint16_t kFirstPort = 32768;          // where Linux begins

Endpoint ClientOf(Clients clients, uint32_t flow, Prng& prng) {
  switch (clients) {
    case Clients::kNeighbours:
      return {htonl(kFirstAddress + flow), htons(kFirstPort)};
    case Clients::kOneAddress:
      return {htonl(kFirstAddress), htons(static_cast<uint16_t>(kFirstPort + flow))};
    case Clients::kAnywhere:
      break;
  }
  return {static_cast<uint32_t>(prng.Next() >> 32), static_cast<uint16_t>(prng.Next() >> 48)};
}

// Flows of the worker with most, of the mean.
double Unevenness(const config::Steering& steering, const Population& population) {
  std::vector<uint32_t> counts(steering.workers());
  Prng prng(1);
  for (uint32_t flow = 0; flow < population.flows; ++flow) {
    const Endpoint client = ClientOf(population.clients, flow, prng);
    ++counts[steering.OwnerOf(client.address, client.port)];
  }
  return static_cast<double>(*std::max_element(counts.begin(), counts.end())) *
         static_cast<double>(counts.size()) / population.flows;
}

}  // namespace

std::vector<Table> MeasureSpread() {
  Table table("spread",
              "Flows over workers by the device's hash, key and table: flows of the worker with "
              "most, of the mean.",
              {{"clients", 30},
               {"flows", 10, 0},
               {"workers_2", 11, 3},
               {"workers_4", 11, 3},
               {"workers_8", 11, 3}});
  for (const Population& population :
       {Population{"addresses in a row, one port", Clients::kNeighbours, 1000},
        {"addresses in a row, one port", Clients::kNeighbours, 1'000'000},
        {"one address, ports in a row", Clients::kOneAddress, 1000},
        {"one address, ports in a row", Clients::kOneAddress, 28'000},
        {"anywhere, any port", Clients::kAnywhere, 1000},
        {"anywhere, any port", Clients::kAnywhere, 1'000'000}}) {
    std::vector<Cell> cells = {population.name, Number(population.flows)};
    for (const unsigned workers : {2U, 4U, 8U})
      cells.emplace_back(Unevenness(config::Steering(workers), population));
    table.Add(std::move(cells));
  }
  return {table};
}

}  // namespace tandem::bench
