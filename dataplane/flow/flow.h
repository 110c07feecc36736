// SPDX-License-Identifier: Apache-2.0
//
// One tracked connection. Its record is split by heat: FlowHot is all that an established packet
// reads and writes (one cache line for IPv4, two for IPv6), FlowCold is touched when the flow
// begins, ends, or its timer comes round. Both sit at the same slot number of two arrays; the slot
// never changes during the flow's life and is its name for the mirror.
//
// Bytes a flow, all told (the index holds two keys in 10-way buckets of 64 bytes, filled to 60 %):
//   IPv4:  64 hot + 32 cold + 8 register + 22 index = 126
//   IPv6: 128 hot + 32 cold + 8 register + 22 index = 190
#pragma once

#include <cstdint>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/flow/neighbour_ref.h"
#include "dataplane/net/flow_key.h"

namespace tandem::flow {

// Which leg a packet came in on.
enum class Side : uint8_t { kClient = 0, kServer = 1 };
constexpr Side Opposite(Side side) {
  return side == Side::kClient ? Side::kServer : Side::kClient;
}

inline constexpr uint32_t kNoSlot = UINT32_MAX;

// Coarse connection state; the TCP machine (tcp_state.h) moves between them. Protocols without
// states go straight from kOpening to kEstablished at the first reply.
enum class State : uint8_t {
  kFree = 0,  // slot not in use
  kOpening,   // TCP: client's SYN seen; others: nothing from the server yet
  kSynAcked,  // TCP: server's SYN-ACK seen
  kEstablished,
  kFinClient,  // client's FIN seen
  kFinServer,  // server's FIN seen
  kClosing,    // both FINs seen, not all acknowledged
  kTimeWait,   // both acknowledged
};
inline constexpr size_t kStateCount = 8;
inline constexpr bool IsEmbryonic(State s) {
  return s == State::kOpening || s == State::kSynAcked;
}

enum FlowFlag : uint16_t {
  kTranslateAddress = 1 << 0,  // destination rewritten to the member
  kTranslateSource = 1 << 1,   // SNAT: source address and port rewritten
  kOneLegged = 1 << 2,         // DSR: replies bypass us; there is no server key in the index
  kLooselyInitiated = 1 << 3,  // adopted in mid-stream
  kClientByRoute = 1 << 4,     // auto last hop off: replies go where the route says
  kFinAckedClient = 1 << 5,    // the client's FIN has been acknowledged
  kFinAckedServer = 1 << 6,
  kWindowScaled = 1 << 7,    // both SYNs offered window scaling
  kClientSeen = 1 << 8,      // client_ack is valid
  kServerSeen = 1 << 9,      // server_ack is valid
  kFinClientSent = 1 << 10,  // client's FIN seen; client_fin holds its sequence end
  kFinServerSent = 1 << 11,
  kMirrored = 1 << 12,     // the peer is told of it (sender side; mirror/flow_sender.h)
  kMirrorKnown = 1 << 13,  // its full image was sent: a change may go as an update
  kShadow = 1 << 14,       // put here by the peer's stream and not adopted yet: no timer, no ageing
  kUnbound = 1 << 15,      // shadow of an object that is not configured here: ids are the peer's
};

// What both families share behind their keys; 40 bytes.
struct FlowCommon {
  uint8_t protocol = 0;
  State state = State::kFree;
  uint16_t flags = 0;  // FlowFlag
  config::VirtualId virtual_id = 0;
  config::MemberId member_id = 0;  // 0: none (forwarding)
  MacAddress client_mac{};         // auto last hop
  config::InterfaceId client_interface = 0;
  NeighbourRef server_neighbour;
  Tick last_seen = 0;
  // TCP: highest acknowledgement each side sent, that is, the sequence number it expects next.
  // Until the side was seen to acknowledge, an estimate: the end of what the other side sent.
  uint32_t client_ack = 0;
  uint32_t server_ack = 0;
  // TCP: bit width of the largest window each side advertised, scaled (the window is below
  // 2^width); both window scales, client's low nibble.
  uint8_t client_window_log2 = 0;
  uint8_t server_window_log2 = 0;
  uint8_t window_scales = 0;
  uint8_t packets_awaited = 0;    // before the peer is told of it (Virtual::mirror_after_packets)
  uint32_t route_generation = 0;  // Snapshot::route_generation that server_neighbour is from
};
static_assert(sizeof(FlowCommon) == 40);

// Keys as the packets of each side carry them on arrival: the client's is (client -> virtual), the
// server's (member -> client or SNAT address). All that translation needs is in these two.
struct alignas(64) FlowHot4 {
  using Key = net::FlowKey4;
  static constexpr bool kIsIpv6 = false;
  Key client;
  Key server;
  FlowCommon common;
};
static_assert(sizeof(FlowHot4) == 64);

struct alignas(64) FlowHot6 {
  using Key = net::FlowKey6;
  static constexpr bool kIsIpv6 = true;
  Key client;
  Key server;
  FlowCommon common;
};
static_assert(sizeof(FlowHot6) == 128);

// What FlowCold::mirror_link says, of used and free slots alike.
//   0                        nothing: the slot is not dirty
//   1 .. kMirrorListEnd      dirty: the next dirty slot of its stream + 1, or kMirrorListEnd, or
//                            mirror::kMirrorLater, of one that may wait (mirror/dirty_list.h)
//   kMirrorSession | number  not dirty; the register came with this session of a peer's stream
inline constexpr uint32_t kMirrorListEnd = 0x7fffffff;
inline constexpr uint32_t kMirrorSession = 0x80000000;
inline constexpr bool IsMirrorDirty(uint32_t link) {
  return link != 0 && link < kMirrorSession;
}

// Timer and embryonic links are slot numbers, kNoSlot or marks of timers.cc.
struct FlowCold {
  uint32_t timer_next = kNoSlot;
  uint32_t timer_previous = kNoSlot;
  uint32_t embryonic_next = kNoSlot;
  uint32_t embryonic_previous = kNoSlot;
  uint32_t mirror_link = 0;
  Tick created = 0;
  uint32_t client_fin = 0;  // TCP sequence number behind each side's FIN, before it the side's SYN;
  uint32_t server_fin = 0;  // of a shadow, both: what its ids are at the peer (mirror/binding.h)
};
static_assert(sizeof(FlowCold) == 32);

template <class Hot>
const typename Hot::Key& KeyOf(const Hot& hot, Side side) {
  return side == Side::kClient ? hot.client : hot.server;
}

}  // namespace tandem::flow
