// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/dictionary.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "dataplane/config/snapshot.h"

using tandem::IpAddress;
using tandem::IpPrefix;
using namespace tandem::config;

namespace {

IpAddress Address(const char* text) {
  return *IpAddress::Parse(text);
}

// Two pools of two members, two virtuals; ids begin at `first`, in the order that `reversed` says.
void Fill(Snapshot& snapshot, uint16_t first, bool reversed) {
  const auto id = [&](unsigned index) {
    return static_cast<uint16_t>(reversed ? first + 3 - index : first + index);
  };
  const size_t size = size_t{first} + 4;
  snapshot.ports.resize(1);
  snapshot.interfaces.resize(size);
  snapshot.interfaces[id(0)] = {.name = "external", .id = id(0), .vlan = 1};
  snapshot.interfaces[id(1)] = {.name = "internal", .id = id(1), .vlan = 2};
  snapshot.interfaces[id(1)].self_ips = {*IpPrefix::Parse("10.1.0.1/24"),
                                         *IpPrefix::Parse("10.1.0.3/24")};
  snapshot.interfaces[id(1)].floating_groups = {static_cast<TrafficGroupId>(id(2))};
  snapshot.traffic_groups.resize(size);
  snapshot.traffic_groups[id(2)].name = "traffic-group-1";
  snapshot.traffic_groups[id(2)].id = static_cast<TrafficGroupId>(id(2));
  snapshot.pools.resize(size);
  snapshot.members.resize(size);
  for (unsigned pool = 0; pool < 2; ++pool) {
    Pool& to = snapshot.pools[id(pool)];
    to.id = id(pool);
    to.name = pool == 0 ? "web" : "ssh";
    for (unsigned member = 0; member < 2; ++member) {
      const uint16_t number = id(pool * 2 + member);
      to.members.push_back(number);
      snapshot.members[number] = {
          .name = member == 0 ? "10.1.0.10:80" : "10.1.0.11:80",
          .id = number,
          .pool = to.id,
          .address = Address(member == 0 ? "10.1.0.10" : "10.1.0.11"),
          .port = 80,
      };
    }
    if (reversed) std::ranges::reverse(to.members);
  }
  snapshot.persistences.resize(size);
  snapshot.persistences[id(3)].id = id(3);
  snapshot.persistences[id(3)].name = "source";
  SnatPool& snat = snapshot.snat_pools.emplace_back();
  snat.name = "snat";
  snat.traffic_group = static_cast<TrafficGroupId>(id(2));
  snat.addresses = {Address("10.2.0.1"), Address("10.2.0.2")};
  if (reversed) std::ranges::reverse(snat.addresses);
  snapshot.virtuals.resize(size);
  for (unsigned index = 0; index < 2; ++index) {
    Virtual& to = snapshot.virtuals[id(index)];
    to.id = id(index);
    to.name = index == 0 ? "web" : "any";
    to.destination = *IpPrefix::Parse(index == 0 ? "192.0.2.1" : "192.0.2.2");
    to.port = index == 0 ? 80 : 0;
    to.pool = id(index);
    to.traffic_group = static_cast<TrafficGroupId>(id(2));
    to.persistence = id(3);
    to.snat = SnatKind::kPool;
    to.interfaces.resize(size);
    to.interfaces[id(0)] = true;
  }
}

uint64_t HashAfter(const std::function<void(Snapshot&)>& change) {
  Snapshot snapshot;
  Fill(snapshot, 1, false);
  if (change) change(snapshot);
  snapshot.Finish();
  return snapshot.config_hash;
}

}  // namespace

TEST_CASE("dictionary: names hash by kind, and never to 0", "[config]") {
  CHECK(NameHash(ObjectKind::kVirtual, "web") != NameHash(ObjectKind::kPersistence, "web"));
  CHECK(NameHash(ObjectKind::kVirtual, "web") != NameHash(ObjectKind::kVirtual, "wec"));
  CHECK(NameHash(ObjectKind::kVirtual, "") != 0);
  // It goes over the wire: as it is, for ever.
  CHECK(NameHash(ObjectKind::kVirtual, "web") == 0xddee5fe1a014f9f7);
  CHECK(NameHash(ObjectKind::kMember, "web/10.0.0.1:80") == 0x1905655e2a081df0);
}

TEST_CASE("dictionary: a hash that two objects share names neither", "[config]") {
  Dictionary dictionary;
  dictionary.Add(ObjectKind::kVirtual, 1, {.name_hash = 7});
  dictionary.Add(ObjectKind::kVirtual, 2, {.name_hash = 8});
  dictionary.Add(ObjectKind::kVirtual, 9, {.name_hash = 7});
  dictionary.Add(ObjectKind::kMember, 3, {.name_hash = 7});
  dictionary.Finish();
  CHECK(dictionary.NumberOf(ObjectKind::kVirtual, 7) == 0);
  CHECK(dictionary.Find(ObjectKind::kVirtual, 1).name_hash == 0);
  CHECK(dictionary.Find(ObjectKind::kVirtual, 9).name_hash == 0);
  CHECK(dictionary.NumberOf(ObjectKind::kVirtual, 8) == 2);
  CHECK(dictionary.NumberOf(ObjectKind::kMember, 7) == 3);
  CHECK(dictionary.Find(ObjectKind::kMember, 60000).name_hash == 0);
  CHECK(dictionary.NumberOf(ObjectKind::kInterface, 0) == 0);
}

TEST_CASE("dictionary: a snapshot names its objects", "[config]") {
  Snapshot snapshot;
  Fill(snapshot, 1, false);
  snapshot.Finish();
  const Dictionary& dictionary = *snapshot.dictionary;
  const auto number = [&](ObjectKind kind, const char* name) {
    return dictionary.NumberOf(kind, NameHash(kind, name));
  };
  CHECK(number(ObjectKind::kVirtual, "web") == 1);
  CHECK(number(ObjectKind::kVirtual, "any") == 2);
  CHECK(number(ObjectKind::kMember, "web/10.1.0.10:80") == 1);
  CHECK(number(ObjectKind::kMember, "ssh/10.1.0.11:80") == 4);
  CHECK(number(ObjectKind::kInterface, "internal") == 2);
  CHECK(number(ObjectKind::kTrafficGroup, "traffic-group-1") == 3);
  CHECK(number(ObjectKind::kPersistence, "source") == 4);
  CHECK(dictionary.Find(ObjectKind::kVirtual, 1).address == Address("192.0.2.1"));
  CHECK(dictionary.Find(ObjectKind::kVirtual, 1).port == 80);
  // Of any port: flows say where they go.
  CHECK(dictionary.Find(ObjectKind::kVirtual, 2).address.is_unset());
  CHECK(dictionary.Find(ObjectKind::kMember, 4).address == Address("10.1.0.11"));
  CHECK(dictionary.Find(ObjectKind::kMember, 4).port == 80);
}

TEST_CASE("configuration hash: ids, order and a device's own things do not count", "[config]") {
  const uint64_t hash = HashAfter(nullptr);
  Snapshot other;
  Fill(other, 5, true);
  other.Finish();
  CHECK(other.config_hash == hash);
  CHECK(other.dictionary->NumberOf(ObjectKind::kVirtual, NameHash(ObjectKind::kVirtual, "web")) ==
        8);

  CHECK(hash == HashAfter([](Snapshot& s) {
          s.generation = 99;
          s.interfaces[1].mac = {2, 0, 0, 0, 0, 1};
          s.interfaces[2].self_ips[0] = *IpPrefix::Parse("10.1.0.2/24");
          s.traffic_groups[3].role = Role::kStandby;
          s.traffic_groups[3].has_mac = true;
          s.mirroring.unit_id = 2;
          s.mirroring.peers = {{1, Address("10.9.0.1")}};
          s.members[1].up = false;
        }));
}

TEST_CASE("configuration hash: whatever decides forwarding counts", "[config]") {
  std::set<uint64_t> seen = {HashAfter(nullptr)};
  const auto differs = [&](const std::function<void(Snapshot&)>& change) {
    return seen.insert(HashAfter(change)).second;
  };
  CHECK(differs([](Snapshot& s) { s.virtuals[1].name = "wed"; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].enabled = false; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].port = 81; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].protocol = 6; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].pool = 2; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].pool = 0; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].destination = *IpPrefix::Parse("192.0.2.9"); }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].source = *IpPrefix::Parse("10.0.0.0/8"); }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].interfaces[2] = true; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].interfaces.clear(); }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].snat = SnatKind::kNone; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].traffic_group = 0; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].persistence = 0; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].mirror = true; }));
  CHECK(differs([](Snapshot& s) { s.virtuals[1].profile.idle_timeout += 1; }));
  CHECK(differs([](Snapshot& s) { s.pools[1].balancing = Balancing::kRatio; }));
  CHECK(differs([](Snapshot& s) { s.pools[1].members.pop_back(); }));
  CHECK(differs([](Snapshot& s) { s.members[1].ratio = 2; }));
  CHECK(differs([](Snapshot& s) { s.members[1].state = MemberState::kDisabled; }));
  CHECK(differs([](Snapshot& s) { s.snat_pools[0].addresses.pop_back(); }));
  CHECK(differs([](Snapshot& s) { s.snat_pools[0].mirror = true; }));
  CHECK(differs([](Snapshot& s) { s.persistences[4].timeout += 1; }));
  CHECK(differs([](Snapshot& s) { s.traffic_groups[3].name = "traffic-group-2"; }));
  CHECK(
      differs([](Snapshot& s) { s.interfaces[2].self_ips[1] = *IpPrefix::Parse("10.1.0.4/24"); }));
}
