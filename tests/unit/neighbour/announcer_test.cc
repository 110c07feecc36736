// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour/announcer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tandem::neighbour {
namespace {

using config::Role;
using config::TrafficGroupId;

constexpr Nanos kTurn = kMillisecond / 10;

// Groups 1 and 2, with addresses on interfaces 1 and up, and an announcer that turns ten times a
// millisecond.
class Rig {
 public:
  struct Heard {
    Nanos when;
    TrafficGroupId group;
    config::InterfaceId interface;
    IpAddress address;
  };

  explicit Rig(unsigned per_interface = 1, unsigned interfaces = 1, unsigned groups = 1)
      : groups_(groups), interfaces_(interfaces) {
    Configure(per_interface);
  }

  void Configure(unsigned per_interface) {
    auto next = std::make_unique<config::Snapshot>();
    next->generation = snapshot_ == nullptr ? 1 : snapshot_->generation + 1;
    next->announce_rate_max = rate_;
    next->ports.resize(1);
    next->interfaces.resize(size_t{interfaces_} + 1);
    next->virtuals.resize(1);
    next->traffic_groups.resize(size_t{groups_} + 1);
    for (unsigned group = 1; group <= groups_; ++group) {
      next->traffic_groups[group].id = static_cast<TrafficGroupId>(group);
      next->traffic_groups[group].announce_refresh = refresh_;
    }
    for (unsigned i = 1; i <= interfaces_; ++i) {
      config::Interface& interface = next->interfaces[i];
      interface.id = static_cast<config::InterfaceId>(i);
      interface.vlan = static_cast<uint16_t>(i);
      interface.self_ips = {{Address(i, 0), 16}};
      for (unsigned k = 1; k <= per_interface; ++k) {
        config::Virtual& one = next->virtuals.emplace_back();
        one.id = static_cast<config::VirtualId>(next->virtuals.size() - 1);
        one.destination = {Address(i, k), 32};
        one.source = {one.destination.address, 0};
        one.traffic_group = static_cast<TrafficGroupId>(1 + k % groups_);
      }
    }
    next->Finish(snapshot_.get());
    snapshot_ = std::move(next);
  }

  std::vector<Heard> Run(Nanos span) {
    std::vector<Heard> heard;
    for (const Nanos end = now_ + span; now_ < end; now_ += kTurn) {
      announcer_.Follow(*snapshot_, roles_, now_);
      if (!announcer_.IsDue(now_)) continue;
      announcer_.Advance(*snapshot_, now_, [&](const Notice& notice) {
        if (room_ == 0) return false;
        --room_;
        heard.push_back({now_, notice.group, notice.what.interface, notice.what.address});
        return true;
      });
      room_ = room_a_step_;
    }
    return heard;
  }

  static IpAddress Address(unsigned interface, unsigned host) {
    return IpAddress::V4(__builtin_bswap32(0x0a000000U | interface << 16 | host));
  }

  Announcer& announcer() { return announcer_; }
  config::Roles& roles() { return roles_; }
  Nanos now() const { return now_; }
  void SetGroups(unsigned groups) { groups_ = groups; }
  void SetRate(uint32_t rate) { rate_ = rate; }
  void SetRefresh(Nanos refresh) { refresh_ = refresh; }
  void SetRoom(unsigned frames) { room_ = room_a_step_ = frames; }

 private:
  unsigned groups_;
  unsigned interfaces_;
  uint32_t rate_ = 8000;
  Nanos refresh_ = 0;
  unsigned room_ = UINT32_MAX;
  unsigned room_a_step_ = UINT32_MAX;
  std::unique_ptr<config::Snapshot> snapshot_;
  config::Roles roles_;
  Nanos now_ = 5 * kSecond;
  Announcer announcer_;
};

// Milliseconds from `from` on.
std::vector<unsigned> Times(const std::vector<Rig::Heard>& heard, Nanos from) {
  std::vector<unsigned> times;
  for (const Rig::Heard& one : heard)
    times.push_back(static_cast<unsigned>((one.when - from) / kMillisecond));
  return times;
}

const std::vector<unsigned> kFiveTimes = {0, 50, 100, 500, 2000};

}  // namespace

TEST_CASE("announcer: five times in two seconds, then nothing", "[neighbour]") {
  Rig rig;
  const Nanos start = rig.now();
  CHECK(Times(rig.Run(10 * kSecond), start) == kFiveTimes);
}

TEST_CASE("announcer: a standby says nothing; it does when it becomes active, each time",
          "[neighbour]") {
  Rig rig;
  rig.roles().Set(1, Role::kStandby);
  CHECK(rig.Run(3 * kSecond).empty());
  for (int i = 0; i < 2; ++i) {
    rig.roles().Set(1, Role::kActive);
    const Nanos start = rig.now();
    CHECK(Times(rig.Run(3 * kSecond), start) == kFiveTimes);
    rig.roles().Set(1, Role::kStandby);
    CHECK(rig.Run(3 * kSecond).empty());
  }
}

TEST_CASE("announcer: whoever stops being active stops announcing at once", "[neighbour]") {
  Rig rig(4000);
  CHECK(rig.Run(100 * kMillisecond).size() > 700);
  rig.roles().Set(1, Role::kStandby);
  CHECK(rig.Run(5 * kSecond).empty());
  rig.roles().Set(1, Role::kActive);
  // From the first one on again.
  const auto heard = rig.Run(kMillisecond);
  REQUIRE_FALSE(heard.empty());
  CHECK(heard.front().address == Rig::Address(1, 1));
}

TEST_CASE("announcer: thousands of addresses are paced, and each is heard in every round",
          "[neighbour]") {
  Rig rig(2000, 2);
  const auto heard = rig.Run(10 * kSecond);
  CHECK(heard.size() == 2 * 2000 * Announcer::kRounds.size());
  std::map<Nanos, unsigned> of_turn;
  std::map<std::pair<config::InterfaceId, Nanos>, unsigned> of_millisecond;
  std::map<IpAddress, unsigned> of_address;
  for (const Rig::Heard& one : heard) {
    ++of_turn[one.when];
    ++of_millisecond[{one.interface, one.when / kMillisecond}];
    ++of_address[one.address];
  }
  for (const auto& [when, count] : of_turn)
    CHECK(count <= Announcer::kFramesPerStep);
  for (const auto& [when, count] : of_millisecond)
    CHECK(count <= 9);  // 8000 a second, and one in advance
  for (const auto& [address, count] : of_address)
    CHECK(count == Announcer::kRounds.size());
  // The first round has told everybody before any is told again, no slower than the rate.
  std::map<IpAddress, Nanos> first;
  for (const Rig::Heard& one : heard)
    first.emplace(one.address, one.when - heard.front().when);
  CHECK(std::max_element(first.begin(), first.end(), [](const auto& a, const auto& b) {
          return a.second < b.second;
        })->second <= 260 * kMillisecond);
}

TEST_CASE(
    "announcer: every interface and every group is heard soon, however long the others' lists",
    "[neighbour]") {
  Rig rig(300, 40, 2);
  const auto heard = rig.Run(10 * kMillisecond);
  std::map<std::pair<config::InterfaceId, TrafficGroupId>, unsigned> count;
  for (const Rig::Heard& one : heard)
    ++count[{one.interface, one.group}];
  CHECK(count.size() == 80);
}

TEST_CASE("announcer: the rate is the operator's", "[neighbour]") {
  Rig rig(100);
  rig.SetRate(10);
  rig.Configure(100);
  const auto heard = rig.Run(2 * kSecond);
  CHECK(heard.size() >= 19);
  CHECK(heard.size() <= 22);
}

TEST_CASE("announcer: without room in a turn it goes on where it was", "[neighbour]") {
  Rig rig(100);
  rig.SetRoom(3);
  const auto heard = rig.Run(45 * kMillisecond);
  REQUIRE(heard.size() == 100);
  for (unsigned i = 0; i < heard.size(); ++i)
    CHECK(heard[i].address == Rig::Address(1, i + 1));
}

TEST_CASE("announcer: a change of configuration announces what is new, and that only",
          "[neighbour]") {
  Rig rig(2);
  CHECK(rig.Run(3 * kSecond).size() == 10);
  rig.Configure(2);
  CHECK(rig.Run(3 * kSecond).empty());
  rig.Configure(3);
  const Nanos start = rig.now();
  const auto heard = rig.Run(3 * kSecond);
  CHECK(Times(heard, start) == kFiveTimes);
  for (const Rig::Heard& one : heard)
    CHECK(one.address == Rig::Address(1, 3));
  rig.Configure(1);
  CHECK(rig.Run(3 * kSecond).empty());
}

TEST_CASE("announcer: a change of configuration in the middle forgets nothing", "[neighbour]") {
  Rig rig(400);
  CHECK(rig.Run(10 * kMillisecond).size() < 400);
  rig.Configure(401);
  std::map<IpAddress, unsigned> count;
  for (const Rig::Heard& one : rig.Run(5 * kSecond))
    ++count[one.address];
  CHECK(count.size() == 401);
  for (const auto& [address, times] : count)
    CHECK(times == Announcer::kRounds.size());
}

TEST_CASE("announcer: a group that comes with the configuration is announced", "[neighbour]") {
  Rig rig(2);
  rig.Run(3 * kSecond);
  rig.SetGroups(2);
  rig.Configure(2);
  unsigned of_new = 0;
  for (const Rig::Heard& one : rig.Run(3 * kSecond))
    of_new += one.group == 2;
  CHECK(of_new == 5);
  rig.SetGroups(1);
  rig.Configure(2);
  rig.Run(3 * kSecond);
  rig.roles().Set(2, Role::kStandby);
  rig.SetGroups(2);
  rig.Configure(2);
  CHECK(rig.Run(3 * kSecond).empty());
}

TEST_CASE("announcer: once more when somebody asks, of an active group", "[neighbour]") {
  Rig rig(2, 1, 2);
  rig.Run(3 * kSecond);
  rig.roles().Set(2, Role::kStandby);
  rig.announcer().Ask(1);
  rig.announcer().Ask(2);
  rig.announcer().Ask(kTrafficGroupsMax);
  const Nanos start = rig.now();
  const auto heard = rig.Run(3 * kSecond);
  CHECK(Times(heard, start) == kFiveTimes);
  for (const Rig::Heard& one : heard)
    CHECK(one.group == 1);
  // What was asked for while standby is not kept.
  rig.roles().Set(2, Role::kActive);
  CHECK(rig.Run(3 * kSecond).size() == 5);
}

TEST_CASE("announcer: refreshed where the operator wants it, while active", "[neighbour]") {
  Rig rig;
  rig.SetRefresh(10 * kSecond);
  rig.Configure(1);
  const Nanos start = rig.now();
  CHECK(Times(rig.Run(33 * kSecond), start) ==
        std::vector<unsigned>{0, 50, 100, 500, 2000, 12000, 22000, 32000});
  rig.SetRefresh(0);
  rig.Configure(1);
  CHECK(rig.Run(30 * kSecond).empty());
  rig.SetRefresh(5 * kSecond);
  rig.Configure(1);
  CHECK(rig.Run(6 * kSecond).size() == 1);
  rig.roles().Set(1, Role::kStandby);
  CHECK(rig.Run(30 * kSecond).empty());
}

}  // namespace tandem::neighbour
