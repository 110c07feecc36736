// SPDX-License-Identifier: Apache-2.0
//
// The rules of dataplane/ha/README.md, one by one: booting.
#include "tests/unit/ha/rig.h"

namespace tandem::ha {
namespace {

using Kind = Action::Kind;
using config::Role;

}  // namespace

TEST_CASE("boot: silent first, alone after T_boot") {
  Rig rig;
  CHECK(rig.role() == Role::kStandby);
  rig.Pass(2990 * kMillisecond);
  CHECK(rig.state() == State::kConnecting);
  CHECK(rig.role() == Role::kStandby);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kStandalone);
  CHECK(rig.role() == Role::kActive);
  CHECK(rig.group().epoch() == Epoch::Promoted(1, 1));
  CHECK(rig.forwards());
}

TEST_CASE("boot: no epoch before its ballot is on disk") {
  Rig rig;
  rig.disk_works = false;
  rig.Pass(4 * kSecond);
  CHECK(rig.state() == State::kPromoting);
  CHECK(rig.role() == Role::kStandby);
  CHECK(rig.Last(Kind::kPersist)->ballot == 16);
  rig.Give(FactsDurable{16, false});
  rig.Turn();
  CHECK(rig.state() == State::kStandalone);
}

TEST_CASE("boot: what earlier runs reserved counts as used") {
  Rig rig(RigSettings(), 48);
  rig.Pass(4 * kSecond);
  CHECK(rig.group().epoch() == Epoch::Promoted(49, 1));
}

TEST_CASE("boot: when all are heard and nobody acts, the first in order does at once") {
  Rig rig;
  rig.peers[2].speaks = true;
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kDegraded);
}

TEST_CASE("boot: the second in order waits a detection time for the first") {
  Rig rig(RigSettings({1}, 2));
  rig.Pass(100 * kMillisecond);
  rig.peers[1].speaks = true;
  rig.Pass(kDetection - 5 * kMillisecond);
  CHECK(rig.state() == State::kConnecting);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kDegraded);
}

TEST_CASE("boot: who acts is followed, and the mirror told so") {
  Rig rig;
  rig.Acts(2, Epoch::Promoted(7, 2), 1);
  rig.Pass(20 * kMillisecond);
  CHECK(rig.state() == State::kSyncing);
  CHECK(rig.Last(Kind::kFollow)->epoch == Epoch::Promoted(7, 2));
  CHECK_FALSE(rig.Last(Kind::kFollow)->is_warm);
  CHECK(rig.group().active_device() == 2);
  CHECK(rig.said().follows);
  CHECK(rig.said().epoch == Epoch::Promoted(7, 2));
  rig.Give(ShadowSays{kGroup, true, 9, Epoch::Promoted(6, 2)});  // of an earlier epoch
  CHECK(rig.state() == State::kSyncing);
  rig.Give(ShadowSays{kGroup, true, 9, Epoch::Promoted(7, 2)});
  CHECK(rig.state() == State::kStandby);
  rig.Turn();
  CHECK(rig.said().in_sync);
  CHECK(rig.said().session == 9);
  rig.Give(ShadowSays{kGroup, false, 9, Epoch::Promoted(7, 2)});
  CHECK(rig.state() == State::kSyncing);
  rig.Pass(5 * kSecond);
  CHECK(rig.Count(Kind::kFollow) == 1);
}

}  // namespace tandem::ha
