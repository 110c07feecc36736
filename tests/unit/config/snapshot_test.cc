// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/snapshot.h"

#include <catch2/catch.hpp>
#include <map>

#include "dataplane/base/limits.h"
#include "dataplane/base/prng.h"

using tandem::IpAddress;
using tandem::IpPrefix;
using tandem::Prng;
using namespace tandem::config;

namespace {

Member MakeMember(MemberId id, uint16_t ratio) {
  Member member;
  member.id = id;
  member.pool = 1;
  member.ratio = ratio;
  return member;
}

void AddPool(Snapshot& snapshot, Balancing balancing, const std::vector<uint16_t>& ratios) {
  snapshot.pools.resize(2);
  snapshot.pools[1].id = 1;
  snapshot.pools[1].balancing = balancing;
  snapshot.members.resize(1);
  for (const uint16_t ratio : ratios) {
    const auto id = static_cast<MemberId>(snapshot.members.size());
    snapshot.members.push_back(MakeMember(id, ratio));
    snapshot.pools[1].members.push_back(id);
  }
}

// As written in nginx: gain, pick the richest, pay.
std::vector<MemberId> NginxOrder(const std::vector<uint16_t>& ratios, size_t steps) {
  std::vector<int> credit(ratios.size());
  int total = 0;
  for (const uint16_t ratio : ratios)
    total += ratio;
  std::vector<MemberId> order;
  for (size_t step = 0; step < steps; ++step) {
    size_t best = 0;
    for (size_t i = 0; i < ratios.size(); ++i) {
      credit[i] += ratios[i];
      if (credit[i] > credit[best]) best = i;
    }
    credit[best] -= total;
    order.push_back(static_cast<MemberId>(best + 1));
  }
  return order;
}

const LocalAddress* FindLocal(const Snapshot& snapshot, const char* address) {
  return snapshot.addresses.Find(*IpAddress::Parse(address));
}

}  // namespace

TEST_CASE("snapshot: VLANs map to interfaces, unknown ones to none", "[config]") {
  Snapshot snapshot;
  snapshot.ports.resize(2);
  snapshot.interfaces.resize(5);
  snapshot.interfaces[1] = {.name = "a", .id = 1, .port = 0, .vlan = 0};
  snapshot.interfaces[3] = {.name = "b", .id = 3, .port = 1, .vlan = 4094};
  snapshot.interfaces[4] = {.name = "c", .id = 4, .port = 1, .vlan = 7};
  snapshot.Finish();
  CHECK(snapshot.InterfaceOf(0, 0) == 1);
  CHECK(snapshot.InterfaceOf(0, 7) == 0);
  CHECK(snapshot.InterfaceOf(1, 0) == 0);
  CHECK(snapshot.InterfaceOf(1, 7) == 4);
  CHECK(snapshot.InterfaceOf(1, 4094) == 3);
  CHECK(snapshot.InterfaceOf(1, 4095) == 0);
}

TEST_CASE("snapshot: only members that take new flows are available", "[config]") {
  Snapshot snapshot;
  AddPool(snapshot, Balancing::kRoundRobin, {1, 1, 1, 1});
  snapshot.members[1].state = MemberState::kDisabled;
  snapshot.members[2].up = false;
  snapshot.members[3].state = MemberState::kForcedOffline;
  snapshot.Finish();
  CHECK(snapshot.pools[1].available == std::vector<MemberId>{4});
  CHECK(snapshot.pools[1].ratio_ring.empty());
}

TEST_CASE("snapshot: the ratio ring is one whole round of nginx's smooth order", "[config]") {
  Snapshot snapshot;
  AddPool(snapshot, Balancing::kRatio, {5, 1, 1});
  snapshot.Finish();
  CHECK(snapshot.pools[1].ratio_ring == std::vector<MemberId>{1, 1, 2, 1, 3, 1, 1});

  const auto seed = GENERATE(range(uint64_t{1}, uint64_t{30}));
  CAPTURE(seed);
  Prng prng(seed);
  std::vector<uint16_t> ratios(1 + prng.Below(20));
  for (uint16_t& ratio : ratios)
    ratio = static_cast<uint16_t>(1 + prng.Below(8));
  ratios.back() = 1;  // nothing to reduce by
  Snapshot random;
  AddPool(random, Balancing::kRatio, ratios);
  random.Finish();
  const auto& ring = random.pools[1].ratio_ring;
  size_t total = 0;
  for (const uint16_t ratio : ratios)
    total += ratio;
  REQUIRE(ring.size() == total);
  REQUIRE(ring == NginxOrder(ratios, total));
}

TEST_CASE("snapshot: ratios are reduced, and out of range ones are clamped", "[config]") {
  Snapshot snapshot;
  AddPool(snapshot, Balancing::kRatio, {60, 40, 20});
  snapshot.Finish();
  CHECK(snapshot.pools[1].ratio_ring.size() == 6);

  Snapshot wild;
  AddPool(wild, Balancing::kRatio, {0, 65535});
  wild.Finish();
  CHECK(wild.pools[1].ratio_ring.size() == 101);
}

TEST_CASE("snapshot: the largest ratio pool stays within its bound", "[config]") {
  std::vector<uint16_t> ratios(tandem::kPoolMembersMax, 100);
  for (uint16_t i = 0; i < 100; ++i)
    ratios[i] = static_cast<uint16_t>(i + 1);
  Snapshot snapshot;
  AddPool(snapshot, Balancing::kRatio, ratios);
  snapshot.Finish();
  std::map<MemberId, unsigned> turns;
  for (const MemberId id : snapshot.pools[1].ratio_ring)
    ++turns[id];
  for (size_t i = 0; i < ratios.size(); ++i) {
    REQUIRE(turns[static_cast<MemberId>(i + 1)] == ratios[i]);
  }
}

TEST_CASE("snapshot: our addresses are self IPs, host virtuals and SNAT pools", "[config]") {
  Snapshot snapshot;
  snapshot.ports.resize(1);
  snapshot.interfaces.resize(2);
  snapshot.interfaces[1] = {.name = "a", .id = 1};
  snapshot.interfaces[1].self_ips = {*IpPrefix::Parse("10.0.0.1/24")};
  snapshot.snat_pools.resize(2);
  snapshot.snat_pools[0].addresses = {*IpAddress::Parse("10.0.0.9")};
  snapshot.snat_pools[1].addresses = {*IpAddress::Parse("10.0.0.100")};
  snapshot.virtuals.resize(6);
  const auto add = [&](VirtualId id, const char* destination) -> Virtual& {
    snapshot.virtuals[id].id = id;
    snapshot.virtuals[id].destination = *IpPrefix::Parse(destination);
    return snapshot.virtuals[id];
  };
  add(1, "10.0.0.100").traffic_group = 1;
  snapshot.virtuals[1].snat = SnatKind::kPool;
  snapshot.virtuals[1].snat_pool = 1;
  add(2, "10.0.1.0/24");
  add(3, "2001:db8::5").enabled = false;
  add(4, "10.0.0.7").type = VirtualType::kForwardIp;
  add(5, "10.0.0.8").type = VirtualType::kReject;
  snapshot.Finish();

  REQUIRE(FindLocal(snapshot, "10.0.0.1") != nullptr);
  CHECK(FindLocal(snapshot, "10.0.0.1")->roles == kSelfIp);
  CHECK(FindLocal(snapshot, "10.0.0.1")->interface == 1);
  REQUIRE(FindLocal(snapshot, "10.0.0.100") != nullptr);
  CHECK(FindLocal(snapshot, "10.0.0.100")->roles == (kVirtualAddress | kSnatAddress));
  CHECK(FindLocal(snapshot, "10.0.0.100")->traffic_group == 1);
  CHECK(FindLocal(snapshot, "10.0.0.100")->icmp_echo);
  CHECK(FindLocal(snapshot, "10.0.0.8") != nullptr);
  // Flows of a disabled virtual go on, so its address resolves; it does not answer echo.
  REQUIRE(FindLocal(snapshot, "2001:db8::5") != nullptr);
  CHECK(FindLocal(snapshot, "2001:db8::5")->arp);
  CHECK_FALSE(FindLocal(snapshot, "2001:db8::5")->icmp_echo);
  // Networks, what a forwarding virtual matches, and pools nobody uses are not ours.
  CHECK(FindLocal(snapshot, "10.0.1.0") == nullptr);
  CHECK(FindLocal(snapshot, "10.0.0.7") == nullptr);
  CHECK(FindLocal(snapshot, "10.0.0.9") == nullptr);
  CHECK(snapshot.addresses.all().size() == 4);
}

TEST_CASE("snapshot: Finish builds the virtual index", "[config]") {
  Snapshot snapshot;
  snapshot.virtuals.resize(2);
  snapshot.virtuals[1].id = 1;
  snapshot.virtuals[1].destination = *IpPrefix::Parse("10.0.0.5");
  snapshot.Finish();
  const auto* found = snapshot.virtual_index.Find(
      {.source = *IpAddress::Parse("10.0.0.9"), .destination = *IpAddress::Parse("10.0.0.5")});
  CHECK(found == snapshot.FindVirtual(1));
  CHECK(snapshot.FindVirtual(0) == nullptr);
  CHECK(snapshot.FindVirtual(2) == nullptr);
}
