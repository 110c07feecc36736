// SPDX-License-Identifier: Apache-2.0
//
// TCP clients and servers over a network with faults and a device that translates: connections come to
// their end, and the counters say what the network did.
#include <catch2/catch.hpp>

#include "tests/unit/pktgen/network.h"

namespace tandem::pktgen {
namespace {

void OpenAll(Network& network) {
  while (!network.clients().is_done_once())
    network.Step(Work::kOpen, 2);
  REQUIRE(network.Settle(2'000'000));
}

void CloseAll(Network& network) {
  network.clients().Rewind();
  while (!network.clients().is_done_once())
    network.Step(Work::kClose, 2);
  REQUIRE(network.Settle(2'000'000));
}

TEST_CASE("tcp: opens, exchanges data and closes without a packet too many", "[pktgen]") {
  const bool is_v4 = GENERATE(true, false);
  constexpr uint32_t kFlows = 200;
  Network network(TestOptions(true, is_v4), kFlows, {}, 1);
  OpenAll(network);
  CHECK(network.clients().open_flows() == kFlows);
  for (int i = 0; i < 3000; ++i)
    network.Step(Work::kRequests, 3);
  REQUIRE(network.Settle(1000));
  CloseAll(network);
  CHECK(network.clients().open_flows() == 0);
  for (const Counter counter :
       {Counter::kSynSent, Counter::kSynAckReceived, Counter::kFinSent, Counter::kFinAckReceived,
        Counter::kConnectionsStarted, Counter::kConnectionsOpened, Counter::kConnectionsClosed}) {
    INFO(NameOf(counter));
    CHECK(network.client_count(counter) == kFlows);
  }
  CHECK(network.client_count(Counter::kRequestsSent) == 9000);
  CHECK(network.client_count(Counter::kRepliesReceived) == 9000);
  CHECK(network.server_count(Counter::kAckReceived) == 2 * kFlows);
  CHECK(network.client_count(Counter::kUnexpected) == 0);
  CHECK(network.server_count(Counter::kFlowsMoved) == 0);
  CHECK(network.client_count(Counter::kRequestsRepeated) == 0);
}

TEST_CASE("tcp: under loss, repetition, delay and damage all connections still close", "[pktgen]") {
  const uint64_t seed = GENERATE(1U, 2U, 3U, 4U);
  const bool is_v4 = GENERATE(true, false);
  constexpr uint32_t kFlows = 150;
  Network network(TestOptions(true, is_v4), kFlows, {20, 10, 20, 10, 0, 0}, seed);
  OpenAll(network);
  CHECK(network.clients().open_flows() == kFlows);
  for (int i = 0; i < 3000; ++i)
    network.Step(Work::kRequests, 2);
  REQUIRE(network.Settle(2'000'000));
  CloseAll(network);
  CHECK(network.client_count(Counter::kConnectionsClosed) == kFlows);
  CHECK(network.client_count(Counter::kConnectionsTimedOut) == 0);
  const Fates& there = network.to_server();
  const Fates& back = network.to_client();
  CHECK(network.client_count(Counter::kRequestsSent) == there.marked_sent);
  CHECK(network.client_count(Counter::kRequestsSent) ==
        6000 - network.client_count(Counter::kFlowBusy) +
            network.client_count(Counter::kRequestsRepeated));
  CHECK(network.server_count(Counter::kRequestsReceived) == there.marked_sent - there.marked_lost);
  CHECK(network.server_count(Counter::kRequestsDuplicated) == there.marked_repeated);
  CHECK(network.client_count(Counter::kRepliesReceived) == back.marked_sent - back.marked_lost);
  CHECK(network.client_count(Counter::kRepliesDuplicated) == back.marked_repeated);
  CHECK(network.server_count(Counter::kSynReceived) + network.server_count(Counter::kFinReceived) +
            network.server_count(Counter::kAckReceived) ==
        there.unmarked_sent - there.unmarked_lost);
  CHECK(network.server_count(Counter::kFlowsMoved) == 0);
  CHECK(network.client_count(Counter::kRepliesMisdelivered) == 0);
}

TEST_CASE("tcp: connections of some requests each, at a rate, under loss", "[pktgen]") {
  const uint32_t requests = GENERATE(1U, 4U);
  const uint32_t loss = GENERATE(0U, 20U);
  ClientOptions options = TestOptions(true);
  options.requests_per_connection = requests;
  Network network(options, 60000, {loss, 0, 0, 0, 0, 0}, 3);
  for (int i = 0; i < 1500; ++i)
    network.Step(Work::kConnections, 1);
  REQUIRE(network.Settle(2'000'000));
  CHECK(network.client_count(Counter::kConnectionsStarted) == 1500);
  CHECK(network.client_count(Counter::kConnectionsOpened) == 1500);
  CHECK(network.client_count(Counter::kConnectionsClosed) == 1500);
  CHECK(network.client_count(Counter::kRequestsSent) ==
        1500 * requests + network.client_count(Counter::kRequestsRepeated));
  CHECK((network.client_count(Counter::kRequestsRepeated) > 0) == (loss > 0));
  CHECK(network.clients().open_flows() == 0);
}

TEST_CASE("tcp: a tuple is used again after its connection is closed", "[pktgen]") {
  ClientOptions options = TestOptions(true);
  options.requests_per_connection = 1;
  Network network(options, 20, {}, 3);
  for (int i = 0; i < 3000; ++i)
    network.Step(Work::kConnections, 1);
  REQUIRE(network.Settle(100000));
  CHECK(network.client_count(Counter::kTupleBusy) > 0);
  CHECK(network.client_count(Counter::kConnectionsStarted) +
            network.client_count(Counter::kTupleBusy) ==
        3000);
  CHECK(network.client_count(Counter::kConnectionsClosed) ==
        network.client_count(Counter::kConnectionsStarted));
  CHECK(network.client_count(Counter::kUnexpected) == 0);
}

TEST_CASE("tcp: a RST of the device ends the connection, which is opened again", "[pktgen]") {
  Network network(TestOptions(true), 100, {0, 0, 0, 0, 0, 300}, 5);
  OpenAll(network);
  const uint64_t resets = network.client_count(Counter::kConnectionsReset);
  CHECK(resets == network.to_server().resets);
  CHECK(resets > 10);
  CHECK(network.clients().open_flows() == 100 - resets);
  network.set_faults({});
  for (int i = 0; i < 3000; ++i)
    network.Step(Work::kRequests, 1);
  REQUIRE(network.Settle(1000));
  CHECK(network.clients().open_flows() == 100);
}

TEST_CASE("tcp: a device that answers nothing has its connections given up", "[pktgen]") {
  Network network(TestOptions(true), 10, {1000, 0, 0, 0, 0, 0}, 5);
  while (!network.clients().is_done_once())
    network.Step(Work::kOpen, 2);
  REQUIRE(network.Settle(4'000'000));
  CHECK(network.client_count(Counter::kConnectionsTimedOut) == 10);
  CHECK(network.client_count(Counter::kSynSent) == 10 * (1 + Clients::kRetriesMax));
  CHECK(network.clients().open_flows() == 0);
}

TEST_CASE("tcp: a popular flow has many requests under way, and not more than it may", "[pktgen]") {
  Network network(TestOptions(true), 1, {}, 5);
  OpenAll(network);
  network.Step(Work::kRequests, 32);
  network.Step(Work::kRequests, 32);
  CHECK(network.client_count(Counter::kRequestsSent) == kUnderWayMax);
  CHECK(network.client_count(Counter::kFlowBusy) == 32);
  REQUIRE(network.Settle(1000));
  CHECK(network.client_count(Counter::kRepliesReceived) == kUnderWayMax);
}

TEST_CASE("tcp: a flow that goes on at another server is noticed", "[pktgen]") {
  Network network(TestOptions(true), 20, {}, 5);
  OpenAll(network);
  network.set_faults({0, 0, 0, 0, 1000, 0});
  network.Step(Work::kRequests, 1);
  network.Settle(10);
  CHECK(network.server_count(Counter::kFlowsMoved) == 1);
  CHECK(network.client_count(Counter::kRepliesMisdelivered) == 1);
}

}  // namespace
}  // namespace tandem::pktgen
