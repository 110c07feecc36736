// SPDX-License-Identifier: Apache-2.0
//
// How TCP packets move a flow from state to state: one explicit cell for every state, side and
// flag class (RFC 9293 section 3.3.2, seen from the middle). The endpoints own sequence numbers; the
// machine keeps just enough of them to tell a RST or SYN of the connection from a stranger's
// (RFC 5961).
//
// Pure: reads and writes the FlowHot and FlowCold it is given.
#pragma once

#include <cstdint>

#include "dataplane/flow/flow.h"

namespace tandem::flow {

enum class FlagClass : uint8_t {
  kSyn,
  kSynAck,
  kAck,
  kFin,
  kRst,
  kNone,  // neither of them
};
inline constexpr size_t kFlagClassCount = 6;

// RST wins over SYN, SYN over FIN, FIN over ACK. Combinations that Parse refused do not come here.
FlagClass Classify(uint8_t tcp_flags) noexcept;

enum class TcpAction : uint8_t {
  kForward,  // forward; the state may have changed
  kReopen,   // a new SYN on a closing flow: end this flow, admit the packet as a new one
  kClose,    // forward, then end the flow (valid RST, or the last ACK with TIME_WAIT 0 decided by
             // the caller from the state kTimeWait)
  kDrop,     // DropReason::kTcpInvalid
};

struct TcpCell {
  State next;
  TcpAction action;
};

// The table itself, for the exhaustive test and for documentation.
const TcpCell& CellOf(State state, Side side, FlagClass flags) noexcept;

// A TCP segment as the machine sees it; host byte order.
struct TcpSegment {
  uint8_t flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  uint16_t window = 0;  // unscaled, as in the header
  uint32_t payload_length = 0;
  uint8_t window_scale = 0;  // from the options of a SYN
  bool has_window_scale = false;
};

// Records the client's first packet of a new flow and gives it its first state (kOpening for a SYN;
// kEstablished with kLooselyInitiated for an adopted one).
void StartTcp(FlowCommon& flow, FlowCold& cold, const TcpSegment& segment) noexcept;

struct TcpVerdict {
  TcpAction action = TcpAction::kForward;
  bool state_changed = false;
};

// One packet of an existing flow. `one_legged` flows (kOneLegged) never see the server: the client's
// ACK after its SYN establishes them.
TcpVerdict TrackTcp(FlowCommon& flow, FlowCold& cold, Side side,
                    const TcpSegment& segment) noexcept;

}  // namespace tandem::flow
