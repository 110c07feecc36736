// SPDX-License-Identifier: Apache-2.0
//
// The configured objects as the workers read them: plain structs, no names looked up, no protobuf.
// Words and defaults are those of BIG-IP's tmsh. Built by control/compile, never changed after.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/mac_word.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/config/roles.h"

namespace tandem::config {

enum class Facing : uint8_t { kBoth, kClient, kServer };

struct Port {
  std::string name;
  MacAddress mac{};     // as the device reports it; filled in by io
  uint16_t mtu = 1500;  // largest IP packet
  bool promiscuous = false;
};

// A VLAN on a port: the IP interface of the device.
struct Interface {
  std::string name;
  InterfaceId id = 0;  // 0: hole in Snapshot::interfaces
  uint16_t port = 0;   // index into Snapshot::ports
  uint16_t vlan = 0;   // 802.1Q id; 0 = untagged
  uint16_t mtu = 1500;
  MacAddress mac{};  // source MAC of non-floating addresses
  Facing facing = Facing::kBoth;
  bool is_watched = false;    // workers stamp when something last came from it
  MacWord mac_word = kNoMac;  // `mac` again, by Snapshot::Finish; not of a hole
  // Self IPs with their prefix lengths, non-floating first.
  std::vector<IpPrefix> self_ips;
  std::vector<TrafficGroupId> floating_groups;  // of the last ones of them, which float

  std::span<const IpPrefix> fixed_self_ips() const {
    return std::span(self_ips).first(self_ips.size() - floating_groups.size());
  }
  std::span<const IpPrefix> floating_self_ips() const {
    return std::span(self_ips).last(floating_groups.size());
  }
};

struct TrafficGroup {
  std::string name;
  TrafficGroupId id = 0;
  Role role = Role::kActive;  // this device's, as configured
  bool has_mac = false;       // masquerade MAC
  MacAddress mac{};
  Nanos announce_refresh = 0;  // its addresses are announced again so often; 0: never
};

enum class MemberState : uint8_t {
  kEnabled,        // takes new flows
  kDisabled,       // only flows that exist, and new ones that persistence sends to it
  kForcedOffline,  // only flows that exist
};

struct Member {
  std::string name;  // "10.0.0.1:80"
  MemberId id = 0;   // 0: hole in Snapshot::members
  PoolId pool = 0;
  IpAddress address;
  uint16_t port = 0;              // host byte order; 0 = any: the client's destination port is kept
  uint16_t ratio = 1;             // 1..100
  uint32_t connection_limit = 0;  // 0 = none
  MemberState state = MemberState::kEnabled;
  bool up = true;  // the monitors' verdict: an input, like `state`

  bool accepts_new() const { return up && state == MemberState::kEnabled; }
};

enum class Balancing : uint8_t {
  kRoundRobin,
  kRatio,
  kLeastConnections,
  kMaglevSource,     // consistent hash of the client's address
  kMaglevFiveTuple,  // consistent hash of addresses, ports and protocol
};

struct Pool {
  std::string name;
  PoolId id = 0;  // 0: hole in Snapshot::pools
  Balancing balancing = Balancing::kRoundRobin;
  std::vector<MemberId> members;     // all, in configured order
  std::vector<MemberId> available;   // those with accepts_new(); what balancing chooses from
  std::vector<MemberId> ratio_ring;  // kRatio: smooth weighted order of one whole round
  std::vector<MemberId> maglev;      // kMaglev*: the lookup table, prime size; empty if no member
};

enum class VirtualType : uint8_t { kFastL4, kForwardIp, kReject };
enum class SnatKind : uint8_t { kNone, kAutomap, kPool };
enum class SourcePort : uint8_t { kPreserve, kPreserveStrict, kChange };

// What to do with a TCP packet that is not a SYN and belongs to no flow.
enum class NoFlowAction : uint8_t { kReset, kDrop, kLooseInitiation };

// When a flow is first told to the peer.
enum class MirrorAt : uint8_t { kEstablished, kSyn };

// Whether a client learns that its connection is established before the peer knows of it.
enum class MirrorCommit : uint8_t {
  kAsync,    // yes: nothing waits
  kBounded,  // it waits for the peer, Virtual::commit_timeout at most
  kStrict,   // it waits
};

inline constexpr uint32_t kIndefinite = UINT32_MAX;  // ticks: never

// The fastL4 profile; times in ticks (base/time.h), kIndefinite allowed where BIG-IP allows it.
struct FastL4 {
  uint32_t idle_timeout = TicksIn(300 * kSecond);  // TCP established, other protocols
  uint32_t udp_idle_timeout = TicksIn(60 * kSecond);
  uint32_t tcp_handshake_timeout = TicksIn(5 * kSecond);
  uint32_t tcp_close_timeout = TicksIn(5 * kSecond);  // after the first FIN
  uint32_t tcp_time_wait_timeout = 0;                 // after both FINs are acknowledged
  bool reset_on_timeout = true;  // RST to both ends when an established flow idles out
  bool loose_close = false;      // loosely initiated flows end at the first FIN
};

enum class PersistenceType : uint8_t { kSourceAddress, kDestinationAddress, kHash };

// What a hash profile takes into the key.
enum HashField : uint8_t {
  kHashSourceAddress = 1 << 0,
  kHashDestinationAddress = 1 << 1,
  kHashSourcePort = 1 << 2,
  kHashDestinationPort = 1 << 3,
  kHashProtocol = 1 << 4,
  kHashPayload = 1 << 5,  // bytes of the first UDP datagram
};

// A persistence profile: where the key of a record comes from, and how long it lasts.
struct Persistence {
  std::string name;
  PersistenceId id = 0;  // 0: hole in Snapshot::persistences
  PersistenceType type = PersistenceType::kSourceAddress;
  uint32_t timeout = TicksIn(180 * kSecond);  // since a flow last used the record; kIndefinite
  uint8_t mask_ipv4 = 32;  // prefix length; of kSourceAddress, kDestinationAddress
  uint8_t mask_ipv6 = 128;
  uint8_t hash_fields = 0;  // HashField, of kHash
  uint16_t payload_offset = 0;
  uint16_t payload_length = 0;
  // Consistent hash of the key over the members that are available; no record is kept.
  bool stateless = false;
  bool match_across_services = false;  // other virtuals on the same virtual address
  bool match_across_virtuals = false;
  bool match_across_pools = false;
  bool override_connection_limit = false;
  bool mirror = false;
};

// Another device of the group.
struct MirrorPeer {
  UnitId unit_id = 0;
  IpAddress address;  // of its mirroring port

  bool operator==(const MirrorPeer&) const = default;
};

// A traffic VLAN that Hellos and heartbeats go over, too.
struct FailoverPath {
  InterfaceId interface = 0;
  IpAddress address;             // of this device, a self IP
  std::vector<IpAddress> peers;  // by PeerIndex

  bool operator==(const FailoverPath&) const = default;
};

// How this device reaches its mirroring peers.
struct Mirroring {
  bool enabled = false;
  UnitId unit_id = 1;  // names who speaks
  std::string device_name;
  IpPrefix address;               // of the mirroring port
  std::vector<MirrorPeer> peers;  // kPeersMax at most, by unit id
  std::vector<FailoverPath> failover_paths;
  // Of the devices' shares of the SNAT ports, by their unit ids' order.
  uint8_t port_share = 0;
  uint8_t port_shares = 1;
  uint16_t mtu = 1500;        // of the mirroring port: largest IP packet; paths are probed below it
  bool authenticated = true;  // false: laboratories only
  std::array<uint8_t, 32> key{};
  uint64_t bulk_rate = 250'000'000;  // bytes a second
  Nanos flush = 500'000;             // a change waits at most so long for others
};

struct SnatPool {
  std::string name;
  TrafficGroupId traffic_group = 0;  // its addresses float with
  bool mirror = false;               // flows translated by it are mirrored
  std::vector<IpAddress> addresses;  // both families may be present
};

struct Virtual {
  std::string name;
  VirtualId id = 0;  // 0: hole in Snapshot::virtuals
  VirtualType type = VirtualType::kFastL4;
  bool enabled = true;
  IpPrefix destination;          // host prefix for a plain virtual address
  uint16_t port = 0;             // host byte order; 0 = any
  uint8_t protocol = 0;          // IPPROTO_TCP, IPPROTO_UDP, or 0 = any
  IpPrefix source;               // source filter; length 0 = everyone
  std::vector<bool> interfaces;  // listens on, indexed by InterfaceId; empty = on all
  PoolId pool = 0;
  bool translate_address = true;  // off: DSR by MAC rewrite (kFastL4), always off for kForwardIp
  bool translate_port = true;
  SnatKind snat = SnatKind::kNone;
  uint16_t snat_pool = 0;  // index into Snapshot::snat_pools; only for kPool
  SourcePort source_port = SourcePort::kPreserve;
  bool auto_last_hop = true;
  NoFlowAction no_flow = NoFlowAction::kReset;
  uint32_t connection_limit = 0;  // 0 = none
  TrafficGroupId traffic_group = 0;
  PersistenceId persistence = 0;  // 0: none
  bool mirror = false;
  MirrorAt mirror_at = MirrorAt::kEstablished;
  uint8_t mirror_after_packets = 0;  // nor before it had so many, both ways; 0, 1: does not matter
  uint32_t mirror_after = 0;         // ticks: nor before it is so old
  MirrorCommit mirror_commit = MirrorCommit::kAsync;
  Nanos commit_timeout = 2 * kMillisecond;  // kBounded
  FastL4 profile;
  bool is_mirrored = false;  // by itself or its SNAT pool; derived by Snapshot::Finish

  bool ListensOn(InterfaceId interface) const {
    return interfaces.empty() || (interface < interfaces.size() && interfaces[interface]);
  }
};

}  // namespace tandem::config
