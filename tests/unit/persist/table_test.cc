// SPDX-License-Identifier: Apache-2.0
#include "dataplane/persist/table.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/unit/persist/table_memory.h"

using namespace tandem;
using namespace tandem::persist;
using test::TableMemory;

namespace {

Key KeyOf(uint32_t number) {
  Key key{.profile = 1, .size = 4, .scope = 2};
  std::memcpy(key.bytes.data(), &number, 4);
  return key;
}

config::Persistence Profile(uint32_t timeout, bool mirror) {
  config::Persistence profile;
  profile.id = 1;
  profile.timeout = timeout;
  profile.mirror = mirror;
  return profile;
}

// As the pipeline does it; 0: full.
config::MemberId Follow(Table& table, uint32_t number, config::MemberId fresh, Tick now,
                        const config::Persistence& profile, unsigned worker = 0) {
  const Key key = KeyOf(number);
  Table::Claim claim = table.Open(key, worker, now);
  REQUIRE_FALSE(claim.busy());
  if (claim.found() == nullptr) {
    Record* record = claim.Create();
    if (record == nullptr) return 0;
    record->member = fresh;
    record->group = 1;
  }
  claim.Use(profile);
  return claim.found()->member;
}

config::MemberId Look(Table& table, uint32_t number, Tick now) {
  const Key key = KeyOf(number);
  Table::Claim claim = table.Open(key, 0, now);
  REQUIRE_FALSE(claim.busy());
  return claim.found() != nullptr ? claim.found()->member : config::MemberId{0};
}

void SweepAll(Table& table, Tick now) {
  for (unsigned w = 0; w < table.workers(); ++w)
    table.Sweep(w, now, UINT32_MAX);
}

std::vector<uint32_t> Changed(Table& table) {
  std::vector<uint32_t> changed;
  for (unsigned w = 0; w < table.workers(); ++w) {
    for (uint32_t b = 0; (b = table.PopChanged(w)) != kNoBucket;) {
      CHECK(b % table.workers() == w);
      changed.push_back(b);
    }
  }
  std::sort(changed.begin(), changed.end());
  return changed;
}

}  // namespace

TEST_CASE("persist: random operations agree with a map", "[persist]") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    TableMemory memory(2000, 1 + static_cast<unsigned>(seed % 3), seed);
    Table& table = memory.table;
    struct Entry {
      config::MemberId member;
      Tick last_used;
      uint32_t timeout;
    };
    std::map<uint32_t, Entry> model;
    Tick now = static_cast<Tick>(0) - 2000;  // wraps on the way
    for (int step = 0; step < 20000; ++step) {
      now += prng.Below(3);
      const uint32_t number = prng.Below(600);
      const auto run_out = [now](const auto& entry) {
        return entry.second.timeout != config::kIndefinite &&
               TicksBetween(entry.second.last_used, now) >=
                   static_cast<int32_t>(entry.second.timeout);
      };
      std::erase_if(model, run_out);
      const auto found = model.find(number);
      const uint32_t what = prng.Below(100);
      if (what < 60) {
        const auto fresh = static_cast<config::MemberId>(1 + prng.Below(1000));
        const uint32_t timeout = prng.Below(50) == 0 ? config::kIndefinite : 500;
        const config::MemberId member =
            Follow(table, number, fresh, now, Profile(timeout, prng.Below(2) == 0));
        if (member == 0 && found == model.end()) continue;  // by bad luck its bucket is full
        REQUIRE(member == (found != model.end() ? found->second.member : fresh));
        model[number] = {member, now, timeout};
      } else if (what < 80) {
        REQUIRE(Look(table, number, now) == (found != model.end() ? found->second.member : 0));
      } else if (what < 90) {
        table.Touch(KeyOf(number), 0, now, Profile(500, false));
        if (found != model.end()) found->second = {found->second.member, now, 500};
      } else if (what < 99) {
        const Key key = KeyOf(number);
        Table::Claim claim = table.Open(key, 0, now);
        REQUIRE((claim.found() != nullptr) == (found != model.end()));
        if (claim.found() != nullptr) claim.Remove();
        model.erase(number);
      } else {
        SweepAll(table, now);
        REQUIRE(table.size() == model.size());
      }
    }
    std::map<uint32_t, config::MemberId> left;
    SweepAll(table, now);
    for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
      REQUIRE(table.VisitBucket(bucket, 0, [&](const Record& record) {
        uint32_t number = 0;
        std::memcpy(&number, record.key.bytes.data(), 4);
        left[number] = record.member;
        return Verdict::kKeep;
      }));
    }
    REQUIRE(left.size() == table.size());
    for (const auto& [number, member] : left)
      REQUIRE(Look(table, number, now) == member);
  }
}

TEST_CASE("persist: keys that differ anywhere are others", "[persist]") {
  TableMemory memory(1000, 1);
  std::vector<Key> keys(6, KeyOf(1));
  keys[1].profile = 2;
  keys[2].size = 8;
  keys[3].scope = 3;
  keys[4].bytes[15] = 1;
  keys[5].bytes[0] = 9;
  for (size_t i = 0; i < keys.size(); ++i) {
    Table::Claim claim = memory.table.Open(keys[i], 0, 0);
    REQUIRE(claim.found() == nullptr);
    Record* record = claim.Create();
    record->member = static_cast<config::MemberId>(i + 1);
    record->timeout = 1;
  }
  for (size_t i = 0; i < keys.size(); ++i)
    CHECK(memory.table.Open(keys[i], 0, 0).found()->member == i + 1);
}

TEST_CASE("persist: a full bucket takes nothing and says so", "[persist]") {
  TableMemory memory(1, 1);
  Table& table = memory.table;
  REQUIRE(table.capacity() == kRecordsPerBucket);
  for (uint32_t i = 0; i < kRecordsPerBucket; ++i)
    CHECK(Follow(table, i, 5, 0, Profile(100, true)) == 5);
  CHECK(Follow(table, 77, 5, 0, Profile(100, true)) == 0);
  CHECK(table.counters(0).full.Get() == 1);
  CHECK(table.size() == kRecordsPerBucket);
  // Nobody was told of them: they go without a trace.
  SweepAll(table, 100);
  CHECK(table.size() == 0);
  CHECK(table.counters(0).expired.Get() == kRecordsPerBucket);
  CHECK(Follow(table, 77, 6, 100, Profile(100, true)) == 6);
}

TEST_CASE("persist: nearly all of the records asked for find a place", "[persist]") {
  TableMemory memory(20000, 3);
  for (uint32_t i = 0; i < 20000; ++i)
    static_cast<void>(Follow(memory.table, i, 1, 0, Profile(100, false)));
  CHECK(memory.table.size() > 20000 * 98 / 100);
}

TEST_CASE("persist: a claim that another holds is not waited for", "[persist]") {
  TableMemory memory(1, 2);
  Table& table = memory.table;
  const Key one = KeyOf(1);
  const Key two = KeyOf(2);
  {
    Table::Claim held = table.Open(one, 0, 0);
    REQUIRE_FALSE(held.busy());
    Table::Claim other = table.Open(two, 1, 0);
    CHECK(other.busy());
    CHECK(table.counters(1).busy.Get() == 1);
    CHECK_FALSE(table.VisitBucket(0, 2, [](const Record&) { return Verdict::kKeep; }));
    table.Touch(two, 1, 0, Profile(1, false));  // comes to nothing
  }
  CHECK_FALSE(table.Open(two, 1, 0).busy());
}

TEST_CASE("persist: changed buckets are listed once, by shard", "[persist]") {
  TableMemory memory(3000, 3);
  Table& table = memory.table;
  CHECK(Changed(table).empty());
  for (uint32_t i = 0; i < 5; ++i)
    static_cast<void>(Follow(table, i, 1, 0, Profile(100, false)));
  CHECK(Changed(table).empty());  // nobody mirrors
  std::set<uint32_t> expected;
  for (const uint32_t b : {0U, 7U, 7U, 1U, 5U, 0U}) {
    table.MarkBucketChanged(b);
    expected.insert(b);
  }
  CHECK(Changed(table) == std::vector(expected.begin(), expected.end()));
  CHECK(Changed(table).empty());
  for (uint32_t i = 0; i < 5; ++i)
    static_cast<void>(Follow(table, i, 1, 0, Profile(100, true)));
  CHECK_FALSE(Changed(table).empty());
  // Marks that come while the owner works its list off are in its next.
  table.MarkBucketChanged(3);
  table.MarkBucketChanged(6);
  const uint32_t first = table.PopChanged(0);
  table.MarkBucketChanged(first);
  CHECK(Changed(table) == std::vector<uint32_t>{3, 6});
}

TEST_CASE("persist: what a mirror has to look at is marked, and little else", "[persist]") {
  constexpr uint8_t kToLookAt = kDirty | kTelling;
  Prng prng(7);
  TableMemory memory(60, 2);
  Table& table = memory.table;
  Tick now = 0;
  size_t marked = 0;
  size_t wanted = 0;
  for (int step = 0; step < 20000; ++step) {
    now += prng.Below(3);
    const uint32_t number = prng.Below(60);
    const uint32_t bucket = prng.Below(table.buckets());
    switch (prng.Below(8)) {
      case 0:
        table.Touch(KeyOf(number), 0, now, Profile(500, true));
        break;
      case 1: {
        const Key key = KeyOf(number);
        Table::Claim claim = table.Open(key, 0, now);
        if (claim.found() != nullptr) claim.Remove();
        break;
      }
      case 2:
        if (prng.Below(100) == 0) SweepAll(table, now);
        break;
      case 3:  // told
        REQUIRE(table.VisitMarked(bucket, 0, [](Record& record) {
          record.flags = static_cast<uint8_t>((record.flags & ~kDirty) | kTelling | kTold);
          return Verdict::kKeep;
        }));
        break;
      case 4:  // acknowledged
        REQUIRE(table.VisitMarked(bucket, 0, [](Record& record) {
          if ((record.flags & kDirty) != 0) return Verdict::kKeep;
          record.flags = static_cast<uint8_t>(record.flags & ~kTelling);
          return record.is_live() ? Verdict::kKeep : Verdict::kForget;
        }));
        break;
      case 5: {  // looked at
        std::set<const Record*> found;
        REQUIRE(table.VisitMarked(bucket, 0, [&](const Record& record) {
          found.insert(&record);
          return Verdict::kKeep;
        }));
        marked += found.size();
        REQUIRE(table.VisitBucket(bucket, 0, [&](const Record& record) {
          if ((record.flags & kToLookAt) == 0) return Verdict::kKeep;
          ++wanted;
          CHECK(found.contains(&record));
          return Verdict::kKeep;
        }));
        break;
      }
      default:
        static_cast<void>(Follow(table, number, 1, now, Profile(500, prng.Below(4) != 0)));
        break;
    }
  }
  CHECK(wanted > 1000);
  CHECK(marked < wanted + wanted / 4);
  size_t left = 0;
  for (const bool is_first : {true, false}) {
    for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
      REQUIRE(table.VisitMarked(bucket, 0, [&](Record& record) {
        left += !is_first;
        record.flags = static_cast<uint8_t>(record.flags & ~kToLookAt);
        return Verdict::kKeep;
      }));
    }
  }
  CHECK(left == 0);
}

TEST_CASE("persist: use is told again before the peer's copy runs out, not oftener", "[persist]") {
  TableMemory memory(1, 1);
  Table& table = memory.table;
  const config::Persistence profile = Profile(TicksIn(180 * kSecond), true);
  const Tick start = 5000;
  CHECK(Follow(table, 1, 4, start, profile) == 4);
  CHECK(Changed(table).size() == 1);
  const auto told = [&](Tick now) {
    for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
      REQUIRE(table.VisitBucket(bucket, 0, [now](Record& record) {
        record.flags = static_cast<uint8_t>((record.flags & ~kDirty) | kTold);
        record.told_when = static_cast<uint16_t>(now >> kToldShift);
        return Verdict::kKeep;
      }));
    }
  };
  told(start);
  table.Touch(KeyOf(1), 0, start + TicksIn(40 * kSecond), profile);
  CHECK(Changed(table).empty());
  table.Touch(KeyOf(1), 0, start + TicksIn(46 * kSecond), profile);
  CHECK(Changed(table).size() == 1);
  told(start + TicksIn(46 * kSecond));
  CHECK(Follow(table, 1, 9, start + TicksIn(47 * kSecond), profile) == 4);
  CHECK(Changed(table).empty());
}

TEST_CASE("persist: a removed record that the peer knows stays as a mark", "[persist]") {
  TableMemory memory(1, 1);
  Table& table = memory.table;
  const config::Persistence profile = Profile(1000, true);
  const auto mark_all = [&](uint8_t flags) {
    REQUIRE(table.VisitBucket(0, 0, [flags](Record& record) {
      record.flags = flags;
      return Verdict::kKeep;
    }));
  };
  const auto marks = [&] {
    size_t count = 0;
    REQUIRE(table.VisitBucket(0, 0, [&](const Record& record) {
      count += !record.is_live();
      return Verdict::kKeep;
    }));
    return count;
  };
  REQUIRE(table.buckets() == 1);
  for (uint32_t i = 0; i < 7; ++i)
    CHECK(Follow(table, i, 3, i, profile) == 3);
  mark_all(kMirror | kTold);
  static_cast<void>(Changed(table));
  SweepAll(table, 1003);  // the first four
  CHECK(marks() == 4);
  CHECK(table.size() == 3);
  CHECK(Changed(table) == std::vector<uint32_t>{0});
  CHECK(Look(table, 1, 1003) == 0);

  // The same key again takes its mark's place; another one the oldest mark's.
  CHECK(Follow(table, 1, 8, 1003, profile) == 8);
  CHECK(marks() == 3);
  CHECK(table.counters(0).forgotten.Get() == 0);
  CHECK(Follow(table, 50, 9, 1003, profile) == 9);
  CHECK(marks() == 2);
  CHECK(table.counters(0).forgotten.Get() == 1);
  // Records 4 to 6 ran out and left marks; of 2 the peer's copy has run out by itself.
  SweepAll(table, 2002);
  CHECK(marks() == 4);
  CHECK(Look(table, 50, 2002) == 9);
}

TEST_CASE("persist: a copy lasts twice as long, until it is used here", "[persist]") {
  TableMemory memory(1, 1);
  Table& table = memory.table;
  const Key key = KeyOf(1);
  const auto put = [&](Tick now) {
    Table::Claim claim = table.Open(key, 0, now);
    Record* record = claim.Create();
    record->member = 4;
    record->timeout = 100;
    record->flags = kMirror | kFromPeer;
  };
  put(0);
  CHECK(Look(table, 1, 199) == 4);
  CHECK(Look(table, 1, 200) == 0);
  put(1000);
  table.Touch(key, 0, 1150, Profile(100, true));
  CHECK(Changed(table).size() == 1);  // this device is the one that tells of it now
  CHECK(Look(table, 1, 1249) == 4);
  CHECK(Look(table, 1, 1250) == 0);
}
