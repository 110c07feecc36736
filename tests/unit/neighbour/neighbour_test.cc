// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour/resolver.h"
#include "dataplane/neighbour/table.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "dataplane/base/prng.h"

namespace tandem::neighbour {
namespace {

IpAddress Host(uint32_t number) {
  return IpAddress::V4(__builtin_bswap32(0x0a000000U | number));
}

MacAddress MacOf(uint32_t number) {
  return {2,
          0,
          0,
          static_cast<uint8_t>(number >> 16),
          static_cast<uint8_t>(number >> 8),
          static_cast<uint8_t>(number)};
}

// One worker that begins a burst whenever asked.
class Rig {
 public:
  Rig() { publisher_.Online(0); }

  unsigned Step(uint32_t ticks) {
    now_ += ticks;
    publisher_.Current(0);
    unsigned sent = 0;
    resolver_.Advance(now_, 200, [&](const Probe& probe) {
      last_ = probe;
      ++sent;
    });
    return sent;
  }
  bool Resolve(uint32_t host) {
    Message message;
    message.interface = 1;
    message.address = Host(host);
    return resolver_.Handle(message, now_, last_);
  }
  void Learn(uint32_t host, uint32_t mac, Message::Kind kind = Message::Kind::kLearn,
             bool may_create = false) {
    Message message;
    message.kind = kind;
    message.interface = 1;
    message.address = Host(host);
    message.mac = MacOf(mac);
    message.may_create = may_create;
    CHECK_FALSE(resolver_.Handle(message, now_, last_));
  }
  // 0: neighbours that are known on the interface.
  bool ProbeNow(uint32_t host, bool may_create = false) {
    Message message;
    message.kind = Message::Kind::kProbe;
    message.interface = 1;
    if (host != 0) message.address = Host(host);
    message.may_create = may_create;
    return resolver_.Handle(message, now_, last_);
  }
  View Look(uint32_t host) { return table_.Read(table_.Find(1, Host(host))); }
  // Where a packet to it goes.
  Way Use(uint32_t host) { return table_.Use(table_.Find(1, Host(host))); }
  Table& table() { return table_; }
  const Probe& last() const { return last_; }
  Tick now() const { return now_; }

 private:
  Tick now_ = UINT32_MAX - 1000;  // so that stamps wrap on the way
  config::Publisher publisher_{1};
  Table table_;
  Resolver resolver_{table_, publisher_};
  Probe last_;
};

}  // namespace

TEST_CASE("neighbour: asked three times a second apart, then failed, then forgotten",
          "[neighbour]") {
  Rig rig;
  CHECK(rig.Resolve(5));
  CHECK_FALSE(rig.last().unicast);
  CHECK_FALSE(rig.Resolve(5));  // once, however many ask
  CHECK(rig.Look(5).state == State::kIncomplete);
  CHECK(rig.Use(5).mac == kNoMac);
  CHECK(rig.Step(Resolver::kProbeTicks - 10) == 0);
  CHECK(rig.Step(10) == 1);
  CHECK(rig.Step(Resolver::kProbeTicks) == 1);
  CHECK(rig.Step(Resolver::kProbeTicks) == 0);
  CHECK(rig.Look(5).state == State::kFailed);
  CHECK(rig.Use(5).mac == kNoMac);
  rig.Step(Resolver::kFailedTicks);
  CHECK(rig.table().Find(1, Host(5)).index == 0);
  CHECK(rig.Resolve(5));  // may try again
}

TEST_CASE("neighbour: an answer makes it usable; used entries are refreshed by unicast",
          "[neighbour]") {
  Rig rig;
  CHECK(rig.Resolve(5));
  rig.Learn(5, 77);
  CHECK(rig.Look(5).usable());
  CHECK(rig.Look(5).mac == MacOf(77));
  CHECK(rig.Use(5).mac == WordOf(MacOf(77)));
  CHECK(rig.Use(5).interface == 1);
  CHECK(rig.Step(Resolver::kReachableTicks) == 1);
  CHECK(rig.last().unicast);
  CHECK(rig.last().mac == MacOf(77));
  CHECK(rig.Look(5).state == State::kStale);  // usable while it is being asked
  CHECK(rig.Use(5).mac == WordOf(MacOf(77)));
  rig.Learn(5, 77);
  CHECK(rig.Look(5).state == State::kReachable);
}

TEST_CASE("neighbour: a used entry that stops answering fails; an unused one ages out",
          "[neighbour]") {
  Rig rig;
  CHECK(rig.Resolve(5));
  CHECK(rig.Resolve(6));
  rig.Learn(5, 1);
  rig.Learn(6, 2);
  const flow::NeighbourRef ref = rig.table().Find(1, Host(5));
  rig.table().MarkUsed(ref);
  unsigned asked = 0;
  for (unsigned i = 0; i < 40; ++i)
    asked += rig.Step(Resolver::kProbeTicks);
  CHECK(asked == 2 * Resolver::kProbesMax);  // nobody used host 6: it was not asked
  CHECK(rig.table().Find(1, Host(5)).index == 0);
  CHECK(rig.table().Use(ref).mac == kNoMac);  // of a flow that remembers it still
  CHECK(rig.Look(6).usable());
  rig.Step(Resolver::kIdleTicks);
  rig.Step(Resolver::kProbeTicks);
  CHECK(rig.table().Find(1, Host(6)).index == 0);
}

TEST_CASE("neighbour: a known one is asked again on demand, by broadcast, and stays as it is",
          "[neighbour]") {
  Rig rig;
  rig.Learn(7, 7, Message::Kind::kLearn, true);
  REQUIRE(rig.ProbeNow(7));
  CHECK(rig.last().address == Host(7));
  CHECK_FALSE(rig.last().unicast);
  CHECK(rig.Look(7).state == State::kReachable);
  // Who is not known is asked, and remembered only where that is wanted.
  REQUIRE(rig.ProbeNow(8));
  CHECK(rig.Look(8).state == State::kFree);
  REQUIRE(rig.ProbeNow(9, true));
  CHECK(rig.last().address == Host(9));
  CHECK(rig.Look(9).state == State::kIncomplete);
}

TEST_CASE(
    "neighbour: of a silent interface all hosts are asked, and those known once round, so many at "
    "most",
    "[neighbour]") {
  Rig rig;
  for (uint32_t host = 1; host <= 100; ++host)
    rig.Learn(host, host, Message::Kind::kLearn, true);
  CHECK(rig.Step(1) == 0);
  CHECK(rig.ProbeNow(0));
  CHECK(rig.last().address.is_unset());
  CHECK(rig.Step(1) == Resolver::kProvokedMax);
  CHECK(rig.Step(1) == 0);
}

TEST_CASE("neighbour: only what was asked or told to us makes an entry", "[neighbour]") {
  Rig rig;
  rig.Learn(5, 1);
  CHECK(rig.table().Find(1, Host(5)).index == 0);
  rig.Learn(5, 1, Message::Kind::kLearn, true);
  CHECK(rig.Look(5).mac == MacOf(1));
  rig.Learn(5, 9, Message::Kind::kConfirm);  // no override flag: not believed
  CHECK(rig.Look(5).mac == MacOf(1));
  rig.Learn(5, 9);
  CHECK(rig.Look(5).mac == MacOf(9));
}

TEST_CASE("neighbour: a recycled entry no longer answers to old references", "[neighbour]") {
  Rig rig;
  CHECK(rig.Resolve(5));
  rig.Learn(5, 1);
  const flow::NeighbourRef old = rig.table().Find(1, Host(5));
  rig.Step(Resolver::kReachableTicks);
  rig.Step(Resolver::kIdleTicks);
  rig.Step(Resolver::kProbeTicks);  // removed ...
  CHECK(rig.table().Read(old).state == State::kFree);
  rig.Step(1);
  rig.Step(1);  // ... and collected
  CHECK(rig.Resolve(6));
  const flow::NeighbourRef fresh = rig.table().Find(1, Host(6));
  CHECK(fresh.index == old.index);
  CHECK(fresh.generation != old.generation);
  rig.Learn(6, 2);
  CHECK_FALSE(rig.table().Read(old).usable());
  CHECK(rig.table().Read(fresh).mac == MacOf(2));
}

TEST_CASE("neighbour: the table takes its maximum and refuses one more", "[neighbour]") {
  Rig rig;
  for (uint32_t host = 1; host < kNeighboursMax; ++host)
    REQUIRE(rig.Resolve(host));
  CHECK_FALSE(rig.Resolve(kNeighboursMax));
  CHECK(rig.table().Find(1, Host(kNeighboursMax)).index == 0);
  CHECK(rig.table().List(rig.now()).size() == kNeighboursMax - 1);
}

TEST_CASE("neighbour: readers see whole entries while the owner changes them", "[neighbour]") {
  config::Publisher publisher(2);
  Table table;
  Resolver resolver(table, publisher);
  publisher.Online(0);
  publisher.Online(1);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> read{0};
  std::thread reader([&] {
    Prng prng(7);
    while (!stop.load()) {
      publisher.Current(1);
      for (int i = 0; i < 32; ++i) {
        const uint32_t host = 1 + prng.Below(64);
        const View view = table.Read(table.Find(1, Host(host)));
        if (view.usable() && view.mac != MacOf(host)) ++wrong;
        ++read;
      }
    }
    publisher.Offline(1);
  });
  Prng prng(8);
  Tick now = 0;
  Probe probe;
  for (int i = 0; i < 200'000 || read.load() < 1000; ++i) {
    publisher.Current(0);
    const uint32_t host = 1 + prng.Below(64);
    Message message;
    message.interface = 1;
    message.address = Host(host);
    message.kind = prng.Below(2) == 0 ? Message::Kind::kResolve : Message::Kind::kLearn;
    message.mac = MacOf(host);
    static_cast<void>(resolver.Handle(message, now, probe));
    now += Resolver::kIdleTicks / 64;
    resolver.Advance(now, 16, [](const Probe&) {});
  }
  stop = true;
  reader.join();
  CHECK(wrong.load() == 0);
  CHECK(read.load() > 0);
}

}  // namespace tandem::neighbour
