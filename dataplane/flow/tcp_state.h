// SPDX-License-Identifier: Apache-2.0
//
// How TCP packets move a flow from state to state: one explicit cell for every state, side and
// flag class (RFC 9293 section 3.3.2, seen from the middle). The endpoints own sequence numbers;
// the machine keeps just enough of them to tell a segment of the connection from a stranger's
// (RFC 5961).
//
// A cell holds for a segment that passes the check of its class. One that does not is forwarded and
// changes nothing: the endpoint, which knows better, answers or ignores it.
//   kSyn     in kFinClient, kFinServer: begins at or behind all that the client was seen to send.
//   kSynAck  in kOpening, kSynAcked: acknowledges the client's SYN.
//   kAck     in kSynAcked from the client: acknowledges the server's SYN; from the server: is within
//            the client's window and carries or acknowledges data, which a server does only after
//            the handshake. In kClosing: leaves no FIN unacknowledged.
//   kFin     ends within the window of the other side; from the client in kSynAcked it also
//            acknowledges the server's SYN.
//   kRst     begins within the window of the other side, from what that side acknowledged on; a
//            server's answer to the SYN acknowledges the SYN (RFC 9293 section 3.10.7.3).
// While a side has not been seen to acknowledge anything, what it expects is estimated from what
// the other side sent. A taken-over flow of which neither side was seen is judged leniently: any
// segment passes, and a handshake of which this device saw nothing is completed by the client's ACK.
//
// Pure: reads and writes the FlowCommon and FlowCold it is given.
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

// The table itself, for the exhaustive test and for documentation. One-legged flows use the rows of
// kSynAcked for the client's ACK and FIN in kOpening: the SYN-ACK went by another way.
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
// for an adopted one kEstablished, or kFinClient when it is a FIN, with kLooselyInitiated). A RST
// begins no flow: REQUIRES none.
void StartTcp(FlowCommon& flow, FlowCold& cold, const TcpSegment& segment) noexcept;

// The other device had the flow so far: nothing is known of it but its state and its flags.
void TakeOverTcp(FlowCommon& flow) noexcept;

struct TcpVerdict {
  TcpAction action = TcpAction::kForward;
  bool state_changed = false;
  // The state is as it was, but the FIN or window scale flags are not (a peer is told of those too).
  bool flags_changed = false;

  // The packet is forwarded, and that is all.
  bool is_quiet() const {
    return action == TcpAction::kForward && !state_changed && !flags_changed;
  }
};

// One packet of an existing flow. Of one-legged flows (kOneLegged) the server is never seen: the
// client's ACK after its SYN establishes them.
TcpVerdict TrackTcp(FlowCommon& flow, FlowCold& cold, Side side,
                    const TcpSegment& segment) noexcept;

}  // namespace tandem::flow
