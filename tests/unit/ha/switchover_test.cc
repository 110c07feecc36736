// SPDX-License-Identifier: Apache-2.0
//
// Giving a group up on purpose: switchovers from both ends, failback, what operators ask for.
#include "tests/unit/ha/rig.h"

namespace tandem::ha {
namespace {

using Kind = Action::Kind;
using config::Role;

void Order(Rig& rig, Command::Kind kind, DeviceId target = 0, TrafficGroupId group = kGroup) {
  rig.Give(Command{.kind = kind, .group = group, .target = target, .ticket = 4});
}

// Active, and told to hand over to peer 2; drains.
void SwitchOut(Rig& rig) {
  rig.BecomeActive();
  Order(rig, Command::Kind::kStandby);
  rig.Turn();
  REQUIRE(rig.state() == State::kSwitchingOut);
}

// In Granted. Peer 2 says nothing new yet.
void Grant(Rig& rig) {
  SwitchOut(rig);
  rig.Give(Drained{kGroup, 5});
  rig.Turn();
  REQUIRE(rig.state() == State::kGranted);
}

// Standby, and peer 2 says GO.
HandOver Go() {
  HandOver go;
  go.target = 1;
  go.epoch = Epoch::Planned(8, 1);
  go.incarnation = kOurRun;
  go.session = 9;
  go.holds = 8 * kMillisecond;
  return go;
}

void SayGo(Rig& rig, const HandOver& go) {
  rig.peers[2].says = {.name_hash = kName,
                       .state = State::kGranted,
                       .epoch = Epoch::Promoted(7, 2),
                       .eligible = true,
                       .hand_over = go};
  rig.Speak(2);
}

}  // namespace

// ---- the giver ----------------------------------------------------------------------------------

TEST_CASE("switchover: changes are held and drained before the group is given") {
  Rig rig;
  SwitchOut(rig);
  CHECK(rig.Last(Kind::kFreeze)->device == 2);
  CHECK(rig.forwards());
  CHECK(rig.said().hand_over.target == 2);
  CHECK(rig.said().hand_over.epoch.is_none());
  rig.Give(Drained{kGroup, 4});  // of another session
  rig.Turn();
  CHECK(rig.state() == State::kSwitchingOut);
  rig.log.clear();
  rig.Give(Drained{kGroup, 5});
  CHECK(rig.state() == State::kGranted);
  CHECK_FALSE(rig.forwards());
  CHECK(rig.log.front().kind == Kind::kSetRole);
  CHECK(rig.Last(Kind::kForwardStrays)->device == 2);
  CHECK(rig.Last(Kind::kForwardStrays)->until == rig.now + 2 * kSecond);
  rig.Turn(1);
  const HandOver& go = rig.said().hand_over;
  CHECK(go.epoch == Epoch::Planned(2, 2));
  CHECK(go.incarnation == rig.peers[2].incarnation);
  CHECK(go.session == 5);
  CHECK(go.holds > 0);
  CHECK(go.holds < rig.device.settings().grant_wait_min);
}

TEST_CASE("switchover: the giver follows warm, exactly what it gave") {
  Rig rig;
  Grant(rig);
  rig.Acts(2, Epoch::Planned(2, 2), 1);
  rig.peers[2].says.given_by = 1;
  rig.Speak(2);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.Last(Kind::kFollow)->is_warm);
  CHECK(rig.Count(Kind::kUnfreeze) == 1);
  CHECK(rig.answer() == "done: handed over");
}

TEST_CASE("switchover: and cold what anybody else gave or took") {
  for (const DeviceId given_by : {DeviceId{0}, DeviceId{3}}) {
    Rig rig;
    Grant(rig);
    rig.Acts(2, given_by == 3 ? Epoch::Planned(2, 2) : Epoch::Promoted(2, 2), 1);
    rig.peers[2].says.given_by = given_by;
    rig.Speak(2);
    CHECK(rig.state() == State::kSyncing);
    CHECK_FALSE(rig.Last(Kind::kFollow)->is_warm);
    CHECK(rig.answer() == "no: a higher epoch is claimed");
  }
}

TEST_CASE("switchover: not taken in time, the giver acts again above what it gave") {
  Rig rig;
  Grant(rig);
  rig.Pass(12 * kMillisecond);
  CHECK(Acts(rig.state()));
  CHECK(rig.group().epoch() == Epoch::Promoted(3, 1));
  CHECK(rig.answer() == "no: the device did not act in time");
  CHECK(rig.said().hand_over.target == 0);
}

TEST_CASE("switchover: not drained in time, nothing happened") {
  Rig rig;
  SwitchOut(rig);
  const Epoch epoch = rig.group().epoch();
  rig.Pass(25 * kMillisecond);
  CHECK(rig.state() == State::kActive);
  CHECK(rig.group().epoch() == epoch);
  CHECK(rig.role() == Role::kActive);
  CHECK(rig.Count(Kind::kUnfreeze) == 1);
  CHECK(rig.answer() == "no: not drained in time");
  rig.Give(Drained{kGroup, 5});  // too late
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kActive);
}

TEST_CASE("switchover: off when the target is another run, in another session, or gone") {
  for (int what = 0; what < 4; ++what) {
    Rig rig;
    SwitchOut(rig);
    if (what == 0) rig.peers[2].says.session = 6;
    if (what == 1) rig.peers[2].says.in_sync = false;
    if (what == 2) rig.peers[2].says.eligible = false;
    if (what == 3) rig.peers[2].hears_us = false;
    rig.Speak(2);
    CHECK(Acts(rig.state()));
    CHECK(rig.state() != State::kSwitchingOut);
    CHECK(rig.answer() == "no: the device is not in sync any more");
  }
}

TEST_CASE("switchover: a giver that is stopped meanwhile waits for its peers") {
  Rig rig;
  Grant(rig);
  rig.Stop(kSecond);
  rig.Turn();
  CHECK(rig.state() == State::kGranted);
  rig.Acts(2, Epoch::Planned(2, 2), 1);
  rig.peers[2].says.given_by = 1;
  rig.Pass(12 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.Last(Kind::kFollow)->is_warm);
}

TEST_CASE("switchover: with a long way to the target, more patience") {
  Rig rig;
  rig.BecomeActive();
  rig.Pass(kSecond);
  REQUIRE(rig.device.detector().Find(2)->round_trip == 0);
  // Heartbeats come back 8 ms after they left, of which nobody kept them.
  for (int i = 0; i < 100; ++i) {
    rig.Turn(8 * kMillisecond);
    const Heartbeat heartbeat = rig.SaidBy(2, 0);
    rig.Turn(8 * kMillisecond);
    rig.Give(HeartbeatCame{heartbeat, 0});
  }
  CHECK(rig.device.detector().Find(2)->round_trip > 4 * kMillisecond);
}

// A peer that says it has kept a heartbeat for no time at all, though it was sent long ago.
TEST_CASE("switchover: with a way to the target that never ends, patience ends") {
  Rig rig;
  rig.BecomeActive();
  rig.Turn();
  rig.Stop(1000 * kSecond);
  rig.Give(HeartbeatCame{rig.SaidBy(2, 0), 0});
  REQUIRE(rig.device.detector().Find(2)->round_trip > 100 * kSecond);
  for (int i = 0; i < 20 && !Acts(rig.state()); ++i)
    rig.Turn();
  REQUIRE(Acts(rig.state()));
  Order(rig, Command::Kind::kStandby);
  rig.Turn();
  rig.Give(Drained{kGroup, 5});
  REQUIRE(rig.state() == State::kGranted);
  REQUIRE(rig.device.detector().Find(2)->round_trip > kSecond);
  rig.Turn(1);
  CHECK(rig.said().hand_over.holds < kSecond);
  rig.Pass(kSecond + 10 * kMillisecond);
  CHECK(rig.state() != State::kGranted);
}

// ---- the target ---------------------------------------------------------------------------------

TEST_CASE("target: prepared, then acts on GO in the epoch that it was given") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].says.state = State::kSwitchingOut;
  rig.peers[2].says.hand_over = {.target = 1, .incarnation = kOurRun, .session = 9};
  rig.Speak(2);
  CHECK(rig.state() == State::kSwitchingIn);
  CHECK(rig.role() == Role::kStandby);
  SayGo(rig, Go());
  rig.Turn(0);
  CHECK(Acts(rig.state()));
  CHECK(rig.group().epoch() == Epoch::Planned(8, 1));
  rig.Turn();
  CHECK(rig.said().given_by == 2);
}

TEST_CASE("target: a preparation that is withdrawn leaves it as it was") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].says.hand_over = {.target = 1, .incarnation = kOurRun, .session = 9};
  rig.Speak(2);
  CHECK(rig.state() == State::kSwitchingIn);
  rig.peers[2].says.hand_over = {};
  rig.Speak(2);
  CHECK(rig.state() == State::kStandby);
}

TEST_CASE("target: takes over also when the giver dies in the middle") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].says.hand_over = {.target = 1, .incarnation = kOurRun, .session = 9};
  rig.Speak(2);
  rig.peers[2].speaks = false;
  rig.Pass(kDetection + 2 * kMillisecond);
  CHECK(Acts(rig.state()));
  CHECK_FALSE(rig.group().epoch().is_planned());
}

TEST_CASE("target: GO for another, another run or another session means nothing") {
  for (int what = 0; what < 5; ++what) {
    INFO(what);
    Rig rig;
    rig.BecomeStandby();
    HandOver go = Go();
    if (what == 0) go.target = 3;
    if (what == 1) ++go.incarnation;
    if (what == 2) ++go.session;
    if (what == 3) go.epoch = Epoch::Planned(7, 1);  // below what 2 acted in
    if (what == 4) rig.Give(ShadowSays{kGroup, false, 0, Epoch::Promoted(7, 2)});
    SayGo(rig, go);
    rig.Turn(0);
    CHECK_FALSE(Acts(rig.state()));
  }
}

TEST_CASE("target: GO that may be older than it holds is not taken") {
  // By the echo of our own stamp: it is as old as it can be at most.
  for (const bool is_old : {false, true}) {
    Rig rig;
    rig.BecomeStandby();
    rig.peers[2].says = {.name_hash = kName,
                         .state = State::kGranted,
                         .epoch = Epoch::Promoted(7, 2),
                         .eligible = true,
                         .hand_over = Go()};
    Heartbeat late;
    late.device = 2;
    late.incarnation = rig.peers[2].incarnation;
    late.sequence = ++rig.peers[2].sequence;
    late.interval = 10 * kMillisecond;
    late.multiplier = 5;
    late.stamp = rig.now;
    late.heard.push_back(
        {.device = 1, .incarnation = kOurRun, .stamp = rig.now - 6 * kMillisecond, .age = 0});
    late.groups.push_back(rig.peers[2].says);
    rig.peers[2].speaks = false;
    if (is_old) rig.Turn(3 * kMillisecond);
    rig.Give(HeartbeatCame{late, 0});
    rig.Turn(0);
    CHECK(Acts(rig.state()) == !is_old);
  }
}

TEST_CASE("target: GO of who does not hear us has no age, and is not taken") {
  Rig rig;
  rig.BecomeStandby();
  rig.peers[2].hears_us = false;
  SayGo(rig, Go());
  rig.Turn(0);
  CHECK_FALSE(Acts(rig.state()));
}

TEST_CASE("target: GO in a ballot that earlier runs may have used is not taken") {
  Rig rig(RigSettings(), 16);
  rig.BecomeStandby();
  SayGo(rig, Go());
  rig.Turn(0);
  CHECK_FALSE(Acts(rig.state()));
}

TEST_CASE("target: waits for its disk no longer than GO holds") {
  for (const bool is_late : {false, true}) {
    Rig rig;
    rig.BecomeStandby();
    rig.disk_works = false;
    HandOver go = Go();
    go.epoch = Epoch::Planned(400, 1);
    SayGo(rig, go);
    rig.Turn(kMillisecond);
    CHECK_FALSE(Acts(rig.state()));
    REQUIRE(rig.Last(Kind::kPersist)->ballot == 416);
    rig.peers[2].speaks = false;
    rig.now += is_late ? 10 * kMillisecond : kMillisecond;
    rig.Give(FactsDurable{416, false});
    rig.Turn(0);
    CHECK(Acts(rig.state()) == !is_late);
  }
}

// ---- failback -----------------------------------------------------------------------------------

TEST_CASE("failback: off unless configured") {
  Rig rig(RigSettings({1}, 2));
  rig.Pass(4 * kSecond);
  rig.Follows(1, true);
  rig.Pass(70 * kSecond);
  CHECK(rig.state() == State::kActive);
}

TEST_CASE("failback: after the hold-down, in sync without a break") {
  Settings settings = RigSettings({1}, 2);
  settings.groups[0].auto_failback = true;
  Rig rig(settings);
  rig.Pass(4 * kSecond);
  rig.Follows(1, true);
  rig.Pass(59 * kSecond);
  CHECK(rig.state() == State::kActive);
  rig.Follows(1, false);
  rig.Pass(20 * kMillisecond);
  rig.Follows(1, true);
  rig.Pass(59 * kSecond);
  CHECK(rig.state() == State::kActive);
  rig.Pass(1050 * kMillisecond);
  CHECK(rig.Count(Kind::kFreeze) == 1);
  CHECK(rig.Last(Kind::kFreeze)->device == 1);
}

TEST_CASE("failback: who is first in order keeps the group") {
  Settings settings = RigSettings();
  settings.groups[0].auto_failback = true;
  Rig rig(settings);
  rig.BecomeActive();
  rig.Pass(70 * kSecond);
  CHECK(rig.Count(Kind::kFreeze) == 0);
}

TEST_CASE("failback: with scores, to who has more than the bonus of the active one") {
  Settings settings = RigSettings();
  settings.groups[0].method = Method::kHaScore;
  settings.groups[0].auto_failback = true;
  Rig rig(settings);
  rig.BecomeActive();
  rig.Give(ScoreSays{kGroup, 30});
  rig.peers[2].says.score = 40;
  rig.Pass(2 * kSecond);
  CHECK(rig.Count(Kind::kFreeze) == 0);  // a tie: HA order
  rig.peers[2].says.score = 41;
  rig.Pass(900 * kMillisecond);
  CHECK(rig.Count(Kind::kFreeze) == 0);
  rig.Pass(200 * kMillisecond);
  CHECK(rig.Count(Kind::kFreeze) == 1);
}

// ---- operators ----------------------------------------------------------------------------------

TEST_CASE("command: standby is refused with the reason") {
  Rig rig;
  Order(rig, Command::Kind::kStandby, 0, 9);
  CHECK(rig.answer() == "no: there is no such group");
  Order(rig, Command::Kind::kStandby);
  CHECK(rig.answer() == "no: the group is not active on this device");
  rig.Pass(4 * kSecond);
  Order(rig, Command::Kind::kStandby);
  CHECK(rig.answer() == "no: no other device can take the group");
  Order(rig, Command::Kind::kStandbyAtOnce);
  CHECK(rig.answer() == "no: no other device can take the group");
  Order(rig, Command::Kind::kStandby, 1);
  CHECK(rig.answer() == "no: the group is active on this device already");
  Order(rig, Command::Kind::kStandby, 3);
  CHECK(rig.answer() == "no: the device cannot take the group");
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("command: standby waits for a target that is not in sync yet") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeActive();
  rig.Follows(3, false);
  rig.Pass(20 * kMillisecond);
  Order(rig, Command::Kind::kStandby, 3);
  Order(rig, Command::Kind::kStandby, 2);
  CHECK(rig.answer() == "no: a switchover is going on");
  rig.Pass(kSecond);
  CHECK(rig.group().mirror_to() == 3);
  CHECK(rig.group().next_active() == 2);
  rig.Follows(3, true, 8);
  rig.Pass(12 * kMillisecond);
  CHECK(rig.state() == State::kSwitchingOut);
  CHECK(rig.Last(Kind::kFreeze)->device == 3);
}

TEST_CASE("command: but not for ever") {
  Rig rig(RigSettings({2, 3}));
  rig.BecomeActive();
  rig.Follows(3, false);
  rig.Pass(20 * kMillisecond);
  Order(rig, Command::Kind::kStandby, 3);
  rig.Pass(31 * kSecond);
  CHECK(rig.answer() == "no: the device did not get in sync");
  rig.Pass(20 * kMillisecond);
  CHECK(rig.group().mirror_to() == 2);
}

TEST_CASE("command: standby at once asks for nobody in sync") {
  Rig rig;
  rig.BecomeActive();
  rig.Follows(2, false);
  rig.Pass(20 * kMillisecond);
  Order(rig, Command::Kind::kStandbyAtOnce);
  CHECK(rig.answer() == "done: given up");
  CHECK(rig.role() == Role::kStandby);
  rig.Pass(500 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);  // time for the other
}

TEST_CASE("forced offline: said when it is on disk, by a switchover when that can be") {
  Rig rig;
  rig.BecomeActive();
  rig.disk_works = false;
  Order(rig, Command::Kind::kForcedOffline);
  rig.Turn();
  CHECK(rig.state() == State::kSwitchingOut);
  CHECK(rig.answer() == "none");
  CHECK(rig.Last(Kind::kPersist)->forced_offline);
  Order(rig, Command::Kind::kOnline);
  CHECK(rig.answer() == "no: an earlier command waits for the disk");
  rig.Give(FactsDurable{rig.Last(Kind::kPersist)->ballot, true});
  CHECK(rig.answer() == "done: forced offline");
  rig.Give(Drained{kGroup, 5});
  rig.Pass(15 * kMillisecond);
  // Nobody took it in time; this device does not either.
  CHECK(rig.state() == State::kForcedOffline);
  CHECK(rig.role() == Role::kStandby);
}

TEST_CASE("forced offline: also when nobody can take over") {
  Rig rig;
  rig.Pass(4 * kSecond);
  Order(rig, Command::Kind::kForcedOffline);
  CHECK(rig.state() == State::kForcedOffline);
  CHECK(rig.role() == Role::kStandby);
  rig.Pass(10 * kSecond);
  CHECK(rig.state() == State::kForcedOffline);
  Order(rig, Command::Kind::kOnline);
  CHECK(rig.state() == State::kConnecting);
  rig.Pass(4 * kSecond);
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("forced offline: through a restart") {
  Rig rig(RigSettings(), 16, true);
  rig.Pass(10 * kSecond);
  CHECK(rig.state() == State::kForcedOffline);
  CHECK_FALSE(rig.said().eligible);
  Order(rig, Command::Kind::kForcedOffline);
  CHECK(rig.answer() == "done: so it is already");
}

TEST_CASE("stop: gives the groups up, says goodbye three times, and is over") {
  Rig rig;
  rig.BecomeActive();
  Order(rig, Command::Kind::kStop);
  rig.Turn();
  CHECK(rig.state() == State::kSwitchingOut);
  rig.Give(Drained{kGroup, 5});
  rig.Turn();
  CHECK_FALSE(rig.sent.goodbye);
  rig.Acts(2, Epoch::Planned(2, 2), 1);
  rig.peers[2].says.given_by = 1;
  rig.Pass(12 * kMillisecond);
  CHECK(rig.state() == State::kOffline);
  CHECK(rig.sent.goodbye);
  rig.Pass(40 * kMillisecond);
  CHECK(rig.device.has_stopped());
  CHECK(rig.Count(Kind::kStopped) == 1);
  CHECK(rig.answer() == "done: stopped");
}

TEST_CASE("stop: a device alone does not wait") {
  Rig rig;
  rig.Pass(4 * kSecond);
  Order(rig, Command::Kind::kStop);
  rig.Pass(40 * kMillisecond);
  CHECK(rig.device.has_stopped());
  CHECK(rig.role() == Role::kStandby);
}

}  // namespace tandem::ha
