// SPDX-License-Identifier: Apache-2.0
//
// Output commit, looked at from outside both devices, at the moment a packet leaves:
//  - the first answer on a flow of a strict virtual leaves only when the peer has the flow (I6), but
//    for what dataplane/pipeline/commit.h excepts: no session, or a peer that lags;
//  - what a server sent later does not leave sooner: no FIN or RST passes a held packet. Of devices
//    with one worker, as packets of a flow may come to any.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>

#include "tests/sim/flow_image.h"
#include "tests/sim/lan.h"
#include "tests/sim/pair_config.h"
#include "tests/sim/pair_device.h"

namespace tandem::sim {

class CommitWatch {
 public:
  // Before a turn of a worker: whether its stream of the group has nobody to wait for.
  void BeforeTurn(PairDevice& device, unsigned worker);
  // A frame is about to be taken in.
  void Injected(unsigned device, const LanParcel& parcel);
  // A frame left in that turn. `config`: of the device.
  void Left(unsigned device, PairDevice& active, PairDevice& standby, const test::Sent& sent,
            const Lan& lan, const PairConfig& config);
  // The roles changed, or the device is another run.
  void Forget(unsigned device) { orders_[device].clear(); }
  void NewWriter(unsigned group) { revealed_[group].clear(); }
  // And these conversations began with the one before: their clients may have been told of their flows
  // then, by an answer that comes again now.
  void TakenOver(unsigned group, const Lan& lan);

  uint64_t checked() const { return checked_; }    // first answers with a peer to wait for
  uint64_t excepted() const { return excepted_; }  // and without

 private:
  struct Segment {
    uint32_t sequence = 0, acknowledgement = 0;
    uint8_t flags = 0;
    size_t length = 0;
    bool operator==(const Segment&) const = default;
  };
  static Segment SegmentOf(const test::Seen& seen) {
    return {seen.sequence, seen.acknowledgement, seen.flags, seen.payload.size()};
  }
  template <class Hot>
  void CheckAnswer(const Lan::Conversation& one, PairDevice& active, PairDevice& standby,
                   unsigned worker, bool is_strict);
  void CheckOrder(unsigned device, const test::Seen& seen);

  std::array<bool, kPairGroups> was_alone_{};
  std::array<uint32_t, kPairGroups> taken_over_{};  // conversations up to this one
  // What its server sent: not let go yet, and passed by others.
  struct Order {
    std::deque<Segment> waiting, overtaken;
  };
  std::array<std::map<uint32_t, Order>, 2> orders_;  // of each device, by conversation
  std::array<std::set<std::pair<unsigned, uint64_t>>, kPairGroups> revealed_;  // worker and birth
  uint64_t checked_ = 0;
  uint64_t excepted_ = 0;
};

}  // namespace tandem::sim
