// SPDX-License-Identifier: Apache-2.0
//
// One flow stream by hand: a writer's tables and sender, a reader's tables and receiver, and between
// them a link that loses, doubles, delays and reorders as it is told.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/flow_sender.h"
#include "tests/unit/flow/aligned_memory.h"

namespace tandem::mirror::test {

inline constexpr config::TrafficGroupId kGroup = 3;
inline constexpr unsigned kWorker = 2;

// A worker's tables.
class Slots {
 public:
  Slots(uint32_t capacity4, uint32_t capacity6, uint64_t seed);

  Tables tables() { return {flows4, flows6}; }
  template <class Hot>
  flow::FlowTable<Hot>& Of() {
    return tables().Of<Hot>();
  }

 private:
  flow::AlignedMemory memory4_;
  flow::AlignedMemory memory6_;

 public:
  flow::FlowTable<flow::FlowHot4> flows4;
  flow::FlowTable<flow::FlowHot6> flows6;
};

// Some virtuals, members and interfaces, with ids that begin at `first`; those whose name is in
// `without` are missing.
std::unique_ptr<config::Snapshot> MakeSnapshot(uint16_t first, uint64_t generation,
                                               const std::vector<std::string>& without = {});
inline constexpr uint16_t kObjects = 5;  // of each kind

// What the endpoint makes of the writer's dictionary and the reader's configuration.
std::unique_ptr<Translation> Translate(const config::Snapshot& writer,
                                       const config::Snapshot& reader);

struct LinkFaults {
  double loss = 0;
  double duplicates = 0;
  Nanos delay = 20'000;
  Nanos jitter = 0;  // on top, at random: frames overtake each other
};

class StreamRig {
 public:
  struct Options {
    uint32_t capacity4 = 3 * kFlowsPerPage + 1000;
    uint32_t capacity6 = 2 * kFlowsPerPage;
    uint32_t readers_pages = 0;  // so many more than the writer's tables have
    uint64_t seed = 1;
    uint16_t body_max = 1400;
  };
  explicit StreamRig(const Options& options);

  // A new session on both ends; what is on the link stays there.
  void Open();
  void OpenReceiver();
  // Goes on by `span`, a turn every `step`.
  void Run(Nanos span, Nanos step = 10'000);
  // Until `done`, or `limit` has passed; whether it was done.
  bool RunUntil(const std::function<bool()>& done, Nanos limit = 20 * kSecond, Nanos step = 10'000);
  bool RunUntilInSync(Nanos limit = 20 * kSecond) {
    return RunUntil([this] { return sender.state() == StreamState::kInSync && receiver.in_sync(); },
                    limit);
  }
  bool IsQuiet() const {
    return sender.counters().dirty.Get() == 0 && sender.counters().in_flight.Get() == 0;
  }

  // ---- the writer's flows --------------------------------------------------------------------------
  struct Name {
    bool is_ipv6 = false;
    uint32_t slot = 0;  // the writer's
  };
  // A mirrored flow of the client's number; false: its key is taken, or the table full.
  template <class Hot>
  uint32_t Create(uint32_t client);
  template <class Hot>
  void Close(uint32_t slot);
  template <class Hot>
  void Change(uint32_t slot, bool waits = false);
  // One change at random, among `clients` keys.
  void Churn(uint32_t clients);
  void CloseAll();
  size_t size() const { return names_.size(); }
  const std::vector<Name>& names() const { return names_; }

  // How the reader's shadow differs from the writer's flows; empty: not at all.
  std::string Difference();
  // What the shadow holds that can never be: newer than the writer's, older than what was here, or
  // come back from the dead; empty: nothing. Remembers what it saw.
  std::string Impossible();

  Nanos now = kSecond;
  Prng prng;
  Slots writer;
  Slots reader;
  config::LiveTotals live_totals{1};
  config::LiveCounts live{live_totals, 0};
  std::unique_ptr<config::Snapshot> writer_snapshot;
  std::unique_ptr<config::Snapshot> reader_snapshot;
  std::unique_ptr<const Translation> translation;
  FlowBatchWriter batch_writer;
  ReceiverShare share;
  FlowSender sender;
  FlowReceiver receiver;
  LinkFaults to_reader;
  LinkFaults to_writer;
  SessionTerms terms;
  uint64_t frames_sent = 0;
  std::function<void(FrameSlot&)> on_frame;  // sees, and may change, every frame to the reader
  std::function<void(FrameSlot&)> on_ack;
  std::function<void(bool)> around_call;  // true before a call of the room, false after

 private:
  struct InTransit {
    bool is_ack = false;
    std::unique_ptr<FrameSlot> frame;
  };
  void Turn();
  void Put(const FrameSlot& frame, const LinkFaults& faults, bool is_ack);
  void Guard(bool begins) const {
    if (around_call) around_call(begins);
  }
  bool Chance(double probability) { return prng.Below(1'000'000) < probability * 1e6; }
  template <class Hot>
  std::string DifferenceOf();
  template <class Hot>
  std::string ImpossibleOf();

  std::multimap<Nanos, InTransit> link_;
  std::unique_ptr<FrameSlot> built_ = std::make_unique<FrameSlot>();
  std::vector<Name> names_;
  std::map<std::pair<bool, uint32_t>, flow::Register> seen_live_;  // by logical slot, the highest
  std::map<std::pair<bool, uint32_t>, flow::Register> seen_dead_;
};

}  // namespace tandem::mirror::test
