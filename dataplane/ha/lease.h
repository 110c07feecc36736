// SPDX-License-Identifier: Apache-2.0
//
// The optional witness: a third party that lets one device at a time act for a group, for when the
// devices cannot hear each other.
//
// The holder counts its lease from when it asked, by its own clock, and stops a margin early; the
// witness counts from when it granted, by its own, and gives to nobody else before a margin after. So
// two devices never hold a lease at one moment, while clocks run within 1 % of each other.
//
// Pure. Both ends are here; carrying questions and answers is the driver's business, in any order, late
// or twice: tickets, which count up in a run of a device, tell.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/ha/settings.h"

namespace tandem::ha {

// A device's lease of one group.
class LeaseHolder {
 public:
  // Whether to ask: before it ends, often enough that lost answers do no harm; else every `retry`.
  bool AskDue(Nanos lease, Nanos retry, Nanos now) const {
    return now >= ask_at(lease, retry, now);
  }
  Nanos ask_at(Nanos lease, Nanos retry, Nanos now) const {
    return asked_at_ == 0 ? now : asked_at_ + (IsHeld(now) ? lease / 4 : retry);
  }
  // The ticket of the question.
  uint32_t Ask(Nanos now) {
    asked_at_ = now;
    asked_[++ticket_ % asked_.size()] = now;
    return ticket_;
  }
  void OnAnswer(uint32_t ticket, bool is_granted, Nanos lease) {
    const bool is_known = ticket <= ticket_ && ticket_ - ticket < asked_.size() && ticket > void_;
    if (!is_known || !is_granted) return;
    const Nanos until = asked_[ticket % asked_.size()] + ShortOf(lease);
    if (until > until_) until_ = until;
  }
  // The ticket of the release: answers to what was asked before come too late.
  uint32_t Release() {
    until_ = asked_at_ = 0;
    void_ = ++ticket_;
    return ticket_;
  }
  bool IsAsked() const { return asked_at_ != 0; }
  bool IsHeld(Nanos now) const { return now < until_; }
  Nanos until() const { return until_; }

 private:
  Nanos asked_at_ = 0;  // 0: not since it was released
  Nanos until_ = 0;
  uint32_t ticket_ = 0;
  uint32_t void_ = 0;  // answers up to this ticket mean nothing
  std::array<Nanos, 8> asked_{};
};

// Who asks the witness.
struct LeaseClient {
  DeviceId device = 0;
  uint64_t incarnation = 0;
  uint32_t ticket = 0;
};

// The witness. It keeps nothing through a restart: after one it grants nothing for a whole lease.
class LeaseWitness {
 public:
  LeaseWitness(Nanos lease, Nanos now) : lease_(lease), closed_until_(now + LongOf(lease)) {}

  bool Ask(size_t group, const LeaseClient& client, Nanos now) {
    if (now < closed_until_ || group >= leases_.size() || client.device == 0) return false;
    Lease& held = leases_[group];
    if (held.client.device == client.device) {
      // An earlier question that comes late would take back what was released since.
      const bool is_same_run = held.client.incarnation == client.incarnation;
      if (is_same_run && client.ticket <= held.client.ticket) return false;
      // Which run is the earlier one cannot be told: what it releases is its own.
      if (!is_same_run) held.other_until = std::max(held.other_until, held.until);
    } else if (now < std::max(held.until, held.other_until)) {
      return false;
    } else {
      held.other_until = 0;
    }
    held.client = client;
    held.until = now + LongOf(lease_);
    return true;
  }

  void Release(size_t group, const LeaseClient& client) {
    if (group >= leases_.size()) return;
    Lease& held = leases_[group];
    if (held.client.device != client.device || held.client.incarnation != client.incarnation ||
        client.ticket <= held.client.ticket) {
      return;
    }
    held.client = client;
    held.until = 0;
  }

  // The number is another group's from now on. REQUIRES: nobody has asked for this one's for longer than a
  // lease lasts.
  void Forget(size_t group) {
    if (group < leases_.size()) leases_[group] = {};
  }

 private:
  struct Lease {
    LeaseClient client;
    Nanos until = 0;
    Nanos other_until = 0;  // of other runs of that device
  };

  Nanos lease_;
  Nanos closed_until_;
  std::array<Lease, kTrafficGroupsMax + 1> leases_{};
};

}  // namespace tandem::ha
