// SPDX-License-Identifier: Apache-2.0
//
// Which streams run, in which sessions, and with which keys.
//
// Theory of operation. A group's streams run from the device that is active to the one that is
// standby. The standby chooses the session's number, for the epoch that the active said last; the
// active opens the session that the standby wants for its epoch, and no number twice, because a number
// names a key; so it says which one it has closed, and the standby chooses another. What workers are
// told is not a list of orders but a state: what each end of each stream ought to be, and what the
// worker was told last. So a full ring delays, and loses nothing.
//
// Who is active, and in which epoch, is told: by roles that the configuration fixes, and then each time
// with the next epoch (SetDuty is never called), or by the takeover machine (dataplane/ha), and then with
// the epoch that is its turn's. A standby that is told whose epoch it follows reads no other.
//
// With several peers there is one of these for each. A group is written to the one that it is mirrored to,
// and read from the one whose epoch is followed; so its streams run in one of them at most.
//
// Persistence is group 0, with a session each way.
//
// Pure. Thread safety: none; the mirror lcore.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/control_codec.h"
#include "dataplane/mirror/endpoint.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/key_ring.h"
#include "dataplane/mirror/seal.h"

namespace tandem::mirror {

// One end of a stream: of one group, on all workers.
struct StreamEnd {
  struct PerWorker {
    Sealer sealer;
    Opener opener;
    uint32_t seals = 0;  // numbers of the pre-shared keys that they have
    KeyRing::Numbers opens{};
    uint64_t sealed = 0;   // highest number
    Nanos heard_at = 0;    // a frame of it came last, or it was waited for first; 0: neither
    bool is_told = false;  // that it is open, by `told`
    SessionTerms told;
  };
  bool is_open = false;
  bool discard = false;       // when it closes
  bool is_discarded = false;  // what a reader had; until it opens again
  SessionTerms terms;
  std::vector<PerWorker> workers;
  uint64_t silent_workers = 0;  // bit w: nothing comes of worker w's stream, though the peer speaks
};

// What the takeover machine wants of a group's streams.
struct Duty {
  bool is_told = false;
  uint32_t epoch = 0;  // active: to write in; standby: to read; 0: none

  bool operator==(const Duty&) const = default;
};

struct PeerGroup {
  GroupSays says;
  uint32_t said_at = 0;  // count of Hellos
};

struct Group {
  uint64_t name_hash = 0;  // 0: not configured
  config::Role role = config::Role::kStandby;
  bool is_elsewhere = false;  // active: mirrored to another peer, or to none
  Duty duty;
  uint32_t epoch = 0;    // ours, when active
  uint32_t highest = 0;  // of either device
  uint32_t written = 0;  // session that was opened last as writer with this peer
  const char* reason = "peer is down";
  StreamEnd writer;
  StreamEnd reader;

  uint32_t session() const {
    if (writer.is_open) return writer.terms.session;
    return reader.is_open ? reader.terms.session : 0;
  }
};

class Sessions {
 public:
  // Of a group: what this device is to it, and whether it is mirrored to this peer, if to any.
  struct Part {
    config::Role role = config::Role::kActive;
    bool is_elsewhere = false;
  };
  using PartList = std::array<Part, kTrafficGroupsMax + 1>;
  static constexpr uint32_t kForgottenAfter = 12;  // Hellos that did not name a group

  Sessions(const EndpointOptions& options, const KeyRing& keys, size_t workers);

  // The peer: another run of it, what it says now.
  void NewPeer(const Hello& hello);
  void OnHello(const std::vector<GroupSays>& groups);
  // From the next Evaluate on.
  void SetDuty(config::TrafficGroupId number, uint32_t epoch) {
    groups_[number].duty = {true, epoch};
  }
  // The next Evaluate begins to read all records anew.
  void RenewRecords() { CloseEnd(groups_[0].reader, false); }

  struct Situation {
    const config::Snapshot* snapshot = nullptr;
    const PartList* parts = nullptr;
    bool is_established = false;
    bool shares_streams = false;  // both know one version of the streams
    bool shares_flows = false;    // and their platforms are equal
    bool holds_peers = false;     // this device's flow tables are as large as the peer's, at least
    bool peer_holds = false;      // and the other way round
    uint16_t body_max = 0;
  };
  // The records' streams that this device would have.
  uint8_t record_streams() const noexcept;
  // Decides anew what ought to run. Returns whether what this device says in its Hellos changed.
  bool Evaluate(const Situation& situation);

  // The pre-shared keys changed: streams go on with others.
  void FollowKeys();

  // Tells workers; false: not all yet, a ring is full.
  bool Tell(const std::vector<FrameRing*>& to_worker);

  // The end that a frame belongs to, from the peer or from a worker; nullptr: none.
  struct Found {
    config::TrafficGroupId group = 0;
    StreamEnd* end = nullptr;
    bool is_old = false;  // of an epoch that is over
  };
  Found FindInbound(const FrameHeader& header);
  StreamEnd* FindOutbound(config::TrafficGroupId group, const FrameHeader& header);

  // By number, 0: persistence.
  const Group& group(config::TrafficGroupId number) const { return groups_[number]; }
  Group& group(config::TrafficGroupId number) { return groups_[number]; }
  const PeerGroup* PeerOf(uint64_t name_hash) const;
  bool has_writer() const;

 private:
  void TakePart(Group& group, const Part& part);
  void Match(Group& group, const Situation& situation);
  void MatchRecords(const Group& group);
  bool IsPeers(const Group& group) const;
  void MatchWriter(Group& group, const GroupSays& peer, const Situation& situation);
  void MatchReader(Group& group, const GroupSays& peer, const Situation& situation);
  void MatchPersistence(const Situation& situation);
  void OpenEnd(Group& group, StreamEnd& end, const SessionTerms& terms, size_t workers);
  static void CloseEnd(StreamEnd& end, bool discard);
  void Discard(StreamEnd& reader);
  void DropWhatIsElsewhere(Group& group, const GroupSays& peer);
  void FollowKeys(const Group& group, StreamEnd& end);
  uint32_t NextSession();
  static bool IsNewSession(uint32_t session, uint32_t last);

  const EndpointOptions& options_;
  const KeyRing& keys_;
  const size_t workers_;
  std::array<Group, kTrafficGroupsMax + 1> groups_;
  std::array<config::TrafficGroupId, 256> by_wire_{};  // reader's groups by the writer's number
  std::vector<PeerGroup> peer_groups_;
  uint32_t peer_persist_session_ = 0;
  uint32_t hellos_ = 0;
  Nonce peer_nonce_{};
  uint64_t peer_incarnation_ = 0;
  uint8_t peer_record_streams_ = 1;
  uint32_t next_session_;
  bool changed_ = false;
  bool untold_ = false;
};

}  // namespace tandem::mirror
