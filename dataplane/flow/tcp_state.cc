// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/tcp_state.h"

#include <algorithm>
#include <array>

#include "dataplane/flow/tcp_ack.h"

namespace tandem::flow {
namespace {

using namespace tcp;

// Bit width of the window that a side is granted which has not been seen to advertise one.
constexpr unsigned kUnseenWidth = 20;
constexpr uint16_t kToldFlags = kFinAckedClient | kFinAckedServer | kWindowScaled;
// FlowCommon::window_scales of a flow that was taken over, and whose handshake was not seen since: two
// scales that no end can have.
constexpr uint8_t kTakenOver = 0xff;
constexpr uint8_t kTakenOverWidth = 16;  // of a window that is not scaled

// The table is written by cell, not by position; what nobody wrote stays kUnset and does not
// compile.
constexpr State kUnset{0xff};
using Table = std::array<std::array<std::array<TcpCell, kFlagClassCount>, 2>, kStateCount>;

struct TableBuilder {
  Table table;

  constexpr TableBuilder() : table() {
    for (auto& sides : table) {
      for (auto& classes : sides)
        classes.fill({kUnset, TcpAction::kDrop});
    }
  }
  constexpr void Row(State state, Side side, const std::array<TcpCell, kFlagClassCount>& cells) {
    table[static_cast<size_t>(state)][static_cast<size_t>(side)] = cells;
  }
};

// Cells of one row, in the order of FlagClass.
constexpr TcpCell To(State next) {
  return {next, TcpAction::kForward};
}
constexpr TcpCell Reopen(State state) {
  return {state, TcpAction::kReopen};
}
constexpr TcpCell Close(State state) {
  return {state, TcpAction::kClose};
}
constexpr TcpCell Drop(State state) {
  return {state, TcpAction::kDrop};
}

constexpr void FillOpening(TableBuilder& b) {
  constexpr State kHere = State::kOpening;
  b.Row(kHere, Side::kClient,
        {
            To(kHere),     // SYN: retransmission, or with another sequence a new start
            Drop(kHere),   // SYN-ACK: clients do not accept connections
            Drop(kHere),   // ACK: nothing to acknowledge yet
            Drop(kHere),   // FIN: a SYN-SENT socket closes silently (RFC 9293 section 3.10.4)
            Close(kHere),  // RST: the client gave up
            Drop(kHere),   // none: without ACK (section 3.10.7.4, fifth)
        });
  b.Row(kHere, Side::kServer,
        {
            Drop(kHere),           // SYN: simultaneous open does not pass a virtual server
            To(State::kSynAcked),  // SYN-ACK
            To(kHere),             // ACK: of an older connection; the client answers with RST
            To(kHere),             // FIN: likewise
            Close(kHere),          // RST: port closed
            Drop(kHere),           // none
        });
}

constexpr void FillSynAcked(TableBuilder& b) {
  constexpr State kHere = State::kSynAcked;
  b.Row(kHere, Side::kClient,
        {
            To(kHere),                // SYN: the SYN-ACK was lost; another sequence is challenged
            Drop(kHere),              // SYN-ACK
            To(State::kEstablished),  // ACK: handshake complete
            To(State::kFinClient),    // FIN: carries the last ACK too
            Close(kHere),             // RST
            Drop(kHere),              // none
        });
  b.Row(kHere, Side::kServer,
        {
            Drop(kHere),              // SYN: simultaneous open
            To(kHere),                // SYN-ACK: retransmission
            To(State::kEstablished),  // ACK: the server has seen the ACK that we have not
            To(State::kFinServer),    // FIN: likewise, and closes at once
            Close(kHere),             // RST
            Drop(kHere),              // none
        });
}

constexpr void FillEstablished(TableBuilder& b) {
  constexpr State kHere = State::kEstablished;
  b.Row(kHere, Side::kClient,
        {
            To(kHere),              // SYN: the server answers with a challenge ACK
            Drop(kHere),            // SYN-ACK
            To(kHere),              // ACK
            To(State::kFinClient),  // FIN
            Close(kHere),           // RST
            Drop(kHere),            // none
        });
  b.Row(kHere, Side::kServer,
        {
            To(kHere),              // SYN: the client answers with a challenge ACK
            To(kHere),              // SYN-ACK: retransmission, the ACK of the handshake was lost
            To(kHere),              // ACK
            To(State::kFinServer),  // FIN
            Close(kHere),           // RST
            Drop(kHere),            // none
        });
}

constexpr void FillFinClient(TableBuilder& b) {
  constexpr State kHere = State::kFinClient;
  b.Row(kHere, Side::kClient,
        {
            Reopen(kHere),  // SYN: the port is used again
            Drop(kHere),    // SYN-ACK
            To(kHere),      // ACK
            To(kHere),      // FIN: retransmission
            Close(kHere),   // RST
            Drop(kHere),    // none
        });
  b.Row(kHere, Side::kServer,
        {
            To(kHere),            // SYN: challenged
            To(kHere),            // SYN-ACK: retransmission
            To(kHere),            // ACK: half-closed, data may go on for long
            To(State::kClosing),  // FIN: the second
            Close(kHere),         // RST
            Drop(kHere),          // none
        });
}

constexpr void FillFinServer(TableBuilder& b) {
  constexpr State kHere = State::kFinServer;
  b.Row(kHere, Side::kClient,
        {
            Reopen(kHere),        // SYN: the port is used again
            Drop(kHere),          // SYN-ACK
            To(kHere),            // ACK: half-closed
            To(State::kClosing),  // FIN: the second
            Close(kHere),         // RST
            Drop(kHere),          // none
        });
  b.Row(kHere, Side::kServer,
        {
            To(kHere),     // SYN: challenged
            To(kHere),     // SYN-ACK: retransmission
            To(kHere),     // ACK
            To(kHere),     // FIN: retransmission
            Close(kHere),  // RST
            Drop(kHere),   // none
        });
}

constexpr void FillClosing(TableBuilder& b) {
  constexpr State kHere = State::kClosing;
  b.Row(kHere, Side::kClient,
        {
            Reopen(kHere),         // SYN
            Drop(kHere),           // SYN-ACK
            To(State::kTimeWait),  // ACK: both FINs acknowledged
            To(State::kTimeWait),  // FIN: retransmission with the missing acknowledgement
            Close(kHere),          // RST
            Drop(kHere),           // none
        });
  b.Row(kHere, Side::kServer,
        {
            Drop(kHere),           // SYN: servers open no connection through a virtual server
            To(kHere),             // SYN-ACK: late duplicate
            To(State::kTimeWait),  // ACK: both FINs acknowledged
            To(State::kTimeWait),  // FIN: retransmission with the missing acknowledgement
            Close(kHere),          // RST
            Drop(kHere),           // none
        });
}

constexpr void FillTimeWait(TableBuilder& b) {
  constexpr State kHere = State::kTimeWait;
  b.Row(kHere, Side::kClient,
        {
            Reopen(kHere),  // SYN (RFC 9293 section 3.6.1, RFC 6191)
            Drop(kHere),    // SYN-ACK
            To(kHere),      // ACK: of a retransmitted FIN
            To(kHere),      // FIN: retransmission
            Close(kHere),   // RST
            Drop(kHere),    // none
        });
  b.Row(kHere, Side::kServer,
        {
            Drop(kHere),   // SYN
            To(kHere),     // SYN-ACK: late duplicate
            To(kHere),     // ACK
            To(kHere),     // FIN: retransmission
            Close(kHere),  // RST
            Drop(kHere),   // none
        });
}

constexpr Table MakeTable() {
  TableBuilder b;
  // kFree: no flow, so no packet is of it; the same for both sides and every class.
  std::array<TcpCell, kFlagClassCount> free{};
  free.fill(Drop(State::kFree));
  b.Row(State::kFree, Side::kClient, free);
  b.Row(State::kFree, Side::kServer, free);
  FillOpening(b);
  FillSynAcked(b);
  FillEstablished(b);
  FillFinClient(b);
  FillFinServer(b);
  FillClosing(b);
  FillTimeWait(b);
  return b.table;
}

constexpr Table kTable = MakeTable();

// A row that was left out is kUnset; a cell left out at a row's end would lead to kFree.
constexpr bool IsComplete(const Table& table) {
  for (size_t state = 0; state < kStateCount; ++state) {
    for (const auto& classes : table[state]) {
      for (const TcpCell& cell : classes) {
        if (cell.next == kUnset || (cell.next == State::kFree) != (state == 0)) return false;
      }
    }
  }
  return true;
}
static_assert(IsComplete(kTable), "every state, side and flag class needs a cell");

constexpr bool IsWithin(uint32_t sequence, uint32_t begin, unsigned width) {
  return sequence - begin < uint32_t{1} << width;
}

constexpr bool HasAck(const TcpSegment& segment) {
  return (segment.flags & kFlagAck) != 0;
}

constexpr uint32_t EndOf(const TcpSegment& segment) {
  const uint32_t syn = (segment.flags & kFlagSyn) != 0 ? 1 : 0;
  const uint32_t fin = (segment.flags & kFlagFin) != 0 ? 1 : 0;
  return segment.sequence + segment.payload_length + syn + fin;
}

constexpr uint16_t FinSentFlag(Side side) {
  return side == Side::kClient ? kFinClientSent : kFinServerSent;
}
constexpr uint16_t FinAckedFlag(Side side) {
  return side == Side::kClient ? kFinAckedClient : kFinAckedServer;
}

void Clear(FlowCommon& flow, uint16_t flag) {
  flow.flags = static_cast<uint16_t>(flow.flags & ~flag);
}

uint32_t& FinOf(FlowCold& cold, Side side) {
  return side == Side::kClient ? cold.client_fin : cold.server_fin;
}

bool IsTakenOver(const FlowCommon& flow) {
  return flow.window_scales == kTakenOver;
}

// Takes in what a segment with ACK, but without SYN, says of both sides.
void NoteAck(FlowCommon& flow, Side side, const TcpSegment& segment) {
  const bool first = !Has(flow, SeenFlag(side));
  if (!Has(flow, SeenFlag(Opposite(side)))) {
    uint32_t& estimate = AckOf(flow, Opposite(side));
    if (first || IsAtOrAfter(EndOf(segment), estimate)) estimate = EndOf(segment);
  }
  uint32_t& ack = AckOf(flow, side);
  if (first || IsAtOrAfter(segment.acknowledgement, ack)) ack = segment.acknowledgement;
  Set(flow, SeenFlag(side));
  NoteWindow(flow, side, segment.window, ScaleOf(flow, side));
}

void NoteClientSyn(FlowCommon& flow, FlowCold& cold, const TcpSegment& segment) {
  cold.client_fin = segment.sequence + 1;
  flow.server_ack = EndOf(segment);
  flow.window_scales = std::min(segment.window_scale, kWindowScaleMax);
  // Until the SYN-ACK says otherwise; a one-legged flow's never comes by.
  Clear(flow, kWindowScaled);
  if (segment.has_window_scale) Set(flow, kWindowScaled);
  flow.client_window_log2 = 0;
  NoteWindow(flow, Side::kClient, segment.window, 0);
}

void NoteServerSynAck(FlowCommon& flow, FlowCold& cold, const TcpSegment& segment) {
  cold.server_fin = segment.sequence + 1;
  flow.client_ack = EndOf(segment);
  flow.server_ack = segment.acknowledgement;
  Set(flow, kServerSeen);
  const unsigned scale = std::min(segment.window_scale, kWindowScaleMax);
  flow.window_scales = static_cast<uint8_t>((flow.window_scales & 0xfU) | scale << 4);
  // Both must offer it (RFC 7323 section 2.2).
  if (!segment.has_window_scale) Clear(flow, kWindowScaled);
  NoteWindow(flow, Side::kServer, segment.window, 0);
}

void NoteFin(FlowCommon& flow, FlowCold& cold, Side side, const TcpSegment& segment) {
  const uint32_t end = EndOf(segment);
  uint32_t& fin = FinOf(cold, side);
  if (Has(flow, FinSentFlag(side)) && IsAtOrAfter(fin, end)) return;
  fin = end;
  Set(flow, FinSentFlag(side));
  Clear(flow, FinAckedFlag(side));
}

void NoteFinAcks(FlowCommon& flow, const FlowCold& cold) {
  if (Has(flow, kFinClientSent) && Has(flow, kServerSeen) &&
      IsAtOrAfter(flow.server_ack, cold.client_fin)) {
    Set(flow, kFinAckedClient);
  }
  if (Has(flow, kFinServerSent) && Has(flow, kClientSeen) &&
      IsAtOrAfter(flow.client_ack, cold.server_fin)) {
    Set(flow, kFinAckedServer);
  }
}

// Where a segment of `side` has to be to reach its receiver's window.
struct Expectation {
  bool is_known = false;
  uint32_t next = 0;
  unsigned width = 0;

  bool Admits(uint32_t sequence) const { return IsWithin(sequence, next, width); }
};

Expectation ExpectationOf(const FlowCommon& flow, Side side) {
  const Side receiver = Opposite(side);
  const unsigned width =
      receiver == Side::kClient ? flow.client_window_log2 : flow.server_window_log2;
  if (Has(flow, SeenFlag(receiver))) return {true, AckOf(flow, receiver), width};
  const bool is_estimated = IsEmbryonic(flow.state) && !IsTakenOver(flow);
  if (is_estimated || Has(flow, SeenFlag(side))) {
    return {true, AckOf(flow, receiver), std::max(width, kUnseenWidth)};
  }
  return {};
}

// Of the SYN and of the data it may carry (RFC 7413), any part.
bool AcknowledgesSyn(const FlowCommon& flow, const FlowCold& cold, const TcpSegment& segment) {
  return HasAck(segment) && (IsTakenOver(flow) || segment.acknowledgement - cold.client_fin <=
                                                      flow.server_ack - cold.client_fin);
}

bool IsNewSyn(const FlowCommon& flow, const FlowCold& cold, const TcpSegment& segment) {
  if (flow.state != State::kFinClient && flow.state != State::kFinServer) return true;
  if (Has(flow, kFinClientSent) && !IsAtOrAfter(segment.sequence, cold.client_fin)) return false;
  return !Has(flow, kClientSeen | kServerSeen) || IsAtOrAfter(segment.sequence, flow.server_ack);
}

// An ACK in an embryonic flow. In kOpening only the client's is believed of a flow that is one-legged,
// or was taken over: its SYN-ACK may have gone by while the other device had it.
bool CompletesHandshake(const FlowCommon& flow, const FlowCold& cold, Side side,
                        const TcpSegment& segment) {
  if (Has(flow, kOneLegged)) return side == Side::kClient;
  if (IsTakenOver(flow)) return side == Side::kClient || flow.state == State::kSynAcked;
  if (flow.state == State::kOpening) return false;
  if (side == Side::kClient) {
    return IsWithin(segment.acknowledgement, cold.server_fin, flow.client_window_log2);
  }
  return ExpectationOf(flow, side).Admits(segment.sequence) &&
         (segment.payload_length > 0 || !IsAtOrAfter(cold.client_fin, segment.acknowledgement));
}

bool IsFinOfFlow(const FlowCommon& flow, const FlowCold& cold, Side side,
                 const TcpSegment& segment) {
  if (flow.state == State::kOpening && side == Side::kServer) return false;
  if (IsEmbryonic(flow.state) && side == Side::kClient &&
      !CompletesHandshake(flow, cold, side, segment)) {
    return false;
  }
  const Expectation expected = ExpectationOf(flow, side);
  return !expected.is_known || expected.Admits(EndOf(segment) - 1);
}

bool IsResetOfFlow(const FlowCommon& flow, const FlowCold& cold, Side side,
                   const TcpSegment& segment) {
  if (flow.state == State::kOpening && side == Side::kServer) {
    return AcknowledgesSyn(flow, cold, segment);
  }
  const Expectation expected = ExpectationOf(flow, side);
  return expected.is_known ? expected.Admits(segment.sequence) : HasAck(segment);
}

// The check of the segment's class; see the header.
bool Passes(const FlowCommon& flow, const FlowCold& cold, Side side, FlagClass flags,
            const TcpSegment& segment) {
  switch (flags) {
    case FlagClass::kSyn:
      return IsNewSyn(flow, cold, segment);
    case FlagClass::kSynAck:
      return !IsEmbryonic(flow.state) || AcknowledgesSyn(flow, cold, segment);
    case FlagClass::kAck:
      return !IsEmbryonic(flow.state) || CompletesHandshake(flow, cold, side, segment);
    case FlagClass::kFin:
      return IsFinOfFlow(flow, cold, side, segment);
    case FlagClass::kRst:
      return IsResetOfFlow(flow, cold, side, segment);
    case FlagClass::kNone:
      return false;
  }
  return false;
}

// Records a segment that passed its check and is forwarded.
void Note(FlowCommon& flow, FlowCold& cold, Side side, FlagClass flags, const TcpSegment& segment) {
  switch (flags) {
    case FlagClass::kSyn:
      if (flow.state == State::kOpening && segment.sequence + 1 != cold.client_fin) {
        NoteClientSyn(flow, cold, segment);
      }
      break;
    case FlagClass::kSynAck:
      if (IsEmbryonic(flow.state)) NoteServerSynAck(flow, cold, segment);
      break;
    case FlagClass::kFin:
      NoteAck(flow, side, segment);
      NoteFin(flow, cold, side, segment);
      NoteFinAcks(flow, cold);
      break;
    case FlagClass::kAck:
      NoteAck(flow, side, segment);
      NoteFinAcks(flow, cold);
      break;
    case FlagClass::kRst:
    case FlagClass::kNone:
      break;
  }
}

TcpVerdict Transition(FlowCommon& flow, FlowCold& cold, Side side, const TcpSegment& segment) {
  const FlagClass flags = Classify(segment.flags);
  const bool is_unseen_handshake = flow.state == State::kOpening && side == Side::kClient &&
                                   (Has(flow, kOneLegged) || IsTakenOver(flow)) &&
                                   (flags == FlagClass::kAck || flags == FlagClass::kFin);
  const TcpCell& cell = CellOf(is_unseen_handshake ? State::kSynAcked : flow.state, side, flags);
  // A FIN without ACK is no segment of a synchronised connection (RFC 9293 section 3.10.7.4).
  const bool is_bare_fin = flags == FlagClass::kFin && !HasAck(segment);
  if (cell.action == TcpAction::kDrop || is_bare_fin) return {TcpAction::kDrop, false};
  if (!Passes(flow, cold, side, flags, segment)) return {};
  if (cell.action != TcpAction::kForward) return {cell.action, false};

  const uint16_t told = flow.flags & kToldFlags;
  Note(flow, cold, side, flags, segment);
  State next = cell.next;
  const bool both_acked = Has(flow, kFinAckedClient) && Has(flow, kFinAckedServer);
  if (flow.state == State::kClosing && !both_acked) next = State::kClosing;
  const bool changed = next != flow.state;
  flow.state = next;
  return {TcpAction::kForward, changed, !changed && (flow.flags & kToldFlags) != told};
}

}  // namespace

FlagClass Classify(uint8_t tcp_flags) noexcept {
  if ((tcp_flags & kFlagRst) != 0) return FlagClass::kRst;
  if ((tcp_flags & kFlagSyn) != 0) {
    return (tcp_flags & kFlagAck) != 0 ? FlagClass::kSynAck : FlagClass::kSyn;
  }
  if ((tcp_flags & kFlagFin) != 0) return FlagClass::kFin;
  return (tcp_flags & kFlagAck) != 0 ? FlagClass::kAck : FlagClass::kNone;
}

const TcpCell& CellOf(State state, Side side, FlagClass flags) noexcept {
  return kTable[static_cast<size_t>(state)][static_cast<size_t>(side)][static_cast<size_t>(flags)];
}

void StartTcp(FlowCommon& flow, FlowCold& cold, const TcpSegment& segment) noexcept {
  const FlagClass flags = Classify(segment.flags);
  if (flags == FlagClass::kSyn) {
    flow.state = State::kOpening;
    NoteClientSyn(flow, cold, segment);
    return;
  }
  Set(flow, kLooselyInitiated);
  flow.state = State::kEstablished;
  if (HasAck(segment)) NoteAck(flow, Side::kClient, segment);
  if (flags != FlagClass::kFin) return;
  NoteFin(flow, cold, Side::kClient, segment);
  flow.state = State::kFinClient;
}

void TakeOverTcp(FlowCommon& flow) noexcept {
  Clear(flow, kClientSeen | kServerSeen | kFinClientSent | kFinServerSent);
  flow.client_ack = 0;
  flow.server_ack = 0;
  flow.client_window_log2 = kTakenOverWidth;
  flow.server_window_log2 = kTakenOverWidth;
  flow.window_scales = kTakenOver;
}

TcpVerdict TrackTcp(FlowCommon& flow, FlowCold& cold, Side side,
                    const TcpSegment& segment) noexcept {
  // Without the cache line of `cold`; Transition does the same.
  if (TrackAck(flow, side, segment.flags, segment.acknowledgement, segment.window)) return {};
  return Transition(flow, cold, side, segment);
}

}  // namespace tandem::flow
