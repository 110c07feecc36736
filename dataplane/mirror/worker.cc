// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/worker.h"

#include <algorithm>

namespace tandem::mirror {

using config::PeerIndex;
using config::Role;
using config::Snapshot;
using config::TrafficGroupId;

namespace {

// A look takes as long as a packet or two, most of it to find that nothing is due. Between two, what was
// noted gathers: for a part of the time that a change may wait.
constexpr Nanos kPauseMax = 80'000;
constexpr Nanos kPausesPerFlush = 4;

TrafficGroupId After(TrafficGroupId group, TrafficGroupId end) {
  return static_cast<TrafficGroupId>(group + 1 < end ? group + 1 : 1);
}

unsigned ShareOf(unsigned most, unsigned budget) {
  return std::max(1U, most * budget / WorkerMirror::kBudgetMax);
}

}  // namespace

WorkerMirror::WorkerMirror(unsigned worker, Tables tables, config::LiveCounts& live,
                           persist::Table& records, const config::Roles& roles, size_t peers)
    : worker_(worker), tables_(tables), live_(live), roles_(roles) {
  for (PeerIndex peer = 0; peer < peers; ++peer) {
    persist_senders_.push_back(std::make_unique<PersistSender>(worker, records, roles, peer));
    persist_receivers_.push_back(
        std::make_unique<PersistReceiver>(worker, records, roles, peer, &tellers_));
  }
  for (const auto& sender : persist_senders_) {
    std::vector<PersistSender*> siblings;
    for (const auto& other : persist_senders_) {
      if (other != sender) siblings.push_back(other.get());
    }
    sender->SetSiblings(siblings);
  }
}

WorkerMirror::~WorkerMirror() = default;

void WorkerMirror::Prepare(TrafficGroupId group) {
  for (TrafficGroupId next = groups_end_.load(std::memory_order_relaxed); next <= group; ++next) {
    senders_[next] = std::make_unique<FlowSender>(next, worker_, tables_, batch_writer_);
    receivers_[next] =
        std::make_unique<FlowReceiver>(next, worker_, tables_, live_, receiver_share_);
    groups_end_.store(static_cast<TrafficGroupId>(next + 1), std::memory_order_release);
  }
}

void WorkerMirror::RolesChanged() noexcept {
  const TrafficGroupId end = groups_end_.load(std::memory_order_acquire);
  for (TrafficGroupId group = 1; group < end; ++group) {
    if (roles_.IsActive(group)) {
      if (receivers_[group]->is_open()) receivers_[group]->Close(/*discard=*/false);
    } else if (senders_[group]->is_open()) {
      senders_[group]->Close();
    }
    claims_[group].Set({});
  }
}

bool WorkerMirror::Turn(const Snapshot& snapshot, const Translations& translations, Nanos now,
                        unsigned budget, bool may_read) noexcept {
  // Turns can follow each other faster than anything here becomes due.
  const Nanos pause = std::min(kPauseMax, snapshot.mirroring.flush / kPausesPerFlush);
  if (!has_more_ && now - looked_at_ < pause && inbound_.Front() == nullptr) return false;
  looked_at_ = now;
  may_read_ = may_read;
  const bool has_received = Receive(snapshot, translations, now, ShareOf(kFramesInMax, budget));
  const TrafficGroupId end = groups_end_.load(std::memory_order_acquire);
  for (TrafficGroupId group = 1; group < end; ++group)
    senders_[group]->OnClock(now);
  for (const auto& sender : persist_senders_)
    sender->OnClock(now);
  has_more_ = Tidy(snapshot, translations, ShareOf(kSlotsMax, budget));
  for (const auto& receiver : persist_receivers_)
    has_more_ = receiver->Tidy(ShareOf(kBucketsMax, budget)) || has_more_;
  Claim(snapshot);
  const unsigned frames = ShareOf(kFramesOutMax, budget);
  const unsigned sent = Send(snapshot, now, frames);
  has_more_ = sent == frames || has_more_;
  return has_received || sent != 0 || has_more_;
}

// ---- what comes in -----------------------------------------------------------------------------

bool WorkerMirror::Receive(const Snapshot& snapshot, const Translations& translations, Nanos now,
                           unsigned frames) noexcept {
  unsigned taken = 0;
  for (; taken < frames; ++taken) {
    const FrameSlot* slot = inbound_.Front();
    if (slot == nullptr || !Take(*slot, snapshot, translations.Of(slot->peer), now)) break;
    inbound_.Pop();
  }
  return taken > 0;
}

// False: not now.
bool WorkerMirror::Take(const FrameSlot& slot, const Snapshot& snapshot,
                        const Translation* translation, Nanos now) noexcept {
  const TrafficGroupId group = slot.group;
  if (group == 0) {
    TakeRecords(slot, snapshot, translation, now);
    return true;
  }
  if (group >= groups_end_.load(std::memory_order_acquire)) {
    counters_.unknown_group.Add(1);
    return true;
  }
  const bool is_active = roles_.IsActive(group);
  const bool is_to_read = slot.cargo == Cargo::kOpenReceiver ||
                          slot.cargo == Cargo::kCloseReceiver ||
                          (slot.cargo == Cargo::kFrame && slot.header.type == FrameType::kFlows);
  if (is_to_read && !is_active && !may_read_) return false;
  switch (slot.cargo) {
    case Cargo::kFrame:
      TakeFrame(slot, snapshot, translation, now);
      break;
    case Cargo::kOpenSender:
      writes_to_[group] = slot.peer;
      if (is_active) senders_[group]->Open(slot.terms, now);
      break;
    case Cargo::kCloseSender:
      // With another peer it goes on.
      if (writes_to_[group] == slot.peer) senders_[group]->Close();
      break;
    case Cargo::kOpenReceiver:
      reads_from_[group] = slot.peer;
      if (!is_active) receivers_[group]->Open(slot.terms, now);
      break;
    case Cargo::kCloseReceiver:
      if (reads_from_[group] != slot.peer && receivers_[group]->is_open()) break;
      // What was a shadow is in use by now.
      receivers_[group]->Close(slot.terms.discard && !is_active);
      break;
  }
  return true;
}

void WorkerMirror::TakeFrame(const FrameSlot& slot, const Snapshot& snapshot,
                             const Translation* translation, Nanos now) noexcept {
  counters_.frames_in.Add(1);
  const TrafficGroupId group = slot.group;
  const bool is_active = roles_.IsActive(group);
  if (slot.peer != (is_active ? writes_to_ : reads_from_)[group]) {
    counters_.other_peer.Add(1);
    return;
  }
  if (slot.header.type == FrameType::kFlowsAck && is_active) {
    if (senders_[group]->is_open()) senders_[group]->OnAck(slot.header, now);
  } else if (slot.header.type == FrameType::kFlows && !is_active && translation != nullptr) {
    if (receivers_[group]->is_open()) {
      receivers_[group]->Apply(slot, *translation, snapshot, now);
    }
  }
}

// Persistence has one session a peer, whatever the roles are.
void WorkerMirror::TakeRecords(const FrameSlot& slot, const Snapshot& snapshot,
                               const Translation* translation, Nanos now) noexcept {
  if (slot.peer >= persist_senders_.size()) return counters_.other_peer.Add(1);
  PersistSender& sender = *persist_senders_[slot.peer];
  PersistReceiver& receiver = *persist_receivers_[slot.peer];
  switch (slot.cargo) {
    case Cargo::kFrame:
      counters_.frames_in.Add(1);
      if (slot.header.type == FrameType::kPersistAck) {
        if (sender.is_open()) sender.OnAck(slot.header, now);
      } else if (slot.header.type == FrameType::kPersist && translation != nullptr) {
        if (receiver.is_open()) receiver.Apply(slot, *translation, snapshot, now);
      }
      break;
    case Cargo::kOpenSender:
      sender.Open(slot.terms, now);
      break;
    case Cargo::kCloseSender:
      sender.Close();
      break;
    case Cargo::kOpenReceiver:
      receiver.Open(slot.terms, now);
      break;
    case Cargo::kCloseReceiver:
      receiver.Close();
      break;
  }
}

// One group a turn, until it has nothing more to do. What an active group's reading end left behind is
// tidied as well.
bool WorkerMirror::Tidy(const Snapshot& snapshot, const Translations& translations,
                        unsigned slots) noexcept {
  const TrafficGroupId end = groups_end_.load(std::memory_order_acquire);
  if (!may_read_ || end == 1) return false;
  const bool busy =
      receivers_[tidied_group_]->Tidy(translations.Of(reads_from_[tidied_group_]), snapshot, slots);
  if (!busy) tidied_group_ = After(tidied_group_, end);
  return busy;
}

// ---- how far it is -------------------------------------------------------------------------------

namespace {

SyncState StateOf(const FlowReceiver& receiver, uint64_t generation) noexcept {
  if (!receiver.is_open()) return SyncState::kDown;
  const SyncState writers = SyncStateOf(
      static_cast<StreamState>(static_cast<uint8_t>(receiver.counters().writer_state.Get())));
  if (writers != SyncState::kInSync) return writers;
  if (!receiver.is_settled(generation)) return SyncState::kAuditing;
  if (!receiver.is_bound(generation)) return SyncState::kHeld;
  return receiver.in_sync() ? SyncState::kInSync : SyncState::kLagging;
}

}  // namespace

void WorkerMirror::Claim(const Snapshot& snapshot) noexcept {
  const TrafficGroupId end = groups_end_.load(std::memory_order_acquire);
  for (TrafficGroupId group = 1; group < end; ++group) {
    FlowSender& sender = *senders_[group];
    const FlowReceiver& receiver = *receivers_[group];
    SyncClaim claim{.generation = snapshot.generation, .reads = !roles_.IsActive(group)};
    if (claim.reads) {
      claim.session = static_cast<uint32_t>(receiver.counters().session.Get());
      claim.state = StateOf(receiver, snapshot.generation);
    } else if (sender.is_open()) {
      claim.session = static_cast<uint32_t>(sender.counters().session.Get());
      claim.state = SyncStateOf(sender.state());
    }
    claims_[group].Set(claim);
    if (!roles_.any_frozen() && drained_[group].load(std::memory_order_relaxed) == 0) continue;
    const bool is_drained = !claim.reads && roles_.IsFrozen(group) && sender.IsDrained();
    drained_[group].store(is_drained ? claim.session : 0, std::memory_order_release);
  }
}

// ---- what goes out -----------------------------------------------------------------------------

uint16_t WorkerMirror::Credit() const noexcept {
  const TrafficGroupId end = groups_end_.load(std::memory_order_acquire);
  uint32_t readers = 0;
  for (const auto& receiver : persist_receivers_)
    readers += receiver->is_open() ? 1U : 0U;
  for (TrafficGroupId group = 1; group < end; ++group)
    readers += receivers_[group]->is_open() ? 1U : 0U;
  const uint32_t room = kMirrorRingSize - std::min<uint32_t>(kMirrorRingSize, inbound_.size());
  return static_cast<uint16_t>(std::max(1U, room / std::max(1U, readers)));
}

// Returns how many frames.
unsigned WorkerMirror::Send(const Snapshot& snapshot, Nanos now, unsigned frames) noexcept {
  const TrafficGroupId end = groups_end_.load(std::memory_order_acquire);
  const unsigned all = frames;
  const uint16_t credit = Credit();
  for (PeerIndex peer = 0; peer < persist_senders_.size() && frames > 0; ++peer) {
    if (!SendRecords(peer, snapshot, credit, now, frames)) return all - frames;
  }
  for (TrafficGroupId i = 1; i < end && frames > 0; ++i) {
    next_group_ = After(next_group_, end);
    if (!SendOf(next_group_, snapshot, credit, now, frames)) break;
  }
  return all - frames;
}

// Fills frames by build(slot) while it says that there are more. False: the ring is full.
template <class Build>
bool WorkerMirror::Fill(PeerIndex peer, unsigned& frames, Build&& build) noexcept {
  while (frames > 0) {
    FrameSlot* slot = outbound_.Free();
    if (slot == nullptr) {
      counters_.ring_full.Add(1);
      return false;
    }
    slot->cargo = Cargo::kFrame;
    slot->peer = peer;
    if (!build(*slot)) break;
    outbound_.Push();
    counters_.frames_out.Add(1);
    --frames;
  }
  return true;
}

bool WorkerMirror::SendRecords(PeerIndex peer, const Snapshot& snapshot, uint16_t credit, Nanos now,
                               unsigned& frames) noexcept {
  PersistReceiver& receiver = *persist_receivers_[peer];
  PersistSender& sender = *persist_senders_[peer];
  if (receiver.is_open() && !Fill(peer, frames, [&](FrameSlot& slot) {
        slot.group = 0;
        return receiver.BuildAck(slot, credit, now);
      })) {
    return false;
  }
  // Flows have a frame of each turn to themselves.
  unsigned some = std::max(1U, frames / 2);
  const unsigned before = some;
  const bool has_room = !sender.is_open() || Fill(peer, some, [&](FrameSlot& slot) {
    slot.group = 0;
    return sender.Build(slot, snapshot, now);
  });
  frames -= std::min(frames, before - some);
  return has_room;
}

bool WorkerMirror::SendOf(TrafficGroupId group, const Snapshot& snapshot, uint16_t credit,
                          Nanos now, unsigned& frames) noexcept {
  if (roles_.IsActive(group)) {
    return !senders_[group]->is_open() || Fill(writes_to_[group], frames, [&](FrameSlot& slot) {
      return senders_[group]->Build(slot, snapshot, now);
    });
  }
  return !receivers_[group]->is_open() || Fill(reads_from_[group], frames, [&](FrameSlot& slot) {
    return receivers_[group]->BuildAck(slot, credit, now);
  });
}

}  // namespace tandem::mirror
