// SPDX-License-Identifier: Apache-2.0
//
// Two devices and a witness, which can lose each other in every way: at no moment do both act, and who can
// reach neither is silent. Whole units and the witness itself, in virtual time.
#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "dataplane/witness/server.h"
#include "tests/support/arrivals_path.h"
#include "tests/unit/unit/takeover_pair.h"

namespace tandem::test {
namespace {

using ha::State;

// A device's way to the witness, which answers at once; answers are there at the device's next look.
class WitnessWire final : public ArrivalsPath {
 public:
  void Send(std::span<const uint8_t> datagram) noexcept override {
    if (is_cut || rig == nullptr || server == nullptr) return;
    std::array<uint8_t, witness::kDatagramSize> answer{};
    if (server->Answer(datagram, rig->now(), answer))
      arrivals.emplace_back(answer.begin(), answer.end());
  }

  const Rig* rig = nullptr;
  witness::Server* server = nullptr;
  bool is_cut = false;
};

class WitnessedPair {
 public:
  static constexpr Nanos kLease = 20 * kSecond;  // some detection times of the pair

  WitnessedPair() : devices(Begin()) {
    devices.watch = [this] { Watch(); };
  }

  void StartWitness(Nanos now) {
    server = std::make_unique<witness::Server>(
        witness::ServerOptions{.lease = kLease, .run = ++witness_runs << 40},
        mirror::PresharedKey{},  // as the devices have it, without authentication
        now);
    for (WitnessWire& wire : wires)
      wire.server = server.get();
  }
  void StopWitness() {
    for (WitnessWire& wire : wires)
      wire.server = nullptr;
  }

  // As the workers have it.
  bool Forwards(unsigned device) {
    const Rig& rig = devices.network.pair.rig(device);
    return rig.unit().roles().IsActive(1) && !rig.unit().roles().IsFenced(rig.now());
  }
  void Forget() { forwarded = was_silent = {}; }
  Nanos now() { return devices.network.pair.rig(0).now(); }

  std::array<WitnessWire, 2> wires;
  uint64_t witness_runs = 0;
  std::unique_ptr<witness::Server> server;
  std::array<bool, 2> forwarded{};
  std::array<bool, 2> was_silent{};
  bool both_forward = false;
  TakeoverPair devices;

 private:
  TakeoverPairOptions Begin() {
    StartWitness(kSecond);
    TakeoverPairOptions options;
    options.lease = kLease;
    options.start = 60 * kSecond;  // the witness grants by then
    for (const unsigned device : {0U, 1U})
      options.witness[device] = &wires[device];
    options.prepare = [this](Pair& pair) {
      for (const unsigned device : {0U, 1U})
        wires[device].rig = &pair.rig(device);
    };
    return options;
  }
  void Watch() {
    for (const unsigned device : {0U, 1U}) {
      forwarded[device] |= Forwards(device);
      was_silent[device] |= !Forwards(device);
    }
    both_forward |= Forwards(0) && Forwards(1);
  }
};

// With connections that both devices have.
class InSyncPair : public WitnessedPair {
 public:
  InSyncPair() : all(OpenAll(devices.network, 0, 1000)) {
    REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
    Forget();
  }

  const std::vector<Connection> all;
};

}  // namespace

TEST_CASE_METHOD(
    InSyncPair,
    "takeover: a split with a witness: the active goes on all the time, the other is silent",
    "[unit]") {
  devices.network.pair.SetLoss(100);
  devices.Pass(3 * kLease);
  CHECK(devices.Acts(0));
  CHECK_FALSE(was_silent[0]);
  CHECK_FALSE(forwarded[1]);
  CHECK(devices.state(1) == State::kPromoting);
  for (const Connection& one : all)
    CHECK(devices.network.Send(1, "client", one.client).empty());
  CheckGoesOn(devices.network, 0, all);
  CHECK(devices.takeover(0).status()->witness->is_answered);
  CHECK(devices.takeover(0).status()->groups[0].lease_until > now());
  CHECK(devices.takeover(1).status()->groups[0].lease_until == 0);
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  CheckEqual(devices.network, 0);
  CHECK_FALSE(both_forward);
}

TEST_CASE_METHOD(InSyncPair,
                 "takeover: an active without peer and witness is silent, and the other one acts",
                 "[unit]") {
  devices.network.pair.SetLoss(100);
  wires[0].is_cut = true;
  REQUIRE(devices.Until([&] { return devices.state(0) == State::kSuspended; }));
  CHECK_FALSE(forwarded[1]);
  for (const Connection& one : all)
    CHECK(devices.network.Send(0, "client", one.client).empty());
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, kLease));
  CheckGoesOn(devices.network, 1, all);
  // The witness again, but not the peer: still the other one's.
  wires[0].is_cut = false;
  devices.Pass(2 * kLease);
  CHECK_FALSE(devices.Acts(0));
  CHECK(devices.Acts(1));
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CheckGoesOn(devices.network, 1, all);
  CheckEqual(devices.network, 1);
  CHECK_FALSE(both_forward);
}

TEST_CASE_METHOD(WitnessedPair,
                 "takeover: two devices without each other and the witness are silent, both",
                 "[unit]") {
  devices.network.pair.SetLoss(100);
  StopWitness();
  devices.Pass(2 * kLease);
  CHECK_FALSE(Forwards(0));
  CHECK_FALSE(forwarded[1]);
  // A witness that begins anew gives it to one of them, after its time.
  Forget();
  StartWitness(now());
  devices.Pass(kLease);
  CHECK_FALSE((forwarded[0] || forwarded[1]));
  REQUIRE(devices.Until([&] { return devices.Acts(0) != devices.Acts(1); }, 10 * kSecond));
  devices.Pass(2 * kLease);
  CHECK((devices.Acts(0) != devices.Acts(1)));
  CHECK_FALSE(both_forward);
}

TEST_CASE_METHOD(InSyncPair, "takeover: the witness may be away while the devices are well",
                 "[unit]") {
  StopWitness();
  devices.Pass(3 * kLease);
  CHECK_FALSE(devices.takeover(0).status()->witness->is_answered);
  CHECK_FALSE(was_silent[0]);
  CHECK(devices.IsReady(0));
  CheckGoesOn(devices.network, 0, all);
  StartWitness(now());
  devices.Pass(3 * kLease);
  CHECK_FALSE(was_silent[0]);
  CHECK_FALSE(forwarded[1]);
  CHECK(devices.takeover(0).status()->groups[0].lease_until > now());
  CHECK(devices.takeover(1).status()->witness->is_answered);
}

TEST_CASE_METHOD(InSyncPair,
                 "takeover: with a witness a group is handed over as ever, and the lease with it",
                 "[unit]") {
  devices.takeover(0).Post(
      ha::Command{.kind = ha::Command::Kind::kStandby, .group = 1, .ticket = 7});
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  REQUIRE(devices.answers.size() == 1);
  CHECK(devices.answers[0].is_done);
  CheckGoesOn(devices.network, 1, all);
  REQUIRE(
      devices.Until([&] { return devices.takeover(1).status()->groups[0].lease_until > now(); }));
  devices.network.pair.SetLoss(100);
  devices.Pass(3 * kLease);
  CHECK(devices.Acts(1));
  CHECK_FALSE(devices.Acts(0));
  CHECK_FALSE(both_forward);
}

TEST_CASE_METHOD(WitnessedPair, "takeover: another pre-shared key: the witness has to have it",
                 "[unit]") {
  mirror::PresharedKey key{};
  key.fill(9);
  devices.takeover(0).SetWitnessKey(key);
  devices.Pass(10 * kSecond);
  CHECK_FALSE(devices.takeover(0).status()->witness->is_answered);
  server->SetKey(key);
  devices.Pass(10 * kSecond);
  CHECK(devices.takeover(0).status()->witness->is_answered);
  CHECK(devices.takeover(1).status()->witness->is_answered);
}

}  // namespace tandem::test
