// SPDX-License-Identifier: Apache-2.0
//
// Who is there. Keeps, of each peer, when it was heard on which path, what it said last of each group,
// and whom it hears itself; and notices when this device itself was not running.
//
// A peer is alive while any path was heard within the longer of our detection time and its own, and it
// did not say goodbye. Heartbeats are told apart by run (incarnation) and number: an older number adds
// nothing, nor does another run while the present one is alive, unless that one has heard us later.
//
// Pure. Thread safety: none; the mirror thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/time.h"
#include "dataplane/ha/heartbeat.h"
#include "dataplane/ha/settings.h"

namespace tandem::ha {

// What a peer said of one group.
struct PeerGroup {
  GroupSays says;
  Nanos heard_at = 0;
  Nanos stamp = 0;  // of the heartbeat that said it
  // It was sent no earlier than this, by our clock: it echoes a stamp of ours. 0: nobody knows.
  Nanos sent_after = 0;
};

struct Peer {
  DeviceId device = 0;
  uint64_t incarnation = 0;  // 0: never heard
  uint64_t sequence = 0;     // highest
  Nanos detection = 0;
  bool is_alive = false;
  bool was_back = false;  // alive again, in the same run: the paths healed
  bool goodbye = false;
  uint32_t ballot = 0;
  uint32_t load = 0;
  Nanos heard_at = 0;  // on any path
  Nanos stamp = 0;     // of its newest heartbeat
  std::array<Nanos, kPathsMax> path_heard{};
  std::array<uint64_t, kPathsMax> path_sequence{};
  // Of our heartbeats it has confirmed, and on which paths it hears us; only of our present run.
  bool hears_us = false;
  uint32_t hears_on = 0;
  Nanos confirmed = 0;   // the newest of our stamps that it has
  Nanos sent_after = 0;  // of its newest heartbeat, see PeerGroup
  Nanos round_trip = 0;  // smoothed
  std::vector<PeerGroup> groups;

  // What it says now of a group; nullptr: nothing, or it is dead.
  const PeerGroup* Of(uint64_t name_hash, Nanos now) const;
  bool Hears(unsigned path, Nanos now) const {  // we hear it there
    return path_heard[path] != 0 && now < path_heard[path] + detection;
  }
};

struct DetectorCounters {
  Counter heartbeats;        // that told something
  Counter repeated;          // the same on another path
  Counter old;               // of an earlier number or run
  Counter strangers;         // of a device that is not in the group, or of ourselves
  Counter deaths;            // peers that fell silent
  Counter stalls;            // turns of ours too far apart
  Counter interval_differs;  // peers with other timers than ours
};

class Detector {
 public:
  Detector(const Settings& settings, uint64_t incarnation, Nanos now);
  void Reconfigure(const Settings& settings);

  // Whether it told something new.
  bool OnHeartbeat(const Heartbeat& heartbeat, unsigned path, Nanos now);

  // First in every turn. True: the turns were so far apart that nothing may be concluded from silence,
  // and all timers of peers begin again.
  bool IsStalled(Nanos now);

  // Who died. Returns whether anybody did.
  bool Judge(Nanos now);
  // When Judge has something to do next.
  Nanos next_deadline() const;

  std::span<const Peer> peers() const { return peers_; }
  const Peer* Find(DeviceId device) const;
  void ClearBack() {
    for (Peer& peer : peers_)
      peer.was_back = false;
  }
  bool AllHeard() const;  // each one, and alive
  bool AnyAlive() const;
  // The newest time that any was heard; 0: never.
  Nanos last_heard() const;
  // Paths on which a peer that is alive is silent.
  uint32_t SilentPaths(const Peer& peer, Nanos now) const;
  // For our heartbeats. The stamp is the one since which everything came that a peer says: it says
  // its groups in several heartbeats when they are many.
  void Report(Nanos now, std::vector<Heard>& heard) const;

  const DetectorCounters& counters() const { return counters_; }

 private:
  Peer* Mutable(DeviceId device);
  bool Accept(Peer& peer, const Heartbeat& heartbeat, Nanos now);
  const Heard* FindUs(const Heartbeat& heartbeat) const;
  void TakeGroups(Peer& peer, const Heartbeat& heartbeat, Nanos now);
  void TakeHeard(Peer& peer, const Heartbeat& heartbeat, Nanos now);
  Nanos DetectionOf(const Heartbeat& heartbeat) const;

  Nanos detection_ = 0;
  uint8_t paths_ = 0;
  DeviceId self_ = 0;
  uint64_t incarnation_ = 0;
  Nanos turned_at_ = 0;
  std::vector<Peer> peers_;
  DetectorCounters counters_;
};

}  // namespace tandem::ha
