// SPDX-License-Identifier: Apache-2.0
//
// Finds the largest IP packet that the path to the peer carries, by probes of that size: the largest
// that is allowed first, then by halves. What was found is confirmed every second, for a path that
// comes to carry less says nothing: small frames go on to be answered, large ones vanish (RFC 8899,
// 4.3). It is looked for again once a minute in case the path has become better; soon, and then ever
// more rarely, after it became worse. One probe at a time; three are lost before a size counts as too
// large, and six, while the peer is heard, before one that passed does: a cable may be out, or bad.
//
// Pure. Thread safety: none; the mirror lcore.
#pragma once

#include <cstdint>

#include "dataplane/base/time.h"

namespace tandem::mirror {

class PathMtu {
 public:
  static constexpr uint16_t kFloor = 576;    // taken for granted (RFC 791)
  static constexpr uint16_t kBase = 1280;    // the first guess (RFC 8200)
  static constexpr uint16_t kPrecision = 8;  // bytes that are not worth another probe
  static constexpr unsigned kTries = 3;
  static constexpr unsigned kConfirmTries = 6;
  static constexpr Nanos kPatience = 100 * kMillisecond;
  static constexpr Nanos kConfirmEvery = kSecond;
  static constexpr Nanos kRaiseEvery = 60 * kSecond;
  static constexpr Nanos kRaiseSoon = 2 * kSecond;

  explicit PathMtu(uint16_t most);

  // Another peer, maybe another path.
  void Restart(Nanos now);
  // The size of a probe to be sent now; 0: none. A probe that was asked for counts as sent. The peer
  // was heard last at `heard_at`.
  uint16_t Due(Nanos now, Nanos heard_at);
  void OnAnswer(uint16_t size, Nanos now);

  // Largest IP packet that is known to pass; a cautious guess before that.
  uint16_t mtu() const { return mtu_; }

 private:
  void Search(uint16_t low, uint16_t high, Nanos now);
  void Confirm(Nanos now);
  bool IsLost(Nanos now, Nanos heard_at) const;
  void Narrow(Nanos now);
  void Lost(Nanos now);

  const uint16_t most_;
  uint16_t mtu_;
  bool searching_ = false;
  bool confirming_ = false;  // searching, for what is known already
  uint16_t low_ = 0;         // passes
  uint16_t high_ = 0;        // nothing above it does
  uint16_t size_ = 0;        // of the probe that is out, or due
  unsigned tries_ = 0;
  Nanos sent_at_ = 0;
  Nanos ended_at_ = 0;      // a search, but for confirmations
  Nanos confirmed_at_ = 0;  // any
  Nanos raise_after_ = kRaiseEvery;
};

}  // namespace tandem::mirror
