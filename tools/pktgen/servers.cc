// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/servers.h"

#include <algorithm>
#include <bit>

#include "tools/pktgen/tcp.h"
#include "tools/pktgen/turn_round.h"

namespace tandem::pktgen {
ServerAddresses::ServerAddresses(std::vector<IpAddress> addresses) : sorted_(std::move(addresses)) {
  std::sort(sorted_.begin(), sorted_.end());
  sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
  table_.resize(std::bit_ceil(4 * sorted_.size() + 1));
  mask_ = table_.size() - 1;
  for (size_t i = 0; i < sorted_.size(); ++i) {
    const AddressWords address = WordsOf(sorted_[i]);
    size_t at = PlaceOf(address);
    while (table_[at & mask_].number != 0)
      ++at;
    table_[at & mask_] = {address, static_cast<uint16_t>(i + 1)};
  }
}

Servers::Servers(std::vector<IpAddress> addresses, const RunKey& run)
    : run_(run), addresses_(std::move(addresses)), flows_(run.flows) {}

void Servers::StartPhase(uint8_t phase) {
  phase_ = phase;
  for (Flow& flow : flows_) {
    flow.requests = SequenceTracker();
  }
  counters_.Clear();
  to_server_.Clear();
}

void Servers::NoteServer(Flow& flow, uint16_t server) {
  if (flow.server != 0 && flow.server != server) counters_.Add(Counter::kFlowsMoved);
  flow.server = server;
}

// Whether the request is new.
bool Servers::NoteRequest(Flow& flow, const Arrival& arrival, uint16_t server, Nanos now) {
  switch (flow.requests.Note(arrival.signature.sequence)) {
    case Order::kDuplicate:
      counters_.Add(Counter::kRequestsDuplicated);
      return false;
    case Order::kStale:
      counters_.Add(Counter::kRequestsStale);
      return false;
    case Order::kReordered:
      counters_.Add(Counter::kRequestsReordered);
      break;
    case Order::kNext:
    case Order::kGap:
      break;
  }
  counters_.Add(Counter::kRequestsReceived);
  to_server_.Add(SinceStamp(arrival.signature.sent_ns, now));
  NoteServer(flow, server);
  return true;
}

bool Servers::Answer(net::Packet& packet, const Arrival& arrival, Nanos now) noexcept {
  counters_.Add(Counter::kServerBytesReceived, packet.length);
  if (arrival.is_marked && arrival.signature.is_reply) {
    counters_.Add(Counter::kWrongSide);
    return false;
  }
  if (arrival.kind == Arrival::Kind::kTcp && (arrival.tcp_flags & kTcpRst) != 0) {
    counters_.Add(Counter::kResetsReceived);
    return false;
  }
  const uint16_t server = addresses_.NumberOf(DestinationWords(arrival.parsed));
  if (server == 0) {
    counters_.Add(Counter::kServerUnknown);
    return false;
  }
  if (arrival.is_marked && arrival.signature.phase != phase_) {
    counters_.Add(Counter::kLate);
    return false;
  }
  Flow& flow = flows_[arrival.flow];
  if (arrival.kind == Arrival::Kind::kTcp) return AnswerTcp(packet, arrival, flow, server, now);
  if (flow.generation != arrival.signature.generation) {
    // Another connection of the same tuple, which the device may send elsewhere.
    flow.generation = arrival.signature.generation;
    flow.server = 0;
  }
  if (!NoteRequest(flow, arrival, server, now)) return false;
  counters_.Add(Counter::kRepliesSent);
  counters_.Add(Counter::kServerBytesSent, packet.length);
  TurnRound(packet, arrival, now, run_);
  return true;
}

bool Servers::AnswerTcp(net::Packet& packet, const Arrival& arrival, Flow& flow, uint16_t server,
                        Nanos now) {
  TcpTurn turn;
  turn.sequence = arrival.sequence + kServerSequenceShift;
  if (arrival.is_marked) {
    if (!NoteRequest(flow, arrival, server, now)) return false;
    turn.flags = kTcpAck | kTcpPsh;
    turn.acknowledgement = arrival.sequence + static_cast<uint32_t>(arrival.payload_size);
    counters_.Add(Counter::kRepliesSent);
  } else if ((arrival.tcp_flags & kTcpSyn) != 0) {
    counters_.Add(Counter::kSynReceived);
    if (flow.initial_sequence != arrival.sequence) {
      flow.initial_sequence = arrival.sequence;
      flow.server = 0;
    }
    NoteServer(flow, server);
    turn.flags = kTcpSyn | kTcpAck;
    turn.acknowledgement = arrival.sequence + 1;
    counters_.Add(Counter::kSynAckSent);
  } else if ((arrival.tcp_flags & kTcpFin) != 0) {
    counters_.Add(Counter::kFinReceived);
    NoteServer(flow, server);
    turn.flags = kTcpFin | kTcpAck;
    turn.acknowledgement = arrival.sequence + 1;
    counters_.Add(Counter::kFinAckSent);
  } else {
    counters_.Add(Counter::kAckReceived);
    NoteServer(flow, server);
    return false;
  }
  counters_.Add(Counter::kServerBytesSent, packet.length);
  TurnRoundTcp(packet, arrival, turn, now, run_);
  return true;
}

}  // namespace tandem::pktgen
