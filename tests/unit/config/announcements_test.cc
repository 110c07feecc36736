// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/announcements.h"

#include <catch2/catch.hpp>
#include <string>

#include "dataplane/config/snapshot.h"

namespace tandem::config {
namespace {

IpAddress Ip(const char* text) {
  return *IpAddress::Parse(text);
}

// Two interfaces; two groups, of which the second has a MAC.
struct Draft {
  Draft() {
    snapshot.generation = 1;
    snapshot.ports.resize(2);
    snapshot.interfaces.resize(4);
    snapshot.interfaces[1] = {.name = "out", .id = 1, .port = 0, .mac = {2, 0, 0, 0, 0, 1}};
    snapshot.interfaces[1].self_ips = {*IpPrefix::Parse("192.0.2.2/24"),
                                       *IpPrefix::Parse("2001:db8:1::2/64")};
    snapshot.interfaces[3] = {.name = "in", .id = 3, .port = 1, .mac = {2, 0, 0, 0, 0, 3}};
    snapshot.interfaces[3].self_ips = {*IpPrefix::Parse("10.0.0.2/8")};
    snapshot.traffic_groups.resize(3);
    snapshot.traffic_groups[1].id = 1;
    snapshot.traffic_groups[2].id = 2;
    snapshot.traffic_groups[2].has_mac = true;
    snapshot.traffic_groups[2].mac = {2, 0, 0x5e, 0, 0, 1};
    snapshot.virtuals.resize(1);
  }

  void Float(InterfaceId interface, const char* self_ip, TrafficGroupId group) {
    snapshot.interfaces[interface].self_ips.push_back(*IpPrefix::Parse(self_ip));
    snapshot.interfaces[interface].floating_groups.push_back(group);
  }
  Virtual& AddVirtual(const char* destination, TrafficGroupId group) {
    Virtual& one = snapshot.virtuals.emplace_back();
    one.id = static_cast<VirtualId>(snapshot.virtuals.size() - 1);
    one.destination = *IpPrefix::Parse(destination);
    one.source = {one.destination.address, 0};
    one.traffic_group = group;
    return one;
  }
  // "address@interface" of each, in order; with its age where that is not 1.
  std::string Of(TrafficGroupId group) const {
    std::string text;
    for (const Announcement& one : snapshot.announcements.Of(group)) {
      text += (text.empty() ? "" : " ") +
              (one.address.is_unset() ? std::string("mac") : one.address.ToString()) + "@" +
              std::to_string(one.interface);
      if (one.since != 1) text += "/" + std::to_string(one.since);
    }
    return text;
  }

  Snapshot snapshot;
};

}  // namespace

TEST_CASE("announcements: floating addresses where they are on link, and no others", "[config]") {
  Draft draft;
  draft.Float(3, "10.0.0.1/8", 1);
  draft.AddVirtual("192.0.2.100/32", 1);
  draft.AddVirtual("192.0.2.100/32", 1).port = 80;  // once
  draft.AddVirtual("2001:db8:1::100/128", 1);
  draft.AddVirtual("192.0.2.101/32", 0);     // of no group
  draft.AddVirtual("192.0.2.128/25", 1);     // a network
  draft.AddVirtual("203.0.113.1/32", 1);     // on no network of ours
  draft.AddVirtual("2001:db8:2::1/128", 1);  // likewise
  draft.snapshot.snat_pools.push_back(
      {.name = "snat", .traffic_group = 1, .addresses = {Ip("10.0.0.200"), Ip("10.0.0.201")}});
  Virtual& translated = draft.AddVirtual("192.0.2.102/32", 0);
  translated.snat = SnatKind::kPool;
  draft.snapshot.Finish();
  CHECK(draft.Of(1) == "192.0.2.100@1 10.0.0.1@3 2001:db8:1::100@1 10.0.0.200@3 10.0.0.201@3");
  CHECK(draft.Of(0).empty());
  CHECK(draft.Of(3).empty());
}

TEST_CASE("announcements: a masquerade MAC is told on interfaces without an address of the group",
          "[config]") {
  Draft draft;
  draft.snapshot.Finish();
  CHECK(draft.Of(1).empty());
  CHECK(draft.Of(2) == "mac@1 mac@3");
  Draft with_one;
  with_one.AddVirtual("192.0.2.100/32", 2);
  with_one.snapshot.Finish();
  CHECK(with_one.Of(2) == "192.0.2.100@1 mac@3");
}

TEST_CASE("announcements: interfaces take turns", "[config]") {
  Draft draft;
  for (int i = 0; i < 3; ++i)
    draft.AddVirtual(("192.0.2." + std::to_string(100 + i) + "/32").c_str(), 1);
  draft.AddVirtual("10.0.0.100/32", 1);
  draft.snapshot.Finish();
  CHECK(draft.Of(1) == "192.0.2.100@1 10.0.0.100@3 192.0.2.101@1 192.0.2.102@1");
}

TEST_CASE("announcements: what was there before keeps its age, unless its MAC is another",
          "[config]") {
  Draft first;
  first.AddVirtual("192.0.2.100/32", 1);
  first.AddVirtual("192.0.2.200/32", 2);
  first.snapshot.Finish();
  CHECK(first.snapshot.announcements.NewestOf(1) == 1);

  Draft second;
  second.snapshot.generation = 2;
  second.AddVirtual("192.0.2.200/32", 2);
  second.AddVirtual("192.0.2.100/32", 1);
  second.AddVirtual("192.0.2.99/32", 1);
  second.snapshot.traffic_groups[2].mac = {2, 0, 0x5e, 0, 0, 2};
  second.snapshot.Finish(&first.snapshot);
  CHECK(second.Of(1) == "192.0.2.99@1/2 192.0.2.100@1");
  CHECK(second.Of(2) == "192.0.2.200@1/2 mac@3/2");
  CHECK(second.snapshot.announcements.NewestOf(1) == 2);

  Draft third;
  third.snapshot.generation = 3;
  third.AddVirtual("192.0.2.100/32", 2);  // it moved to another group
  third.AddVirtual("192.0.2.99/32", 1);
  third.snapshot.Finish(&second.snapshot);
  CHECK(third.Of(1) == "192.0.2.99@1/2");
  CHECK(third.Of(2) == "192.0.2.100@1/3 mac@3/3");
  CHECK(third.snapshot.announcements.NewestOf(1) == 2);
}

}  // namespace tandem::config
