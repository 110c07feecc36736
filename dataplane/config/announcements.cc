// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/announcements.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "dataplane/config/snapshot.h"

namespace tandem::config {
namespace {

// The networks of all self IPs.
class OnLink {
 public:
  explicit OnLink(const Snapshot& snapshot) {
    for (const Interface& interface : snapshot.interfaces) {
      for (const IpPrefix& self_ip : interface.self_ips) {
        interfaces_[self_ip.Network()].insert(interface.id);
        lengths_.insert({self_ip.address.is_v4(), self_ip.length});
      }
    }
  }

  std::set<InterfaceId> Of(const IpAddress& address) const {
    std::set<InterfaceId> interfaces;
    for (const auto& [is_v4, length] : lengths_) {
      if (is_v4 != address.is_v4()) continue;
      const auto found = interfaces_.find(IpPrefix{address, length}.Network());
      if (found != interfaces_.end()) interfaces.insert(found->second.begin(), found->second.end());
    }
    return interfaces;
  }

 private:
  std::map<IpPrefix, std::set<InterfaceId>> interfaces_;
  std::set<std::pair<bool, uint8_t>> lengths_;
};

using OfGroup = std::map<InterfaceId, std::vector<IpAddress>>;

std::vector<OfGroup> Collect(const Snapshot& snapshot) {
  std::vector<OfGroup> groups(snapshot.traffic_groups.size());
  const OnLink on_link(snapshot);
  for (const auto& [address, local] : snapshot.addresses.all()) {
    if (local.traffic_group == 0 || local.traffic_group >= groups.size() || !local.arp) continue;
    OfGroup& group = groups[local.traffic_group];
    if (local.interface != 0) {
      group[local.interface].push_back(address);
    } else {
      for (const InterfaceId interface : on_link.Of(address))
        group[interface].push_back(address);
    }
  }
  for (const TrafficGroup& group : snapshot.traffic_groups) {
    if (group.id == 0 || !group.has_mac) continue;
    for (const Interface& interface : snapshot.interfaces) {
      std::vector<IpAddress>* addresses =
          interface.id != 0 ? &groups[group.id][interface.id] : nullptr;
      if (addresses != nullptr && addresses->empty()) addresses->push_back({});
    }
  }
  return groups;
}

std::vector<Announcement> InTurns(OfGroup& group) {
  std::vector<std::tuple<size_t, InterfaceId, IpAddress>> turns;
  for (auto& [interface, addresses] : group) {
    std::ranges::sort(addresses);
    for (size_t i = 0; i < addresses.size(); ++i)
      turns.emplace_back(i, interface, addresses[i]);
  }
  std::ranges::sort(turns);
  std::vector<Announcement> result;
  result.reserve(turns.size());
  for (const auto& [turn, interface, address] : turns)
    result.push_back({.address = address, .interface = interface});
  return result;
}

// When each announcement of the snapshot came, by what it says.
using Dates = std::map<std::tuple<TrafficGroupId, InterfaceId, IpAddress, MacAddress>, uint64_t>;

template <class Key>
Key KeyOf(const Snapshot& snapshot, TrafficGroupId group, const Announcement& one) {
  return {group, one.interface, one.address,
          snapshot.MacOf(snapshot.interfaces[one.interface], group)};
}

Dates DatesOf(const Snapshot* snapshot) {
  Dates dates;
  if (snapshot == nullptr) return dates;
  for (const TrafficGroup& group : snapshot->traffic_groups) {
    for (const Announcement& one : snapshot->announcements.Of(group.id))
      dates[KeyOf<Dates::key_type>(*snapshot, group.id, one)] = one.since;
  }
  return dates;
}

}  // namespace

Announcements::Announcements(const Snapshot& snapshot, const Snapshot* previous) {
  const Dates dates = DatesOf(previous);
  std::vector<OfGroup> groups = Collect(snapshot);
  for (size_t group = 0; group < groups.size(); ++group) {
    begins_.push_back(all_.size());
    uint64_t newest = 0;
    for (Announcement& one : InTurns(groups[group])) {
      const auto known =
          dates.find(KeyOf<Dates::key_type>(snapshot, static_cast<TrafficGroupId>(group), one));
      one.since = known != dates.end() ? known->second : snapshot.generation;
      newest = std::max(newest, one.since);
      all_.push_back(one);
    }
    newest_.push_back(newest);
  }
  begins_.push_back(all_.size());
}

}  // namespace tandem::config
