// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/persist_sync.h"

#include <catch2/catch.hpp>

#include "dataplane/mirror/persist_batch.h"
#include "tests/unit/mirror/persist_pair.h"

using namespace tandem;
using namespace tandem::mirror;

namespace {

// The next frame of any of the writer's workers.
std::unique_ptr<FrameSlot> Frame(PersistPair& pair) {
  auto slot = std::make_unique<FrameSlot>();
  pair.now += kMillisecond;
  for (auto& sender : pair.senders) {
    if (sender->Build(*slot, pair.writer_snapshot, pair.now)) return slot;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("persist sync: tables are equal after quiet, whatever the link did", "[mirror]") {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    CAPTURE(seed);
    Prng prng(seed * 7919);
    PersistPair pair(
        seed, {.lost = prng.Below(40), .duplicated = prng.Below(30), .delay_max = prng.Below(12)},
        static_cast<uint8_t>(seed % 2 == 0 ? kReaderWorkers : kWriterWorkers));
    for (int step = 0; step < 1500; ++step) {
      for (uint32_t i = prng.Below(4); i > 0; --i) {
        const uint32_t number = prng.Below(900);
        const auto profile = static_cast<config::PersistenceId>(1 + number % 3);
        const auto member = static_cast<config::MemberId>(1 + prng.Below(50));
        const uint32_t what = prng.Below(10);
        if (what < 7) {
          pair.Use(number, member, profile);
        } else if (what < 9) {
          pair.Delete(number, profile);
        } else {
          pair.Use(number, member, profile, /*replace=*/true);
        }
      }
      pair.Step(prng.Below(4) * kMillisecond);
      if (prng.Below(700) == 0) pair.Reopen();
    }
    pair.faults = {.lost = pair.faults.lost / 2, .delay_max = 3};
    pair.Quiet();
    REQUIRE(pair.Written().size() > 100);
    REQUIRE(pair.Difference() == "");
    CHECK(pair.Sum(&PersistCounters::malformed) == 0);
    CHECK(pair.Sum(&PersistCounters::unknown) == 0);
    CHECK(pair.Sum(&PersistCounters::refused) == 0);
  }
}

TEST_CASE("persist sync: copies last as long as the record is used", "[mirror]") {
  PersistPair pair;
  pair.Use(1, 4);
  for (int i = 0; i < 40; ++i) {
    for (int k = 0; k < 10; ++k)
      pair.Step(100 * kMillisecond);
    pair.Use(1, 9);
  }
  pair.Quiet();
  CHECK(pair.Difference() == "");
  CHECK(pair.Read().size() == 1);
  // Nobody uses it, and nobody says so: the copy goes by itself, later.
  for (auto& sender : pair.senders)
    sender->Close();
  for (int i = 0; i < 45; ++i)
    pair.Step(100 * kMillisecond);
  CHECK(pair.Written().empty());
  CHECK(pair.Read().size() == 1);
  for (int i = 0; i < 40; ++i)
    pair.Step(kSecond);
  CHECK(pair.Read().empty());
}

TEST_CASE("persist sync: a record that is gone does not come back", "[mirror]") {
  PersistPair pair;
  pair.Quiet();
  pair.Use(1, 4);
  const auto told = Frame(pair);
  REQUIRE(told != nullptr);
  pair.Delete(1);
  pair.now += 300 * kMillisecond;  // it counts as lost
  for (auto& sender : pair.senders)
    sender->OnClock(pair.now);
  const auto gone = Frame(pair);
  REQUIRE(gone != nullptr);
  pair.Hand(*gone);
  pair.Hand(*told);
  CHECK(pair.Read().empty());
  pair.Quiet();
  CHECK(pair.Read().empty());
  CHECK(pair.Written().empty());
}

TEST_CASE("persist sync: what has run out is not told, though nobody has swept it yet",
          "[mirror]") {
  PersistPair pair;
  pair.Use(1, 4);
  pair.now += 1000 * kSecond;
  FrameSlot slot;
  for (const auto& sender : pair.senders) {
    for (int i = 0; i < 100; ++i)
      static_cast<void>(sender->Build(slot, pair.writer_snapshot, pair.now));
    CHECK(sender->counters().upserts.Get() == 0);
  }
  pair.Use(1, 5, 1, /*replace=*/true);
  pair.Quiet();
  CHECK(pair.Read().size() == 1);
  CHECK(pair.Difference() == "");
}

TEST_CASE("persist sync: while a frame does not hold all, frames come sooner, but not at once",
          "[mirror]") {
  constexpr Nanos kStep = 25'000;
  PersistPair pair(1, {}, 1);
  pair.Quiet();
  const Nanos flush = pair.writer_snapshot.mirroring.flush;
  const auto frames_in = [&](Nanos span) {
    const uint64_t before = pair.senders[0]->counters().frames.Get();
    for (Nanos passed = 0; passed < span; passed += kStep)
      pair.Step(kStep);
    return pair.senders[0]->counters().frames.Get() - before;
  };
  for (uint32_t number = 0; number < 1000; ++number)
    pair.Use(number, 4);
  CHECK(frames_in(flush) == 4);
  pair.Quiet();
  CHECK(pair.Difference() == "");
  // Little to tell, again and again.
  uint64_t frames = 0;
  for (int i = 0; i < 20; ++i) {
    pair.Use(static_cast<uint32_t>(2000 + i), 4);
    frames += frames_in(flush / 10);
  }
  CHECK(frames <= 3);
  pair.Quiet();
}

TEST_CASE("persist sync: a record that changed on its way is on its way still", "[mirror]") {
  PersistPair pair;
  pair.Quiet();
  pair.Use(1, 4);
  const auto told = Frame(pair);
  REQUIRE(told != nullptr);
  pair.Use(1, 9, 1, /*replace=*/true);
  REQUIRE(Frame(pair) == nullptr);  // it has been looked at, and has to wait
  pair.Hand(*told);
  FrameSlot ack;
  REQUIRE(pair.receivers[told->header.worker % kReaderWorkers]->BuildAck(ack, 64, pair.now));
  pair.Hand(ack);
  CHECK(pair.Difference() == "other 1 of profile 1; ");
  CHECK_FALSE(pair.InSync());
  pair.Quiet();
  CHECK(pair.Difference() == "");
}

TEST_CASE("persist sync: an overtaken frame is not applied, and its records come again",
          "[mirror]") {
  PersistPair pair;
  pair.Quiet();
  for (uint32_t i = 0; i < 400; ++i)
    pair.Use(i, 4, 2);
  const auto first = Frame(pair);
  const auto second = Frame(pair);
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  REQUIRE(first->header.worker == second->header.worker);
  pair.Hand(*second);
  const size_t read = pair.Read().size();
  CHECK(read > 0);
  pair.Hand(*first);
  CHECK(pair.Sum(&PersistCounters::overtaken) == 1);
  CHECK(pair.Read().size() == read);
  pair.Quiet();
  CHECK(pair.Difference() == "");
}

TEST_CASE("persist sync: removed marks go when the peer knows", "[mirror]") {
  PersistPair pair;
  for (uint32_t i = 0; i < 200; ++i)
    pair.Use(i, 4, 2);
  pair.Quiet();
  CHECK(pair.Read().size() == 200);
  for (uint32_t i = 0; i < 200; ++i)
    pair.Delete(i, 2);
  pair.Quiet();
  CHECK(pair.Read().empty());
  for (uint32_t bucket = 0; bucket < pair.writer.table.buckets(); ++bucket) {
    REQUIRE(pair.writer.table.VisitBucket(bucket, 0, [](const persist::Record&) {
      FAIL("a mark is left");
      return persist::Verdict::kKeep;
    }));
  }
}

TEST_CASE("persist sync: a new session drops what was removed while nobody listened", "[mirror]") {
  PersistPair pair;
  for (uint32_t i = 0; i < 300; ++i)
    pair.Use(i, 4, 2);
  pair.Quiet();
  for (auto& sender : pair.senders)
    sender->Close();
  for (uint32_t i = 0; i < 300; i += 2)
    pair.Delete(i, 2);
  // The marks go, as if their places had been needed.
  for (uint32_t bucket = 0; bucket < pair.writer.table.buckets(); ++bucket) {
    REQUIRE(pair.writer.table.VisitBucket(bucket, 0, [](const persist::Record& record) {
      return record.is_live() ? persist::Verdict::kKeep : persist::Verdict::kForget;
    }));
  }
  CHECK(pair.Read().size() == 300);
  pair.Reopen();
  pair.Quiet();
  for (int i = 0; i < 100; ++i)
    pair.Step();
  CHECK(pair.Difference() == "");
  CHECK(pair.Read().size() == 150);
  CHECK(pair.Sum(&PersistCounters::unconfirmed) == 150);
}

TEST_CASE("persist sync: a new session of fewer streams drops what all of the one before told",
          "[mirror]") {
  PersistPair pair;
  for (uint32_t number = 0; number < 200; ++number)
    pair.Use(number, 4, 2);
  pair.Quiet();
  REQUIRE(pair.Read().size() == 200);
  for (auto& sender : pair.senders)
    sender->Close();
  for (uint32_t number = 0; number < 100; ++number)
    pair.Delete(number, 2);
  // The marks go, as if their places had been needed.
  for (uint32_t bucket = 0; bucket < pair.writer.table.buckets(); ++bucket) {
    REQUIRE(pair.writer.table.VisitBucket(bucket, 0, [](const persist::Record& record) {
      return record.is_live() ? persist::Verdict::kKeep : persist::Verdict::kForget;
    }));
  }
  ++pair.session;
  pair.senders[0]->Open(PersistPair::Terms(pair.session, 1), pair.now);
  for (auto& receiver : pair.receivers)
    receiver->Open(PersistPair::Terms(pair.session, 1), pair.now);
  for (int i = 0; i < 1000; ++i)
    pair.Step();
  CHECK(pair.Difference() == "");
  CHECK(pair.Read().size() == 100);
}

TEST_CASE("persist sync: what a device made while it was active goes when the other one lacks it",
          "[mirror]") {
  PersistPair pair;
  pair.reader_roles.Set(1, config::Role::kActive);
  const auto make = [&pair](uint32_t number, config::TrafficGroupId group, unsigned flags) {
    const persist::Key key = PersistPair::KeyOf(number, 2 + kProfileShift);
    persist::Table::Claim claim = pair.reader.table.Open(key, 0, TickOf(pair.now));
    persist::Record& record = *claim.Create();
    record.member = 4 + kMemberShift;
    record.virtual_id = 1 + kVirtualShift;
    record.group = group;
    record.timeout = TicksIn(3600 * kSecond);
    record.flags = static_cast<uint8_t>(flags);
  };
  // Keys without a scope.
  for (uint32_t number = 0; number < 500; number += 5)
    make(number, 1, persist::kMirror);
  make(1000, 1, 0);                 // not mirrored: this device's alone
  make(1005, 0, persist::kMirror);  // of no group: stays
  pair.Quiet();
  for (int i = 0; i < 100; ++i)
    pair.Step();
  CHECK(pair.reader.table.size() == 102);  // active: nobody's business
  pair.reader_roles.Set(1, config::Role::kStandby);
  // While nobody is active, nobody else has them.
  pair.Reopen();
  pair.Quiet();
  for (int i = 0; i < 100; ++i)
    pair.Step();
  CHECK(pair.reader.table.size() == 102);
  pair.peers_groups.set(1);
  pair.Reopen();
  pair.senders[0]->Close();  // one that has not told yet what it has
  for (int i = 0; i < 1000; ++i) {
    pair.Step();
    for (auto& receiver : pair.receivers)
      receiver->Tidy(64);
  }
  CHECK(pair.reader.table.size() == 102);
  pair.Reopen();
  pair.Quiet();
  for (int i = 0; i < 100; ++i)
    pair.Step();
  CHECK(pair.reader.table.size() == 2);
  CHECK(pair.Sum(&PersistCounters::unconfirmed) == 100);
}

TEST_CASE("persist sync: only what is mirrored and ours is told", "[mirror]") {
  PersistPair pair;
  pair.writer_roles.Set(2, config::Role::kStandby);
  pair.Use(1, 4, 3);
  pair.Use(2, 4);  // by virtual 3, of group 2
  pair.Use(3, 4);  // by virtual 4, of group 1
  pair.Quiet();
  CHECK(pair.Read().size() == 1);
  CHECK(pair.reader.table.size() == 1);
  // A takeover, and another configuration.
  pair.writer_roles.Set(2, config::Role::kActive);
  pair.Quiet();
  CHECK(pair.Read().size() == 2);
  pair.writer_snapshot.persistences[3].mirror = true;
  pair.reader_snapshot.persistences[3 + kProfileShift].mirror = true;
  ++pair.writer_snapshot.mirror_generation;
  pair.Quiet();
  CHECK(pair.Read().size() == 3);
  // Who is active itself takes nothing.
  pair.reader_roles.Set(1, config::Role::kActive);
  pair.Use(3, 8, 1, /*replace=*/true);
  pair.Quiet();
  CHECK(pair.Sum(&PersistCounters::ours) == 1);
  CHECK(pair.Difference() != "");
}

TEST_CASE("persist sync: a takeover tells on what the old active told", "[mirror]") {
  PersistPair pair;
  for (uint32_t i = 0; i < 100; ++i)
    pair.Use(i, 4, 2);
  pair.Quiet();
  pair.reader_roles.Set(1, config::Role::kActive);
  pair.reader_roles.Set(2, config::Role::kActive);
  uint64_t upserts = 0;
  for (unsigned w = 0; w < kReaderWorkers; ++w) {
    PersistSender next(w, pair.reader.table, pair.reader_roles);
    next.Open(PersistPair::Terms(90), pair.now);
    auto slot = std::make_unique<FrameSlot>();
    for (int i = 0; i < 100; ++i)
      static_cast<void>(next.Build(*slot, pair.reader_snapshot, pair.now));
    upserts += next.counters().upserts.Get();
  }
  CHECK(upserts == 100);
}

TEST_CASE("persist sync: unknown objects are counted, row by row", "[mirror]") {
  PersistPair pair;
  pair.translation.members[4] = 0;
  pair.translation.persistences[2] = 0;
  pair.Use(1, 4);
  pair.Use(2, 5, 2);
  pair.Use(3, 6);
  pair.Quiet();
  CHECK(pair.Sum(&PersistCounters::unknown) == 2);
  CHECK(pair.Read().size() == 1);
}

TEST_CASE("persist sync: a full table refuses, and says so", "[mirror]") {
  PersistPair pair;
  ::tandem::test::TableMemory small(1, 1);
  PersistReceiver receiver(0, small.table, pair.reader_roles);
  receiver.Open(PersistPair::Terms(pair.session), pair.now);
  for (uint32_t i = 0; i < 100; ++i)
    pair.Use(i, 4, 2);
  auto slot = std::make_unique<FrameSlot>();
  for (int i = 0; i < 100; ++i) {
    pair.now += kMillisecond;
    if (pair.senders[1]->Build(*slot, pair.writer_snapshot, pair.now)) {
      receiver.Apply(*slot, pair.translation, pair.reader_snapshot, pair.now);
    }
  }
  CHECK(small.table.size() == persist::kRecordsPerBucket);
  CHECK(receiver.counters().refused.Get() > 0);
  CHECK(receiver.counters().refused.Get() + 7 == receiver.counters().upserts.Get());
}

TEST_CASE("persist sync: what cannot be read is counted and not acknowledged", "[mirror]") {
  PersistPair pair;
  pair.Quiet();
  pair.Use(1, 4);
  const auto good = Frame(pair);
  REQUIRE(good != nullptr);
  PersistReceiver& receiver = *pair.receivers[good->header.worker % kReaderWorkers];
  const auto apply = [&](const FrameSlot& slot) {
    receiver.Apply(slot, pair.translation, pair.reader_snapshot, pair.now);
    FrameSlot ack;
    static_cast<void>(receiver.BuildAck(ack, 64, pair.now));
    return ack.header.floor > good->header.sequence;
  };
  auto bad = std::make_unique<FrameSlot>(*good);
  bad->body[0] ^= 0x55;
  CHECK_FALSE(apply(*bad));
  CHECK(receiver.counters().malformed.Get() == 1);
  *bad = *good;
  bad->body_size = 3;
  CHECK_FALSE(apply(*bad));
  *bad = *good;
  bad->header.worker = 200;
  CHECK_FALSE(apply(*bad));
  *bad = *good;
  bad->header.floor = good->header.sequence + 1;
  CHECK_FALSE(apply(*bad));
  CHECK(receiver.counters().malformed.Get() == 4);
  *bad = *good;
  ++bad->header.dictionary;
  CHECK_FALSE(apply(*bad));
  CHECK(receiver.counters().not_translatable.Get() == 1);
  // Of another run of the peer, whose version has the same number.
  pair.translation.incarnation = 1;
  CHECK_FALSE(apply(*good));
  CHECK(receiver.counters().not_translatable.Get() == 2);
  pair.translation.incarnation = 0;
  *bad = *good;
  ++bad->header.session;
  CHECK_FALSE(apply(*bad));
  CHECK(pair.Read().empty());
  CHECK(apply(*good));
  CHECK(pair.Read().size() == 1);

  FrameHeader ack;
  ack.type = FrameType::kPersistAck;
  ack.session = pair.session;
  ack.epoch = 9;
  ack.floor = 1'000'000;
  pair.senders[0]->OnAck(ack, pair.now);
  CHECK(pair.senders[0]->counters().bad_acks.Get() == 1);
}

TEST_CASE("persist sync: a held record puts a frame off, no more", "[mirror]") {
  PersistPair pair;
  ::tandem::test::TableMemory one(1, 2);
  PersistReceiver receiver(0, one.table, pair.reader_roles);
  receiver.Open(PersistPair::Terms(pair.session), pair.now);
  pair.Use(1, 4);
  auto slot = Frame(pair);
  REQUIRE(slot != nullptr);
  const auto apply = [&] {
    receiver.Apply(*slot, pair.translation, pair.reader_snapshot, pair.now);
  };
  {
    const persist::Key key;
    const persist::Table::Claim held = one.table.Open(key, 1, 0);
    apply();
    CHECK(receiver.counters().busy.Get() + receiver.counters().frames.Get() == 1);
  }
  apply();
  CHECK(one.table.size() == (slot->body_size != 0 ? 1U : 0U));

  // The same on the writer's side: nothing is lost of what it could not look at.
  pair.Quiet();
  pair.Use(1, 5, 1, /*replace=*/true);
  {
    const persist::Key key = PersistPair::KeyOf(1);
    const persist::Table::Claim held = pair.writer.table.Open(key, 1, TickOf(pair.now));
    for (int i = 0; i < 5; ++i)
      pair.Step();
    CHECK(pair.Read() != PersistPair::Rows());
  }
  pair.Quiet();
  CHECK(pair.Difference() == "");
}
