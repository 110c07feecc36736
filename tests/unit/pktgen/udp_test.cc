// SPDX-License-Identifier: Apache-2.0
//
// UDP clients and servers over a network with faults: the counters say exactly what it did.
#include <catch2/catch.hpp>

#include "tests/unit/pktgen/network.h"

namespace tandem::pktgen {
namespace {

uint64_t LostOfFlows(Network& network, uint32_t flows) {
  uint64_t lost = 0;
  for (uint32_t flow = 0; flow < flows; ++flow) {
    lost += network.clients().sent_of(flow) - network.clients().received_of(flow);
  }
  return lost;
}

TEST_CASE("udp: without faults every request has its reply, at once and in order", "[pktgen]") {
  const bool is_v4 = GENERATE(true, false);
  Network network(TestOptions(false, is_v4), 500, {}, 1);
  for (int i = 0; i < 1000; ++i)
    network.Step(Work::kRequests, 3);
  REQUIRE(network.Settle(100));
  CHECK(network.client_count(Counter::kRequestsSent) == 3000);
  CHECK(network.server_count(Counter::kRequestsReceived) == 3000);
  CHECK(network.client_count(Counter::kRepliesReceived) == 3000);
  CHECK(network.server_count(Counter::kFlowsMoved) == 0);
  CHECK(LostOfFlows(network, 500) == 0);
  CHECK(network.servers().to_server().max_ns() == Network::kTransit);
  CHECK(network.clients().round_trip().max_ns() == 2 * Network::kTransit);
  CHECK(network.clients().round_trip().min_ns() == 2 * Network::kTransit);
  CHECK(network.clients().to_client().max_ns() == Network::kTransit);
}

TEST_CASE("udp: loss, repetition and damage are counted exactly", "[pktgen]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U);
  const bool is_v4 = GENERATE(true, false);
  constexpr uint32_t kFlows = 300;
  Network network(TestOptions(false, is_v4), kFlows, {20, 15, 30, 10, 0, 0}, seed);
  for (int i = 0; i < 4000; ++i)
    network.Step(Work::kRequests, 4);
  REQUIRE(network.Settle(200));
  const Fates& there = network.to_server();
  const Fates& back = network.to_client();
  CHECK(there.marked_sent == 16000);
  CHECK(there.marked_lost > 100);
  CHECK(there.marked_repeated > 100);
  CHECK(network.client_count(Counter::kRequestsSent) == there.marked_sent);
  CHECK(network.server_count(Counter::kRequestsReceived) == there.marked_sent - there.marked_lost);
  CHECK(network.server_count(Counter::kRequestsDuplicated) == there.marked_repeated);
  CHECK(network.server_count(Counter::kRequestsStale) == 0);
  CHECK(network.server_count(Counter::kRequestsReordered) > 0);
  // A wrong port may as well be a wrong checksum; nothing else shows damage of these bytes.
  CHECK(network.server_count(Counter::kL4ChecksumBad) == there.damaged);
  CHECK(network.client_count(Counter::kL4ChecksumBad) == back.damaged);
  CHECK(network.client_count(Counter::kRepliesReceived) == back.marked_sent - back.marked_lost);
  CHECK(network.client_count(Counter::kRepliesDuplicated) == back.marked_repeated);
  CHECK(LostOfFlows(network, kFlows) == there.marked_lost + back.marked_lost);
  CHECK(network.server_count(Counter::kFlowsMoved) == 0);
  CHECK(network.client_count(Counter::kRepliesMisdelivered) == 0);
}

TEST_CASE("udp: a reply to another client and a flow at another server are noticed", "[pktgen]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U);
  Network network(TestOptions(false), 50, {}, seed);
  for (int i = 0; i < 2000; ++i)
    network.Step(Work::kRequests, 1);
  REQUIRE(network.Settle(100));
  REQUIRE(network.server_count(Counter::kFlowsMoved) == 0);
  network.set_faults({0, 0, 0, 0, 10, 0});
  for (int i = 0; i < 2000; ++i)
    network.Step(Work::kRequests, 1);
  network.Settle(100);
  // There and back again, unless the flow strays twice in a row.
  const uint64_t moved = network.server_count(Counter::kFlowsMoved);
  CHECK(moved > network.to_server().strayed);
  CHECK(moved <= 2 * network.to_server().strayed);
  CHECK(network.to_client().strayed > 0);
  CHECK(network.client_count(Counter::kRepliesMisdelivered) == network.to_client().strayed);
}

TEST_CASE("udp: packets of an earlier phase are late, and not lost in this one", "[pktgen]") {
  Network network(TestOptions(false), 100, {}, 1);
  for (int i = 0; i < 100; ++i)
    network.Step(Work::kRequests, 2);
  network.StartPhase(1);
  for (int i = 0; i < 100; ++i)
    network.Step(Work::kRequests, 2);
  REQUIRE(network.Settle(100));
  CHECK(network.client_count(Counter::kRequestsSent) == 200);
  CHECK(network.client_count(Counter::kRepliesReceived) == 200);
  CHECK(network.server_count(Counter::kLate) + network.client_count(Counter::kLate) > 0);
  CHECK(LostOfFlows(network, 100) == 0);
}

TEST_CASE("udp: connections of three requests each, one tuple after another", "[pktgen]") {
  const uint32_t loss = GENERATE(0U, 50U);
  ClientOptions options = TestOptions(false);
  options.requests_per_connection = 3;
  Network network(options, 100000, {loss, 0, 0, 0, 0, 0}, 7);
  for (int i = 0; i < 2000; ++i)
    network.Step(Work::kConnections, 1);
  REQUIRE(network.Settle(200000));
  CHECK(network.client_count(Counter::kConnectionsStarted) == 2000);
  CHECK(network.client_count(Counter::kRequestsSent) == 6000);
  const uint64_t closed = network.client_count(Counter::kConnectionsClosed);
  CHECK(closed + network.client_count(Counter::kConnectionsTimedOut) == 2000);
  CHECK((closed == 2000) == (loss == 0));
  CHECK(network.client_count(Counter::kRequestsGivenUp) ==
        network.to_server().marked_lost + network.to_client().marked_lost);
}

TEST_CASE("udp: a tuple's next connection may go to another server", "[pktgen]") {
  ClientOptions options = TestOptions(false);
  options.requests_per_connection = 2;
  Network network(options, 10, {0, 0, 0, 0, 1000, 0}, 7);
  network.Step(Work::kConnections, 10);
  network.set_faults({});
  network.Settle(100000);
  CHECK(network.server_count(Counter::kFlowsMoved) == 10);  // within a connection it may not
}

}  // namespace
}  // namespace tandem::pktgen
