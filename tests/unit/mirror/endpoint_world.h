// SPDX-License-Identifier: Apache-2.0
//
// Two endpoints joined by a wire that loses, repeats, delays, corrupts and cuts frames by a seed.
// Workers are stubs: they remember what they were told, write data frames when asked, and acknowledge
// those that come.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/mirror/peers.h"

namespace tandem::mirror::test {

struct WireFaults {
  uint32_t lost = 0;       // of 1000
  uint32_t repeated = 0;   // of 1000
  uint32_t delayed = 0;    // of 1000, by up to 20 ms
  uint32_t corrupted = 0;  // of 1000
  size_t ip_max = 65535;   // larger packets vanish
  bool is_cut = false;
};

struct StubStream {
  bool is_open = false;
  config::PeerIndex peer = 0;
  SessionTerms terms;
  uint64_t sent = 0;        // writer: frames written
  uint64_t answered = 0;    // writer: acknowledgements that came
  uint64_t came = 0;        // reader: frames of this session
  uint64_t unanswered = 0;  // reader: number of the last one that came
};

struct StubWorker {
  std::map<unsigned, StubStream> writers, readers;  // by group
  uint64_t strays = 0;                              // frames of a session that is not open
  unsigned opened = 0;                              // sessions, of either kind
  unsigned closed = 0;
  unsigned discarded = 0;
  bool is_stuck = false;  // takes nothing from its ring
};

class Device : public FrameSink {
 public:
  // Of units 1 to `devices`, all of which are its peers.
  Device(uint8_t unit, unsigned workers, unsigned devices = 2);
  ~Device() override;

  void Start(uint64_t incarnation);  // also again
  void Configure(const std::function<void(config::Snapshot&)>& change = {});
  void Turn(const std::vector<std::vector<uint8_t>>& frames, Nanos now);
  // Whom what is written is for; not set: the peer of its session.
  std::optional<config::PeerIndex> to_peer;
  // Each writer that is open writes a frame with a body of `size` bytes (body_max at most).
  void Write(size_t size);

  std::span<uint8_t> Begin(size_t size) override;
  void Commit(size_t size) override;

  const Endpoint& endpoint() const { return peers->endpoint(0); }
  std::shared_ptr<const EndpointStatus> status() const { return endpoint().status(); }
  const EndpointStatus::Group& group(size_t index = 0) const;
  const EndpointCounters& counters() const { return endpoint().counters(); }

  EndpointOptions options;
  config::Roles roles;
  std::vector<std::string> groups = {"traffic-group-1"};
  SyncState streams = SyncState::kSyncing;  // what the workers say, of every group
  unsigned room = UINT32_MAX;               // frames that the port takes; by default it takes all
  std::unique_ptr<Peers> peers;
  std::vector<StubWorker> workers;
  std::unique_ptr<const Translation> translation;
  unsigned translations = 0;
  std::string heartbeat;                   // said each turn, unless empty
  std::string heard;                       // the last one
  std::vector<std::vector<uint8_t>> sent;  // by this turn
  std::function<void(config::Snapshot&)> change;

 private:
  void Work(unsigned worker);
  void Take(unsigned worker, const FrameSlot& slot);
  void Answer(unsigned worker);

  config::Publisher publisher_;
  std::vector<std::unique_ptr<FrameRing>> to_worker_, from_worker_;
  uint64_t generation_ = 0;
  size_t writes_ = 0;
  std::vector<uint8_t> begun_;
  mutable std::shared_ptr<const EndpointStatus> shown_;
};

class World {
 public:
  explicit World(uint64_t seed = 1, unsigned workers = 2);

  // Runs for `span` in steps of a millisecond.
  void Run(Nanos span, const std::function<void()>& each = {});
  // Runs until `done`; false: it was not within `most`.
  bool RunUntil(const std::function<bool()>& done, Nanos most = 20 * kSecond);
  bool RunUntilOpen(Nanos most = 20 * kSecond);

  Nanos now = 10 * kSecond;
  Prng random;
  WireFaults faults[2];  // of what device 0 or 1 sends
  Device a, b;
  // Everything that went over the wire, when wanted: by sender.
  bool is_recording = false;
  std::vector<std::vector<uint8_t>> recorded[2];
  // Brings `frame` to device `to` with the next step.
  void Inject(int to, std::vector<uint8_t> frame);

 private:
  void Carry(int from);

  struct Flying {
    Nanos at;
    std::vector<uint8_t> frame;
  };
  std::vector<Flying> flying_[2];  // by receiver
};

inline StubStream& Writer(Device& device, unsigned group = 1, unsigned worker = 0) {
  return device.workers[worker].writers[group];
}
inline StubStream& Reader(Device& device, unsigned group = 1, unsigned worker = 0) {
  return device.workers[worker].readers[group];
}
// Whether frames of a stream come, and are answered.
bool Flows(World& world, Device& from, Device& to, unsigned group = 1);

}  // namespace tandem::mirror::test
