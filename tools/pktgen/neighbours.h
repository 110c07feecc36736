// SPDX-License-Identifier: Apache-2.0
//
// ARP and neighbour discovery of one side: answers for every address that the side plays, and finds the
// device's MAC before traffic begins.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "dataplane/base/time.h"
#include "dataplane/net/frame.h"

namespace tandem::pktgen {

class Neighbours {
 public:
  // `owns`: whether an address is of this side.
  Neighbours(const MacAddress& mac, std::function<bool(const IpAddress&)> owns)
      : mac_(mac), owns_(std::move(owns)) {}

  // REQUIRES: the parser took the frame for ARP or neighbour discovery. The length of the answer in
  // `out`, 0 when there is none.
  size_t Answer(const net::Packet& packet, const net::Parsed& parsed, net::FrameBuffer out);

  bool owns(const IpAddress& address) const { return owns_(address); }

  // Look for `target`; questions come from `source`, one of our own. Both of one family.
  void LookFor(const IpAddress& target, const IpAddress& source);
  // The length of the next question, 0 when it is not time for one, or none is needed.
  size_t Ask(Nanos now, net::FrameBuffer out);
  bool is_looking() const { return !target_.is_unset() && !found_; }
  const IpAddress& target() const { return target_; }
  const std::optional<MacAddress>& found() const { return found_; }

 private:
  static constexpr Nanos kAskEvery = 200 * kMillisecond;

  size_t AnswerArp(const net::Packet& packet, const net::Parsed& parsed, net::FrameBuffer out);
  size_t AnswerNd(const net::Packet& packet, const net::Parsed& parsed, net::FrameBuffer out);
  void Learn(const IpAddress& address, const MacAddress& mac);

  MacAddress mac_;
  std::function<bool(const IpAddress&)> owns_;
  IpAddress target_;
  IpAddress source_;
  std::optional<MacAddress> found_;
  Nanos ask_at_ = 0;
};

}  // namespace tandem::pktgen
