// SPDX-License-Identifier: Apache-2.0
//
// The one list of drop reasons. Enum, counter name, help text and `tandemctl show drops` all come
// from it; every reason has at least one golden case (tests/golden), and the conservation rule
// received == forwarded + consumed + sum of drops is checked with them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// X(enumerator, exported name, help)
#define TANDEM_DROP_REASONS(X)                                                                     \
  X(kTruncated, "truncated", "a header runs past the end of the packet")                           \
  X(kHeaderSplit, "header_split", "the headers are not contiguous in the first buffer")            \
  X(kMacNotOurs, "mac_not_ours", "unicast frame for another station")                              \
  X(kVlanUnknown, "vlan_unknown",                                                                  \
    "VLAN tag, or untagged frame, that no interface of the port has")                              \
  X(kVlanStacked, "vlan_stacked", "more than one VLAN tag")                                        \
  X(kEtherTypeUnknown, "ethertype_unknown", "neither IPv4, IPv6 nor ARP")                          \
  X(kIpVersionBad, "ip_version_bad", "version field disagrees with the EtherType")                 \
  X(kIpHeaderLengthBad, "ip_header_length_bad", "IPv4 IHL below 5")                                \
  X(kIpLengthBad, "ip_length_bad", "IP length below its headers or beyond the frame")              \
  X(kIpChecksumBad, "ip_checksum_bad", "IPv4 header checksum wrong")                               \
  X(kIpOptionBad, "ip_option_bad", "IPv4 source route option (RFC 7126 section 4.3)")              \
  X(kIpExtensionBad, "ip_extension_bad", "IPv6 extension header chain malformed or too long")      \
  X(kIpSourceBad, "ip_source_bad", "source is multicast, broadcast, loopback or unset")            \
  X(kIpDestinationBad, "ip_destination_bad", "destination is loopback or unset")                   \
  X(kTtlExpired, "ttl_expired", "TTL or hop limit used up; ICMP time exceeded sent")               \
  X(kFragment, "fragment", "not the first fragment: no ports to find the flow by")                 \
  X(kLand, "land", "source and destination are the same endpoint")                                 \
  X(kL4ChecksumBad, "l4_checksum_bad", "TCP or UDP checksum wrong, as the NIC says")               \
  X(kL4LengthBad, "l4_length_bad", "UDP length or TCP data offset impossible")                     \
  X(kTcpFlagsBad, "tcp_flags_bad", "flag combination that no TCP sends (SYN+FIN, SYN+RST, none)")  \
  X(kMulticast, "multicast", "multicast or broadcast that nobody here listens to")                 \
  X(kNotLocal, "not_local", "addressed to a self IP, to a service it does not offer")              \
  X(kNoVirtual, "no_virtual", "no virtual server matches")                                         \
  X(kVirtualDisabled, "virtual_disabled", "the virtual server is disabled")                        \
  X(kVirtualReject, "virtual_reject", "a virtual server of type reject matched")                   \
  X(kVirtualLimit, "virtual_limit", "the virtual server's connection limit is reached")            \
  X(kStandby, "standby", "for a traffic group that this device is standby for")                    \
  X(kFenced, "fenced", "came while another device may have been active: this one stood still")     \
  X(kBacklog, "backlog", "waited in a receive queue while this device was becoming active")        \
  X(kNoFlow, "no_flow", "TCP packet that is not a SYN and belongs to no flow")                     \
  X(kNoMember, "no_member", "no member of the pool is available")                                  \
  X(kMemberLimit, "member_limit", "every available member is at its connection limit")             \
  X(kPersistBusy, "persist_busy", "another worker held the client's persistence record")           \
  X(kFlowTableFull, "flow_table_full", "flow table full and nothing embryonic left to reap")       \
  X(kFlowCollision, "flow_collision", "the server side of the flow is taken by another flow")      \
  X(kSnatNoAddress, "snat_no_address", "no SNAT address fits the egress interface")                \
  X(kSnatPortExhausted, "snat_port_exhausted", "no free source port towards this member")          \
  X(kNoRoute, "no_route", "no route to the destination")                                           \
  X(kMtuExceeded, "mtu_exceeded", "packet larger than the egress MTU; ICMP too big sent")          \
  X(kNeighbourUnresolved, "neighbour_unresolved", "ARP or neighbour discovery got no answer")      \
  X(kNeighbourQueueFull, "neighbour_queue_full", "too many packets wait for a neighbour")          \
  X(kArpBad, "arp_bad", "malformed ARP packet")                                                    \
  X(kNdBad, "nd_bad", "malformed neighbour discovery packet (RFC 4861 section 7.1)")               \
  X(kIcmpBad, "icmp_bad", "malformed ICMP packet")                                                 \
  X(kIcmpUnknown, "icmp_unknown", "ICMP type that is not handled")                                 \
  X(kIcmpNoFlow, "icmp_no_flow", "ICMP error about a packet of no known flow")                     \
  X(kTcpInvalid, "tcp_invalid", "TCP packet that its flow's state forbids")                        \
  X(kCommitFull, "commit_full", "too many packets wait for the peer to acknowledge their flow")    \
  X(kHandOverFull, "hand_over_full", "too many packets wait while a traffic group is handed over") \
  X(kHandoffFull, "handoff_full", "the ring to the flow's owner is full")                          \
  X(kTransmitFull, "transmit_full", "the port's transmit queue is full")                           \
  X(kPortDown, "port_down", "the egress port has no link or is being stopped")                     \
  X(kShutdown, "shutdown", "the device is stopping")

namespace tandem {

enum class DropReason : uint8_t {
  kNone = 0,
#define X(symbol, name, help) symbol,
  TANDEM_DROP_REASONS(X)
#undef X
};

struct DropReasonInfo {
  std::string_view name;
  std::string_view help;
};

// Indexed by DropReason; entry 0 is "none".
inline constexpr auto kDropReasons = std::to_array<DropReasonInfo>({{"none", "not dropped"},
#define X(symbol, name, help) {name, help},
                                                                    TANDEM_DROP_REASONS(X)
#undef X
});

inline constexpr size_t kDropReasonCount = kDropReasons.size();

constexpr std::string_view NameOf(DropReason reason) {
  return kDropReasons[static_cast<size_t>(reason)].name;
}

}  // namespace tandem
