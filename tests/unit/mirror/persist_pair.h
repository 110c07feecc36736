// SPDX-License-Identifier: Apache-2.0
//
// Two devices' persistence tables, of different sizes, workers and numbers of objects, joined by a link
// that loses, duplicates and reorders as it is told. The writer has profiles 1 (mirrored), 2 (mirrored,
// indefinite) and 3 (not mirrored), members 1-50, virtuals 1-4; the reader has the same objects under
// other numbers.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/mirror/persist_sync.h"
#include "tests/unit/persist/table_memory.h"

namespace tandem::mirror {

inline constexpr unsigned kWriterWorkers = 3;
inline constexpr unsigned kReaderWorkers = 2;
inline constexpr config::PersistenceId kProfileShift = 10;  // reader's number - writer's
inline constexpr config::MemberId kMemberShift = 100;
inline constexpr config::VirtualId kVirtualShift = 7;

struct LinkFaults {
  uint32_t lost = 0;        // percent
  uint32_t duplicated = 0;  // percent
  uint32_t delay_max = 0;   // steps
};

class PersistPair {
 public:
  explicit PersistPair(uint64_t seed = 1, LinkFaults link_faults = {},
                       uint8_t stream_count = kWriterWorkers)
      : faults(link_faults), streams(stream_count), prng_(seed) {
    for (config::TrafficGroupId group = 1; group <= 2; ++group)
      reader_roles.Set(group, config::Role::kStandby);
    Configure(writer_snapshot, 0, 0, 0);
    Configure(reader_snapshot, kProfileShift, kMemberShift, kVirtualShift);
    translation.persistences = Shifted(3, kProfileShift);
    translation.members = Shifted(50, kMemberShift);
    translation.virtuals = Shifted(4, kVirtualShift);
    SetGeneration(5);
    for (unsigned w = 0; w < streams; ++w)
      senders.push_back(std::make_unique<PersistSender>(w, writer.table, writer_roles));
    for (unsigned w = 0; w < kReaderWorkers; ++w)
      receivers.push_back(std::make_unique<PersistReceiver>(w, reader.table, reader_roles));
    for (auto& sender : senders)
      sender->Open(Terms(session, streams), now);
    for (auto& receiver : receivers)
      receiver->Open(Terms(session, streams), now);
  }

  static SessionTerms Terms(uint32_t session, uint8_t streams = 0) {
    return {.session = session, .epoch = 9, .body_max = 1400, .streams = streams};
  }
  void Reopen() {
    ++session;
    in_flight_.clear();
    for (auto& sender : senders)
      sender->Open(Terms(session, streams), now);
    SessionTerms terms = Terms(session, streams);
    terms.peers_groups = peers_groups;
    for (auto& receiver : receivers)
      receiver->Open(terms, now);
  }
  void SetGeneration(uint64_t generation) {
    writer_snapshot.generation = generation;
    translation.version = static_cast<uint16_t>(generation);
    translation.snapshot_generation = reader_snapshot.generation;
  }

  // ---- the writer's traffic -----------------------------------------------------------------------
  static persist::Key KeyOf(uint32_t number, config::PersistenceId profile = 1) {
    persist::Key key{.profile = profile, .size = 4, .scope = 1 + number % 4};
    if (number % 5 == 0) key.scope = 0;
    if (number % 7 == 0) key.scope = 0x80000000 + number;
    std::memcpy(key.bytes.data(), &number, 4);
    return key;
  }
  void Use(uint32_t number, config::MemberId member, config::PersistenceId profile = 1,
           bool replace = false) {
    const persist::Key key = KeyOf(number, profile);
    persist::Table::Claim claim = writer.table.Open(key, 0, TickOf(now));
    const bool is_new = claim.found() == nullptr;
    if (is_new && claim.Create() == nullptr) return;
    if (is_new || replace) {
      claim.found()->member = member;
      claim.found()->virtual_id = static_cast<config::VirtualId>(1 + number % 4);
      claim.found()->group = writer_snapshot.virtuals[1 + number % 4].traffic_group;
      claim.Use(writer_snapshot.persistences[profile]);
      claim.MarkChanged();
    } else {
      claim.Use(writer_snapshot.persistences[profile]);
    }
  }
  void Delete(uint32_t number, config::PersistenceId profile = 1) {
    const persist::Key key = KeyOf(number, profile);
    persist::Table::Claim claim = writer.table.Open(key, 0, TickOf(now));
    if (claim.found() != nullptr) claim.Remove();
  }

  // ---- the link -------------------------------------------------------------------------------------
  void Step(Nanos by = kMillisecond) {
    now += by;
    // First, so that what runs out in this turn is on its way at its end.
    for (unsigned w = 0; w < kWriterWorkers; ++w)
      writer.table.Sweep(w, TickOf(now), 64);
    for (auto& sender : senders) {
      sender->OnClock(now);
      for (int i = 0; i < 8; ++i) {
        auto slot = std::make_unique<FrameSlot>();
        if (!sender->Build(*slot, writer_snapshot, now)) break;
        Send(std::move(slot));
      }
    }
    for (auto& receiver : receivers) {
      for (int i = 0; i < 8; ++i) {
        auto slot = std::make_unique<FrameSlot>();
        if (!receiver->BuildAck(*slot, 64, now)) break;
        Send(std::move(slot));
      }
      receiver->Tidy(64);
    }
    Deliver();
    for (unsigned w = 0; w < kReaderWorkers; ++w)
      reader.table.Sweep(w, TickOf(now), 64);
  }
  bool InSync() const {
    for (const auto& sender : senders) {
      if (sender->state() != StreamState::kInSync || sender->counters().pending.Get() != 0) {
        return false;
      }
    }
    return in_flight_.empty();
  }
  // Until nothing is on its way, and the reader has tidied up. Records run out for 3 s, and the worst of
  // links needs seconds for the last of them.
  void Quiet() {
    for (int i = 0; i < 20'000; ++i) {
      Step();
      bool tidies = false;
      for (auto& receiver : receivers)
        tidies = receiver->Tidy(64) || tidies;
      if (i > 5 && InSync() && !tidies) return;
    }
    FAIL("not in sync");
  }
  void Hand(const FrameSlot& slot) {
    if (slot.header.type == FrameType::kPersist) {
      receivers[slot.header.worker % kReaderWorkers]->Apply(slot, translation, reader_snapshot,
                                                            now);
    } else {
      senders[slot.header.worker]->OnAck(slot.header, now);
    }
  }

  // ---- what there is ----------------------------------------------------------------------------------
  using Rows = std::map<std::tuple<unsigned, uint32_t, std::array<uint8_t, 16>>,
                        std::tuple<unsigned, unsigned, uint32_t>>;
  // Live mirrored records, in the writer's numbers.
  Rows Written() { return RowsOf(writer.table, 0, 0, 0); }
  Rows Read() { return RowsOf(reader.table, kProfileShift, kMemberShift, kVirtualShift); }
  static Rows RowsOf(persist::Table& table, unsigned profiles, unsigned members,
                     unsigned virtuals) {
    Rows rows;
    for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
      REQUIRE(table.VisitBucket(bucket, 0, [&](const persist::Record& record) {
        if (!record.is_live() || (record.flags & persist::kMirror) == 0) {
          return persist::Verdict::kKeep;
        }
        uint32_t scope = record.key.scope;
        if (scope != 0 && scope < persist::kScopeHash) scope -= virtuals;
        rows[{record.key.profile - profiles, scope, record.key.bytes}] = {
            record.member - members, record.virtual_id - virtuals, record.timeout};
        return persist::Verdict::kKeep;
      }));
    }
    return rows;
  }
  // Empty when the tables are equal, else what of them is not.
  std::string Difference() {
    const Rows written = Written();
    const Rows read = Read();
    std::string text;
    const auto add = [&](const char* what, const Rows::value_type& row) {
      uint32_t number = 0;
      std::memcpy(&number, std::get<2>(row.first).data(), 4);
      text += what + std::to_string(number) + " of profile " +
              std::to_string(std::get<0>(row.first)) + "; ";
    };
    for (const auto& row : written) {
      const auto found = read.find(row.first);
      if (found == read.end()) add("missing ", row);
      if (found != read.end() && found->second != row.second) add("other ", row);
    }
    for (const auto& row : read) {
      if (!written.contains(row.first)) add("too many ", row);
    }
    return text;
  }
  uint64_t Sum(Counter PersistCounters::*counter) const {
    uint64_t sum = 0;
    for (const auto& receiver : receivers)
      sum += (receiver->counters().*counter).Get();
    return sum;
  }

  LinkFaults faults;
  const uint8_t streams;
  Nanos now = 10 * kSecond;
  uint32_t session = 77;
  ::tandem::test::TableMemory writer{3000, kWriterWorkers, 3};
  ::tandem::test::TableMemory reader{5000, kReaderWorkers, 4};
  std::bitset<kTrafficGroupsMax + 1> peers_groups;  // of the sessions to come
  config::Roles writer_roles;
  config::Roles reader_roles;
  config::Snapshot writer_snapshot;
  config::Snapshot reader_snapshot;
  Translation translation;
  std::vector<std::unique_ptr<PersistSender>> senders;
  std::vector<std::unique_ptr<PersistReceiver>> receivers;

 private:
  struct Flying {
    std::unique_ptr<FrameSlot> slot;
    uint32_t steps;
  };

  static std::vector<uint16_t> Shifted(uint16_t count, uint16_t by) {
    std::vector<uint16_t> map(1);
    for (uint16_t i = 1; i <= count; ++i)
      map.push_back(static_cast<uint16_t>(i + by));
    return map;
  }
  static void Configure(config::Snapshot& snapshot, uint16_t profiles, uint16_t members,
                        uint16_t virtuals) {
    snapshot.generation = 5;
    snapshot.persistences.resize(profiles + 4U);
    for (uint16_t i = 1; i <= 3; ++i) {
      config::Persistence& profile = snapshot.persistences[profiles + i];
      profile.id = static_cast<uint16_t>(profiles + i);
      profile.timeout = i == 2 ? config::kIndefinite : TicksIn(3 * kSecond);
      profile.mirror = i != 3;
    }
    snapshot.members.resize(members + 51U);
    for (uint16_t i = 1; i <= 50; ++i)
      snapshot.members[members + i].id = static_cast<uint16_t>(members + i);
    snapshot.virtuals.resize(virtuals + 5U);
    for (uint16_t i = 1; i <= 4; ++i) {
      snapshot.virtuals[virtuals + i].id = static_cast<uint16_t>(virtuals + i);
      snapshot.virtuals[virtuals + i].traffic_group = static_cast<uint8_t>(1 + i % 2);
    }
  }
  void Send(std::unique_ptr<FrameSlot> slot) {
    if (prng_.Below(100) < faults.lost) return;
    if (prng_.Below(100) < faults.duplicated) {
      in_flight_.push_back({std::make_unique<FrameSlot>(*slot), prng_.Below(faults.delay_max + 1)});
    }
    in_flight_.push_back({std::move(slot), prng_.Below(faults.delay_max + 1)});
  }
  void Deliver() {
    std::deque<Flying> arrived;
    std::deque<Flying> left;
    for (Flying& flying : in_flight_) {
      const bool is_due = flying.steps == 0;
      if (!is_due) --flying.steps;
      (is_due ? arrived : left).push_back(std::move(flying));
    }
    in_flight_ = std::move(left);
    for (const Flying& flying : arrived)
      Hand(*flying.slot);
  }

  Prng prng_;
  std::deque<Flying> in_flight_;
};

}  // namespace tandem::mirror
