// SPDX-License-Identifier: Apache-2.0
//
// The endpoint's parts, and what joins them. endpoint.cc: turns, configuration; endpoint_sync.cc: how far
// each group is, and status;
// endpoint_control.cc: what the devices say to each other; endpoint_frames.cc: the workers' frames.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "dataplane/base/one_at_a_time.h"
#include "dataplane/mirror/association.h"
#include "dataplane/mirror/config_exchange.h"
#include "dataplane/mirror/control_codec.h"
#include "dataplane/mirror/dictionary_exchange.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/mirror/path_mtu.h"
#include "dataplane/mirror/sessions.h"

namespace tandem::mirror {

struct Endpoint::Impl {
  static constexpr unsigned kAnswersMax = 8;        // pages and probes, a turn
  static constexpr uint16_t kSourcePorts = 0xc000;  // and the worker
  static constexpr Nanos kSometimes = 100 * kMillisecond;
  static constexpr Nanos kJudgeEvery = 10 * kMillisecond;
  static constexpr Nanos kStreamSilence = 3 * kSecond;

  Impl(EndpointOptions given, Link& link, const config::Roles& roles, EndpointPorts ports);

  void BeginTurn(const config::Snapshot& current, Nanos now);
  void Receive(const Link::Datagram& datagram, Nanos now, FrameSink& sink);
  bool EndTurn(Nanos now, FrameSink& sink);

  // ---- configuration and roles
  void TakeSnapshot();
  void FollowKeys();
  void TakeRoles();
  void Evaluate();
  void Sometimes(Nanos now);
  void NoteSilence(StreamEnd& end, Nanos now);
  void LookForMissedRecords();
  void Translate();
  uint16_t mtu() const;       // both ways
  uint16_t body_max() const;  // of a frame that fits

  // ---- how far each group is
  struct Judgement {
    SyncState state = SyncState::kDown;
    const char* reason = "";
  };
  bool is_config_equal() const;
  Judgement Judge(config::TrafficGroupId id) const;  // by what this device knows itself
  Judgement Seen(config::TrafficGroupId id) const;   // and by what it hears of the peer
  void JudgeAll(Nanos now);
  EndpointStatus::Group StatusOf(config::TrafficGroupId id) const;
  void Publish(Nanos now);

  // ---- control
  // Where a control frame came from.
  struct Arrival {
    unsigned path = 0;
    uint16_t ip_length = 0;  // path 0
  };
  void OnControl(const FrameHeader& header, std::span<const uint8_t> frame, const Arrival& arrival,
                 Nanos now, FrameSink& sink);
  void ReceiveBeside(unsigned number, std::span<const uint8_t> frame, Nanos now, FrameSink& sink);
  std::optional<ControlMessage> OnConfig(const ControlMessage& message);
  void OnHello(const Hello& hello, const FrameHeader& header, Nanos now);
  void OnProbe(const Probe& probe, uint16_t ip_length, Nanos now, FrameSink& sink);
  void SendDue(Nanos now, FrameSink& sink);
  void SendHellos(Association::Due due, Nanos now, FrameSink& sink);
  void SendProbe(uint16_t size, Nanos now, FrameSink& sink);
  bool Send(const ControlMessage& message, Nanos now, FrameSink& sink) {
    return Send(message, association.keys().in_use(), now, sink);
  }
  bool Send(const ControlMessage& message, unsigned key, Nanos now, FrameSink& sink);
  void SendBeside(const ControlMessage& message, unsigned key, Nanos now);
  bool SendBeside(SidePath& way, size_t body, unsigned key, Nanos now);
  void SendHeartbeat(std::string_view bytes, Nanos now, FrameSink& sink);
  Hello MakeHello() const;
  std::vector<GroupSays> MakeGroups() const;
  static uint32_t SessionToSay(const Group& group);
  SyncState StateToSay(config::TrafficGroupId id) const;

  // ---- workers' frames
  void OnStream(const FrameHeader& header, const Link::Datagram& datagram, Nanos now);
  bool SendFrame(size_t worker, FrameSlot& slot, Nanos now, FrameSink& sink);

  const EndpointOptions options;
  const config::Roles& roles;
  const EndpointPorts ports;
  EndpointCounters counters;
  Link& link;
  Association association;
  Sessions sessions;
  DictionaryPages pages;
  DictionaryFetch fetch;
  ConfigExchange exchange;
  PathMtu path;

  const config::Snapshot* snapshot = nullptr;  // of this turn
  std::optional<uint64_t> generation;          // of the snapshot that was taken in
  uint32_t keys_seen = 0;                      // KeyRing::changes
  uint32_t roles_seen = 0;
  bool roles_taken = false;
  bool waits_for_workers = false;  // to act by them
  Sessions::PartList parts{};
  bool evaluate = true;
  bool busy = false;
  unsigned answers = 0;
  std::array<Judgement, kTrafficGroupsMax + 1> judged{};
  std::array<AtomicSyncClaim, kTrafficGroupsMax + 1> claims{};
  Nanos judged_at = 0;
  bool judge = true;                          // something changed that matters to it
  uint64_t records_missed = 0;                // as far as looked at
  uint64_t looked_generation = 0;             // configuration then
  std::optional<uint64_t> missed_generation;  // the configuration that lacked what was missed
  Nanos sometimes_at = 0;
  PeerState shown = PeerState::kDown;
  Nanos published_at = 0;
  bool status_changed = true;
  OneAtATime at_status;  // taken for the copy of a pointer
  std::shared_ptr<const EndpointStatus> status;
  std::array<uint8_t, kMirrorMtuMax> scratch;  // a control body
};

}  // namespace tandem::mirror
