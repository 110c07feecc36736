// SPDX-License-Identifier: Apache-2.0
//
// Deltas as a busy worker has them to tell: flows begin in the lowest free slot, change once and end in
// random order; 8 virtual servers over 96 members of 200, several SNAT addresses, two client networks
// behind one router. For benchmarks, and for the test of what a delta costs on the wire.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/mirror/flow_batch.h"

namespace tandem::bench {

enum class DeltaKind : uint8_t { kCreate, kUpdate, kClose };

template <class Hot>
struct Delta {
  DeltaKind kind = DeltaKind::kCreate;
  mirror::CreateRow<Hot> create;
  mirror::UpdateRow update;
  mirror::CloseRow close;
};

// Percent; what is left of 100 are closes.
struct MixShares {
  uint32_t create = 40;
  uint32_t update = 30;
};

template <class Hot>
class MirrorMix {
 public:
  MirrorMix(uint64_t seed, uint32_t live_flows, MixShares shares) : prng_(seed), shares_(shares) {
    for (uint16_t number = 1; number <= kVirtuals; ++number) {
      dictionary_.Add(config::ObjectKind::kVirtual, number,
                      {number, Address(0x0a010000U + number), number % 2 == 0 ? kHttp : kHttps});
    }
    for (uint16_t number = 1; number <= kMembers; ++number) {
      dictionary_.Add(config::ObjectKind::kMember, number,
                      {number, Address(0x0a020000U + number), kBackend});
    }
    dictionary_.Finish();
    for (uint32_t i = 0; i < live_flows; ++i)
      Create();
  }

  const config::Dictionary& dictionary() const { return dictionary_; }

  void SetShares(MixShares shares) { shares_ = shares; }  // from the next delta on

  Delta<Hot> Next() {
    Delta<Hot> delta;
    const uint32_t draw = prng_.Below(100);
    if (draw < shares_.create) {
      delta.create = Create();
      return delta;
    }
    const size_t victim = prng_.Below(static_cast<uint32_t>(live_.size()));
    Live& flow = live_[victim];
    flow.value = flow::NextVersion(flow.value);
    if (draw < shares_.create + shares_.update) {
      delta.kind = DeltaKind::kUpdate;
      delta.update = {flow.slot, flow.value,
                      prng_.Below(2) == 0 ? flow::State::kFinClient : flow::State::kClosing,
                      flow.flags};
      return delta;
    }
    delta.kind = DeltaKind::kClose;
    delta.close = {flow.slot, flow.value};
    free_.push(flow.slot);
    flow = live_.back();
    live_.pop_back();
    return delta;
  }

 private:
  static constexpr uint16_t kVirtuals = 8;
  static constexpr uint16_t kMembers = 200;
  static constexpr uint16_t kHttp = 80;
  static constexpr uint16_t kHttps = 443;
  static constexpr uint16_t kBackend = 8080;

  struct Live {
    uint32_t slot = 0;
    flow::Register value = 0;
    uint16_t flags = 0;
  };

  static IpAddress Address(uint32_t number) {
    if constexpr (Hot::kIsIpv6) {
      uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8};
      const uint32_t low = htonl(number);
      std::memcpy(bytes + 12, &low, sizeof(low));
      return IpAddress::V6(bytes);
    } else {
      return IpAddress::V4(htonl(number));
    }
  }
  static auto WireAddress(uint32_t number) {
    const IpAddress address = Address(number);
    if constexpr (Hot::kIsIpv6) {
      net::Ipv6Bytes bytes;
      std::memcpy(bytes.bytes, address.bytes().data(), 16);
      return bytes;
    } else {
      return address.v4();
    }
  }

  uint32_t FreeSlot() {
    if (free_.empty()) return slots_++;
    const uint32_t slot = free_.top();
    free_.pop();
    return slot;
  }

  // No two are equal before 25 million flows have begun: servers see each tuple once.
  struct ServerSide {
    uint32_t virtual_index, member_index, snat_index;
    uint16_t port;
  };
  ServerSide NextServerSide() {
    constexpr uint32_t kMembersEach = 12;
    constexpr uint32_t kSnatAddresses = 4;
    constexpr uint64_t kTuples = uint64_t{kVirtuals} * kMembersEach * kSnatAddresses << 16;
    constexpr uint64_t kStride = 15'485'863;  // a prime that does not divide kTuples
    uint64_t rest = ++begun_ * kStride % kTuples;
    const auto take = [&rest](uint32_t below) {
      const auto digit = static_cast<uint32_t>(rest % below);
      rest /= below;
      return digit;
    };
    const uint32_t member_index = take(kMembersEach);
    const uint32_t virtual_index = take(kVirtuals);
    const uint32_t snat_index = take(kSnatAddresses);
    return {virtual_index, member_index, snat_index, static_cast<uint16_t>(rest * 40503U)};
  }

  mirror::CreateRow<Hot> Create() {
    mirror::CreateRow<Hot> row;
    birth_ += 1 + prng_.Below(3);  // other traffic groups have flows of their own
    row.slot = FreeSlot();
    row.value = flow::MakeRegister(birth_, 1 + prng_.Below(2));
    row.state = prng_.Below(4) == 0 ? flow::State::kSynAcked : flow::State::kEstablished;
    row.flags = flow::kTranslateAddress | flow::kTranslateSource;
    if (prng_.Below(8) != 0) row.flags |= flow::kWindowScaled;
    row.protocol = 6;
    const ServerSide server = NextServerSide();
    row.virtual_id = static_cast<uint16_t>(1 + server.virtual_index);
    row.member_id = static_cast<uint16_t>(row.virtual_id * 12 + server.member_index + 1);
    row.interface_id = 1;
    row.client_mac = {0x02, 0, 0, 0, 0, 1};
    row.age_ticks = prng_.Below(16) == 0 ? 1024 : 0;
    const uint32_t network = prng_.Below(2) == 0 ? 0xc6336400U : 0xcb007100U;
    // No two are equal before 16 million flows have begun.
    row.client.source = WireAddress(network ^ (static_cast<uint32_t>(begun_) * 40'503U & 0xffffff));
    row.client.source_port = static_cast<uint16_t>(prng_.Next());
    row.client.destination = WireAddress(0x0a010000U + row.virtual_id);
    row.client.destination_port = htons(row.virtual_id % 2 == 0 ? kHttp : kHttps);
    row.server.source = WireAddress(0x0a020000U + row.member_id);
    row.server.source_port = htons(kBackend);
    row.server.destination = WireAddress(0x0a030000U + server.snat_index);
    row.server.destination_port = server.port;
    live_.push_back({row.slot, row.value, row.flags});
    return row;
  }

  Prng prng_;
  MixShares shares_;
  config::Dictionary dictionary_;
  std::vector<Live> live_;
  std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> free_;
  uint32_t slots_ = 0;
  uint64_t begun_ = 0;
  flow::Birth birth_ = 10'000'000;
};

// False: the batch is full.
template <class Hot>
bool AddTo(mirror::FlowBatchWriter& writer, const Delta<Hot>& delta) {
  switch (delta.kind) {
    case DeltaKind::kCreate:
      return writer.AddCreate(delta.create);
    case DeltaKind::kUpdate:
      return writer.AddUpdate(Hot::kIsIpv6, delta.update);
    case DeltaKind::kClose:
      return writer.AddClose(Hot::kIsIpv6, delta.close);
  }
  return false;
}

// Batches of `size` bytes, as full as can be, of the deltas in order.
template <class Hot>
std::vector<std::vector<uint8_t>> MakeBatches(const std::vector<Delta<Hot>>& deltas,
                                              const config::Dictionary& dictionary, size_t size) {
  std::vector<std::vector<uint8_t>> batches;
  mirror::FlowBatchWriter writer;
  writer.Begin(size, dictionary);
  const auto finish = [&] {
    auto& body = batches.emplace_back(size);
    body.resize(writer.Finish(body.data()));
    writer.Begin(size, dictionary);
  };
  for (size_t i = 0; i < deltas.size();) {
    if (AddTo(writer, deltas[i])) {
      ++i;
    } else {
      finish();
    }
  }
  finish();
  return batches;
}

}  // namespace tandem::bench
