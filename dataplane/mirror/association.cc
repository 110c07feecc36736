// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/association.h"

#include <algorithm>
#include <utility>

namespace tandem::mirror {
namespace {

std::string Range(uint32_t min, uint32_t max) {
  return min == max ? std::to_string(min) : std::to_string(min) + "-" + std::to_string(max);
}

}  // namespace

Association::Association(const EndpointOptions& options, EndpointCounters& counters)
    : options_(options), counters_(counters), keys_(options.mirroring.key) {
  FollowKeys();
}

// ---- keys ---------------------------------------------------------------------------------------

void Association::BeginTurn(Nanos now) {
  strangers_ = 0;
  const uint32_t changes = keys_.changes();
  keys_.OnClock(now);
  if (keys_.changes() != changes) FollowKeys();
}

void Association::WantKey(const PresharedKey& key) {
  const uint32_t changes = keys_.changes();
  keys_.Want(key, current_.has_value());
  if (keys_.changes() == changes) return;
  FollowKeys();
  HelloSoon();
}

void Association::UseKey(unsigned place, Nanos now) {
  if (place == keys_.in_use()) return;
  keys_.Use(place, now);
  counters_.key_changes.Add(1);
  HelloSoon();
}

void Association::FollowKeys() {
  if (!options_.mirroring.authenticated) return;
  for (unsigned place = 0; place < KeyRing::kPlaces; ++place) {
    if (seals_[place] == keys_.numbers()[place]) continue;
    seals_[place] = keys_.numbers()[place];
    if (!keys_.Has(place)) continue;
    sealers_[place].SetSecret(ControlSecret(keys_.key(place), options_.unit(), options_.peer_unit(),
                                            options_.incarnation));
  }
  if (current_) FollowKeys(*current_);
  for (auto& candidate : candidates_) {
    if (candidate) FollowKeys(*candidate);
  }
}

void Association::FollowKeys(Run& run) const {
  if (!options_.mirroring.authenticated) return;
  const config::UnitId other = run.unit == options_.unit() ? options_.peer_unit() : options_.unit();
  keys_.Follow(run.opener, run.opens, [&](const PresharedKey& key) {
    return ControlSecret(key, run.unit, other, run.incarnation);
  });
}

// ---- frames -------------------------------------------------------------------------------------

Association::Run* Association::FindRun(uint64_t incarnation) {
  if (current_ && current_->incarnation == incarnation) return &*current_;
  for (auto& candidate : candidates_) {
    if (candidate && candidate->incarnation == incarnation) return &*candidate;
  }
  return nullptr;
}

// A run that is not known: the frame shows by its seal that it is one. A peer with this device's own
// unit id is let in as well, so that somebody can be told.
Association::Run* Association::Stranger(std::span<const uint8_t> frame, const FrameHeader& header,
                                        std::span<uint8_t> body) {
  if (strangers_++ >= kStrangersPerTurn) return nullptr;
  for (const config::UnitId unit : {options_.peer_unit(), options_.unit()}) {
    Run run;
    run.incarnation = header.floor;
    run.unit = unit;
    FollowKeys(run);
    if (run.opener.Open(frame, header.sequence, body) != Opener::Result::kOpened) continue;
    run.challenge = next_sequence_;
    auto oldest = std::ranges::min_element(candidates_, {}, [](const std::optional<Run>& one) {
      return one ? one->heard_at : Nanos{0};
    });
    if (*oldest && to_answer_ == &**oldest) to_answer_ = nullptr;
    *oldest = std::move(run);
    return &**oldest;
  }
  return nullptr;
}

std::optional<Association::Opened> Association::Open(std::span<const uint8_t> frame,
                                                     const FrameHeader& header,
                                                     std::span<uint8_t> body, bool is_beside,
                                                     Nanos now) {
  if (header.floor == options_.incarnation) {
    counters_.reflected.Add(1);
    return {};
  }
  Run* run = FindRun(header.floor);
  if (run == nullptr) {
    run = Stranger(frame, header, body);
    if (run == nullptr) {
      counters_.forged.Add(1);
      return {};
    }
  } else {
    switch (run->opener.Open(frame, header.sequence, body)) {
      case Opener::Result::kOpened:
        break;
      case Opener::Result::kForged:
        counters_.forged.Add(1);
        return {};
      case Opener::Result::kReplayed:
        counters_.replayed.Add(1);
        return {};
    }
  }
  run->seen = std::max(run->seen, header.sequence);
  run->heard_at = now;
  run->place = run->opener.opened_by();
  const bool is_of_peer = current_ && run == &*current_;
  if (is_of_peer && run->place == keys_.wanted()) UseKey(run->place, now);
  if (is_of_peer && !is_beside) {
    heard_at_ = now;
    control_heard_at_ = now;
  }
  counters_.control_received.Add(1);
  return Opened{.size = frame.size() - kHeaderSize - kTagSize, .is_of_peer = is_of_peer};
}

bool Association::Seal(std::span<uint8_t> frame, std::span<const uint8_t> body, unsigned place,
                       Nanos now) {
  Sealer& sealer = sealers_[place];
  if (sealer.RenewWhenDue(options_.rekey, now)) counters_.rekeys.Add(1);
  FrameHeader header;
  header.sequence = next_sequence_++;
  header.floor = options_.incarnation;
  WriteHeader(header, frame.first<kHeaderSize>());
  return sealer.Seal(frame, header.sequence, body);
}

// ---- Hellos -------------------------------------------------------------------------------------

bool Association::IsRefused(const Hello& hello, Nanos now) {
  if (hello.unit_id != options_.unit()) return false;
  std::string why = "both devices have unit id " + std::to_string(hello.unit_id);
  counters_.incompatible.Add(1);
  // A peer that fits is not given up for a stranger's sake.
  if (current_ && now - heard_at_ < kSilence) return true;
  if (incompatible_ != why) back_off_ = kHelloEvery;
  incompatible_ = std::move(why);
  is_refused_ = true;
  heard_at_ = now;
  return true;
}

Association::News Association::OnHello(const Hello& hello, const FrameHeader& header, Nanos now) {
  Run* run = FindRun(header.floor);
  if (run == nullptr || hello.incarnation != header.floor ||
      (run->nonce && *run->nonce != hello.nonce)) {
    counters_.control_bad.Add(1);
    return News::kNothing;
  }
  if (IsRefused(hello, now)) return News::kNothing;
  if (current_ && run == &*current_) return OnPeersHello(hello, header);

  run->nonce = hello.nonce;
  const bool knows_us = hello.echo && *hello.echo == options_.nonce;
  if (!knows_us || hello.seen < run->challenge) {
    if (answered_at_ == 0 || now - answered_at_ >= kHelloSoon) {
      answered_at_ = now;
      to_answer_ = run;
    }
    return News::kNothing;
  }
  to_answer_ = nullptr;
  current_ = std::move(*run);
  for (auto& candidate : candidates_) {
    if (!candidate) continue;
    if (candidate->incarnation == header.floor) {
      candidate.reset();
    } else {
      // What an earlier run of the peer said before it ended may still be on the way.
      candidate->challenge = next_sequence_;
    }
  }
  UseKey(current_->place, now);
  hello_sequence_ = header.sequence;
  heard_at_ = now;
  control_heard_at_ = now;
  since_ = now;
  is_refused_ = false;
  incompatible_.clear();
  back_off_ = kHelloEvery;
  Accept(hello);
  HelloSoon();
  return News::kNewPeer;
}

Association::News Association::OnPeersHello(const Hello& hello, const FrameHeader& header) {
  if (header.sequence <= hello_sequence_) return News::kNothing;
  // One meant for an earlier run of this device, or for a stranger.
  if (!hello.echo || *hello.echo != options_.nonce) return News::kNothing;
  hello_sequence_ = header.sequence;
  Accept(hello);
  return News::kNews;
}

// Who mirrors nothing still hears the other: control frames are the same in all versions.
void Association::Accept(const Hello& hello) {
  hello_ = hello;
  const uint32_t version = options_.stream_version;
  shares_streams_ = hello.version_min <= version && version <= hello.version_max;
  std::string difference = shares_streams_
                               ? DifferenceOf(options_.fingerprint, hello.fingerprint)
                               : "mirroring version " + std::to_string(version) + " here, " +
                                     Range(hello.version_min, hello.version_max) + " at the peer";
  if (!difference.empty()) counters_.incompatible.Add(1);
  if (difference == incompatible_) return;
  incompatible_ = std::move(difference);
  back_off_ = kHelloEvery;
}

Nanos Association::Interval() const noexcept {
  if (!incompatible_.empty()) return back_off_;
  return current_ ? kHelloEvery : kHelloSoon;
}

// The first of the urgent ones at once, the others a little later each.
bool Association::IsTimeForHello(Nanos now) const noexcept {
  if (hello_at_ == 0) return true;
  const Nanos since = now - hello_at_;
  if (urgent_ == 0 || is_refused_) return since >= Interval();
  return since >= (urgent_ == kUrgentHellos ? kHelloSoon / 10 : kHelloSoon);
}

// What the port does not take, other ways may: they go by the time alone.
Association::Due Association::HelloDue(Nanos now) {
  const bool was_unsent = std::exchange(is_unsent_, false);
  if (!IsTimeForHello(now)) return was_unsent ? Due::kAgain : Due::kNo;
  if (urgent_ > 0 && !is_refused_) {
    --urgent_;
  } else if (!incompatible_.empty()) {
    back_off_ = std::min(back_off_ * 2, kHelloSlowest);
  }
  hello_at_ = now;
  return Due::kNow;
}

unsigned Association::SignAnswer(Hello& hello) {
  hello.echo = to_answer_->nonce;
  hello.seen = to_answer_->seen;
  return std::exchange(to_answer_, nullptr)->place;
}

void Association::Sign(Hello& hello) const {
  hello.version_min = hello.version_max = options_.stream_version;
  hello.unit_id = options_.unit();
  hello.device = options_.mirroring.device_name.substr(0, kDeviceNameMax);
  hello.incarnation = options_.incarnation;
  hello.nonce = options_.nonce;
  hello.fingerprint = options_.fingerprint;
  if (!current_) return;
  hello.echo = current_->nonce;
  hello.seen = current_->seen;
}

PeerState Association::state(Nanos now) const noexcept {
  // A peer that this device cannot work with speaks once a minute.
  const Nanos silence = incompatible_.empty() ? kSilence : 2 * kHelloSlowest + kSilence;
  if (current_ && !is_refused_ && now - heard_at_ <= silence) return PeerState::kUp;
  if (is_refused_ && now - heard_at_ <= silence) return PeerState::kHello;
  const bool is_known = std::ranges::any_of(candidates_, [&](const std::optional<Run>& one) {
    return one && now - one->heard_at <= kSilence;
  });
  return is_known ? PeerState::kHello : PeerState::kDown;
}

}  // namespace tandem::mirror
