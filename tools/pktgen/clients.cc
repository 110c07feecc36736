// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/clients.h"

#include <algorithm>
#include <array>

#include "dataplane/base/hash.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {

Clients::Clients(const ClientOptions& options, const FlowMap& map, const RunKey& run)
    : options_(options),
      map_(map),
      run_(run),
      builder_({}, options.target, run.key),
      target_words_{WordsOf(options.target.address), __builtin_bswap16(options.target.port)},
      popularity_(run.flows, options.zipf_exponent),
      prng_(options.seed),
      flows_(run.flows),
      timers_(run.flows),
      errands_(kErrandsMax) {
  if (options.sizes.low() == options.sizes.high()) {
    fixed_payload_size_ = builder_.PayloadSize(options.is_tcp, options.sizes.low());
  }
}

void Clients::StartPhase(uint8_t phase) {
  phase_ = phase;
  for (ClientFlow& flow : flows_) {
    flow.replies = SequenceTracker();
    flow.sent = 0;
  }
  counters_.Clear();
  round_trip_.Clear();
  to_client_.Clear();
}

bool Clients::is_quiet() const {
  if (!errands_.empty() || busy_flows_ > 0) return false;
  return counters_[Counter::kRepliesReceived] >= counters_[Counter::kRequestsSent] ||
         options_.is_tcp;
}

// ---- What both protocols share.

void Clients::Push(uint32_t number, Action action, uint8_t offset) {
  if (errands_.Push({number, action, offset, flows_[number].generation})) return;
  counters_.Add(Counter::kQueueFull);
}

void Clients::Arm(uint32_t number, Nanos now) {
  ClientFlow& flow = flows_[number];
  flow.deadline = TickOf(now) + TicksIn(options_.retransmit_after << flow.retries);
  if (flow.is_armed) return;
  flow.is_armed = true;
  timers_.Arm(number, flow.deadline);
}

void Clients::UpdateBusy(ClientFlow& flow) {
  const bool is_busy = flow.state == FlowState::kOpening || flow.state == FlowState::kClosing ||
                       flow.under_way > 0 || (ends() && flow.state == FlowState::kOpen);
  if (is_busy == flow.is_busy) return;
  flow.is_busy = is_busy;
  is_busy ? ++busy_flows_ : --busy_flows_;
}

void Clients::Finish(ClientFlow& flow, Counter how) {
  if (flow.state == FlowState::kOpen || flow.state == FlowState::kClosing) --open_flows_;
  flow.state = FlowState::kClosed;
  flow.under_way = 0;
  flow.answered = 0;
  counters_.Add(how);
  UpdateBusy(flow);
}

size_t Clients::VaryingPayloadSizeOf(uint32_t number, uint32_t index) const {
  const uint32_t frame_size = options_.sizes.Of(HashPair(number, index, options_.seed));
  return builder_.PayloadSize(options_.is_tcp, frame_size);
}

Signature Clients::NextSignature(uint32_t number, Nanos now) {
  ClientFlow& flow = flows_[number];
  Signature signature;
  signature.generation = flow.generation & 7;
  signature.phase = phase_;
  signature.flow = number;
  signature.sequence = flow.sent++;
  signature.sent_ns = now;
  return signature;
}

void Clients::Account(FrameSlot& slot, size_t length, Counter counter) {
  slot.length = length;
  counters_.Add(counter);
  counters_.Add(Counter::kClientBytesSent, length);
}

void Clients::NoteReply(ClientFlow& flow, const Arrival& arrival, Nanos now) {
  switch (flow.replies.Note(arrival.signature.sequence)) {
    case Order::kDuplicate:
      counters_.Add(Counter::kRepliesDuplicated);
      return;
    case Order::kStale:
      counters_.Add(Counter::kRepliesStale);
      return;
    case Order::kReordered:
      counters_.Add(Counter::kRepliesReordered);
      break;
    case Order::kNext:
    case Order::kGap:
      break;
  }
  counters_.Add(Counter::kRepliesReceived);
  round_trip_.Add(SinceStamp(arrival.signature.sent_ns, now));
  if (arrival.signature.answered_ns != 0) {
    to_client_.Add(SinceStamp(arrival.signature.answered_ns, now));
  }
}

void Clients::Receive(const Arrival& arrival, uint32_t frame_length, Nanos now) noexcept {
  counters_.Add(Counter::kClientBytesReceived, frame_length);
  if (arrival.is_marked && !arrival.signature.is_reply) {
    counters_.Add(Counter::kWrongSide);
    return;
  }
  if (arrival.kind == Arrival::Kind::kTcp && (arrival.tcp_flags & kTcpRst) != 0) {
    ReceiveReset(arrival);
    return;
  }
  if (arrival.SourceWords() != target_words_ ||
      arrival.DestinationWords() != map_.WordsAt(arrival.flow)) {
    counters_.Add(Counter::kRepliesMisdelivered);
    return;
  }
  if (arrival.is_marked && arrival.signature.phase != phase_) {
    counters_.Add(Counter::kLate);
    return;
  }
  if (options_.is_tcp != (arrival.kind == Arrival::Kind::kTcp)) {
    counters_.Add(Counter::kForeign);
    return;
  }
  options_.is_tcp ? ReceiveTcp(arrival.flow, arrival, now) : ReceiveUdp(arrival.flow, arrival, now);
}

void Clients::Advance(Nanos now) noexcept {
  timers_.Advance(TickOf(now), kTimersPerTurn, [&](uint32_t number) { OnTimer(number, now); });
}

void Clients::OnTimer(uint32_t number, Nanos now) {
  ClientFlow& flow = flows_[number];
  flow.is_armed = false;
  if (!flow.is_busy) return;
  if (TicksBetween(TickOf(now), flow.deadline) > 0) {
    flow.is_armed = true;
    timers_.Arm(number, flow.deadline);
    return;
  }
  options_.is_tcp ? OnTcpTimer(number, now) : OnUdpTimer(number, now);
}

// ---- New work.

size_t Clients::SendErrands(std::span<FrameSlot> slots, Nanos now) noexcept {
  size_t filled = 0;
  while (filled < slots.size() && !errands_.empty()) {
    const Errand errand = errands_.Pop();
    if (errand.generation != flows_[errand.flow].generation) continue;
    if (SendErrand(errand, slots[filled], now)) ++filled;
  }
  return filled;
}

size_t Clients::SendWork(Work work, std::span<FrameSlot> slots, Nanos now) noexcept {
  if (work == Work::kRequests) return SendRequests(slots, now);
  size_t filled = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    FrameSlot& slot = slots[filled];
    const bool is_filled = work == Work::kOpen    ? SendOpen(slot, now)
                           : work == Work::kClose ? SendClose(slot, now)
                                                  : SendConnection(slot, now);
    if (is_filled) ++filled;
  }
  return filled;
}

// All of a burst's flows are fetched before the first is looked at.
size_t Clients::SendRequests(std::span<FrameSlot> slots, Nanos now) {
  constexpr size_t kDraws = 32;
  std::array<uint32_t, kDraws> drawn;
  size_t filled = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (i % kDraws == 0) {
      const size_t draws = std::min(kDraws, slots.size() - i);
      for (size_t k = 0; k < draws; ++k) {
        drawn[k] = popularity_.Draw(prng_);
        __builtin_prefetch(&flows_[drawn[k]], 1);
      }
    }
    if (SendRequest(drawn[i % kDraws], slots[filled], now)) ++filled;
  }
  return filled;
}

bool Clients::SendOpen(FrameSlot& slot, Nanos now) {
  while (cursor_ < run_.flows) {
    const uint32_t number = cursor_++;
    if (flows_[number].state != FlowState::kClosed) continue;
    StartFlow(number, slot, now);
    return true;
  }
  return false;
}

bool Clients::SendClose(FrameSlot& slot, Nanos now) {
  while (cursor_ < run_.flows) {
    const uint32_t number = cursor_++;
    if (flows_[number].state != FlowState::kOpen || flows_[number].under_way > 0) continue;
    SendFin(number, slot, now);
    return true;
  }
  return false;
}

bool Clients::SendConnection(FrameSlot& slot, Nanos now) {
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const uint32_t number = next_tuple_;
    next_tuple_ = number + 1 == run_.flows ? 0 : number + 1;
    if (flows_[number].state != FlowState::kClosed) continue;
    StartFlow(number, slot, now);
    return true;
  }
  counters_.Add(Counter::kTupleBusy);
  return false;
}

bool Clients::SendRequest(uint32_t drawn, FrameSlot& slot, Nanos now) {
  if (!options_.is_tcp) {
    SendUdpRequest(drawn, slot, now);
    return true;
  }
  for (int tries = 0; tries < kTriesMax; ++tries) {
    if (flows_[drawn].state == FlowState::kClosed) {
      StartFlow(drawn, slot, now);
      return true;
    }
    if (SendTcpRequest(drawn, slot, now)) return true;
    drawn = popularity_.Draw(prng_);
  }
  counters_.Add(Counter::kFlowBusy);
  return false;
}

void Clients::StartFlow(uint32_t number, FrameSlot& slot, Nanos now) {
  ClientFlow& flow = flows_[number];
  ++flow.generation;
  flow.retries = 0;
  flow.under_way = 0;
  flow.answered = 0;
  flow.requests_left = options_.requests_per_connection;
  counters_.Add(Counter::kConnectionsStarted);
  flow.state = FlowState::kOpening;
  if (options_.is_tcp) {
    // As RFC 6528 section 3: a secret offset, and a clock that makes a tuple's next connection begin
    // behind the last one.
    const auto offset = static_cast<uint32_t>(HashPair(number, ~uint64_t{0}, options_.seed));
    flow.first_sequence = flow.next_sequence = offset + static_cast<uint32_t>(now >> 12) + 1;
    SendSyn(number, slot, now);
  } else {
    flow.is_healthy = true;
    SendUdpRequest(number, slot, now);
  }
  UpdateBusy(flow);
}

// ---- UDP.

void Clients::SendUdpRequest(uint32_t number, FrameSlot& slot, Nanos now) {
  ClientFlow& flow = flows_[number];
  const size_t payload_size = PayloadSizeOf(number, flow.index++);
  const Signature signature = NextSignature(number, now);
  const size_t length = builder_.Udp(slot.room, map_.WordsAt(number), signature, payload_size);
  Account(slot, length, Counter::kRequestsSent);
  if (!ends()) {
    // Whether replies come is seen by their numbers; nobody waits for one.
    if (flow.state != FlowState::kOpen) ++open_flows_;
    flow.state = FlowState::kOpen;
    return;
  }
  flow.under_way = 1;
  Arm(number, now);
}

bool Clients::SendErrand(const Errand& errand, FrameSlot& slot, Nanos now) {
  const uint32_t number = errand.flow;
  ClientFlow& flow = flows_[number];
  switch (errand.action) {
    case Action::kRequest:
      if (flow.state == FlowState::kClosed || flow.under_way > 0 || flow.requests_left == 0) {
        return false;
      }
      if (options_.is_tcp) return SendTcpRequest(number, slot, now);
      SendUdpRequest(number, slot, now);
      return true;
    case Action::kRepeat:
      return RepeatTcpRequest(number, errand.offset, slot, now);
    case Action::kSyn:
      if (flow.state != FlowState::kOpening) return false;
      SendSyn(number, slot, now);
      return true;
    case Action::kFin:
      if (flow.state != FlowState::kClosing &&
          (flow.state != FlowState::kOpen || flow.under_way > 0 || flow.requests_left > 0)) {
        return false;
      }
      SendFin(number, slot, now);
      return true;
    case Action::kAck:
      SendSegment(number, slot, kTcpAck, flow.next_sequence, flow.first_sequence,
                  Counter::kAckSent);
      return true;
    case Action::kLastAck:
      SendSegment(number, slot, kTcpAck, flow.next_sequence + 1, flow.next_sequence + 1,
                  Counter::kAckSent);
      return true;
  }
  return false;
}

void Clients::ReceiveUdp(uint32_t number, const Arrival& arrival, Nanos now) {
  ClientFlow& flow = flows_[number];
  NoteReply(flow, arrival, now);
  const bool is_awaited = flow.under_way > 0 && arrival.signature.sequence + 1 == flow.sent;
  if (!ends() || !is_awaited) return;
  if (flow.state == FlowState::kOpening) {
    flow.state = FlowState::kOpen;
    ++open_flows_;
    counters_.Add(Counter::kConnectionsOpened);
  }
  ContinueUdp(number);
}

// The request under way is over; on to the next.
void Clients::ContinueUdp(uint32_t number) {
  ClientFlow& flow = flows_[number];
  flow.under_way = 0;
  --flow.requests_left;
  if (flow.requests_left > 0) {
    Push(number, Action::kRequest);
    return;
  }
  Finish(flow, flow.is_healthy ? Counter::kConnectionsClosed : Counter::kConnectionsTimedOut);
}

void Clients::OnUdpTimer(uint32_t number, Nanos now) {
  ClientFlow& flow = flows_[number];
  if (flow.under_way > 0) {
    counters_.Add(Counter::kRequestsGivenUp);
    flow.is_healthy = false;
    ContinueUdp(number);
  } else {
    Push(number, Action::kRequest);
  }
  if (flow.is_busy) Arm(number, now);
}

}  // namespace tandem::pktgen
