// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/snapshot.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "dataplane/config/names.h"

namespace tandem::config {
namespace {

constexpr uint16_t kRatioMax = 100;  // bounds a ring at kPoolMembersMax * kRatioMax entries

// The members of one ratio. Equal ratios take turns in configured order, so that only the next of
// each group competes.
struct RatioGroup {
  int64_t ratio = 0;
  std::vector<size_t> members;  // positions in Pool::available
  size_t next = 0;
  int64_t rounds = 0;  // picks of members[next] so far
};

uint16_t RatioOf(const Member& member) {
  return std::clamp<uint16_t>(member.ratio, 1, kRatioMax);
}

std::vector<RatioGroup> GroupByRatio(const Pool& pool, const std::vector<Member>& members) {
  unsigned divisor = 0;
  for (const MemberId id : pool.available) {
    divisor = std::gcd(divisor, unsigned{RatioOf(members[id])});
  }
  std::map<unsigned, RatioGroup> groups;
  for (size_t i = 0; i < pool.available.size(); ++i) {
    const unsigned ratio = RatioOf(members[pool.available[i]]) / divisor;
    groups[ratio].ratio = ratio;
    groups[ratio].members.push_back(i);
  }
  std::vector<RatioGroup> result;
  result.reserve(groups.size());
  for (auto& [ratio, group] : groups)
    result.push_back(std::move(group));
  return result;
}

// Smooth weighted round robin as nginx does it: every member gains its ratio each step, the richest
// is picked (the first of equals) and pays the sum of all ratios.
void FillRatioRing(Pool& pool, const std::vector<Member>& members) {
  std::vector<RatioGroup> groups = GroupByRatio(pool, members);
  int64_t total = 0;
  for (const RatioGroup& group : groups) {
    total += group.ratio * static_cast<int64_t>(group.members.size());
  }
  pool.ratio_ring.reserve(static_cast<size_t>(total));
  for (int64_t step = 1; step <= total; ++step) {
    RatioGroup* best = &groups.front();
    int64_t best_credit = std::numeric_limits<int64_t>::min();
    for (RatioGroup& group : groups) {
      const int64_t credit = group.ratio * step - group.rounds * total;
      if (credit > best_credit ||
          (credit == best_credit && group.members[group.next] < best->members[best->next])) {
        best = &group;
        best_credit = credit;
      }
    }
    pool.ratio_ring.push_back(pool.available[best->members[best->next]]);
    if (++best->next == best->members.size()) {
      best->next = 0;
      ++best->rounds;
    }
  }
}

void FillPool(Pool& pool, const std::vector<Member>& members) {
  pool.available.clear();
  pool.ratio_ring.clear();
  for (const MemberId id : pool.members) {
    if (members[id].accepts_new()) pool.available.push_back(id);
  }
  if (pool.balancing == Balancing::kRatio && !pool.available.empty()) FillRatioRing(pool, members);
}

void FillVlanMap(Snapshot& snapshot) {
  snapshot.vlan_map.assign(snapshot.ports.size() * Snapshot::kVlansPerPort, 0);
  for (const Interface& interface : snapshot.interfaces) {
    if (interface.id == 0) continue;
    snapshot.vlan_map[interface.port * Snapshot::kVlansPerPort + interface.vlan] = interface.id;
  }
}

void AddSelfIps(Snapshot& snapshot, const Interface& interface) {
  const auto add = [&](const IpPrefix& self_ip, TrafficGroupId group) {
    snapshot.addresses.Add({.address = self_ip.address,
                            .roles = kSelfIp,
                            .interface = interface.id,
                            .traffic_group = group});
  };
  for (const IpPrefix& self_ip : interface.fixed_self_ips())
    add(self_ip, 0);
  for (size_t i = 0; i < interface.floating_groups.size(); ++i)
    add(interface.floating_self_ips()[i], interface.floating_groups[i]);
}

void AddVirtualAddresses(Snapshot& snapshot, const Virtual& virtual_server) {
  // What a forwarding virtual matches is addressed to somebody else. A disabled virtual refuses new
  // flows, but those that exist still need its address resolved.
  if (virtual_server.type != VirtualType::kForwardIp && virtual_server.destination.is_host()) {
    snapshot.addresses.Add({.address = virtual_server.destination.address,
                            .roles = kVirtualAddress,
                            .traffic_group = virtual_server.traffic_group,
                            .icmp_echo = virtual_server.enabled});
  }
  if (virtual_server.snat != SnatKind::kPool) return;
  const SnatPool& pool = snapshot.snat_pools[virtual_server.snat_pool];
  const TrafficGroupId group =
      pool.traffic_group != 0 ? pool.traffic_group : virtual_server.traffic_group;
  for (const IpAddress& address : pool.addresses) {
    snapshot.addresses.Add(
        {.address = address, .roles = kSnatAddress, .traffic_group = group, .icmp_echo = false});
  }
}

}  // namespace

void Snapshot::FindMirrored() {
  mirrors_embryonic = mirrors_after = commits = false;
  for (Virtual& virtual_server : virtuals) {
    virtual_server.is_mirrored =
        virtual_server.mirror ||
        (virtual_server.snat == SnatKind::kPool && snat_pools[virtual_server.snat_pool].mirror);
    if (!virtual_server.is_mirrored) continue;
    commits |= virtual_server.mirror_commit != MirrorCommit::kAsync;
    mirrors_embryonic |= commits || virtual_server.mirror_at == MirrorAt::kSyn;
    mirrors_after |= virtual_server.mirror_after != 0;
  }
}

void Snapshot::Finish(const Snapshot* previous) {
  FillVlanMap(*this);
  for (Pool& pool : pools) {
    if (pool.id != 0) FillPool(pool, members);
  }
  virtual_index.Build(virtuals);
  member_ports.clear();
  for (const Member& member : members) {
    if (member.id != 0) member_ports[member.address].push_back(member.port);
  }
  for (auto& entry : member_ports) {
    std::ranges::sort(entry.second);
  }
  FindMirrored();
  const auto masked = std::ranges::find_if(traffic_groups, &TrafficGroup::has_mac);
  masquerade_mac = masked == traffic_groups.end() ? kNoMac : WordOf(masked->mac);
  addresses = AddressIndex();
  interface_count = static_cast<uint32_t>(interfaces.size());
  for (Interface& interface : interfaces) {
    if (interface.id == 0) continue;
    interface.mac_word = WordOf(interface.mac);
    AddSelfIps(*this, interface);
  }
  for (const Virtual& virtual_server : virtuals) {
    if (virtual_server.id != 0) AddVirtualAddresses(*this, virtual_server);
  }
  announcements = Announcements(*this, previous);
  dictionary = MakeDictionary(*this);
  config_hash = ConfigHash(*this);
}

ServerRank Snapshot::ServerRankOf(const IpAddress& address, uint16_t port) const {
  const auto found = member_ports.find(address);
  if (found == member_ports.end()) return ServerRank::kStranger;
  const std::vector<uint16_t>& of_members = found->second;
  const bool any_port = of_members.front() == 0;
  return any_port || std::ranges::binary_search(of_members, port) ? ServerRank::kMember
                                                                  : ServerRank::kMemberAddress;
}

}  // namespace tandem::config
