// SPDX-License-Identifier: Apache-2.0
//
// One run, from the search for the device to the result, without I/O: whoever drives it brings what
// arrived, takes what is to be sent, and says what time it is.
//
//   resolve → open → settle → warm up → settle → measure → settle → close → done
//
// Each settling ends when nothing is under way, or after a while. The phases that send have a number of
// their own in every payload, and count from zero: what the warm-up left behind is not the measurement's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tools/pktgen/clients.h"
#include "tools/pktgen/neighbours.h"
#include "tools/pktgen/options.h"
#include "tools/pktgen/pacer.h"
#include "tools/pktgen/result.h"
#include "tools/pktgen/servers.h"

namespace tandem::pktgen {

enum class Phase : uint8_t { kResolve, kOpen, kWarmUp, kMeasure, kSettle, kClose, kDone };
const char* NameOf(Phase phase);

class Generator {
 public:
  static constexpr size_t kBurst = 32;  // bits of AtServer's result

  // `run_id`: another one for each run, so that packets of an earlier one are not taken for its own.
  // `replay`: frames to send instead of requests; empty: requests.
  Generator(const Options& options, uint64_t run_id, const MacAddress& client_mac,
            const MacAddress& server_mac, std::vector<std::vector<uint8_t>> replay = {});
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Bytes for the flows' state.
  static uint64_t MemoryNeeded(const Options& options);

  void Start(Nanos now);
  // Moves on to the next phase when it is time.
  void Step(Nanos now);
  // Ends the run early, with a result; the second time at once.
  void Stop(Nanos now);

  // Frames that arrived. Bit i of the result: the i-th has become the answer, and is to be sent from the
  // same side. All are verified before the first flow is looked at, so that their state is fetched meanwhile.
  // REQUIRES: packets.size() <= kBurst; room for kOriginatedFrameMax bytes at each packet's data.
  uint32_t AtServer(std::span<net::Packet> packets, Nanos now) noexcept;
  uint32_t AtClient(std::span<net::Packet> packets, Nanos now) noexcept;

  // How many frames the client side wants to send now, kBurst at most; Fill fills so many or fewer.
  size_t Want(Nanos now) noexcept;
  size_t Fill(std::span<FrameSlot> slots, Nanos now) noexcept;
  // A question of the server side, if it is time for one.
  bool wants_to_ask() const { return phase_ == Phase::kResolve && server_side_.is_looking(); }
  bool FillServer(FrameSlot& slot, Nanos now) noexcept;

  Phase phase() const { return phase_; }
  bool is_done() const { return phase_ == Phase::kDone; }
  // Why the run came to nothing; empty when it did not.
  const std::string& failure() const { return failure_; }
  // Valid when done without a failure.
  const Result& result() const { return result_; }
  const Clients& clients() const { return clients_; }
  const Servers& servers() const { return servers_; }
  // Whether what happens now belongs to the measurement.
  bool is_measuring() const { return phase_ == Phase::kMeasure; }
  // From one poll of the loop to the next; whether a frame was received or sent meanwhile.
  void NoteLoopGap(Nanos gap, bool was_busy) {
    if (!is_measuring() || begins_) return;
    loop_gaps_.Add(gap);
    if (was_busy) busy_ += gap;
  }
  void CountUnusable(uint64_t at_client, uint64_t at_server) {
    clients_.counters().Add(Counter::kUnusable, at_client);
    servers_.counters().Add(Counter::kUnusable, at_server);
  }
  void CountNoBuffer() { clients_.counters().Add(Counter::kNoBuffer); }
  void CountTransmitFull() { clients_.counters().Add(Counter::kTransmitFull); }

 private:
  static constexpr Nanos kSettleUdp = kSecond;
  static constexpr Nanos kSettleTcp = 5 * kSecond;
  static constexpr Nanos kQuietFor =
      50 * kMillisecond;  // for what nobody waits for: ACK, repetitions
  // What has not come when nothing came for so long is lost. TCP sends it again.
  static constexpr Nanos kSilentFor = 250 * kMillisecond;

  void Enter(Phase phase, Nanos now);
  void EnterWork(Phase phase, uint64_t per_second, Nanos now);
  void Settle(Phase next, Nanos now);
  void StepResolve(Nanos now);
  void StepSettle(Nanos now);
  void AfterResolve(Nanos now);
  void AfterOpening(Nanos now);
  void AfterMeasurement(Nanos now);
  void Fail(const std::string& why);
  void FollowDevice();
  Work WorkOf() const;
  size_t Replay(std::span<FrameSlot> slots) noexcept;
  void CountReplayed(std::span<const net::Packet> packets, Counters& counters, Counter bytes);
  bool OneAtServer(net::Packet& packet, const Arrival& arrival, Nanos now) noexcept;
  bool OneAtClient(net::Packet& packet, const Arrival& arrival, Nanos now) noexcept;
  bool AnswerEcho(const Neighbours& side, const MacAddress& mac, Counters& counters,
                  net::Packet& packet, const Arrival& arrival);
  bool AnswerNeighbour(Neighbours& side, Counters& counters, net::Packet& packet,
                       const Arrival& arrival);
  void TakeResult();

  Options options_;
  MacAddress client_mac_;
  MacAddress server_mac_;
  std::vector<std::vector<uint8_t>> replay_;
  RunKey run_;
  FlowMap map_;
  Clients clients_;
  Servers servers_;
  Neighbours client_side_;
  Neighbours server_side_;
  MacAddress device_mac_{};  // clients send to
  Pacer pacer_;
  // Of the burst at hand.
  std::array<Arrival, kBurst> arrivals_;
  std::array<Counter, kBurst> verdicts_{};
  Phase phase_ = Phase::kResolve;
  Phase next_ = Phase::kDone;  // after kSettle
  uint8_t phase_number_ = 0;
  uint64_t granted_ = 0;
  size_t replay_at_ = 0;
  Nanos deadline_ = 0;
  Nanos entered_ = 0;
  Nanos opening_began_ = 0;
  Nanos quiet_since_ = 0;  // kSettle; 0: not quiet
  Nanos came_at_ = 0;      // kSettle: when bytes_came_ grew
  uint64_t bytes_came_ = 0;
  Histogram loop_gaps_;
  Nanos busy_ = 0;
  bool is_stopped_ = false;
  bool begins_ = false;  // a phase of work, at the next step
  std::string failure_;
  Result result_;
};

}  // namespace tandem::pktgen
