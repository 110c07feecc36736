// SPDX-License-Identifier: Apache-2.0
//
// A whole device for tests: a unit::Unit on ordinary memory, configured from text as the daemon does
// it, fed with frames and time by a script.
//
//   Rig rig(config_text);
//   rig.Inject(rig.PortNamed("1.1"), 0, frame);
//   for (const Sent& sent : rig.Run()) …
//
// After every turn the rig checks, and aborts when it does not hold:
//  - every frame's handle came back exactly once, or is still held or in a ring;
//  - the conservation rule of pipeline/counters.h, and that `forwarded` and `originated` are what
//    left;
//  - a frame whose lengths and checksums were right leaves with right ones; frames of the device's
//    own are right, and sent to a port that exists.
// When it is destroyed: that draining gave everything back.
//
// Thread safety: none; workers take turns on the caller's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "control/config_ids.h"
#include "dataplane/unit/unit.h"
#include "tests/support/packet_builder.h"

namespace tandem::test {

struct RigOptions {
  uint32_t flows_ipv4 = 16384;  // a worker; each traffic group takes whole pages
  uint32_t flows_ipv6 = 16384;
  uint32_t persistence_records = 4096;
  uint64_t seed = 1;
  Nanos start = kSecond;
  // What else of a device counts up from somewhere, and may be near its end.
  uint64_t first_generation = 1;  // of its configurations
  uint32_t first_session = 0;     // that it chooses for mirroring; 0: by the seed
  uint64_t rss_key_hash = 0;      // of its fingerprint: another one is another platform
  // The takeover machine decides on every traffic group, whatever role it is configured to have.
  std::optional<ha::Settings> takeover;  // but for self, peers and groups, which are filled in
  ha::Method takeover_method = ha::Method::kHaOrder;
  uint32_t ballot = 0;  // as of unit::TakeoverOptions
  ha::HealthSettings health;
  witness::Path* witness = nullptr;  // outlives the rig; for takeover->witness
  // Called right before and right after each Unit::Turn.
  void (*around_turn)(bool begins) = nullptr;
};

// A frame that left the device.
struct Sent {
  unsigned worker = 0;
  uint16_t port = 0;
  bool originated = false;
  Nanos when = 0;
  Bytes bytes;
};

// How a frame arrives: as in one buffer, unless `contiguous` is less than its size.
struct Arrival {
  uint16_t flags = 0;  // net::PacketFlag
  size_t contiguous = SIZE_MAX;
  uint16_t headroom = 128;
};

class Rig {
 public:
  // As many workers as the configuration says. Aborts when the configuration is refused.
  explicit Rig(std::string_view config_text, const RigOptions& options = {});
  // A snapshot made by hand.
  explicit Rig(std::unique_ptr<config::Snapshot> snapshot, const RigOptions& options = {});
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  unit::Unit& unit() { return *unit_; }
  const unit::Unit& unit() const { return *unit_; }
  Nanos now() const { return now_; }
  uint16_t PortNamed(std::string_view name) const;  // aborts when there is none
  // What Rig gives the ports it configures from text: 02:00:00:00:01:01 and so on.
  static MacAddress PortMac(size_t port);
  // Also those that a reload removed; "" for 0.
  std::string VirtualName(config::VirtualId id) const;
  std::string MemberName(config::MemberId id) const;  // "pool/address:port"

  // ---- control ------------------------------------------------------------------------------
  // Publishes, turns every worker, and sweeps the flows of deleted objects, as control does it.
  absl::Status Reload(std::string_view config_text);
  // The monitors' verdict, from the next Reload on. `member` as "pool/address:port".
  void SetMemberUp(const std::string& member, bool up) { members_up_[member] = up; }
  void Publish(std::unique_ptr<const config::Snapshot> snapshot);
  // Posts to all workers and turns them until they are done.
  std::vector<unit::FlowInfo> Flows(const unit::FlowFilter& filter = {});
  uint64_t DeleteFlows(const unit::FlowFilter& filter = {});
  std::vector<unit::RecordInfo> Records(const unit::RecordFilter& filter = {});
  uint64_t DeleteRecords(const unit::RecordFilter& filter = {});

  // By the traffic group's name; aborts when there is none.
  config::TrafficGroupId GroupNamed(std::string_view name) const;
  // Until every worker has taken it over; unit().SetRole does not wait.
  void SetRole(std::string_view group, config::Role role);
  // Who gives workers the turns that SetRole, Flows and others need, by Turn; otherwise what is sent in
  // them is lost unseen.
  void GiveTurnsBy(std::function<void(unsigned worker)> give_turn) {
    give_turn_ = std::move(give_turn);
  }
  void Announce(std::string_view group);

  // ---- traffic ------------------------------------------------------------------------------
  // Puts a frame on a worker's queue of a port.
  void Inject(uint16_t port, unsigned worker, const Bytes& frame, const Arrival& arrival = {});
  // One turn of one worker, with up to kBurstMax frames of its queues.
  std::vector<Sent> Turn(unsigned worker);
  // Turns of all workers, a tick of time apart, until nothing is on its way any more (held packets
  // wait on).
  std::vector<Sent> Run();
  // The same while time goes by, a step at a time.
  std::vector<Sent> Advance(Nanos span, Nanos step = 50 * kMillisecond);
  // Moves the clock, without a turn.
  void Skip(Nanos span) { now_ += span; }
  // From now on nothing can be sent by `port`: counted under `reason`, as io would. kNone: it can.
  void SetUnsent(uint16_t port, DropReason reason) { unsent_[port] = reason; }
  // Run and Advance leave this worker out: its thread stands still, and its queue waits. REQUIRES: no other
  // worker hands it anything.
  void SetStalled(unsigned worker, bool stalled) { stalled_[worker] = stalled; }
  // What io does when the device stops: takes back what is inside. No turn after it.
  void Stop();
  // Sees every frame that leaves, and may inject.
  void SetListener(std::function<void(const Sent&)> listener) { listener_ = std::move(listener); }

  // ---- counters -----------------------------------------------------------------------------
  uint64_t Total(Counter pipeline::WorkerCounters::*counter) const;
  uint64_t Dropped(DropReason reason) const;
  uint64_t Ended(pipeline::EndReason reason) const;
  // That flows, connection counts and levels are all at zero.
  bool IsEmpty() const;

 private:
  struct Buffer;
  struct Levels;  // counters of one worker, as numbers

  void Start(std::unique_ptr<config::Snapshot> snapshot);
  absl::Status Compile(std::string_view text, std::unique_ptr<config::Snapshot>& snapshot);
  void RememberNames(const config::Snapshot& snapshot);
  uint64_t RunQueries(std::vector<unit::FlowQuery>& queries);
  std::vector<Sent> TurnAll();
  bool IsQuiet() const;
  std::vector<Sent> CollectAll(unsigned worker);
  Sent Collect(unsigned worker, const net::Packet& packet);
  void GiveTurn(unsigned worker);
  bool IsUnsent(unsigned worker, const net::Packet& packet);
  void CheckHandles() const;

  RigOptions options_;
  Nanos now_;
  control::ConfigIds ids_;
  absl::flat_hash_map<std::string, bool> members_up_;
  std::map<config::VirtualId, std::string> virtual_names_;
  std::map<config::MemberId, std::string> member_names_;
  std::vector<std::unique_ptr<std::byte, void (*)(void*)>> memory_;
  std::unique_ptr<pipeline::Output> out_;
  std::function<void(const Sent&)> listener_;
  std::function<void(unsigned worker)> give_turn_;
  std::vector<std::deque<net::Packet>> queues_;  // by worker
  std::map<uint16_t, DropReason> unsent_;        // by port
  std::map<unsigned, bool> stalled_;             // by worker
  std::unordered_map<void*, std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<unit::Unit> unit_;
};

}  // namespace tandem::test
