// SPDX-License-Identifier: Apache-2.0
//
// Two devices and a witness, which can lose each other in every way: at no moment do both act, and who can
// reach neither is silent. Whole units and the witness itself, in virtual time.
#include <array>
#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/witness/server.h"
#include "tests/unit/unit/takeover_pair.h"

namespace tandem::test {
namespace {

using ha::State;

// A device's way to the witness. Answers are there at the device's next look.
class WitnessWire final : public witness::Path {
 public:
  std::span<const uint8_t> Receive() noexcept override {
    if (answers_.empty()) return {};
    current_ = std::move(answers_.front());
    answers_.pop_front();
    return current_;
  }
  void Send(std::span<const uint8_t> datagram) noexcept override {
    if (is_cut || rig == nullptr || server == nullptr) return;
    std::array<uint8_t, witness::kDatagramSize> answer{};
    if (server->Answer(datagram, rig->now(), answer))
      answers_.emplace_back(answer.begin(), answer.end());
  }

  const Rig* rig = nullptr;
  witness::Server* server = nullptr;
  bool is_cut = false;

 private:
  std::deque<Bytes> answers_;
  Bytes current_;
};

struct WitnessedPair {
  static constexpr Nanos kLease = 20 * kSecond;  // some detection times of the pair

  WitnessedPair() {
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
    devices = std::make_unique<TakeoverPair>(options);
    devices->watch = [this] { Watch(); };
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
    const Rig& rig = devices->network.pair.rig(device);
    return rig.unit().roles().IsActive(1) && !rig.unit().IsFenced(rig.now());
  }
  void Watch() {
    forwarded[0] |= Forwards(0);
    forwarded[1] |= Forwards(1);
    was_silent[0] |= !Forwards(0);
    was_silent[1] |= !Forwards(1);
    if (Forwards(0) && Forwards(1)) both_forward = true;
  }
  void Forget() { forwarded = was_silent = {}; }
  Nanos now() { return devices->network.pair.rig(0).now(); }

  std::array<WitnessWire, 2> wires;
  uint64_t witness_runs = 0;
  std::unique_ptr<witness::Server> server;
  std::unique_ptr<TakeoverPair> devices;
  std::array<bool, 2> forwarded{};
  std::array<bool, 2> was_silent{};
  bool both_forward = false;
};

}  // namespace

TEST_CASE("takeover: a split with a witness: the active goes on all the time, the other is silent",
          "[unit]") {
  WitnessedPair world;
  TakeoverPair& devices = *world.devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  world.Forget();
  devices.network.pair.SetLoss(100);
  devices.Pass(3 * WitnessedPair::kLease);
  CHECK(devices.Acts(0));
  CHECK_FALSE(world.was_silent[0]);
  CHECK_FALSE(world.forwarded[1]);
  CHECK(devices.state(1) == State::kPromoting);
  for (const Connection& one : all)
    CHECK(devices.network.Send(1, "client", one.client).empty());
  CheckGoesOn(devices.network, 0, all);
  CHECK(devices.takeover(0).status()->witness->is_answered);
  CHECK(devices.takeover(0).status()->groups[0].lease_until > world.now());
  CHECK(devices.takeover(1).status()->groups[0].lease_until == 0);
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(0); }));
  CheckEqual(devices.network, 0);
  CHECK_FALSE(world.both_forward);
}

TEST_CASE("takeover: an active without peer and witness is silent, and the other one acts",
          "[unit]") {
  WitnessedPair world;
  TakeoverPair& devices = *world.devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.network.pair.SetLoss(100);
  world.wires[0].is_cut = true;
  REQUIRE(devices.Until([&] { return devices.state(0) == State::kSuspended; }));
  CHECK_FALSE(world.forwarded[1]);
  for (const Connection& one : all)
    CHECK(devices.network.Send(0, "client", one.client).empty());
  REQUIRE(devices.Until([&] { return devices.Acts(1); }, WitnessedPair::kLease));
  CheckGoesOn(devices.network, 1, all);
  // The witness again, but not the peer: still the other one's.
  world.wires[0].is_cut = false;
  devices.Pass(2 * WitnessedPair::kLease);
  CHECK_FALSE(devices.Acts(0));
  CHECK(devices.Acts(1));
  devices.network.pair.SetLoss(0);
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  CheckGoesOn(devices.network, 1, all);
  CheckEqual(devices.network, 1);
  CHECK_FALSE(world.both_forward);
}

TEST_CASE("takeover: two devices without each other and the witness are silent, both", "[unit]") {
  WitnessedPair world;
  TakeoverPair& devices = *world.devices;
  devices.network.pair.SetLoss(100);
  world.StopWitness();
  devices.Pass(2 * WitnessedPair::kLease);
  CHECK_FALSE(world.Forwards(0));
  CHECK_FALSE(world.forwarded[1]);
  // A witness that begins anew gives it to one of them, after its time.
  world.Forget();
  world.StartWitness(world.now());
  devices.Pass(WitnessedPair::kLease);
  CHECK_FALSE((world.forwarded[0] || world.forwarded[1]));
  REQUIRE(devices.Until([&] { return devices.Acts(0) != devices.Acts(1); }, 10 * kSecond));
  devices.Pass(2 * WitnessedPair::kLease);
  CHECK((devices.Acts(0) != devices.Acts(1)));
  CHECK_FALSE(world.both_forward);
}

TEST_CASE("takeover: the witness may be away while the devices are well", "[unit]") {
  WitnessedPair world;
  TakeoverPair& devices = *world.devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  world.Forget();
  world.StopWitness();
  devices.Pass(3 * WitnessedPair::kLease);
  CHECK_FALSE(devices.takeover(0).status()->witness->is_answered);
  CHECK_FALSE(world.was_silent[0]);
  CHECK(devices.IsReady(0));
  CheckGoesOn(devices.network, 0, all);
  world.StartWitness(world.now());
  devices.Pass(3 * WitnessedPair::kLease);
  CHECK_FALSE(world.was_silent[0]);
  CHECK_FALSE(world.forwarded[1]);
  CHECK(devices.takeover(0).status()->groups[0].lease_until > world.now());
  CHECK(devices.takeover(1).status()->witness->is_answered);
}

TEST_CASE("takeover: with a witness a group is handed over as ever, and the lease with it",
          "[unit]") {
  WitnessedPair world;
  TakeoverPair& devices = *world.devices;
  const std::vector<Connection> all = OpenAll(devices.network, 0, 1000);
  REQUIRE(devices.Until([&] { return devices.IsReady(0) && AreEqual(devices.network); }));
  devices.takeover(0).Post(
      ha::Command{.kind = ha::Command::Kind::kStandby, .group = 1, .ticket = 7});
  REQUIRE(devices.Until([&] { return devices.IsReady(1); }));
  REQUIRE(devices.answers.size() == 1);
  CHECK(devices.answers[0].is_done);
  CheckGoesOn(devices.network, 1, all);
  REQUIRE(devices.Until(
      [&] { return devices.takeover(1).status()->groups[0].lease_until > world.now(); }));
  devices.network.pair.SetLoss(100);
  devices.Pass(3 * WitnessedPair::kLease);
  CHECK(devices.Acts(1));
  CHECK_FALSE(devices.Acts(0));
  CHECK_FALSE(world.both_forward);
}

TEST_CASE("takeover: another pre-shared key: the witness has to have it", "[unit]") {
  WitnessedPair world;
  TakeoverPair& devices = *world.devices;
  mirror::PresharedKey key{};
  key.fill(9);
  devices.takeover(0).SetWitnessKey(key);
  devices.Pass(10 * kSecond);
  CHECK_FALSE(devices.takeover(0).status()->witness->is_answered);
  world.server->SetKey(key);
  devices.Pass(10 * kSecond);
  CHECK(devices.takeover(0).status()->witness->is_answered);
  CHECK(devices.takeover(1).status()->witness->is_answered);
}

}  // namespace tandem::test
