// SPDX-License-Identifier: Apache-2.0
//
// All clients: they open flows, send requests, take replies and notice what is wrong with them.
//
// UDP: a request is one datagram; nothing is repeated. Established traffic is open loop: requests go at
// the rate, whether or not replies come.
//
// TCP (clients_tcp.cc): handshake, requests of one segment each, with up to kUnderWayMax under way on a
// flow, FIN both ways. What is not answered in time is sent again, and the connection given up after
// kRetriesMax times. A repeated request has a sequence number of its own in its mark, so that loss is
// counted exactly, by packets.
//
// Frames go into the caller's slots. `now` never goes back.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/base/prng.h"
#include "tools/pktgen/arrival.h"
#include "tools/pktgen/client_flow.h"
#include "tools/pktgen/counters.h"
#include "tools/pktgen/errands.h"
#include "tools/pktgen/flow_map.h"
#include "tools/pktgen/frame_builder.h"
#include "tools/pktgen/frame_sizes.h"
#include "tools/pktgen/histogram.h"
#include "tools/pktgen/huge_pages.h"
#include "tools/pktgen/popularity.h"
#include "tools/pktgen/timer_wheel.h"

namespace tandem::pktgen {

struct ClientOptions {
  bool is_tcp = false;
  Endpoint target;  // the virtual server
  double zipf_exponent = 0;
  FrameSizes sizes = FrameSizes::Fixed(FrameSizes::kSmallest);
  // Connections that end after so many requests, one at a time; 0: flows stay, with requests open loop.
  uint32_t requests_per_connection = 0;
  Nanos retransmit_after = 200 * kMillisecond;
  uint64_t seed = 1;
};

// Room for one frame. REQUIRES: room for the largest of the sizes.
struct FrameSlot {
  std::span<uint8_t> room;
  size_t length = 0;
};

enum class Work : uint8_t {
  kOpen,         // each flow once: SYN, or the first request
  kRequests,     // on open flows, by popularity
  kConnections,  // one tuple after another, each with its requests
  kClose,        // each open flow once: FIN
};

class Clients {
 public:
  static constexpr uint8_t kRetriesMax = 6;

  Clients(const ClientOptions& options, const FlowMap& map, const RunKey& run);

  // Each returns how many slots it filled, from the first on.
  // What answers and timers call for.
  size_t SendErrands(std::span<FrameSlot> slots, Nanos now) noexcept;
  // New work, a frame for each of the slots unless there is nothing to do.
  size_t SendWork(Work work, std::span<FrameSlot> slots, Nanos now) noexcept;

  // A frame that Inspect took for UDP or TCP.
  void Receive(const Arrival& arrival, uint32_t frame_length, Nanos now) noexcept;
  // Timers; a bounded number of them a call.
  void Advance(Nanos now) noexcept;

  // Counts from zero; replies of earlier phases are late from here on. Flows stay as they are.
  void StartPhase(uint8_t phase);
  // kOpen and kClose go over all flows once; this starts again.
  void Rewind() { cursor_ = 0; }
  bool is_done_once() const { return cursor_ >= run_.flows; }
  size_t errands() const { return errands_.size(); }
  // Nothing is under way: no request without reply, no handshake.
  bool is_quiet() const;

  // `flow` will be looked at soon.
  void Prefetch(uint32_t flow) const noexcept { __builtin_prefetch(&flows_[flow], 1); }

  void set_link(const net::LinkHeader& link) { builder_.set_link(link); }
  uint32_t open_flows() const { return open_flows_; }
  uint32_t sent_of(uint32_t flow) const { return flows_[flow].sent; }
  uint32_t received_of(uint32_t flow) const { return flows_[flow].replies.distinct(); }
  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  const Histogram& round_trip() const { return round_trip_; }
  const Histogram& to_client() const { return to_client_; }

 private:
  static constexpr uint32_t kErrandsMax = 1U << 17;
  static constexpr int kTimersPerTurn = 256;
  static constexpr int kTriesMax = 8;

  bool ends() const { return options_.requests_per_connection != 0; }
  void Push(uint32_t number, Action action, uint8_t offset = 0);
  void Arm(uint32_t number, Nanos now);
  void NoteReply(ClientFlow& flow, const Arrival& arrival, Nanos now);
  void Finish(ClientFlow& flow, Counter how);
  void UpdateBusy(ClientFlow& flow);
  size_t PayloadSizeOf(uint32_t number, uint32_t index) const {
    return fixed_payload_size_ != 0 ? fixed_payload_size_ : VaryingPayloadSizeOf(number, index);
  }
  size_t VaryingPayloadSizeOf(uint32_t number, uint32_t index) const;
  Signature NextSignature(uint32_t number, Nanos now);
  void Account(FrameSlot& slot, size_t length, Counter counter);
  // Each is given one slot; false: left empty.
  bool SendErrand(const Errand& errand, FrameSlot& slot, Nanos now);
  size_t SendRequests(std::span<FrameSlot> slots, Nanos now);
  bool SendOpen(FrameSlot& slot, Nanos now);
  bool SendRequest(uint32_t drawn, FrameSlot& slot, Nanos now);
  bool SendConnection(FrameSlot& slot, Nanos now);
  bool SendClose(FrameSlot& slot, Nanos now);
  void OnTimer(uint32_t number, Nanos now);

  void StartFlow(uint32_t number, FrameSlot& slot, Nanos now);
  void SendUdpRequest(uint32_t number, FrameSlot& slot, Nanos now);
  void ReceiveUdp(uint32_t number, const Arrival& arrival, Nanos now);
  void ContinueUdp(uint32_t number);
  void OnUdpTimer(uint32_t number, Nanos now);

  // clients_tcp.cc
  void SendSegment(uint32_t number, FrameSlot& slot, uint8_t flags, uint32_t sequence,
                   uint32_t acknowledgement, Counter counter);
  void SendSyn(uint32_t number, FrameSlot& slot, Nanos now);
  void SendFin(uint32_t number, FrameSlot& slot, Nanos now);
  bool SendTcpRequest(uint32_t number, FrameSlot& slot, Nanos now);
  bool RepeatTcpRequest(uint32_t number, uint8_t offset, FrameSlot& slot, Nanos now);
  void SendData(uint32_t number, uint32_t index, uint32_t sequence, FrameSlot& slot, Nanos now);
  void ReceiveTcp(uint32_t number, const Arrival& arrival, Nanos now);
  void ReceiveReset(const Arrival& arrival);
  void OnSynAck(uint32_t number, const Arrival& arrival, Nanos now);
  void OnFinAck(uint32_t number, const Arrival& arrival);
  void OnTcpReply(uint32_t number, const Arrival& arrival, Nanos now);
  void OnTcpTimer(uint32_t number, Nanos now);
  void ContinueTcp(uint32_t number);

  ClientOptions options_;
  FlowMap map_;
  RunKey run_;
  FrameBuilder builder_;
  EndpointWords target_words_;
  size_t fixed_payload_size_ = 0;  // 0: sizes vary
  Popularity popularity_;
  Prng prng_;
  HugePageVector<ClientFlow> flows_;
  TimerWheel timers_;
  Errands errands_;
  uint8_t phase_ = 0;
  uint32_t cursor_ = 0;      // kOpen, kClose
  uint32_t next_tuple_ = 0;  // kConnections
  uint32_t open_flows_ = 0;
  uint32_t busy_flows_ = 0;
  Counters counters_;
  Histogram round_trip_;
  Histogram to_client_;
};

}  // namespace tandem::pktgen
