// SPDX-License-Identifier: Apache-2.0
//
// What an operator sees of a pair that mirrors, at both ends: two real devices on a wire.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "dataplane/unit/mirroring.h"
#include "tests/unit/control/mirror_pair.h"

namespace tandem::control {
namespace {

using admin::v1::MirrorResult;
using admin::v1::Request;
using admin::v1::Response;
using Lines = std::vector<std::string>;

constexpr char kDiffer[] = "the configurations of the two devices differ";

// What the device says of "tg" in every place: one state, one reason.
struct Said {
  std::string state;
  std::string reason;
  bool operator==(const Said&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Said& said) {
  return out << said.state << ": " << said.reason;
}

Said SaidBy(MirrorPair& pair, unsigned device) {
  const MirrorResult mirror = pair.Mirror(device);
  REQUIRE(mirror.group_size() == 1);
  const auto group = pair.Group(device);
  CHECK(group.mirror() == mirror.group(0).state());
  CHECK(group.reason() == mirror.group(0).reason());
  CHECK(group.peer_mirror() == mirror.group(0).peer_state());
  const bool is_in_sync = mirror.group(0).state() == "in-sync";
  CHECK(mirror.group(0).reason().empty() == is_in_sync);
  for (const auto& stream : mirror.stream()) {
    if (is_in_sync) CHECK(stream.state() == "in-sync");
    CHECK(stream.reason().empty() == (stream.state() == "in-sync"));
  }
  test::Rig& rig = pair.rig(device);
  if (device == 1 && mirror.peer(0).state() == "up") {
    CHECK(rig.unit().mirroring()->InSync(rig.GroupNamed("tg")) == is_in_sync);
  }
  return {mirror.group(0).state(), mirror.group(0).reason()};
}

void CheckBothSay(MirrorPair& pair, const Said& said) {
  CHECK(SaidBy(pair, 0) == said);
  CHECK(SaidBy(pair, 1) == said);
  for (unsigned device = 0; device < 2; ++device)
    CHECK(pair.Group(device).peer_mirror() == said.state);
}

uint64_t FlowsAt(MirrorPair& pair) {
  const MirrorResult result = pair.Mirror(1);
  uint64_t flows = 0;
  for (const auto& stream : result.stream())
    flows += stream.flows();
  return flows;
}

uint64_t UnboundAt(MirrorPair& pair) {
  const MirrorResult result = pair.Mirror(1);
  uint64_t flows = 0;
  for (const auto& stream : result.stream())
    flows += stream.unbound();
  return flows;
}

std::map<std::string, uint64_t> CountersOf(const MirrorResult& result) {
  std::map<std::string, uint64_t> counters;
  for (const auto& counter : result.counter()) {
    CHECK_FALSE(counter.help().empty());
    CHECK(counters.emplace(counter.part() + "/" + counter.name(), counter.value()).second);
  }
  return counters;
}

TEST_CASE("admin mirror: both ends say the same, in every place", "[admin]") {
  MirrorPair pair;
  CHECK(pair.Group(0).mirror() == "down");
  CHECK(pair.Group(0).reason() == "no session yet");
  pair.Send(1000, 80);
  pair.Advance(3 * kSecond);
  CheckBothSay(pair, {"in-sync", ""});
  CHECK(pair.Log(0) ==
        Lines{"mirror: peer 'unit2' is up", "mirror: traffic group 'tg' is in sync"});
  CHECK(pair.Log(1) ==
        Lines{"mirror: peer 'unit1' is up", "mirror: traffic group 'tg' is in sync"});
  CHECK(pair.Group(0).role() == "active");
  CHECK(pair.Group(0).peer_role() == "standby");
  CHECK(pair.Group(1).role() == "standby");
  CHECK(pair.Group(1).peer_role() == "active");
  const MirrorResult active = pair.Mirror(0);
  const MirrorResult standby = pair.Mirror(1);
  CHECK(active.group(0).session() == standby.group(0).session());
  CHECK(active.group(0).epoch() == standby.group(0).epoch());
  CHECK(active.peer(0).device() == "unit2");
  CHECK(active.peer(0).config_equal());
  REQUIRE(active.stream_size() == 2);
  CHECK(active.stream(0).creates() + active.stream(1).creates() == 1);
  CHECK(FlowsAt(pair) == 1);
}

TEST_CASE("admin mirror: configurations that differ hold a group, whose changes go on", "[admin]") {
  MirrorPair pair;
  pair.Send(1000, 80);
  pair.Advance(3 * kSecond);
  pair.Log(0);
  pair.Log(1);
  const Said held{"held", kDiffer};
  const Lines line = {std::string("mirror: traffic group 'tg' is held: ") + kDiffer};
  SECTION("the standby lacks a virtual") {
    REQUIRE(pair.admin(1).ApplyText(MirrorConfig(1, "name: \"dns\""), "test", false).ok());
    pair.Advance(500 * kMillisecond);
    CheckBothSay(pair, held);
    CHECK(pair.Log(0) == line);
    CHECK(pair.Log(1) == line);
    CHECK_FALSE(pair.Mirror(0).peer(0).config_equal());
    CHECK(pair.Mirror(0).stream(0).state() == "held");
    CHECK(pair.Mirror(0).stream(0).reason() == kDiffer);
    // Live, of what it has and of what it lacks.
    pair.Send(1001, 80);
    pair.Send(1002, 53);
    pair.Advance(50 * kMillisecond);
    CHECK(FlowsAt(pair) == 3);
    CHECK(UnboundAt(pair) == 1);
    pair.Advance(3 * kSecond);
    CheckBothSay(pair, held);
    REQUIRE(pair.admin(1).ApplyText(MirrorConfig(1), "test", false).ok());
    pair.Advance(500 * kMillisecond);
    CHECK(UnboundAt(pair) == 0);
  }
  SECTION("another one at the active") {
    const std::string more =
        "virtual { name: \"new\" destination: \"10.0.0.101:80\" ip_protocol: UDP pool: \"web\" "
        "traffic_group: \"tg\" mirror: true mirror_at: SYN }\n";
    REQUIRE(pair.admin(0).ApplyText(MirrorConfig(0, "", more), "test", false).ok());
    pair.Advance(500 * kMillisecond);
    CheckBothSay(pair, held);
    CHECK(pair.Log(0) == line);
    CHECK(pair.Log(1) == line);
    pair.Send(1001, 80);
    pair.Advance(50 * kMillisecond);
    CHECK(FlowsAt(pair) == 2);
    CHECK(UnboundAt(pair) == 0);
    REQUIRE(pair.admin(1).ApplyText(MirrorConfig(1, "", more), "test", false).ok());
    pair.Advance(500 * kMillisecond);
  }
  CheckBothSay(pair, {"in-sync", ""});
  for (unsigned device = 0; device < 2; ++device)
    CHECK(pair.Log(device) == Lines{"mirror: traffic group 'tg' is in sync"});
}

TEST_CASE("admin mirror: held too when only a connection's VLAN is missing", "[admin]") {
  // VLANs' names are no part of what makes configurations equal.
  std::string other = MirrorConfig(1);
  for (size_t at = 0; (at = other.find("\"clients\"")) != std::string::npos;)
    other.replace(at, 9, "\"outside\"");
  MirrorPair pair(MirrorConfig(0), other);
  pair.Advance(3 * kSecond);
  CheckBothSay(pair, {"in-sync", ""});
  pair.Log(0);
  pair.Log(1);
  pair.Send(1000, 80);
  pair.Advance(500 * kMillisecond);
  CHECK(UnboundAt(pair) == 1);
  CHECK(SaidBy(pair, 0) ==
        Said{"held", "connections of objects that are not configured at the peer"});
  CHECK(SaidBy(pair, 1) == Said{"held", "connections of objects that are not configured here"});
  CHECK(pair.Log(1) == Lines{"mirror: traffic group 'tg' is held: connections of objects that are "
                             "not configured here"});
  pair.rig(0).DeleteFlows();
  pair.Advance(500 * kMillisecond);
  CheckBothSay(pair, {"in-sync", ""});
}

TEST_CASE("admin mirror: a peer that is silent is down, and its shadow kept", "[admin]") {
  MirrorPair pair;
  pair.Send(1000, 80);
  pair.Advance(3 * kSecond);
  pair.Log(0);
  pair.Log(1);
  pair.pair().SetLoss(100);
  pair.Advance(5 * kSecond);
  CHECK(SaidBy(pair, 0) == Said{"down", "peer is down"});
  CHECK(SaidBy(pair, 1) == Said{"down", "peer is down"});
  CHECK(pair.Mirror(0).peer(0).state() == "down");
  CHECK(pair.Group(0).peer_role().empty());
  CHECK(pair.Group(0).peer_mirror().empty());
  CHECK(pair.Log(1) == Lines{"mirror: traffic group 'tg' is not in sync any more: a worker's "
                             "stream is silent",
                             "mirror: peer 'unit1' is down"});
  const MirrorResult down = pair.Mirror(0);
  for (const auto& stream : down.record_stream()) {
    CHECK(stream.state() == "down");
    CHECK_FALSE(stream.in_sync());
  }
  // A takeover builds on what was heard last.
  CHECK(pair.rig(1).unit().mirroring()->InSync(pair.rig(1).GroupNamed("tg")));
  CHECK(FlowsAt(pair) == 1);
  pair.pair().SetLoss(0);
  pair.Advance(8 * kSecond);
  CheckBothSay(pair, {"in-sync", ""});
}

TEST_CASE("admin mirror: persistence streams, by direction and worker", "[admin]") {
  MirrorPair pair;
  pair.Send(1000, 80);
  pair.Advance(3 * kSecond);
  std::map<std::string, uint64_t> told, applied;
  for (unsigned device = 0; device < 2; ++device) {
    const MirrorResult result = pair.Mirror(device);
    REQUIRE(result.record_stream_size() == 4);
    for (const auto& stream : result.record_stream()) {
      CAPTURE(device, stream.ShortDebugString());
      CHECK(stream.state() == "in-sync");
      CHECK(stream.in_sync());
      CHECK(stream.frames() > 0);
      CHECK(stream.malformed() + stream.skipped() == 0);
      CHECK(stream.counter_size() == 13);
      (stream.direction() == "sending" ? told : applied)[std::to_string(device)] +=
          stream.records();
    }
  }
  CHECK(told["0"] == 1);
  CHECK(applied["1"] == 1);
  CHECK(told["1"] + applied["0"] == 0);
  // Its end is told as well.
  Request request;
  request.mutable_delete_persistence()->set_all(true);
  CHECK(pair.admin(0).Ask(request).persistence_deleted().deleted() == 1);
  pair.Advance(500 * kMillisecond);
  const MirrorResult standby = pair.Mirror(1);
  uint64_t removals = 0;
  for (const auto& stream : standby.record_stream())
    removals += stream.removals();
  CHECK(removals == 1);
}

TEST_CASE("admin mirror: records are the same at both ends, and say whose they are", "[admin]") {
  MirrorPair pair;
  pair.Send(1000, 80);
  pair.Advance(3 * kSecond);
  Request request;
  request.mutable_show_persistence();
  for (unsigned device = 0; device < 2; ++device) {
    const Response response = pair.admin(device).Ask(request);
    REQUIRE(response.persistence().record_size() == 1);
    const auto& record = response.persistence().record(0);
    CHECK(record.key() == "10.0.0.9");
    CHECK(record.mode() == "source-address");
    CHECK(record.profile() == "source");
    CHECK(record.virtual_() == "web");
    CHECK(record.pool() == "web");
    CHECK(record.member() == "10.1.0.5:80");
    CHECK(record.traffic_group() == "tg");
    CHECK(record.mirrored());
    CHECK(record.from_peer() == (device == 1));
  }
  request.mutable_show_persistence()->mutable_filter()->set_profile("other");
  CHECK(pair.admin(0).Ask(request).code() == Response::NOT_FOUND);
  request.mutable_show_persistence()->mutable_filter()->set_profile("source");
  request.mutable_show_persistence()->set_count(true);
  CHECK(pair.admin(1).Ask(request).persistence().matched() == 1);
}

TEST_CASE("admin mirror: the endpoint and the link show all they count, from a reset on",
          "[admin]") {
  MirrorPair pair;
  pair.pair().SetLoss(5);
  pair.Send(1000, 80);
  pair.Advance(3 * kSecond);
  const auto before = CountersOf(pair.Mirror(0));
  CHECK(before.size() == 9 + 17 + 5);
  for (const char* name : {"link/ttl", "link/malformed", "endpoint/forged", "endpoint/replayed",
                           "endpoint/session_unknown", "endpoint/epoch_old", "endpoint/header_bad",
                           "endpoint/control_bad", "worker/unknown_group"}) {
    CAPTURE(name);
    REQUIRE(before.contains(name));
    CHECK(before.at(name) == 0);
  }
  CHECK(before.at("link/sent") ==
        pair.rig(0).unit().mirroring()->peers().link_counters().sent.Get());
  CHECK(before.at("link/received") > 10);
  CHECK(before.at("endpoint/control_received") > 0);
  // What comes from anywhere else is counted where it is refused.
  test::FrameCollector sink;
  const std::vector<uint8_t> routed = test::PacketBuilder()
                                          .Ethernet("02:00:00:00:02:02", "02:00:00:00:02:01")
                                          .Ipv4("10.255.0.2", "10.255.0.1")
                                          .Ttl(64)
                                          .Udp(5000, 1028)
                                          .Payload(100)
                                          .Build();
  const std::vector<std::span<const uint8_t>> frames(3, routed);
  pair.rig(0).unit().MirrorTurn(frames, pair.rig(0).now(), sink);
  CHECK(CountersOf(pair.Mirror(0)).at("link/ttl") == 3);
  Request reset;
  reset.mutable_reset_stats();
  CHECK(pair.admin(0).Ask(reset).has_reset());
  const MirrorResult result = pair.Mirror(0);
  for (const auto& [name, value] : CountersOf(result)) {
    CAPTURE(name);
    CHECK(value == 0);
  }
  for (const auto& stream : result.record_stream()) {
    CHECK(stream.frames() + stream.records() == 0);
    CHECK(stream.state() == "in-sync");
  }
  for (const auto& stream : result.stream())
    CHECK(stream.frames() + stream.creates() == 0);
  pair.Advance(kSecond);
  CHECK(CountersOf(pair.Mirror(0)).at("link/sent") > 0);
  CHECK(CountersOf(pair.Mirror(1)).at("link/sent") > before.at("link/received"));
}

TEST_CASE("admin mirror: mirroring is switched on and off by object", "[admin]") {
  MirrorPair pair;
  pair.Send(1000, 80);
  pair.Send(1001, 53);
  pair.Advance(3 * kSecond);
  CHECK(FlowsAt(pair) == 2);
  Request request;
  auto& modify = *request.mutable_modify_mirror();
  modify.set_kind(admin::v1::ModifyMirror::VIRTUAL);
  modify.set_name("dns");
  modify.set_state(admin::v1::ModifyMirror::DISABLED);
  REQUIRE(pair.admin(0).Ask(request).code() == Response::OK);
  pair.Advance(500 * kMillisecond);
  CHECK(FlowsAt(pair) == 1);
  CHECK(SaidBy(pair, 1) == Said{"held", kDiffer});
  REQUIRE(pair.admin(1).Ask(request).code() == Response::OK);
  pair.Advance(500 * kMillisecond);
  CheckBothSay(pair, {"in-sync", ""});
  modify.set_name("none");
  CHECK(pair.admin(0).Ask(request).code() == Response::NOT_FOUND);
}

}  // namespace
}  // namespace tandem::control
