// SPDX-License-Identifier: Apache-2.0
//
// Whether creates say the same as all before them in the columns that have one value so far. Most do: the
// flows of a batch differ in little more than their ends. Asked for each row as a whole, by the memory that
// holds it: a flow that is like the first one under a mask needs no column of its own looked at.
//
// Flags by which a sender tells flows of the usual kind are under the mask too: what is like a usual flow is
// one. What the mask covers need not be compared with the dictionary either: of the first flow it is known what
// follows from that.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/flow.h"
#include "dataplane/flow/register.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_endpoints.h"

namespace tandem::mirror {

// Which of the columns that mostly differ from flow to flow have one value so far.
struct UniformColumns {
  bool virtual_id, member_id, ports, client, snat;
};

template <class Hot>
class Likeness {
 public:
  // Until the next Set nothing is like the first.
  void Clear() noexcept { rest_ = kNothing; }
  void SetFirst(const Hot& flow) noexcept { first_ = flow; }
  bool is_set() const noexcept { return rest_ != kNothing; }
  // Begins anew with a flow that says the same as those before in the columns without a name in
  // UniformColumns, and of which the dictionary says the same, though it may be another one. False: that is
  // not so. REQUIRES: is_set.
  bool GoOn(const Hot& flow, flow::Register value, uint32_t age_ticks,
            ShapeTeller<Hot>& shapes) noexcept {
    if (RestOf(value, age_ticks) != rest_ || !IsSteady(flow.common)) return false;
    if (shapes.ShapeOf(flow) != shape_) return false;
    first_ = flow;
    return true;
  }
  // Of all rows so far the columns without a name in UniformColumns have one value, those that not every
  // row has are empty, and `name` and `shape` are the last row's.
  void Set(const UniformColumns& uniform, const FlowName& name, uint32_t shape) noexcept;
  // How many of `count` rows are like the first, up to one that is not.
  template <class Source>
  size_t CountLike(const Source& source, size_t count, ShapeTeller<Hot>& shapes) const noexcept;
  // Whether the flow, which is like the first under the mask, has the shape of the last row.
  [[gnu::noinline]] bool HasShape(const Hot& flow, ShapeTeller<Hot>& shapes) const noexcept {
    // (No column that not every row has is in use: neither end was explicit.)
    if (!covers_destination_ && shapes.OfDestination(flow) != 0) return false;
    const uint32_t server = covers_server_ ? shape_ & kServerPortKept : shapes.OfServer(flow);
    return (server | shapes.OfReturn(flow)) == shape_;
  }
  // Whether rows say where the server answers to. REQUIRES: Set.
  bool has_return() const noexcept { return has_return_; }

 private:
  using Address = decltype(Hot::Key::source);
  using Lane [[gnu::vector_size(16)]] = uint64_t;
  // Keys, and of FlowCommon all to client_interface, and what else comes with the last lane.
  static constexpr size_t kLanes = (offsetof(Hot, common) + 16 + sizeof(Lane) - 1) / sizeof(Lane);
  static_assert(kLanes * sizeof(Lane) <= sizeof(Hot));
  static_assert(offsetof(flow::FlowCommon, client_interface) + sizeof(config::InterfaceId) == 16);
  static constexpr uint64_t kNothing = UINT64_MAX;
  static constexpr uint16_t kSteadyFlags =
      kMirroredFlags | flow::kMirrored | flow::kMirrorKnown | flow::kUnbound;

  template <class T>
  static T AllBits() noexcept {
    std::array<uint8_t, sizeof(T)> bytes;
    bytes.fill(0xff);
    return std::bit_cast<T>(bytes);
  }
  static uint64_t RestOf(flow::Register value, uint32_t age_ticks) noexcept {
    return flow::VersionOf(value) | uint64_t{age_ticks >> 10} << 16;
  }
  bool IsSteady(const flow::FlowCommon& common) const noexcept {
    const flow::FlowCommon& first = first_.common;
    return common.protocol == first.protocol && common.state == first.state &&
           ((common.flags ^ first.flags) & kSteadyFlags) == 0 &&
           common.client_mac == first.client_mac &&
           common.client_interface == first.client_interface;
  }
  [[gnu::always_inline]] static Lane LaneOf(const Hot& flow, size_t index) noexcept {
    Lane lane;
    std::memcpy(&lane, reinterpret_cast<const std::byte*>(&flow) + index * sizeof(lane),
                sizeof(lane));
    return lane;
  }

  Hot first_;
  Hot mask_;                  // its bits that matter
  uint64_t rest_ = kNothing;  // version and age
  uint32_t shape_ = 0;
  bool has_return_ = false;
  bool covers_destination_ = false;
  bool covers_server_ = false;
  // All flows under the mask have one virtual, and both ends translated: of their shape only the member is
  // to be asked for.
  bool is_translated_ = false;
};

template <class Hot>
void Likeness<Hot>::Set(const UniformColumns& uniform, const FlowName& name,
                        uint32_t shape) noexcept {
  has_return_ =
      (first_.common.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0;
  mask_ = Hot();
  mask_.common.protocol = AllBits<uint8_t>();
  mask_.common.state = AllBits<flow::State>();
  mask_.common.flags = kSteadyFlags;
  mask_.common.client_mac = AllBits<MacAddress>();
  mask_.common.client_interface = AllBits<uint16_t>();
  if (uniform.virtual_id) {
    mask_.common.virtual_id = AllBits<uint16_t>();
    mask_.client.destination_port = AllBits<uint16_t>();
    mask_.client.destination = AllBits<Address>();
  }
  if (uniform.member_id) mask_.common.member_id = AllBits<uint16_t>();
  covers_destination_ = uniform.virtual_id;
  covers_server_ = uniform.virtual_id && uniform.member_id;
  constexpr uint16_t kBothEnds = flow::kTranslateAddress | flow::kTranslateSource;
  is_translated_ =
      uniform.virtual_id && shape == 0 && (first_.common.flags & kBothEnds) == kBothEnds;
  if (covers_server_) {
    mask_.server.source_port = AllBits<uint16_t>();
    mask_.server.source = AllBits<Address>();
  }
  if (uniform.ports) {
    mask_.client.source_port = AllBits<uint16_t>();
    if (has_return_) mask_.server.destination_port = AllBits<uint16_t>();
  }
  if (uniform.client) mask_.client.source = AllBits<Address>();
  if (uniform.snat && has_return_) mask_.server.destination = AllBits<Address>();
  rest_ = RestOf(name.value, name.age_ticks);
  shape_ = shape;
}

template <class Hot>
template <class Source>
inline size_t Likeness<Hot>::CountLike(const Source& source, size_t count,
                                       ShapeTeller<Hot>& shapes) const noexcept {
  if (!is_set()) return 0;
  // (In registers throughout, which g++ 12 keeps no members in.)
  std::array<Lane, kLanes> first;
  std::array<Lane, kLanes> mask;
  for (size_t i = 0; i < kLanes; ++i) {
    first[i] = LaneOf(first_, i);
    mask[i] = LaneOf(mask_, i);
  }
  const uint64_t rest = rest_;
  const bool is_translated = is_translated_;
  size_t like = 0;
  for (; like < count; ++like) {
    if (!source.has(like)) break;
    const Hot& flow = source.flow(like);
    Lane unlike = {};
#pragma GCC unroll 8
    for (size_t i = 0; i < kLanes; ++i)
      unlike |= (LaneOf(flow, i) ^ first[i]) & mask[i];
    const uint64_t its_rest = RestOf(source.value(like), source.age_ticks(like));
    if (((its_rest ^ rest) | unlike[0] | unlike[1]) != 0) break;
    if (is_translated && shapes.IsMembers(flow)) [[likely]]
      continue;
    if (!HasShape(flow, shapes)) break;
  }
  return like;
}

}  // namespace tandem::mirror
