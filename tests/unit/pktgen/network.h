// SPDX-License-Identifier: Apache-2.0
//
// Clients and servers of the generator, joined in virtual time by a device and a network that a seed makes
// lose, repeat, delay, damage and misdeliver packets, and that keep book of it. The device translates: it
// gives every flow a server and an address and port of its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/base/prng.h"
#include "tools/pktgen/clients.h"
#include "tools/pktgen/servers.h"

namespace tandem::pktgen {

// How many in a thousand of the packets meet with it, in each direction.
struct Faults {
  uint32_t lost = 0;
  uint32_t repeated = 0;
  uint32_t delayed = 0;
  uint32_t damaged = 0;
  uint32_t strayed = 0;  // requests to another server, replies to another client's address
  uint32_t reset = 0;    // SYN answered by a RST
};

// What became of marked packets in one direction, and of those without a mark.
struct Fates {
  uint64_t marked_sent = 0;
  uint64_t marked_lost = 0;
  uint64_t marked_repeated = 0;
  uint64_t damaged = 0;
  uint64_t strayed = 0;
  uint64_t unmarked_sent = 0;
  uint64_t unmarked_lost = 0;
  uint64_t resets = 0;
};

class Network {
 public:
  static constexpr Nanos kStep = 10'000;
  static constexpr Nanos kTransit = 50'000;

  Network(const ClientOptions& options, uint32_t flows, const Faults& faults, uint64_t seed);

  // One step of virtual time with at most `work_count` frames of new work.
  void Step(Work work, size_t work_count);
  // Steps without new work until all is quiet and nothing is on the way; false after `steps_max`.
  bool Settle(int steps_max);
  void StartPhase(uint8_t phase);

  Clients& clients() { return clients_; }
  Servers& servers() { return servers_; }
  uint64_t client_count(Counter counter) const { return clients_.counters()[counter]; }
  uint64_t server_count(Counter counter) const { return servers_.counters()[counter]; }
  const Fates& to_server() const { return to_server_; }
  const Fates& to_client() const { return to_client_; }
  Nanos now() const { return now_; }
  void set_faults(const Faults& faults) { faults_ = faults; }

 private:
  using Bytes = std::vector<uint8_t>;
  struct Leg {
    ClientTuple client;
    Endpoint translated;
    Endpoint server;
  };

  void Send(const FrameSlot& slot);
  void Carry(Bytes frame, Fates& fates, bool is_to_server);
  void Translate(Bytes& frame, bool is_to_server, bool strays);
  void Deliver();
  void DeliverToServer(Bytes& frame);
  void DeliverToClient(Bytes& frame);
  bool Chance(uint32_t of_thousand) { return prng_.Below(1000) < of_thousand; }

  RunKey run_;
  FlowMap map_;
  Endpoint virtual_;
  std::vector<IpAddress> server_addresses_;
  Faults faults_;
  Prng prng_;
  Clients clients_;
  Servers servers_;
  Nanos now_ = kSecond;
  std::map<uint64_t, Leg> legs_;  // by the client's flow
  std::multimap<Nanos, std::pair<bool, Bytes>> on_the_way_;
  Fates to_server_;
  Fates to_client_;
};

FlowMap TestFlowMap(bool is_v4);
ClientOptions TestOptions(bool is_tcp, bool is_v4 = true);

}  // namespace tandem::pktgen
