// SPDX-License-Identifier: Apache-2.0
//
// One whole configuration as the workers read it. Immutable once published (config/publish.h); a
// burst sees exactly one. Built by control/compile, or by hand in tests through Finish.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dataplane/config/address_index.h"
#include "dataplane/config/announcements.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/config/objects.h"
#include "dataplane/config/routes.h"
#include "dataplane/config/steering.h"
#include "dataplane/config/virtual_index.h"

namespace tandem::config {

// How much of a server an endpoint is.
enum class ServerRank : uint8_t {
  kStranger,
  kMemberAddress,  // a member's address, another port
  kMember,         // a member's address and port
};

struct Snapshot {
  uint64_t generation = 0;  // counts applied configurations
  // Changes whenever a route or a self IP changed: flows look their next hop up again.
  uint32_t route_generation = 0;

  std::vector<Port> ports;
  std::vector<Interface> interfaces;         // indexed by InterfaceId; [0] is a hole
  std::vector<TrafficGroup> traffic_groups;  // indexed by TrafficGroupId; [0]: none
  std::vector<Virtual> virtuals;             // indexed by VirtualId; [0] is a hole
  std::vector<Pool> pools;                   // indexed by PoolId; [0] is a hole
  std::vector<Member> members;               // indexed by MemberId; [0] is a hole
  std::vector<SnatPool> snat_pools;
  std::vector<Persistence> persistences;  // indexed by PersistenceId; [0] is a hole
  Mirroring mirroring;
  // Changes whenever what is to be mirrored changed: flows are looked through then.
  uint32_t mirror_generation = 0;
  uint32_t reset_rate_max =
      250;  // RSTs and ICMP errors a worker may send per second (tm.maxrejectrate)
  // Addresses announced per second and interface, 1 or more (arp.gratuitousrate).
  uint32_t announce_rate_max = 8000;

  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const Steering> steering;

  // Derived by Finish.
  VirtualIndex virtual_index;
  AddressIndex addresses;
  Announcements announcements;
  std::unordered_map<IpAddress, std::vector<uint16_t>, IpAddressHash> member_ports;  // sorted
  std::shared_ptr<const Dictionary> dictionary;
  uint64_t config_hash = 0;      // of what decides forwarding, by names: equal on two devices alike
  uint32_t interface_count = 0;  // interfaces.size(): a division, which packets have no time for
  MacWord masquerade_mac = kNoMac;  // of the first traffic group that has one
  // Whether any virtual that is mirrored has its flows told before they are established, waits until
  // they are old enough, or holds packets back until the peer has their flow.
  bool mirrors_embryonic = false;
  bool mirrors_after = false;
  bool commits = false;
  std::vector<InterfaceId>
      vlan_map;  // [port * kVlansPerPort + vlan id or 0] -> interface, 0 = none

  // Builds everything derived, including each pool's available list, ratio ring and address index.
  // Maglev tables are filled in before by lb::FillMaglev. Call once, before publishing. `previous`:
  // what this one takes the place of; nullptr at the start.
  void Finish(const Snapshot* previous = nullptr);

  Snapshot() = default;
  ~Snapshot() = default;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  static constexpr size_t kVlansPerPort = 4096;
  // `port` is one of `ports`, `vlan` below kVlansPerPort.
  InterfaceId InterfaceOf(uint16_t port, uint16_t vlan) const {
    return vlan_map[port * kVlansPerPort + vlan];
  }
  // nullptr when there is none of that id.
  const Interface* FindInterface(InterfaceId id) const {
    if (id >= interface_count) return nullptr;
    const Interface& interface = interfaces.data()[id];
    return interface.id != 0 ? &interface : nullptr;
  }
  const Virtual* FindVirtual(VirtualId id) const { return Find(virtuals, id); }
  const Member* FindMember(MemberId id) const { return Find(members, id); }
  const Pool* FindPool(PoolId id) const { return Find(pools, id); }
  const Persistence* FindPersistence(PersistenceId id) const { return Find(persistences, id); }
  // `port` in host byte order.
  ServerRank ServerRankOf(const IpAddress& address, uint16_t port) const;
  // The MAC a floating address of `group` uses on `interface`.
  const MacAddress& MacOf(const Interface& interface, TrafficGroupId group) const {
    return group < traffic_groups.size() && traffic_groups[group].has_mac
               ? traffic_groups[group].mac
               : interface.mac;
  }

 private:
  // Bounds are compared in bytes: to count objects of an odd size is a division.
  template <class T>
  static const T* Find(const std::vector<T>& objects, size_t id) {
    const auto* const begin = reinterpret_cast<const std::byte*>(std::to_address(objects.begin()));
    const auto* const end = reinterpret_cast<const std::byte*>(std::to_address(objects.end()));
    const size_t at = id * sizeof(T);
    if (at >= static_cast<size_t>(end - begin)) return nullptr;
    const T& object = objects.data()[id];
    return object.id != 0 ? &object : nullptr;
  }
  void FindMirrored();
};

}  // namespace tandem::config
