// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/detector.h"

#include <algorithm>

#include "dataplane/base/limits.h"
#include "dataplane/base/mutation.h"

namespace tandem::ha {

const PeerGroup* Peer::Of(uint64_t name_hash, Nanos now) const {
  if (!is_alive) return nullptr;
  const auto found = std::ranges::find(groups, name_hash,
                                       [](const PeerGroup& group) { return group.says.name_hash; });
  return found != groups.end() && now < found->heard_at + detection ? &*found : nullptr;
}

Detector::Detector(const Settings& settings, uint64_t incarnation, Nanos now)
    : incarnation_(incarnation), turned_at_(now) {
  Reconfigure(settings);
}

void Detector::Reconfigure(const Settings& settings) {
  detection_ = settings.detection();
  paths_ = settings.paths;
  self_ = settings.self;
  std::erase_if(peers_, [&](const Peer& peer) {
    return std::ranges::find(settings.peers, peer.device) == settings.peers.end();
  });
  for (const DeviceId device : settings.peers) {
    if (device == self_ || Find(device) != nullptr) continue;
    Peer& peer = peers_.emplace_back();
    peer.device = device;
    peer.detection = detection_;
  }
}

const Peer* Detector::Find(DeviceId device) const {
  const auto found = std::ranges::find(peers_, device, &Peer::device);
  return found == peers_.end() ? nullptr : &*found;
}

Peer* Detector::Mutable(DeviceId device) {
  const auto found = std::ranges::find(peers_, device, &Peer::device);
  return found == peers_.end() ? nullptr : &*found;
}

// ---- hearing ------------------------------------------------------------------------------------

bool Detector::OnHeartbeat(const Heartbeat& heartbeat, unsigned path, Nanos now) {
  Peer* peer = Mutable(heartbeat.device);
  if (peer == nullptr || heartbeat.incarnation == incarnation_ || path >= paths_) {
    counters_.strangers.Add(1);
    return false;
  }
  Judge(now);
  const bool is_known_run = heartbeat.incarnation == peer->incarnation;
  if (!Accept(*peer, heartbeat, now) || heartbeat.sequence <= peer->path_sequence[path]) {
    counters_.old.Add(1);
    return false;
  }
  peer->path_sequence[path] = heartbeat.sequence;
  peer->path_heard[path] = now;
  if (heartbeat.sequence <= peer->sequence) {
    // Behind what came on another path: the path is alive all the same.
    counters_.repeated.Add(1);
    return false;
  }
  counters_.heartbeats.Add(1);
  peer->sequence = heartbeat.sequence;
  peer->stamp = std::max(peer->stamp, heartbeat.stamp);
  peer->heard_at = now;
  peer->ballot = std::max(peer->ballot, heartbeat.ballot);
  peer->load = heartbeat.load;
  const Nanos detection = DetectionOf(heartbeat);
  if (heartbeat.interval * heartbeat.multiplier != detection_) counters_.interval_differs.Add(1);
  peer->detection = detection;
  if (is_known_run && !peer->is_alive && !heartbeat.goodbye) peer->was_back = true;
  peer->goodbye = heartbeat.goodbye;
  peer->is_alive = !heartbeat.goodbye;
  TakeHeard(*peer, heartbeat, now);
  TakeGroups(*peer, heartbeat, now);
  return true;
}

// Of the present run; or of another one, when the present one has gone, or when this one has heard us
// later: what an earlier run said may come late, and in a queue behind it what the present one says.
bool Detector::Accept(Peer& peer, const Heartbeat& heartbeat, Nanos now) {
  if (heartbeat.incarnation == peer.incarnation) return true;
  const Heard* us = FindUs(heartbeat);
  const bool is_later = us != nullptr && us->stamp > peer.confirmed && us->stamp <= now;
  if (peer.is_alive && !is_later && !Mutated(Mutation::kOldRunHeard)) return false;
  peer.incarnation = heartbeat.incarnation;
  peer.sequence = 0;
  peer.stamp = 0;
  peer.path_sequence.fill(0);
  peer.path_heard.fill(0);
  peer.is_alive = false;
  peer.hears_us = false;
  peer.confirmed = 0;
  peer.sent_after = 0;
  peer.groups.clear();
  return true;
}

Nanos Detector::DetectionOf(const Heartbeat& heartbeat) const {
  return std::max(detection_, heartbeat.interval * heartbeat.multiplier);
}

// What it says of this run of this device.
const Heard* Detector::FindUs(const Heartbeat& heartbeat) const {
  const auto us = std::ranges::find_if(heartbeat.heard, [&](const Heard& heard) {
    return heard.device == self_ && heard.incarnation == incarnation_;
  });
  return us == heartbeat.heard.end() ? nullptr : &*us;
}

void Detector::TakeHeard(Peer& peer, const Heartbeat& heartbeat, Nanos now) {
  const Heard* us = FindUs(heartbeat);
  peer.hears_us = us != nullptr;
  peer.hears_on = peer.hears_us ? us->paths : 0;
  peer.sent_after = 0;
  // A stamp from the future is none of ours.
  if (!peer.hears_us || us->stamp > now) return;
  peer.sent_after = us->stamp + ShortOf(us->age);
  if (us->stamp <= peer.confirmed) return;
  peer.confirmed = us->stamp;
  const Nanos away = now - us->stamp;
  const Nanos sample = away > us->age ? away - us->age : 0;
  peer.round_trip = peer.round_trip == 0 ? sample : (7 * peer.round_trip + sample) / 8;
}

void Detector::TakeGroups(Peer& peer, const Heartbeat& heartbeat, Nanos now) {
  for (const GroupSays& says : heartbeat.groups) {
    auto found = std::ranges::find(peer.groups, says.name_hash,
                                   [](const PeerGroup& group) { return group.says.name_hash; });
    if (found == peer.groups.end() && peer.groups.size() >= kTrafficGroupsMax) {
      // Groups it had and has no more.
      found = std::ranges::find_if(peer.groups, [&](const PeerGroup& group) {
        return now >= group.heard_at + peer.detection;
      });
      if (found == peer.groups.end()) continue;
    }
    if (found == peer.groups.end()) found = peer.groups.emplace(peer.groups.end());
    *found = {says, now, heartbeat.stamp, peer.sent_after};
  }
}

// ---- judging ------------------------------------------------------------------------------------

bool Detector::IsStalled(Nanos now) {
  const Nanos before = turned_at_;
  turned_at_ = now;
  if (now - before <= detection_ / 2 || Mutated(Mutation::kStalledPromotes)) return false;
  counters_.stalls.Add(1);
  // Whoever was alive then has all of the detection time again.
  for (Peer& peer : peers_) {
    if (!peer.is_alive) continue;
    peer.heard_at = now;
    for (Nanos& heard : peer.path_heard) {
      if (heard != 0 && before < heard + peer.detection) heard = now;
    }
    for (PeerGroup& group : peer.groups) {
      if (before < group.heard_at + peer.detection) group.heard_at = now;
    }
  }
  return true;
}

bool Detector::Judge(Nanos now) {
  bool anybody = false;
  for (Peer& peer : peers_) {
    if (!peer.is_alive || now < peer.heard_at + peer.detection) continue;
    if (SilentPaths(peer, now) != (1U << paths_) - 1) continue;
    peer.is_alive = false;
    peer.hears_us = false;
    counters_.deaths.Add(1);
    anybody = true;
  }
  return anybody;
}

Nanos Detector::next_deadline() const {
  Nanos next = UINT64_MAX;
  for (const Peer& peer : peers_) {
    if (!peer.is_alive) continue;
    const Nanos heard = std::max(peer.heard_at, std::ranges::max(peer.path_heard));
    next = std::min(next, heard + peer.detection);
  }
  return next;
}

bool Detector::AllHeard() const {
  return std::ranges::all_of(peers_, &Peer::is_alive);
}

bool Detector::AnyAlive() const {
  return std::ranges::any_of(peers_, &Peer::is_alive);
}

Nanos Detector::last_heard() const {
  Nanos last = 0;
  for (const Peer& peer : peers_)
    last = std::max(last, peer.heard_at);
  return last;
}

uint32_t Detector::SilentPaths(const Peer& peer, Nanos now) const {
  if (!peer.is_alive) return 0;
  uint32_t silent = 0;
  for (unsigned path = 0; path < paths_; ++path) {
    if (!peer.Hears(path, now)) silent |= 1U << path;
  }
  return silent;
}

void Detector::Report(Nanos now, std::vector<Heard>& heard) const {
  const uint32_t all = (1U << paths_) - 1;
  for (const Peer& peer : peers_) {
    if (!peer.is_alive) continue;
    Nanos stamp = peer.stamp;
    Nanos heard_at = peer.heard_at;
    for (const PeerGroup& group : peer.groups) {
      const bool is_said = now < group.heard_at + peer.detection;
      if (!is_said || group.stamp >= stamp) continue;
      stamp = group.stamp;
      heard_at = group.heard_at;
    }
    heard.push_back({.device = peer.device,
                     .incarnation = peer.incarnation,
                     .paths = all & ~SilentPaths(peer, now),
                     .stamp = stamp,
                     .age = now - heard_at});
  }
}

}  // namespace tandem::ha
