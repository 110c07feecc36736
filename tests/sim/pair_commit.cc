// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/pair_commit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "tests/sim/journal.h"

namespace tandem::sim {
namespace {

using mirror::StreamState;

const mirror::FlowSender* SenderOf(PairDevice& device, unsigned worker, unsigned group) {
  return device.mirroring().worker(worker).FindSender(device.GroupNamed(kGroupNames[group]));
}

net::FlowKey4 KeyOf(const test::Endpoint& from, const test::Endpoint& to, flow::FlowHot4*) {
  return {from.address.v4(), to.address.v4(), htons(from.port), htons(to.port)};
}
net::FlowKey6 KeyOf(const test::Endpoint& from, const test::Endpoint& to, flow::FlowHot6*) {
  net::FlowKey6 key;
  std::copy_n(from.address.bytes().begin(), 16, std::begin(key.source.bytes));
  std::copy_n(to.address.bytes().begin(), 16, std::begin(key.destination.bytes));
  key.source_port = htons(from.port);
  key.destination_port = htons(to.port);
  return key;
}

}  // namespace

void CommitWatch::BeforeTurn(PairDevice& device, unsigned worker) {
  for (unsigned group = 0; group < kPairGroups; ++group) {
    const mirror::FlowSender* sender = SenderOf(device, worker, group);
    was_alone_[group] =
        sender == nullptr || !sender->is_open() || sender->state() == StreamState::kLagging;
  }
}

void CommitWatch::TakenOver(unsigned group, const Lan& lan) {
  for (const auto& [number, conversation] : lan.conversations())
    taken_over_[group] = std::max(taken_over_[group], number);
}

void CommitWatch::Injected(unsigned device, const LanParcel& parcel) {
  const auto seen = test::See(parcel.frame);
  if (parcel.from_client || !seen || !seen->number || seen->protocol != IPPROTO_TCP) return;
  orders_[device][*seen->number].waiting.push_back(SegmentOf(*seen));
}

void CommitWatch::CheckOrder(unsigned device, const test::Seen& seen) {
  Order& order = orders_[device][*seen.number];
  const Segment segment = SegmentOf(seen);
  const auto found = std::find(order.waiting.begin(), order.waiting.end(), segment);
  if (found != order.waiting.end()) {
    order.overtaken.insert(order.overtaken.end(), order.waiting.begin(), found);
    order.waiting.erase(order.waiting.begin(), found + 1);
  } else if (std::find(order.overtaken.begin(), order.overtaken.end(), segment) !=
             order.overtaken.end()) {
    Violate("row 18: of conversation %u, flags %u sequence %u left after what came later",
            *seen.number, seen.flags, seen.sequence);
  }
}

template <class Hot>
void CommitWatch::CheckAnswer(const Lan::Conversation& one, PairDevice& active, PairDevice& standby,
                              unsigned worker, bool is_strict) {
  const unsigned group = one.service->group;
  if (one.number <= taken_over_[group]) {
    ++excepted_;
    return;
  }
  flow::FlowTable<Hot>& here = active.tables(worker).Of<Hot>();
  const auto key = KeyOf(one.client, one.service->endpoint, static_cast<Hot*>(nullptr));
  const uint32_t slot = here.FindOne(key, one.service->protocol).slot;
  if (slot == flow::kNoSlot) return;  // it ended in the same turn
  const flow::Birth birth = flow::BirthOf(here.register_of(slot));
  // An answer that leaves while the virtual is not strict may come again when it is.
  if (!revealed_[group].insert({worker, birth << 1 | uint64_t{Hot::kIsIpv6}}).second) return;
  if (!is_strict) return;
  const flow::FlowCommon& common = here.hot(slot).common;
  if ((common.flags & flow::kMirrored) == 0) return;  // when it began
  // A repetition: the client has confirmed the first, which the flow's earlier birth let go.
  if (!flow::IsEmbryonic(common.state)) return;
  const mirror::FlowSender* sender = SenderOf(active, worker, group);
  const config::TrafficGroupId id = standby.GroupNamed(kGroupNames[group]);
  const mirror::FlowReceiver* receiver =
      worker < standby.workers() ? standby.mirroring().worker(worker).FindReceiver(id) : nullptr;
  // A peer that is down, or that is another run than the one which acknowledged.
  if (was_alone_[group] || receiver == nullptr || !receiver->is_open() ||
      receiver->counters().session.Get() != sender->counters().session.Get()) {
    ++excepted_;
    return;
  }
  ++checked_;
  flow::FlowTable<Hot>& there = standby.tables(worker).Of<Hot>();
  const uint32_t shadow = there.FindOne(key, one.service->protocol).slot;
  // The answer itself may have used up the flow's versions: the peer has it by the birth before.
  const bool is_renamed = flow::VersionOf(here.register_of(slot)) == 0;
  const bool is_there = shadow != flow::kNoSlot && there.pages().GroupOf(shadow) == id &&
                        (there.hot(shadow).common.flags & flow::kShadow) != 0 &&
                        (is_renamed || flow::BirthOf(there.register_of(shadow)) == birth);
  if (!is_there) {
    Violate("I6: conversation %u of %s was told that it is established, the peer lacks it",
            one.number, one.service->name.c_str());
  }
}

void CommitWatch::Left(unsigned device, PairDevice& active, PairDevice& standby,
                       const test::Sent& sent, const Lan& lan, const PairConfig& config) {
  if (sent.originated) return;
  const auto seen = test::See(sent.bytes);
  if (!seen || !seen->number || seen->protocol != IPPROTO_TCP) return;
  const auto found = lan.conversations().find(*seen->number);
  if (found == lan.conversations().end() || seen->source != found->second.service->endpoint) return;
  const unsigned index = lan.IndexOf(*found->second.service);
  const auto has = [index](uint32_t bits) { return (bits >> index & 1) != 0; };
  if (active.workers() == 1) CheckOrder(device, *seen);
  constexpr uint8_t kSynAck = test::kSyn | test::kAck;
  if ((seen->flags & kSynAck) != kSynAck) return;
  // A virtual that is deleted promises nothing any more.
  const bool is_strict = has(config.virtuals) && has(config.strict) && has(config.mirrored);
  if (found->second.service->endpoint.address.is_v4()) {
    CheckAnswer<flow::FlowHot4>(found->second, active, standby, sent.worker, is_strict);
  } else {
    CheckAnswer<flow::FlowHot6>(found->second, active, standby, sent.worker, is_strict);
  }
}

}  // namespace tandem::sim
