// SPDX-License-Identifier: Apache-2.0
//
// A client and a server at the two ends of a flow, who keep their sequence numbers, and the flow in
// between. Tests say who sends what; the segment is what a TCP would send.
#pragma once

#include <cstdint>

#include "dataplane/flow/tcp_state.h"

namespace tandem::flow {

inline constexpr uint8_t kFin = 0x01;
inline constexpr uint8_t kSyn = 0x02;
inline constexpr uint8_t kRst = 0x04;
inline constexpr uint8_t kAck = 0x10;

struct TcpConnection {
  // Both run through the wrap of sequence numbers early on.
  static constexpr uint32_t kClientIsn = UINT32_MAX - 5;
  static constexpr uint32_t kServerIsn = UINT32_MAX - 1;
  static constexpr uint16_t kWindow = 1000;

  // What `side` sends next; `flags` without ACK carry no acknowledgement.
  TcpSegment Next(Side side, uint8_t flags, uint32_t payload_length = 0) const {
    const bool is_client = side == Side::kClient;
    TcpSegment segment;
    segment.flags = flags;
    segment.sequence = is_client ? client_next : server_next;
    if ((flags & kAck) != 0) segment.acknowledgement = is_client ? server_next : client_next;
    segment.window = kWindow;
    segment.payload_length = payload_length;
    return segment;
  }

  // Sends it past the flow, which has to exist.
  TcpVerdict Send(Side side, uint8_t flags, uint32_t payload_length = 0) {
    return Send(side, Next(side, flags, payload_length));
  }
  TcpVerdict Send(Side side, const TcpSegment& segment) {
    Advance(side, segment);
    return Track(side, segment);
  }

  // A segment that its sender does not count on: a stranger's, or a retransmission.
  TcpVerdict Track(Side side, const TcpSegment& segment) {
    return TrackTcp(flow, cold, side, segment);
  }

  void Start(const TcpSegment& segment) {
    Advance(Side::kClient, segment);
    StartTcp(flow, cold, segment);
  }
  void Open() {
    Start(Next(Side::kClient, kSyn));
    Send(Side::kServer, kSyn | kAck);
    Send(Side::kClient, kAck);
  }

  void Advance(Side side, const TcpSegment& segment) {
    const uint32_t length =
        segment.payload_length + ((segment.flags & kSyn) != 0) + ((segment.flags & kFin) != 0);
    (side == Side::kClient ? client_next : server_next) += length;
  }

  FlowCommon flow;
  FlowCold cold;
  uint32_t client_next = kClientIsn;
  uint32_t server_next = kServerIsn;
};

}  // namespace tandem::flow
