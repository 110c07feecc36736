// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour/resolver.h"

#include "dataplane/base/assert.h"

namespace tandem::neighbour {
namespace {

constexpr size_t kCompactAt = 1024;  // collected entries at the front of the list

}  // namespace

Resolver::Resolver(Table& table, config::Publisher& publisher)
    : table_(table), publisher_(publisher) {
  removed_.reserve(kNeighboursMax + 2 * kCompactAt);
}

bool Resolver::Handle(const Message& message, Tick now, Probe& probe) noexcept {
  if (message.kind == Message::Kind::kLearn || message.kind == Message::Kind::kConfirm) {
    Learn(message, now);
    return false;
  }
  if (message.kind == Message::Kind::kProbe && message.address.is_unset()) {
    provoked_.set(message.interface);
    provoke_entries_left_ = table_.high_water();
    provoke_left_ = kProvokedMax;
    probe = {.interface = message.interface};
    return true;
  }
  const bool is_known = table_.Find(message.interface, message.address).index != 0;
  if (message.kind == Message::Kind::kProbe && (is_known || !message.may_create)) {
    probe = {.interface = message.interface, .address = message.address};
    return true;
  }
  if (is_known) return false;
  Table::Entry* entry = table_.Add(message.interface, message.address);
  if (entry == nullptr) return false;
  return Ask(*entry, now, probe);
}

void Resolver::Learn(const Message& message, Tick now) noexcept {
  const flow::NeighbourRef ref = table_.Find(message.interface, message.address);
  Table::Entry* entry = ref.index != 0 ? &table_.entry(ref.index) : nullptr;
  if (entry == nullptr && message.may_create) {
    entry = table_.Add(message.interface, message.address);
  }
  if (entry == nullptr) return;
  const View view = Table::Unpack(entry->word.load(std::memory_order_relaxed));
  // RFC 4861 section 7.2.5: without the override flag another address is not believed.
  if (message.kind == Message::Kind::kConfirm && view.usable() && view.mac != message.mac) return;
  table_.Set(*entry, State::kReachable, message.mac);
  entry->confirmed.store(now, std::memory_order_relaxed);
  entry->probes = 0;
  entry->next_action = now + kReachableTicks;
}

bool Resolver::Ask(Table::Entry& entry, Tick now, Probe& probe) noexcept {
  const View view = Table::Unpack(entry.word.load(std::memory_order_relaxed));
  probe.interface = entry.interface.load(std::memory_order_relaxed);
  probe.address = table_.AddressOf(entry);
  probe.unicast = view.usable() && entry.probes < kProbesMax;
  probe.mac = view.mac;
  ++entry.probes;
  entry.next_action = now + kProbeTicks;
  return true;
}

bool Resolver::StepNext(Tick now, Probe& probe) noexcept {
  if (cursor_ >= table_.high_water()) cursor_ = 1;
  const auto index = static_cast<uint16_t>(cursor_++);
  return StepEntry(index, now, probe) || Provoke(index, probe);
}

// A neighbour of an interface that has been silent is asked for a sign of life.
bool Resolver::Provoke(uint16_t index, Probe& probe) noexcept {
  if (provoke_entries_left_ == 0) return false;
  --provoke_entries_left_;
  const Table::Entry& entry = table_.entry(index);
  const config::InterfaceId interface = entry.interface.load(std::memory_order_relaxed);
  const View view = Table::Unpack(entry.word.load(std::memory_order_relaxed));
  const bool is_asked = provoke_left_ > 0 && provoked_.test(interface) && view.usable();
  if (provoke_entries_left_ == 0) provoked_.reset();
  if (!is_asked) return false;
  --provoke_left_;
  probe = {.interface = interface, .address = table_.AddressOf(entry)};
  return true;
}

bool Resolver::StepEntry(uint16_t index, Tick now, Probe& probe) noexcept {
  Table::Entry& entry = table_.entry(index);
  const View view = Table::Unpack(entry.word.load(std::memory_order_relaxed));
  if (view.state == State::kFree || TicksBetween(entry.next_action, now) < 0) return false;
  switch (view.state) {
    case State::kFree:
      return false;
    case State::kFailed:
      Remove(index);
      return false;
    case State::kIncomplete:
      if (entry.probes < kProbesMax) return Ask(entry, now, probe);
      table_.Set(entry, State::kFailed, {});
      entry.next_action = now + kFailedTicks;
      return false;
    case State::kReachable:
      table_.Set(entry, State::kStale, view.mac);
      entry.probes = 0;
      [[fallthrough]];
    case State::kStale:
      break;
  }
  if (entry.probes == 0 && !entry.used.exchange(false, std::memory_order_relaxed)) {
    const Tick confirmed = entry.confirmed.load(std::memory_order_relaxed);
    if (TicksBetween(confirmed, now) > static_cast<int32_t>(kIdleTicks)) {
      Remove(index);
    } else {
      entry.next_action = now + kProbeTicks;  // look again whether it is used
    }
    return false;
  }
  if (entry.probes < 2 * kProbesMax) return Ask(entry, now, probe);
  table_.Set(entry, State::kFailed, {});
  entry.next_action = now + kFailedTicks;
  return false;
}

void Resolver::Remove(uint16_t index) noexcept {
  table_.Remove(index);
  removed_.push_back({index, publisher_.StartGrace()});
}

void Resolver::CollectRemoved() noexcept {
  while (removed_first_ < removed_.size() &&
         publisher_.GraceOver(removed_[removed_first_].grace_token)) {
    table_.Recycle(removed_[removed_first_++].index);
  }
  if (removed_first_ == removed_.size()) {
    removed_.clear();
    removed_first_ = 0;
  } else if (removed_first_ >= kCompactAt) {
    removed_.erase(removed_.begin(), removed_.begin() + static_cast<ptrdiff_t>(removed_first_));
    removed_first_ = 0;
  }
}

}  // namespace tandem::neighbour
