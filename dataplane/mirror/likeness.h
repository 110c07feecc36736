// SPDX-License-Identifier: Apache-2.0
//
// Whether a create says the same as all before it in the columns that have one value so far. Most do: the
// flows of a batch differ in little more than their ends. Asked for the row as a whole, by the memory that
// holds it: a flow that is like the first one under a mask needs no column of its own looked at.
//
// What the mask covers need not be compared with the dictionary either: of the first flow it is known what
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
  // Of all rows so far the columns without a name in UniformColumns have one value, those that not every
  // row has are empty, and `name` and `shape` are the last row's.
  void Set(const UniformColumns& uniform, const FlowName& name, uint32_t shape) noexcept;
  [[gnu::always_inline]] bool IsLike(const Hot& flow, const FlowName& name,
                                     ShapeTeller<Hot>& shapes) const noexcept;
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

  template <class T>
  static T AllBits() noexcept {
    std::array<uint8_t, sizeof(T)> bytes;
    bytes.fill(0xff);
    return std::bit_cast<T>(bytes);
  }
  static uint64_t RestOf(const FlowName& name) noexcept {
    return flow::VersionOf(name.value) | uint64_t{name.age_ticks >> 10} << 16;
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
};

template <class Hot>
void Likeness<Hot>::Set(const UniformColumns& uniform, const FlowName& name,
                        uint32_t shape) noexcept {
  has_return_ =
      (first_.common.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0;
  mask_ = Hot();
  mask_.common.protocol = AllBits<uint8_t>();
  mask_.common.state = AllBits<flow::State>();
  mask_.common.flags = kMirroredFlags;
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
  rest_ = RestOf(name);
  shape_ = shape;
}

template <class Hot>
inline bool Likeness<Hot>::IsLike(const Hot& flow, const FlowName& name,
                                  ShapeTeller<Hot>& shapes) const noexcept {
  Lane unlike = {RestOf(name) ^ rest_, 0};
#pragma GCC unroll 8
  for (size_t i = 0; i < kLanes; ++i)
    unlike |= (LaneOf(flow, i) ^ LaneOf(first_, i)) & LaneOf(mask_, i);
  if ((unlike[0] | unlike[1]) != 0) return false;
  // (No column that not every row has is in use: neither end was explicit.)
  if (!covers_destination_ && shapes.OfDestination(flow) != 0) return false;
  uint32_t shape = shapes.OfReturn(flow);
  shape |= covers_server_ ? shape_ & kServerPortKept : shapes.OfServer(flow);
  return shape == shape_;
}

}  // namespace tandem::mirror
