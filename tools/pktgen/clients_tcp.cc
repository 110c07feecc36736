// SPDX-License-Identifier: Apache-2.0
//
// TCP's side of the clients. The server acknowledges every segment as it comes, with a segment as long as
// the request, so what a client acknowledges is its own first unanswered byte, shifted.
#include "dataplane/base/hash.h"
#include "tools/pktgen/clients.h"
#include "tools/pktgen/servers.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
// ---- Sending.

// `acknowledgement` in the client's own numbers; ignored without ACK.
void Clients::SendSegment(uint32_t number, FrameSlot& slot, uint8_t flags, uint32_t sequence,
                          uint32_t acknowledgement, Counter counter) {
  const bool has_ack = (flags & kTcpAck) != 0;
  const Segment segment = {flags, sequence, has_ack ? acknowledgement + kServerSequenceShift : 0,
                           run_.TimestampOf(number)};
  Account(slot, builder_.Tcp(slot.room, map_.TupleOf(number), segment, {}, 0), counter);
}

void Clients::SendSyn(uint32_t number, FrameSlot& slot, Nanos now) {
  SendSegment(number, slot, kTcpSyn, flows_[number].next_sequence - 1, 0, Counter::kSynSent);
  Arm(number, now);
}

void Clients::SendFin(uint32_t number, FrameSlot& slot, Nanos now) {
  ClientFlow& flow = flows_[number];
  flow.state = FlowState::kClosing;
  SendSegment(number, slot, kTcpFin | kTcpAck, flow.next_sequence, flow.next_sequence,
              Counter::kFinSent);
  UpdateBusy(flow);
  Arm(number, now);
}

void Clients::SendData(uint32_t number, uint32_t index, uint32_t sequence, FrameSlot& slot,
                       Nanos now) {
  const Segment segment = {kTcpAck | kTcpPsh, sequence,
                           flows_[number].first_sequence + kServerSequenceShift,
                           run_.TimestampOf(number)};
  const size_t length = builder_.Tcp(slot.room, map_.TupleOf(number), segment,
                                     NextSignature(number, now), PayloadSizeOf(number, index));
  Account(slot, length, Counter::kRequestsSent);
  Arm(number, now);
}

bool Clients::SendTcpRequest(uint32_t number, FrameSlot& slot, Nanos now) {
  ClientFlow& flow = flows_[number];
  if (flow.state != FlowState::kOpen || flow.under_way == kUnderWayMax) return false;
  const uint32_t index = flow.index + flow.under_way;
  const uint32_t sequence = flow.next_sequence;
  flow.next_sequence += static_cast<uint32_t>(PayloadSizeOf(number, index));
  ++flow.under_way;
  if (ends()) --flow.requests_left;
  UpdateBusy(flow);
  SendData(number, index, sequence, slot, now);
  return true;
}

bool Clients::RepeatTcpRequest(uint32_t number, uint8_t offset, FrameSlot& slot, Nanos now) {
  ClientFlow& flow = flows_[number];
  const bool is_answered = (flow.answered >> offset & 1) != 0;
  if (flow.state != FlowState::kOpen || offset >= flow.under_way || is_answered) return false;
  uint32_t sequence = flow.first_sequence;
  for (uint32_t i = 0; i < offset; ++i) {
    sequence += static_cast<uint32_t>(PayloadSizeOf(number, flow.index + i));
  }
  counters_.Add(Counter::kRequestsRepeated);
  SendData(number, flow.index + offset, sequence, slot, now);
  return true;
}

// ---- Receiving.

void Clients::ReceiveReset(const Arrival& arrival) {
  counters_.Add(Counter::kResetsReceived);
  // The device's own RST say nothing of a flow number.
  const Endpoint to = arrival.Destination();
  const auto number = map_.FlowOf({to.address, to.port});
  if (!options_.is_tcp || !number || *number >= run_.flows) return;
  ClientFlow& flow = flows_[static_cast<uint32_t>(*number)];
  if (arrival.Source() != options_.target || flow.state == FlowState::kClosed) return;
  Finish(flow, Counter::kConnectionsReset);
}

void Clients::ReceiveTcp(uint32_t number, const Arrival& arrival, Nanos now) {
  if (arrival.is_marked) {
    NoteReply(flows_[number], arrival, now);
    OnTcpReply(number, arrival, now);
  } else if ((arrival.tcp_flags & kTcpSyn) != 0) {
    OnSynAck(number, arrival, now);
  } else if ((arrival.tcp_flags & kTcpFin) != 0) {
    OnFinAck(number, arrival);
  } else {
    counters_.Add(Counter::kUnexpected);
  }
}

void Clients::OnSynAck(uint32_t number, const Arrival& arrival, Nanos now) {
  ClientFlow& flow = flows_[number];
  const bool is_of_syn = arrival.sequence + 1 == arrival.acknowledgement + kServerSequenceShift;
  if (flow.state == FlowState::kClosed || !is_of_syn) {
    counters_.Add(Counter::kUnexpected);
    return;
  }
  counters_.Add(Counter::kSynAckReceived);
  if (flow.state != FlowState::kOpening) {
    Push(number, Action::kAck);  // the SYN was repeated, or our ACK was lost
    return;
  }
  if (arrival.acknowledgement != flow.next_sequence) return;
  flow.state = FlowState::kOpen;
  flow.retries = 0;
  ++open_flows_;
  counters_.Add(Counter::kConnectionsOpened);
  UpdateBusy(flow);
  Push(number, Action::kAck);
  if (!ends()) return;
  Arm(number, now);
  ContinueTcp(number);
}

// Of a connection that ends: its next request when the last one is answered, or its FIN.
void Clients::ContinueTcp(uint32_t number) {
  const ClientFlow& flow = flows_[number];
  if (flow.state != FlowState::kOpen || flow.under_way > 0) return;
  Push(number, flow.requests_left > 0 ? Action::kRequest : Action::kFin);
}

void Clients::OnTcpReply(uint32_t number, const Arrival& arrival, Nanos now) {
  ClientFlow& flow = flows_[number];
  if (flow.state != FlowState::kOpen) return;
  const uint32_t request = arrival.sequence - kServerSequenceShift;
  uint32_t sequence = flow.first_sequence;
  uint32_t offset = 0;
  while (offset < flow.under_way && sequence != request) {
    sequence += static_cast<uint32_t>(PayloadSizeOf(number, flow.index + offset));
    ++offset;
  }
  if (offset == flow.under_way) return;  // the reply to a repeated request
  flow.answered |= uint32_t{1} << offset;
  flow.retries = 0;
  while (flow.under_way > 0 && (flow.answered & 1) != 0) {
    flow.first_sequence += static_cast<uint32_t>(PayloadSizeOf(number, flow.index));
    flow.answered >>= 1;
    ++flow.index;
    --flow.under_way;
  }
  UpdateBusy(flow);
  if (flow.is_busy) Arm(number, now);
  if (ends()) ContinueTcp(number);
}

void Clients::OnFinAck(uint32_t number, const Arrival& arrival) {
  ClientFlow& flow = flows_[number];
  const bool is_of_fin = arrival.acknowledgement == flow.next_sequence + 1;
  if (!is_of_fin || (flow.state != FlowState::kClosing && flow.state != FlowState::kClosed)) {
    counters_.Add(Counter::kUnexpected);
    return;
  }
  counters_.Add(Counter::kFinAckReceived);
  Push(number, Action::kLastAck);
  if (flow.state == FlowState::kClosing) Finish(flow, Counter::kConnectionsClosed);
}

// ---- Timers.

void Clients::OnTcpTimer(uint32_t number, Nanos now) {
  ClientFlow& flow = flows_[number];
  if (flow.retries == kRetriesMax) {
    Finish(flow, Counter::kConnectionsTimedOut);
    return;
  }
  ++flow.retries;
  switch (flow.state) {
    case FlowState::kClosed:
      return;
    case FlowState::kOpening:
      counters_.Add(Counter::kSynRepeated);
      Push(number, Action::kSyn);
      break;
    case FlowState::kClosing:
      counters_.Add(Counter::kFinRepeated);
      Push(number, Action::kFin);
      break;
    case FlowState::kOpen:
      for (uint8_t i = 0; i < flow.under_way; ++i) {
        if ((flow.answered >> i & 1) == 0) Push(number, Action::kRepeat, i);
      }
      if (ends()) ContinueTcp(number);  // the queue may have been full
      break;
  }
  Arm(number, now);
}

}  // namespace tandem::pktgen
