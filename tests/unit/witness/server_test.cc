// SPDX-License-Identifier: Apache-2.0
//
// Devices and a witness, with everything between them in the hands of the test: what is lost, comes twice,
// late, or out of a recording; and who has which key.
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/witness/link.h"
#include "dataplane/witness/server.h"
#include "tests/support/arrivals_path.h"

namespace tandem::witness {
namespace {

using Datagram = std::vector<uint8_t>;

constexpr uint64_t kGroup = 0x6701;
constexpr uint64_t kOther = 0x6702;

mirror::PresharedKey KeyOf(uint8_t fill) {
  mirror::PresharedKey key{};
  key.fill(fill);
  return key;
}

class Wire final : public tandem::test::ArrivalsPath {
 public:
  void Send(std::span<const uint8_t> datagram) noexcept override {
    to_witness.emplace_back(datagram.begin(), datagram.end());
  }

  std::deque<Datagram> to_witness;
};

struct Device {
  Device(ha::DeviceId id, uint64_t run, uint8_t key = 1, Nanos lease = kSecond)
      : link({.path = &wire, .key = KeyOf(key), .device = id, .run = run, .lease = lease}) {}

  Wire wire;
  Link link;
};

struct World {
  static constexpr Nanos kOpen = 1020 * kMillisecond;  // a lease after the witness began

  explicit World(Nanos start = 100 * kSecond) : now(start) { Restart(); }

  void Restart(uint8_t key = 1) {
    server = std::make_unique<Server>(
        ServerOptions{
            .lease = kSecond,
            .run = ++runs * 1'000'000'007,
            .granted = [this](uint64_t group,
                              ha::DeviceId device) { grants.emplace_back(group, device); }},
        KeyOf(key), now);
  }
  std::optional<Datagram> Answer(const Datagram& question) {
    std::array<uint8_t, kDatagramSize> out{};
    if (!server->Answer(question, now, out)) return std::nullopt;
    return Datagram(out.begin(), out.end());
  }
  // All that is under way arrives.
  std::vector<ha::LeaseAnswered> Exchange(Device& device) {
    for (; !device.wire.to_witness.empty(); device.wire.to_witness.pop_front()) {
      if (auto answer = Answer(device.wire.to_witness.front()))
        device.wire.arrivals.push_back(std::move(*answer));
    }
    std::vector<ha::LeaseAnswered> answers;
    while (const auto answer = device.link.Receive(now))
      answers.push_back(*answer);
    device.link.Turn(now);
    return answers;
  }
  // Until the device has a session.
  void Meet(Device& device) {
    device.link.Turn(now);
    Exchange(device);
    now += kSecond;
    device.link.Turn(now);
    Exchange(device);
  }
  // nullopt: no answer about the lease.
  std::optional<bool> Ask(Device& device, uint32_t ticket, uint64_t group = kGroup) {
    device.link.Ask(1, group, ticket);
    const auto answers = Exchange(device);
    if (answers.empty()) return std::nullopt;
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].group == 1);
    CHECK(answers[0].ticket == ticket);
    return answers[0].is_granted;
  }
  void Release(Device& device, uint64_t group = kGroup) {
    device.link.Release(group);
    Exchange(device);
  }

  Nanos now;
  uint64_t runs = 0;
  std::unique_ptr<Server> server;
  std::vector<std::pair<uint64_t, ha::DeviceId>> grants;
};

// Two devices that the witness knows.
struct Pair {
  Pair() {
    world.Meet(a);
    world.Meet(b);
  }

  World world;
  Device a{1, 11};
  Device b{2, 22};
};

}  // namespace

TEST_CASE_METHOD(Pair,
                 "witness: one device has the lease, then, when it is released, the other one") {
  CHECK(world.Ask(a, 1) == true);
  CHECK(world.Ask(b, 1) == false);
  CHECK(world.Ask(b, 2, kOther) == true);
  world.Release(a);
  CHECK(world.Ask(b, 3) == true);
  CHECK(world.Ask(a, 3) == false);
  const std::vector<std::pair<uint64_t, ha::DeviceId>> grants = {
      {kGroup, 1}, {kOther, 2}, {kGroup, 2}};
  CHECK(world.grants == grants);
  world.now += World::kOpen;
  CHECK(world.Ask(a, 4) == true);
}

TEST_CASE("witness: the first question finds the session, the second one is heard") {
  World world;
  Device a(1, 11);
  world.now += World::kOpen;
  CHECK(world.Ask(a, 1) == std::nullopt);
  CHECK(world.server->counters().unknown == 1);
  CHECK(world.Ask(a, 2) == true);
  CHECK(world.server->counters().unknown == 1);
}

TEST_CASE_METHOD(Pair,
                 "witness: one that has begun a moment ago grants nothing, whoever had what") {
  REQUIRE(world.Ask(a, 1) == true);
  world.now += 900 * kMillisecond;
  world.Restart();
  // Sessions of the one before are none here.
  CHECK(world.Ask(b, 1) == std::nullopt);
  CHECK(world.Ask(b, 2) == false);
  CHECK(world.Ask(a, 2) == std::nullopt);
  CHECK(world.Ask(a, 3) == false);
  world.now += World::kOpen - 1;
  CHECK(world.Ask(b, 3) == false);
  world.now += 1;
  CHECK(world.Ask(b, 4) == true);
  CHECK(world.Ask(a, 4) == false);
}

TEST_CASE("witness: a recorded question takes no lease, gives none back, and disturbs no session") {
  World world;
  auto a = std::make_unique<Device>(1, 11);
  Device b(2, 22);
  world.Meet(*a);
  world.Meet(b);
  std::vector<Datagram> recorded;
  const auto record = [&] {
    for (const Datagram& one : a->wire.to_witness)
      recorded.push_back(one);
  };
  for (uint32_t ticket = 1; ticket <= 3; ++ticket) {
    a->link.Ask(1, kGroup, ticket);
    record();
    world.Exchange(*a);
  }
  a->link.Release(kGroup);
  record();
  world.Exchange(*a);

  SECTION("in the same session they are taken once") {
    for (const Datagram& one : recorded)
      CHECK_FALSE(world.Answer(one));
    CHECK(world.server->counters().replayed == recorded.size());
    CHECK(world.Ask(b, 1) == true);
  }
  SECTION("in the next one they are of no session") {
    a = std::make_unique<Device>(1, 111);
    world.Meet(*a);
    REQUIRE(world.Ask(*a, 1) == true);
    for (const Datagram& one : recorded) {
      const auto answer = world.Answer(one);
      REQUIRE(answer);
      CHECK(ReadMessage(*answer)->verdict == Verdict::kUnknownSession);
    }
    CHECK(world.Ask(b, 1) == false);
    // The session of the run that is there goes on.
    CHECK(world.Ask(*a, 2) == true);
    world.Release(*a);
    CHECK(world.Ask(b, 2) == true);
  }
  SECTION("at another witness that has the key as well") {
    world.Restart();
    world.now += World::kOpen;
    for (const Datagram& one : recorded) {
      const auto answer = world.Answer(one);
      REQUIRE(answer);
      CHECK(ReadMessage(*answer)->verdict == Verdict::kUnknownSession);
    }
    world.Meet(b);
    CHECK(world.Ask(b, 1) == true);
  }
}

TEST_CASE("witness: a question that begins a session begins none when it is recorded") {
  World world;
  Device a(1, 11);
  world.now += World::kOpen;
  world.Ask(a, 1);
  a.link.Ask(1, kGroup, 2);
  const Datagram first = a.wire.to_witness.front();
  REQUIRE(world.Exchange(a).size() == 1);
  Device again(1, 111);
  world.Meet(again);
  CHECK(ReadMessage(*world.Answer(first))->verdict == Verdict::kUnknownSession);
  CHECK(world.Ask(again, 1) == true);
}

TEST_CASE("witness: recorded answers mean nothing to the device") {
  World world;
  Device a(1, 11);
  world.Meet(a);
  std::vector<Datagram> recorded;
  const auto answer_all = [&] {
    for (; !a.wire.to_witness.empty(); a.wire.to_witness.pop_front())
      recorded.push_back(*world.Answer(a.wire.to_witness.front()));
  };
  a.link.Ask(1, kGroup, 1);
  a.link.Ask(1, kGroup, 2);
  answer_all();
  a.wire.arrivals = {recorded[0], recorded[0], recorded[1], recorded[1]};
  REQUIRE(world.Exchange(a).size() == 2);
  CHECK(a.link.status(world.now).refused == 2);
  // Nor do they tell it that the witness is there, or of another session.
  world.now += 10 * kSecond;
  for (const Datagram& one : recorded)
    a.wire.arrivals.push_back(one);
  CHECK(world.Exchange(a).empty());
  CHECK_FALSE(a.link.status(world.now).is_answered);
  a.wire.to_witness.clear();
  CHECK(world.Ask(a, 3) == true);
  // Another run of the device, which counts its tickets from 1 again.
  Device again(1, 111);
  world.Meet(again);
  again.link.Ask(1, kGroup, 1);
  again.wire.to_witness.clear();
  for (const Datagram& one : recorded)
    again.wire.arrivals.push_back(one);
  CHECK(world.Exchange(again).empty());
}

TEST_CASE("witness: who has another key is not answered, nor believed") {
  World world;
  Device a(1, 11);
  Device stranger(1, 12, 2);
  world.Meet(a);
  world.Meet(stranger);
  CHECK(world.server->counters().forged == 2);
  CHECK_FALSE(stranger.link.status(world.now).is_answered);
  // Another device's question, in its name.
  a.link.Ask(1, kGroup, 1);
  Datagram question = a.wire.to_witness.front();
  question[4] = 2;
  CHECK_FALSE(world.Answer(question));
  // An answer of a witness with another key.
  World other;
  other.Restart(2);
  REQUIRE(world.Exchange(a).size() == 1);
  a.link.Ask(1, kGroup, 2);
  Message forged;
  forged.type = MessageType::kAnswer;
  forged.verdict = Verdict::kGranted;
  forged.device = 1;
  forged.id = {5, 5};
  forged.question = ReadMessage(a.wire.to_witness.front())->id;
  MessageSealer sealer;
  sealer.SetKey({KeyOf(2), Direction::kAnswers, 1});
  std::array<uint8_t, kDatagramSize> bytes{};
  REQUIRE(sealer.Seal(forged, bytes));
  a.wire.arrivals.emplace_back(bytes.begin(), bytes.end());
  a.wire.to_witness.clear();
  CHECK(world.Exchange(a).empty());
  // Nor a question that comes back.
  a.link.Ask(1, kGroup, 3);
  std::swap(a.wire.arrivals, a.wire.to_witness);
  CHECK(world.Exchange(a).empty());
}

TEST_CASE_METHOD(
    Pair, "witness: with another pre-shared key, devices that have the old one are heard on") {
  REQUIRE(world.Ask(a, 1) == true);
  world.server->SetKey(KeyOf(2));
  CHECK(world.Ask(a, 2) == true);
  b.link.SetKey(KeyOf(2));
  CHECK(world.Ask(b, 1) == false);
  a.link.SetKey(KeyOf(2));
  CHECK(world.Ask(a, 3) == true);
  // The one before last is over.
  world.server->SetKey(KeyOf(3));
  CHECK(world.Ask(a, 4) == true);
  b.link.SetKey(KeyOf(1));
  CHECK(world.Ask(b, 2) == std::nullopt);
}

TEST_CASE("witness: a device that counts on a longer lease gets none, and knows why") {
  World world;
  Device a(1, 11, 1, 1001 * kMillisecond);
  world.Meet(a);
  CHECK(world.Ask(a, 1) == std::nullopt);
  CHECK(a.link.status(world.now).is_answered);
  CHECK(a.link.status(world.now).is_lease_too_long);
  CHECK(a.link.status(world.now).witness_lease == kSecond);
  CHECK(world.server->counters().too_long == 1);
  Device b(2, 22, 1, 999 * kMillisecond);
  world.Meet(b);
  CHECK(world.Ask(b, 1) == true);
}

TEST_CASE("witness: bytes of any kind are counted, and not answered") {
  World world;
  for (const size_t size : {0U, 1U, 47U, 63U, 64U, 65U, 1500U, 65'507U}) {
    const Datagram bytes(size, 0x7a);
    CHECK_FALSE(world.Answer(bytes));
  }
  CHECK(world.server->counters().malformed == 8);
  CHECK(world.server->counters().answered == 0);
}

TEST_CASE("witness: recordings are answered so often a second, and devices always") {
  World world;
  Device old(1, 10);
  world.Meet(old);
  old.link.Ask(1, kGroup, 1);
  const Datagram recorded = old.wire.to_witness.front();
  Device a(1, 11);
  world.Meet(a);
  world.now += kSecond;
  unsigned answered = 0;
  for (unsigned i = 0; i < 3 * Server::kUnknownPerSecond; ++i)
    answered += world.Answer(recorded) ? 1U : 0U;
  CHECK(answered == Server::kUnknownPerSecond);
  CHECK(world.server->counters().limited == 2 * Server::kUnknownPerSecond);
  CHECK(world.Ask(a, 1) == true);
  world.now += kSecond;
  CHECK(world.Answer(recorded));
}

TEST_CASE_METHOD(Pair, "witness: there are so many groups; what is long forgotten makes room") {
  for (uint32_t i = 1; i <= kTrafficGroupsMax; ++i)
    CHECK(world.Ask(a, i, 1000 + i) == true);
  CHECK(world.Ask(b, 1, 5000) == false);
  CHECK(world.Ask(b, 2, 0) == false);
  CHECK(world.server->counters().no_room == 2);
  world.now += Server::kForgetGroup - kSecond;
  CHECK(world.Ask(a, 200, 1001) == true);
  world.now += kSecond;
  CHECK(world.Ask(a, 7, 5000) == true);
  CHECK(world.Ask(b, 3, 1001) == false);
  world.Release(b, 6000);  // of a group that nobody knows
}

TEST_CASE_METHOD(Pair,
                 "witness: tickets may begin anew, and answers to the ones before are forgotten") {
  for (uint32_t ticket = 1; ticket <= 9; ++ticket)
    REQUIRE(world.Ask(a, ticket) == true);
  a.link.Ask(1, kGroup, 1);  // of a group that is taken out of the configuration …
  a.link.Forget();
  a.link.Ask(1, kGroup, 1);  // … and put in again
  const auto answers = world.Exchange(a);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].is_granted);
  CHECK(a.link.status(world.now).refused == 1);
  world.Release(a);
  CHECK(world.Ask(b, 1) == true);
}

TEST_CASE(
    "witness: a link says hello once a second when nothing else is asked, and who is silent") {
  World world;
  Device a(1, 11);
  const auto sent = [&] { return a.link.status(world.now).questions; };
  a.link.Turn(world.now);
  CHECK(sent() == 1);
  a.link.Turn(world.now + Link::kHelloEvery - 1);
  CHECK(sent() == 1);
  CHECK_FALSE(a.link.status(world.now).is_answered);
  world.Exchange(a);
  CHECK(a.link.status(world.now).is_answered);
  CHECK(a.link.status(world.now).answered_at == world.now);
  world.now += 500 * kMillisecond;
  a.link.Ask(1, kGroup, 1);
  a.link.Turn(world.now);
  CHECK(sent() == 2);
  a.link.Turn(world.now + Link::kHelloEvery - 1);
  CHECK(sent() == 2);
  a.link.Turn(world.now + Link::kHelloEvery);
  CHECK(sent() == 3);
  CHECK(a.link.status(world.now + 2499 * kMillisecond).is_answered);
  CHECK_FALSE(a.link.status(world.now + 2500 * kMillisecond).is_answered);
}

TEST_CASE("witness: a flood of strangers costs a link a bounded look each turn") {
  World world;
  Device a(1, 11);
  world.Meet(a);
  for (unsigned i = 0; i < 1000; ++i)
    a.wire.arrivals.emplace_back(kDatagramSize, 0x7a);
  CHECK_FALSE(a.link.Receive(world.now));
  CHECK_FALSE(a.link.Receive(world.now));
  CHECK(a.wire.arrivals.size() == 1000 - 64);
  a.link.Turn(world.now);
  CHECK_FALSE(a.link.Receive(world.now));
  CHECK(a.wire.arrivals.size() == 1000 - 128);
}

}  // namespace tandem::witness
