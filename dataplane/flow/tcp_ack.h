// SPDX-License-Identifier: Apache-2.0
//
// The short way of the TCP machine (tcp_state.h) for what nearly every segment is: an ACK of an established
// connection. In line for the packet path; and what the machine shares with it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "dataplane/flow/flow.h"

namespace tandem::flow {

namespace tcp {

enum TcpFlag : uint8_t { kFlagFin = 0x01, kFlagSyn = 0x02, kFlagRst = 0x04, kFlagAck = 0x10 };

inline constexpr uint8_t kWindowScaleMax = 14;  // RFC 7323 section 2.3

// Serial number arithmetic (RFC 1982).
constexpr bool IsAtOrAfter(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) >= 0;
}

constexpr uint16_t SeenFlag(Side side) {
  return side == Side::kClient ? kClientSeen : kServerSeen;
}

inline bool Has(const FlowCommon& flow, uint16_t flag) {
  return (flow.flags & flag) != 0;
}
inline void Set(FlowCommon& flow, uint16_t flag) {
  flow.flags = static_cast<uint16_t>(flow.flags | flag);
}

inline uint32_t& AckOf(FlowCommon& flow, Side side) {
  return side == Side::kClient ? flow.client_ack : flow.server_ack;
}
inline uint32_t AckOf(const FlowCommon& flow, Side side) {
  return side == Side::kClient ? flow.client_ack : flow.server_ack;
}
inline uint8_t& WindowWidthOf(FlowCommon& flow, Side side) {
  return side == Side::kClient ? flow.client_window_log2 : flow.server_window_log2;
}

// A flow adopted in mid-stream, or taken over, may scale its windows by anything.
inline unsigned ScaleOf(const FlowCommon& flow, Side side) {
  if (Has(flow, kWindowScaled)) {
    const unsigned scale =
        side == Side::kClient ? flow.window_scales & 0xfU : unsigned{flow.window_scales} >> 4;
    return std::min(scale, unsigned{kWindowScaleMax});
  }
  return Has(flow, kLooselyInitiated) ? kWindowScaleMax : 0;
}

// At most 16 + 14 bits.
inline void NoteWindow(FlowCommon& flow, Side side, uint16_t window, unsigned scale) {
  const unsigned width = window == 0 ? 0 : static_cast<unsigned>(std::bit_width(window)) + scale;
  uint8_t& widest = WindowWidthOf(flow, side);
  widest = std::max(widest, static_cast<uint8_t>(width));
}

}  // namespace tcp

// Takes in an ACK of an established connection of which both sides have acknowledged something before; what it
// acknowledges and its window in host byte order. False: it is something else, and nothing is changed; TrackTcp
// knows what.
[[nodiscard]] inline bool TrackAck(FlowCommon& flow, Side side, uint8_t tcp_flags,
                                   uint32_t acknowledgement, uint16_t window) noexcept {
  constexpr uint8_t kClassBits = tcp::kFlagFin | tcp::kFlagSyn | tcp::kFlagRst | tcp::kFlagAck;
  constexpr uint16_t kBothSeen = kClientSeen | kServerSeen;
  if (flow.state != State::kEstablished || (tcp_flags & kClassBits) != tcp::kFlagAck ||
      (flow.flags & kBothSeen) != kBothSeen) {
    return false;
  }
  uint32_t& known = tcp::AckOf(flow, side);
  if (tcp::IsAtOrAfter(acknowledgement, known)) known = acknowledgement;
  tcp::NoteWindow(flow, side, window, tcp::ScaleOf(flow, side));
  return true;
}

}  // namespace tandem::flow
