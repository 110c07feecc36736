// SPDX-License-Identifier: Apache-2.0
//
// Records of one device that go to several peers: each group's to the one that it is mirrored to.
#include <catch2/catch.hpp>
#include <memory>

#include "tests/unit/mirror/persist_pair.h"

namespace tandem::mirror {
namespace {

// The pair's writer, with a second peer beside its reader.
class Trio {
 public:
  Trio() {
    pair.senders[0]->SetSiblings(std::array{&second_sender});
    second_sender.SetSiblings(std::array{pair.senders[0].get()});
    for (config::TrafficGroupId group = 1; group <= 2; ++group)
      second_roles_.Set(group, config::Role::kStandby);
    Mirror(1, 0);
    Mirror(2, 1);
    Reopen(0);
    Reopen(1);
  }

  // Which peer the group is mirrored to; the other one's session begins anew, as sessions see to it.
  void Mirror(config::TrafficGroupId group, config::PeerIndex peer) {
    pair.writer_roles.SetMirrorTo(group, peer);
  }
  void Reopen(config::PeerIndex peer) {
    SessionTerms terms = PersistPair::Terms(++session_, 1);
    sender(peer).Open(terms, pair.now);
    for (config::TrafficGroupId group = 1; group <= 2; ++group)
      terms.peers_groups[group] = pair.writer_roles.MirrorTo(group) == peer;
    receiver(peer).Open(terms, pair.now);
  }

  PersistSender& sender(config::PeerIndex peer) {
    return peer == 0 ? *pair.senders[0] : second_sender;
  }
  PersistReceiver& receiver(config::PeerIndex peer) {
    return peer == 0 ? *pair.receivers[0] : second_receiver;
  }

  void Step(unsigned lost_percent = 0) {
    pair.now += kMillisecond;
    for (unsigned shard = 0; shard < kWriterWorkers; ++shard)
      pair.writer.table.Sweep(shard, TickOf(pair.now), 64);
    FrameSlot& slot = *slot_;
    for (config::PeerIndex peer = 0; peer < 2; ++peer) {
      sender(peer).OnClock(pair.now);
      for (int i = 0; i < 8 && sender(peer).Build(slot, pair.writer_snapshot, pair.now); ++i) {
        if (prng_.Below(100) >= lost_percent)
          receiver(peer).Apply(slot, pair.translation, pair.reader_snapshot, pair.now);
      }
      for (int i = 0; i < 8 && receiver(peer).BuildAck(slot, 64, pair.now); ++i) {
        if (prng_.Below(100) >= lost_percent) sender(peer).OnAck(slot.header, pair.now);
      }
      receiver(peer).Tidy(64);
    }
  }
  void Quiet() {
    for (int i = 0; i < 2000; ++i)
      Step();
    for (config::PeerIndex peer = 0; peer < 2; ++peer) {
      REQUIRE(sender(peer).state() == StreamState::kInSync);
      REQUIRE(sender(peer).counters().pending.Get() == 0);
    }
  }

  // Of the records of a group: how many the writer has, and the peer has the same of.
  using Counts = std::pair<size_t, size_t>;
  Counts CountsAt(config::PeerIndex peer, config::TrafficGroupId group) {
    const PersistPair::Rows written = pair.Written();
    const PersistPair::Rows read = peer == 0 ? pair.Read() : SecondRead();
    Counts counts;
    for (const auto& row : written) {
      if (GroupOf(row) != group) continue;
      ++counts.first;
      const auto found = read.find(row.first);
      if (found != read.end() && found->second == row.second) ++counts.second;
    }
    return counts;
  }
  // The peer has that group's, all of them, and no other record.
  void CheckHasOnly(config::PeerIndex peer, config::TrafficGroupId group) {
    CAPTURE(peer, group);
    const Counts counts = CountsAt(peer, group);
    CHECK(counts.first == counts.second);
    const PersistPair::Rows read = peer == 0 ? pair.Read() : SecondRead();
    size_t too_many = 0;
    for (const auto& row : read)
      too_many += GroupOf(row) != group ? 1U : 0U;
    CHECK(read.size() - too_many == counts.first);
    CHECK(too_many == 0);
  }

  PersistPair pair{1, {}, 1};
  ::tandem::test::TableMemory second{4000, 1, 9};
  PersistSender second_sender{0, pair.writer.table, pair.writer_roles, 1};

 private:
  config::TrafficGroupId GroupOf(const PersistPair::Rows::value_type& row) const {
    return pair.writer_snapshot.virtuals[std::get<1>(row.second)].traffic_group;
  }
  PersistPair::Rows SecondRead() {
    return PersistPair::RowsOf(second.table, kProfileShift, kMemberShift, kVirtualShift);
  }

  config::Roles second_roles_;

 public:
  PersistReceiver second_receiver{0, second.table, second_roles_};

 private:
  uint32_t session_ = 1000;
  Prng prng_{5};
  std::unique_ptr<FrameSlot> slot_ = std::make_unique<FrameSlot>();
};

}  // namespace

TEST_CASE("persist peers: each peer is told of the groups that are mirrored to it", "[mirror]") {
  Trio trio;
  for (uint32_t number = 0; number < 400; ++number)
    trio.pair.Use(number, 1, 2);
  trio.Quiet();
  CHECK(trio.CountsAt(0, 1).first == 200);
  trio.CheckHasOnly(0, 1);
  trio.CheckHasOnly(1, 2);
  for (uint32_t number = 0; number < 400; ++number) {
    if (number % 3 == 0) trio.pair.Delete(number, 2);
    if (number % 3 == 1) trio.pair.Use(number, 2, 2, /*replace=*/true);
  }
  trio.Quiet();
  CHECK(trio.CountsAt(1, 2).first == 133);
  trio.CheckHasOnly(0, 1);
  trio.CheckHasOnly(1, 2);
}

TEST_CASE("persist peers: a group that moves to another peer is told there whole", "[mirror]") {
  Trio trio;
  for (uint32_t number = 0; number < 300; ++number)
    trio.pair.Use(number, 1, 2);
  trio.Quiet();
  trio.Mirror(2, 0);
  trio.Reopen(0);
  trio.Quiet();
  CHECK(trio.CountsAt(0, 1) == Trio::Counts{150, 150});
  CHECK(trio.CountsAt(0, 2) == Trio::Counts{150, 150});
  // What is gone meanwhile stays at the one that is told nothing any more, until it is told again.
  for (uint32_t number = 0; number < 300; ++number) {
    if (number % 2 == 0) trio.pair.Delete(number, 2);
  }
  trio.Quiet();
  CHECK(trio.CountsAt(0, 2).second == trio.CountsAt(0, 2).first);
  for (const config::TrafficGroupId group : {config::TrafficGroupId{1}, config::TrafficGroupId{2}})
    trio.Mirror(group, group == 1 ? 0 : 1);
  trio.Reopen(0);
  trio.Reopen(1);
  trio.Quiet();
  trio.CheckHasOnly(1, 2);
  CHECK(trio.CountsAt(0, 1).second == trio.CountsAt(0, 1).first);
}

TEST_CASE("persist peers: whatever is lost and wherever groups go, each peer has its own at last",
          "[mirror]") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Trio trio;
    Prng prng(seed);
    for (int step = 0; step < 2500; ++step) {
      const uint32_t number = prng.Below(600);
      const auto member = static_cast<config::MemberId>(1 + prng.Below(50));
      if (prng.Below(4) != 0) {
        trio.pair.Use(number, member, 2, prng.Below(3) == 0);
      } else {
        trio.pair.Delete(number, 2);
      }
      trio.Step(25);
      if (prng.Below(300) == 0) {
        const auto group = static_cast<config::TrafficGroupId>(1 + prng.Below(2));
        const auto peer = static_cast<config::PeerIndex>(prng.Below(2));
        trio.Mirror(group, peer);
        trio.Reopen(peer);
      }
    }
    trio.Quiet();
    for (const config::TrafficGroupId group :
         {config::TrafficGroupId{1}, config::TrafficGroupId{2}}) {
      const config::PeerIndex peer = trio.pair.writer_roles.MirrorTo(group);
      CAPTURE(unsigned{group}, unsigned{peer});
      CHECK(trio.CountsAt(peer, group).first > 50);
      CHECK(trio.CountsAt(peer, group).first == trio.CountsAt(peer, group).second);
    }
  }
}

TEST_CASE(
    "persist peers: what another peer told of a group goes when the one that is active now lacks "
    "it",
    "[mirror]") {
  // The reader's table, with a receiver for each of two peers: the first was active, then the second is.
  PersistPair pair(1, {}, 1);
  PersistTellers tellers{};
  PersistReceiver other(0, pair.reader.table, pair.reader_roles, 1, &tellers);
  for (uint32_t number = 0; number < 40; ++number)
    pair.Use(number, 1, 2);
  pair.Quiet();
  REQUIRE(pair.Read().size() == 40);
  // The second one has half of them, of the first group alone.
  for (uint32_t number = 0; number < 40; ++number) {
    if (number % 4 != 0) pair.Delete(number, 2);
  }
  const PersistPair::Rows left = pair.Written();
  REQUIRE(left.size() == 10);
  SessionTerms terms = PersistPair::Terms(500, 1);
  pair.senders[0]->Open(terms, pair.now);
  const config::TrafficGroupId group =
      pair.writer_snapshot.virtuals[std::get<1>(left.begin()->second)].traffic_group;
  terms.peers_groups.set(group);
  other.Open(terms, pair.now);
  auto slot = std::make_unique<FrameSlot>();
  for (int step = 0; step < 2000; ++step) {
    pair.now += kMillisecond;
    pair.senders[0]->OnClock(pair.now);
    while (pair.senders[0]->Build(*slot, pair.writer_snapshot, pair.now))
      other.Apply(*slot, pair.translation, pair.reader_snapshot, pair.now);
    while (other.BuildAck(*slot, 64, pair.now))
      pair.senders[0]->OnAck(slot->header, pair.now);
    other.Tidy(64);
  }
  size_t of_group = 0;
  const PersistPair::Rows read = pair.Read();
  for (const auto& row : read) {
    if (pair.writer_snapshot.virtuals[std::get<1>(row.second)].traffic_group != group) continue;
    ++of_group;
    CHECK(left.contains(row.first));
  }
  CHECK(of_group == 10);
  // Of the other group this peer says nothing.
  CHECK(read.size() == 30);
}

TEST_CASE("persist peers: who gave a group up drops nothing of what the next one told",
          "[mirror]") {
  // The pair's writer is active, the other peer was; its session comes to be in sync only now.
  PersistPair pair(1, {}, 1);
  PersistTellers tellers{};
  PersistReceiver from_active(0, pair.reader.table, pair.reader_roles, 0, &tellers);
  PersistReceiver from_former(0, pair.reader.table, pair.reader_roles, 1, &tellers);
  ::tandem::test::TableMemory formers{3000, 1, 8};
  config::Roles former_roles;
  for (config::TrafficGroupId group = 1; group <= 2; ++group)
    former_roles.Set(group, config::Role::kStandby);
  PersistSender former(0, formers.table, former_roles);
  SessionTerms terms = PersistPair::Terms(500, 1);
  terms.peers_groups.set(1);
  terms.peers_groups.set(2);
  pair.senders[0]->Open(terms, pair.now);
  from_active.Open(terms, pair.now);
  terms.session = 900;
  from_former.Open(terms, pair.now);
  for (uint32_t number = 0; number < 40; ++number)
    pair.Use(number, 1, 2);
  auto slot = std::make_unique<FrameSlot>();
  const auto run = [&](PersistSender& sender, PersistReceiver& receiver) {
    for (int step = 0; step < 1000; ++step) {
      pair.now += kMillisecond;
      sender.OnClock(pair.now);
      while (sender.Build(*slot, pair.writer_snapshot, pair.now))
        receiver.Apply(*slot, pair.translation, pair.reader_snapshot, pair.now);
      while (receiver.BuildAck(*slot, 64, pair.now))
        sender.OnAck(slot->header, pair.now);
      receiver.Tidy(64);
    }
  };
  run(*pair.senders[0], from_active);
  REQUIRE(pair.Difference() == "");
  former.Open(terms, pair.now);
  run(former, from_former);
  CHECK(former.state() == StreamState::kInSync);
  CHECK(from_former.counters().unconfirmed.Get() == 0);
  CHECK(pair.Difference() == "");
}

}  // namespace tandem::mirror
