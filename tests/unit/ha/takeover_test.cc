// SPDX-License-Identifier: Apache-2.0
//
// The rules of dataplane/ha/README.md, one by one: taking over, giving way, being stopped.
#include "tests/unit/ha/rig.h"

namespace tandem::ha {
namespace {

using Kind = Action::Kind;
using config::Role;

}  // namespace

// ---- taking over --------------------------------------------------------------------------------

TEST_CASE("takeover: the next-active acts when the active was silent for the detection time") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].speaks = false;
  rig.Pass(kDetection - 11 * kMillisecond);
  CHECK(rig.state() == State::kStandby);
  rig.log.clear();
  rig.Pass(12 * kMillisecond);
  CHECK(rig.state() == State::kStandalone);
  CHECK(rig.group().epoch() == Epoch::Promoted(8, 1));
  // In this order, and no flow is touched.
  std::vector<Kind> kinds;
  for (const Action& action : rig.log)
    kinds.push_back(action.kind);
  const std::vector<Kind> wanted = {Kind::kTransition, Kind::kDropBacklog, Kind::kSetRole,
                                    Kind::kTransition, Kind::kAnnounce};
  CHECK(kinds == wanted);
  CHECK(std::string(rig.group().reason()) == "the active device is silent");
}

TEST_CASE("takeover: at once, when the active says goodbye") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].goodbye = true;
  rig.peers[2].says = {.name_hash = kName, .state = State::kOffline};
  rig.Speak(2);
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("takeover: at once, when the active gives the group up") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].says = {.name_hash = kName, .state = State::kFailed, .epoch = Epoch::Promoted(7, 2)};
  rig.Speak(2);
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("takeover: who is not next waits a detection time for who is") {
  Rig rig(RigSettings({2, 3}));
  rig.Acts(2, Epoch::Promoted(7, 2), 3);
  rig.peers[2].says.mirror_to = 1;
  rig.peers[3].speaks = true;
  rig.peers[3].says = {.name_hash = kName,
                       .state = State::kStandby,
                       .epoch = Epoch::Promoted(7, 2),
                       .eligible = true,
                       .in_sync = true};
  rig.Pass(100 * kMillisecond);
  rig.Give(ShadowSays{kGroup, true, 9, Epoch::Promoted(7, 2)});
  rig.peers[2].speaks = false;
  rig.Pass(2 * kDetection - 12 * kMillisecond);
  CHECK(rig.state() == State::kStandby);
  rig.Pass(15 * kMillisecond);
  CHECK(rig.state() == State::kDegraded);
}

TEST_CASE("takeover: a shadow is not in sync for a device that is told nothing any more") {
  Rig rig(RigSettings({2, 3}));
  rig.Acts(2, Epoch::Promoted(7, 2), 1);
  rig.Pass(100 * kMillisecond);
  rig.Give(ShadowSays{kGroup, true, 9, Epoch::Promoted(7, 2)});
  CHECK(rig.state() == State::kStandby);
  // The mirror has not noticed yet.
  rig.Acts(2, Epoch::Promoted(7, 2), 3);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);
  rig.peers[2].speaks = false;
  rig.Pass(5 * kDetection);
  CHECK(rig.state() == State::kSyncing);
}

TEST_CASE("takeover: without a complete shadow, not from who may only be late") {
  Rig rig;
  rig.Acts(2, Epoch::Promoted(7, 2), 1);
  rig.Pass(100 * kMillisecond);
  rig.peers[2].speaks = false;
  rig.Pass(10 * kDetection);
  CHECK(rig.state() == State::kSyncing);
  rig.peers[2].speaks = true;
  rig.Pass(kDetection);
  CHECK(rig.state() == State::kSyncing);
  rig.peers[2].speaks = false;
  rig.Pass(12 * kDetection);
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("takeover: without a complete shadow, at once from who has stopped") {
  Rig rig;
  rig.Acts(2, Epoch::Promoted(7, 2), 1);
  rig.Pass(100 * kMillisecond);
  rig.peers[2].goodbye = true;
  rig.peers[2].says = {.name_hash = kName, .state = State::kOffline};
  rig.Speak(2);
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("takeover: and follows it when it acts") {
  Rig rig(RigSettings({2, 3}));
  rig.Acts(2, Epoch::Promoted(7, 2), 3);
  rig.peers[3].speaks = true;
  rig.Pass(100 * kMillisecond);
  rig.peers[2].speaks = false;
  rig.Pass(kDetection);
  rig.Acts(3, Epoch::Promoted(8, 3), 1);
  rig.Pass(kSecond);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.group().epoch() == Epoch::Promoted(8, 3));
}

TEST_CASE("takeover: not from an active device that another one hears") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeStandby();
  rig.peers[3].speaks = true;
  rig.peers[3].says = {.name_hash = kName,
                       .state = State::kSyncing,
                       .epoch = Epoch::Promoted(7, 2),
                       .follows = true,
                       .eligible = true};
  rig.Pass(20 * kMillisecond);
  rig.peers[2].speaks = false;
  rig.Pass(kSecond);
  CHECK(rig.state() == State::kStandby);
  rig.peers[3].says.follows = false;
  rig.Pass(20 * kMillisecond);
  CHECK(Acts(rig.state()));
}

TEST_CASE("takeover: a device that says itself that it does not act is believed before others") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeStandby();
  rig.peers[3].speaks = true;
  rig.peers[3].says = {.name_hash = kName,
                       .state = State::kSyncing,
                       .epoch = Epoch::Promoted(7, 2),
                       .follows = true,
                       .eligible = true};
  rig.Pass(20 * kMillisecond);
  rig.peers[2].says = {.name_hash = kName, .state = State::kFailed, .epoch = Epoch::Promoted(7, 2)};
  rig.Pass(11 * kMillisecond);
  CHECK(Acts(rig.state()));
}

TEST_CASE("takeover: later, while the active one is suspended or has granted") {
  for (const State state : {State::kSuspended, State::kGranted}) {
    Rig rig;
    rig.BecomeStandby();
    rig.peers[2].says = {
        .name_hash = kName, .state = state, .epoch = Epoch::Promoted(7, 2), .eligible = true};
    rig.Pass(kDetection);
    CHECK(rig.state() == State::kStandby);
    rig.Pass(20 * kMillisecond);
    CHECK(Acts(rig.state()));
  }
}

TEST_CASE("takeover: the epoch is above every ballot that was heard of") {
  Rig rig;
  rig.peers[2].ballot = 12;
  rig.BecomeStandby();
  rig.peers[2].speaks = false;
  rig.Pass(2 * kDetection);
  CHECK(rig.group().epoch() == Epoch::Promoted(13, 1));
}

TEST_CASE("takeover: with a peer far ahead, when the disk has followed") {
  Rig rig;
  rig.disk_works = false;
  rig.BecomeStandby(Epoch::Promoted(500, 2));
  CHECK(rig.Last(Kind::kPersist)->ballot == 516);
  rig.peers[2].speaks = false;
  rig.Pass(2 * kDetection);
  CHECK(rig.state() == State::kPromoting);
  CHECK(rig.role() == Role::kStandby);
  rig.Give(FactsDurable{516, false});
  rig.Turn();
  CHECK(rig.group().epoch() == Epoch::Promoted(501, 1));
}

// ---- giving way ---------------------------------------------------------------------------------

TEST_CASE("a higher epoch: silent first, then its standby with nothing of its own") {
  Rig rig;
  rig.BecomeActive();
  rig.log.clear();
  rig.Acts(2, Epoch::Promoted(1, 2), 1);  // the same ballot, a higher device
  rig.Speak(2);
  CHECK(rig.state() == State::kSyncing);
  CHECK_FALSE(rig.forwards());
  CHECK(rig.log.front().kind == Kind::kSetRole);
  CHECK(rig.log.front().role == Role::kStandby);
  CHECK(rig.Last(Kind::kFollow)->epoch == Epoch::Promoted(1, 2));
  CHECK_FALSE(rig.Last(Kind::kFollow)->is_warm);
}

TEST_CASE("a higher epoch: also when another device tells of it") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeActive();
  rig.peers[3].speaks = true;
  rig.peers[2].speaks = false;
  rig.Pass(2 * kDetection);
  rig.peers[3].says = {.name_hash = kName,
                       .state = State::kSyncing,
                       .epoch = Epoch::Promoted(4, 2),
                       .follows = true};
  rig.Speak(3);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.role() == Role::kStandby);
}

TEST_CASE("a lower epoch: it stays, says so at once, and announces when the other has gone") {
  Rig rig(RigSettings(), 32);
  rig.BecomeActive();
  rig.Pass(3 * kSecond);
  const size_t announced = rig.Count(Kind::kAnnounce);
  rig.Acts(2, Epoch::Promoted(9, 2), 1);
  rig.Speak(2);
  CHECK(rig.device.HeartbeatDue(rig.now));
  rig.Pass(20 * kMillisecond);
  CHECK(Acts(rig.state()));
  rig.Follows(2, false);
  rig.Pass(3 * kSecond);
  CHECK(rig.Count(Kind::kAnnounce) == announced + 1);
}

TEST_CASE("heal: who acts announces when a peer of the same run is back") {
  Rig rig;
  rig.BecomeActive();
  rig.Pass(3 * kSecond);
  rig.peers[2].speaks = false;
  rig.Pass(kSecond);
  CHECK(rig.state() == State::kStandalone);
  const size_t announced = rig.Count(Kind::kAnnounce);
  rig.peers[2].speaks = true;
  rig.Pass(3 * kSecond);
  CHECK(rig.Count(Kind::kAnnounce) == announced + 1);
}

TEST_CASE("standby: an epoch below the one that was acted in is not followed") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeStandby(Epoch::Promoted(7, 2));
  rig.peers[2].speaks = false;
  rig.Acts(3, Epoch::Promoted(6, 3), 1);  // it has lost its memory
  rig.Pass(2 * kDetection);
  CHECK_FALSE(rig.group().acts());
  CHECK(rig.Count(Kind::kFollow) == 1);
  rig.Acts(3, Epoch::Promoted(8, 3), 1);  // and has heard of ours
  rig.Pass(20 * kMillisecond);
  CHECK(rig.Last(Kind::kFollow)->epoch == Epoch::Promoted(8, 3));
}

TEST_CASE("a higher floor that nobody acts in: the epoch is renewed, nothing is interrupted") {
  Rig rig;
  rig.BecomeActive();
  rig.Follows(2, false);
  rig.peers[2].says.follows = false;
  rig.peers[2].says.epoch = Epoch::Promoted(12, 3);
  rig.log.clear();
  rig.Pass(20 * kMillisecond);
  CHECK(rig.group().epoch() == Epoch::Promoted(13, 1));
  CHECK(rig.Count(Kind::kSetRole) == 1);
  CHECK(rig.role() == Role::kActive);
  CHECK(rig.forwards());
}

// ---- the next-active ----------------------------------------------------------------------------

TEST_CASE("next-active: only who hears and is heard, and may take over") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeActive();
  CHECK(rig.group().next_active() == 2);
  CHECK(rig.Last(Kind::kMirrorTo)->device == 2);
  rig.peers[2].hears_us = false;
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kStandalone);
  rig.peers[2].hears_us = true;
  rig.peers[2].says.eligible = false;
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kStandalone);
  CHECK(rig.group().next_active() == 0);
}

TEST_CASE("next-active: the former one stays until the better one is in sync") {
  Rig rig(RigSettings({2, 3}));
  rig.Pass(4 * kSecond);
  rig.Follows(3, true);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.group().next_active() == 3);
  rig.Follows(2, false);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.group().mirror_to() == 2);
  CHECK(rig.group().next_active() == 3);
  CHECK(rig.state() == State::kActive);
  rig.Follows(2, true);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.group().next_active() == 2);
}

TEST_CASE("next-active: small differences of score, and any of load, do not move the table") {
  for (const Method method : {Method::kHaScore, Method::kLoad}) {
    Settings settings = RigSettings({2, 3});
    settings.groups[0].method = method;
    Rig rig(settings);
    rig.BecomeActive();
    rig.Follows(3, false);
    rig.peers[3].says.score = 10;
    rig.peers[2].load = 1000;
    rig.Pass(50 * kMillisecond);
    CHECK(rig.group().mirror_to() == 2);
    rig.peers[3].says.score = 11;
    rig.Pass(50 * kMillisecond);
    CHECK(rig.group().mirror_to() == (method == Method::kHaScore ? 3 : 2));
  }
}

// ---- being stopped ------------------------------------------------------------------------------

TEST_CASE("stall: a standby that was stopped takes nobody for dead") {
  Rig rig;
  rig.BecomeStandby();
  rig.Stop(5 * kSecond);
  rig.Turn();
  CHECK(rig.state() == State::kStandby);
  rig.Pass(kSecond);
  CHECK(rig.state() == State::kStandby);
  rig.peers[2].speaks = false;
  rig.Stop(5 * kSecond);
  rig.Turn();
  rig.Pass(kDetection - 2 * kMillisecond);
  CHECK(rig.state() == State::kStandby);
  rig.Pass(4 * kMillisecond);
  CHECK(Acts(rig.state()));
}

TEST_CASE("stall: nor does it take a turn that it waited for before") {
  Rig rig(RigSettings({2, 3}));
  rig.Acts(2, Epoch::Promoted(7, 2), 3);
  rig.peers[3].speaks = true;
  rig.Pass(100 * kMillisecond);
  rig.peers[2].speaks = false;
  rig.Pass(kDetection);
  CHECK(rig.state() == State::kSyncing);  // it waits for 3
  rig.Stop(kSecond);
  rig.Turn();
  rig.Pass(kDetection - 2 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);
}

TEST_CASE("fence: workers may forward for 7/8 of the detection time after the last heartbeat") {
  Rig rig;
  rig.BecomeActive();
  CHECK(rig.device.ActiveUntil(kGroup) == rig.sent.stamp + kDetection * 7 / 8);
  rig.Stop(kDetection);
  CHECK_FALSE(rig.forwards());
  rig.Turn();
  CHECK(rig.state() == State::kSuspended);
  CHECK(rig.role() == Role::kStandby);
}

TEST_CASE("fence: with no peer for long, seven eighths of T_boot") {
  Rig rig;
  rig.Pass(8 * kSecond);
  rig.Stop(2 * kSecond);
  CHECK(rig.forwards());
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
  rig.Stop(3 * kSecond);
  CHECK_FALSE(rig.forwards());
  rig.Turn();
  CHECK(rig.state() == State::kSuspended);
}

TEST_CASE("suspended: goes on in its epoch when every peer answered what was sent since") {
  Rig rig;
  rig.BecomeActive();
  const Epoch epoch = rig.group().epoch();
  rig.Stop(kDetection);
  rig.Turn();
  REQUIRE(rig.state() == State::kSuspended);
  // What the peer said before it can have heard of us again.
  rig.sent.stamp -= kSecond;
  rig.Speak(2);
  rig.Turn();
  CHECK(rig.state() == State::kSuspended);
  rig.Pass(20 * kMillisecond);
  CHECK(Acts(rig.state()));
  CHECK(rig.group().epoch() == epoch);
}

TEST_CASE("suspended: goes on after a detection time of silence") {
  Rig rig;
  rig.BecomeActive();
  rig.peers[2].speaks = false;
  rig.Stop(kDetection);
  rig.Turn();
  rig.Pass(kDetection - 2 * kMillisecond);
  CHECK(rig.state() == State::kSuspended);
  rig.Pass(3 * kMillisecond);
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("suspended: gives way to who took over") {
  Rig rig;
  rig.BecomeActive();
  rig.Stop(kSecond);
  rig.Acts(2, Epoch::Promoted(2, 2), 0);
  rig.Speak(2);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.role() == Role::kStandby);
  CHECK(rig.Last(Kind::kFollow)->epoch == Epoch::Promoted(2, 2));
}

TEST_CASE("clock: time that goes backwards stands still") {
  Rig rig;
  rig.BecomeActive();
  rig.now -= 10 * kSecond;
  rig.Turn();
  CHECK(Acts(rig.state()));
}

// ---- faults, scores, groups ---------------------------------------------------------------------

TEST_CASE("fault: the group is given up when another device can take it") {
  Rig rig;
  rig.BecomeActive();
  rig.Give(FaultSays{kGroup, "vlan failsafe"});
  CHECK(rig.state() == State::kFailed);
  CHECK(std::string(rig.group().reason()) == "vlan failsafe");
  rig.Turn();
  CHECK_FALSE(rig.said().eligible);
  rig.Give(FaultSays{kGroup, nullptr});
  rig.Turn();
  CHECK(rig.state() == State::kSyncing);
}

TEST_CASE("fault: better a faulty device than none") {
  Rig rig;
  rig.Give(FaultSays{0, "worker 2 stalls"});
  rig.Pass(4 * kSecond);
  CHECK(rig.state() == State::kStandalone);
  rig.Follows(2, false);
  rig.peers[2].says.eligible = false;
  rig.Pass(20 * kMillisecond);
  CHECK(Acts(rig.state()));
  rig.peers[2].says.eligible = true;
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kFailed);
  CHECK(rig.Last(Kind::kSetRole)->role == Role::kStandby);
}

TEST_CASE("fault: who gave a group up takes it again when nobody else does") {
  Rig rig;
  rig.BecomeActive();
  rig.Give(FaultSays{kGroup, "vlan failsafe"});
  rig.Give(FaultSays{kGroup, nullptr});
  rig.Pass(900 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);
  rig.Pass(200 * kMillisecond);
  CHECK(Acts(rig.state()));
  CHECK(rig.group().epoch() == Epoch::Promoted(2, 1));
}

TEST_CASE("groups: many are said in several heartbeats") {
  Settings settings = RigSettings();
  for (TrafficGroupId id = 2; id <= 25; ++id)
    settings.groups.push_back({.id = id, .name_hash = kName + id});
  Rig rig(settings);
  const auto heartbeats = rig.device.MakeHeartbeats(rig.now);
  REQUIRE(heartbeats.size() == 3);
  CHECK(heartbeats[0].groups.size() == kGroupsPerHeartbeat);
  CHECK(heartbeats[2].groups.size() == 5);
  CHECK(heartbeats[2].sequence == heartbeats[0].sequence + 2);
  rig.Pass(4 * kSecond);
  for (const Group& group : rig.device.groups()) {
    CHECK(group.state() == State::kStandalone);
    CHECK(group.epoch() == Epoch::Promoted(1, 1));  // ballots are each group's own
  }
  CHECK(rig.device.load() == 25'000);
}

TEST_CASE("groups: one that leaves the configuration is silent, one that comes listens") {
  Rig rig;
  rig.BecomeActive();
  Settings settings = RigSettings();
  settings.groups = {{.id = 2, .name_hash = kName + 1}};
  rig.Give(Reconfigured{settings});
  CHECK(rig.Last(Kind::kSetRole)->group == 2);
  size_t silent = 0;
  for (const Action& action : rig.log)
    silent += action.kind == Kind::kSetRole && action.group == 1 && action.role == Role::kStandby;
  CHECK(silent == 2);
  REQUIRE(rig.device.groups().size() == 1);
  CHECK(rig.state() == State::kConnecting);
  CHECK(rig.device.ActiveUntil(1) == 0);
  // Nothing that the other one may have minted is minted again.
  rig.peers[2].speaks = false;
  rig.Pass(4 * kSecond);
  CHECK(rig.group().epoch() == Epoch::Promoted(17, 1));
}

// ---- the witness --------------------------------------------------------------------------------

TEST_CASE("witness: nobody acts without the lease") {
  Settings settings = RigSettings();
  settings.witness = true;
  Rig rig(settings);
  rig.Pass(4 * kSecond);
  CHECK(rig.state() == State::kPromoting);
  const uint32_t ticket = rig.Last(Kind::kAskLease)->ticket;
  rig.Give(LeaseAnswered{kGroup, ticket, false});
  rig.Turn();
  CHECK(rig.state() == State::kPromoting);
  rig.Pass(2 * kDetection);
  CHECK(rig.Last(Kind::kAskLease)->ticket > ticket);
  rig.Give(LeaseAnswered{kGroup, rig.Last(Kind::kAskLease)->ticket, true});
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
  // Asked again in time; without an answer it ends.
  rig.Pass(kSecond);
  CHECK(rig.state() == State::kSuspended);
  CHECK(std::string(rig.group().reason()) == "the lease ran out");
  rig.Give(LeaseAnswered{kGroup, rig.Last(Kind::kAskLease)->ticket, true});
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
  CHECK(rig.group().epoch() == Epoch::Promoted(2, 1));  // somebody may have been there
}

TEST_CASE("witness: not needed while every peer confirms that it hears the active one") {
  Settings settings = RigSettings();
  settings.witness = true;
  Rig rig(settings);
  rig.Pass(3100 * kMillisecond);
  rig.Give(LeaseAnswered{kGroup, rig.Last(Kind::kAskLease)->ticket, true});
  rig.Turn();
  REQUIRE(rig.state() == State::kStandalone);
  rig.Follows(2, true);
  rig.Pass(5 * kSecond);
  CHECK(rig.state() == State::kActive);
  CHECK(rig.forwards());
  rig.peers[2].hears_us = false;
  rig.Pass(kDetection);
  CHECK(rig.state() == State::kSuspended);
}

TEST_CASE("witness: the lease is given back when somebody else acts") {
  Settings settings = RigSettings();
  settings.witness = true;
  Rig rig(settings);
  rig.Pass(3100 * kMillisecond);
  rig.Give(LeaseAnswered{kGroup, rig.Last(Kind::kAskLease)->ticket, true});
  rig.Turn();
  rig.Acts(2, Epoch::Promoted(9, 2), 1);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.Count(Kind::kReleaseLease) == 1);
}

}  // namespace tandem::ha
