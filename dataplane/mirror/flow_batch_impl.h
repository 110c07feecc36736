// SPDX-License-Identifier: Apache-2.0
//
// The inside of FlowBatchWriter. The sender, which adds thousands of rows a turn, goes by it rather than
// by the class: creates and closes are inline here.
//
// A create or a close of the usual kind meets columns that have turned (they have a value for each row) or
// stay as they are (all of their values are equal): it differs from the first one in turned columns alone,
// and there is room for it whatever its values are. Any other row goes the slow way, which is right whatever
// the row is.
#pragma once

#include <endian.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "dataplane/mirror/columns.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_endpoints.h"
#include "dataplane/mirror/likeness.h"

namespace tandem::mirror {
namespace batch {

template <uint32_t kField, class Codec>
using Dense = Column<kField, Codec, kRowsMax>;
template <uint32_t kField, class Codec>
using Sparse = SparseColumn<kField, Codec, kRowsMax>;

using Slot = Dense<2, VarintCodec<5>>;
using BirthColumn = Dense<3, VarintCodec<8>>;  // differences of 52-bit numbers, zigzag: 54 bits
using Version = Dense<4, VarintCodec<2>>;
using StateAndFlags = Dense<5, VarintCodec<2>>;

template <class AddressCodec, uint32_t kFamily>  // 0: IPv4, 1: IPv6
using CreateGroup =
    ColumnGroup<Slot, BirthColumn, Version, StateAndFlags, Dense<6, VarintCodec<2>>,  // protocol
                Dense<7, VarintCodec<3>>,                                             // virtual
                Dense<8, VarintCodec<3>>,                                             // member
                Dense<9, VarintCodec<4>>,                                             // age
                Dense<10, VarintCodec<3>>,                                            // interface
                Dense<11, Fixed64Codec>,                                              // client_mac
                Dense<12, Fixed32Codec>,                                              // ports
                Dense<13 + kFamily, AddressCodec>,                                    // client
                Dense<15 + kFamily, AddressCodec>,                                    // snat
                Dense<17, VarintCodec<1>>,                                            // shape
                Sparse<18 + kFamily, AddressCodec>,                                   // destination
                Sparse<20, VarintCodec<3>>,          // destination_port
                Sparse<21 + kFamily, AddressCodec>,  // server
                Sparse<23, VarintCodec<3>>>;         // server_port
// Positions in it.
inline constexpr size_t kVirtual = 5;
inline constexpr size_t kMember = 6;
inline constexpr size_t kPorts = 10;
inline constexpr size_t kClient = 11;
inline constexpr size_t kSnat = 12;
// Those of the columns that differ from flow to flow, and of those that mostly do not. Sparse ones are
// neither.
using ChangingColumns = std::index_sequence<0, 1, kVirtual, kMember, kPorts, kClient, kSnat>;
using SteadyColumns = std::index_sequence<2, 3, 4, 7, 8, 9, 13>;
// Of all kinds of rows, the columns that turn with the second row, for slots and births are each another.
using TurnedColumns = std::index_sequence<0, 1>;
using UpdateGroup = ColumnGroup<Slot, BirthColumn, Version, StateAndFlags>;
using CloseGroup = ColumnGroup<Slot, BirthColumn, Version>;
using TouchGroup = ColumnGroup<Slot>;
using AuditGroup = ColumnGroup<Slot, Dense<3, Fixed64Codec>>;

// A group and what its columns of differences count from.
template <class Group>
struct Rows {
  Group group;
  uint32_t last_slot = 0;  // or range
  flow::Birth last_birth = 0;

  uint64_t SlotValue(uint32_t slot) const {
    return wire::ZigZag32(static_cast<int32_t>(slot - last_slot));
  }
  uint64_t BirthValue(flow::Register value) const {
    return wire::ZigZag64(static_cast<int64_t>(flow::BirthOf(value) - last_birth));
  }
  // The first two columns of a row, which have turned; returns how many bytes longer they are. Mostly each
  // takes one, for what begins or ends together is near in both.
  [[gnu::always_inline]] size_t AppendName(uint32_t slot, flow::Register value) {
    const uint64_t slot_value = SlotValue(slot);
    const uint64_t birth_value = BirthValue(value);
    last_slot = slot;
    last_birth = flow::BirthOf(value);
    if ((slot_value | birth_value) >= 0x80) [[unlikely]]
      return AppendLongName(slot_value, birth_value);
    group.template AppendByte<0>(static_cast<uint8_t>(slot_value));
    group.template AppendByte<1>(static_cast<uint8_t>(birth_value));
    return 2;
  }
  [[gnu::noinline]] size_t AppendLongName(uint64_t slot_value, uint64_t birth_value) {
    return group.template Append<0>(slot_value) + group.template Append<1>(birth_value);
  }
  void Clear() {
    group.Clear();
    last_slot = 0;
    last_birth = 0;
  }
};

// Of ports in network byte order.
inline uint32_t PortsValue(uint16_t client, uint16_t back) {
  return be32toh(std::bit_cast<uint32_t>(std::array{client, back}));
}

inline uint32_t ColumnValue(uint32_t address) {
  return be32toh(address);
}
inline const net::Ipv6Bytes& ColumnValue(const net::Ipv6Bytes& address) {
  return address;
}

template <class Hot>
uint32_t PortsOf(const Hot& flow, bool has_return) {
  return PortsValue(flow.client.source_port,
                    has_return ? flow.server.destination_port : uint16_t{0});
}

template <class Hot>
auto SnatOf(const Hot& flow, bool has_return) {
  return has_return ? ColumnValue(flow.server.destination) : decltype(Hot::Key::source){};
}

struct CloseRows : Rows<CloseGroup> {
  static constexpr size_t kRowMax = Slot::ValueCodec::kSizeMax + BirthColumn::ValueCodec::kSizeMax +
                                    Version::ValueCodec::kSizeMax;  // bytes

  // The version of a usual row, and its bits that matter. No version has all bits of kVersionNone.
  static constexpr uint32_t kVersionNone = UINT32_MAX;
  uint32_t version = kVersionNone;
  uint32_t version_mask = kVersionNone;

  bool IsUsual(flow::Register value) const {
    return ((flow::VersionOf(value) ^ version) & version_mask) == 0;
  }
  void Clear() {
    Rows::Clear();
    version = kVersionNone;
    version_mask = kVersionNone;
  }
};

template <class Hot, class Group>
struct CreateRows : Rows<Group> {
  using Rows<Group>::group;

  ShapeTeller<Hot> shapes;
  Likeness<Hot> likeness;
  size_t row_max = 0;  // bytes of a row that is like the first

  // All of such a row but its name, taken from `room`.
  [[gnu::always_inline]] void AppendFlow(const Hot& flow, size_t& room) {
    const bool has_return = likeness.has_return();
    if (!group.template IsUniform<kVirtual>())
      room -= group.template Append<kVirtual>(flow.common.virtual_id);
    if (!group.template IsUniform<kMember>())
      room -= group.template Append<kMember>(flow.common.member_id);
    if (!group.template IsUniform<kPorts>())
      room -= group.template Append<kPorts>(PortsOf(flow, has_return));
    if (!group.template IsUniform<kClient>())
      room -= group.template Append<kClient>(ColumnValue(flow.client.source));
    if (!group.template IsUniform<kSnat>())
      room -= group.template Append<kSnat>(SnatOf(flow, has_return));
  }

  void Clear() {
    Rows<Group>::Clear();
    likeness.Clear();
  }
};

}  // namespace batch

struct FlowBatchWriter::Impl {
  // As those of the class.
  template <class Hot>
  bool AddCreate(const Hot& flow, const FlowName& name) noexcept;
  template <class Hot>
  bool AddClose(const CloseRow& row) noexcept;

  // ---- flow_batch_writer.cc
  // Slow, and right whatever the row is.
  template <class Hot>
  [[gnu::noinline]] bool AddAnyCreate(const Hot& flow, uint32_t slot, flow::Register value,
                                      uint32_t age_ticks) noexcept;
  template <class Hot>
  [[gnu::noinline]] bool AddAnyClose(uint32_t slot, flow::Register value) noexcept;
  template <class Hot>
  bool AddLike(const Hot& flow, const FlowName& name) noexcept;
  template <class Hot>
  bool AddUnlike(const Hot& flow, const FlowName& name) noexcept;
  template <class Group, class... Values>
  bool Add(batch::Rows<Group>& to, uint32_t slot, flow::Register value,
           const Values&... values) noexcept;
  template <class Group>
  bool AddWhereSizesLeap(batch::Rows<Group>& to, const typename Group::Row& row) noexcept;
  template <class F>
  void EachGroup(F&& f);

  template <class Hot>
  auto& Creates() {
    if constexpr (Hot::kIsIpv6) {
      return creates6;
    } else {
      return creates4;
    }
  }

  batch::CreateRows<flow::FlowHot4, batch::CreateGroup<Fixed32Codec, 0>> creates4;
  batch::CreateRows<flow::FlowHot6, batch::CreateGroup<Ipv6Codec, 1>> creates6;
  batch::Rows<batch::UpdateGroup> updates[2];
  batch::CloseRows closes[2];
  batch::Rows<batch::TouchGroup> touches[2];
  batch::Rows<batch::AuditGroup> audits[2];
  size_t size_max = 0;
  size_t room = 0;  // at least so many bytes are left for values
  uint32_t rows = 0;
};

template <class Hot>
[[gnu::always_inline]] inline bool FlowBatchWriter::Impl::AddCreate(const Hot& flow,
                                                                    const FlowName& name) noexcept {
  auto& to = Creates<Hot>();
  if (!to.likeness.IsLike(flow, name, to.shapes) || room < to.row_max || rows == kRowsMax)
      [[unlikely]] {
    return AddAnyCreate(flow, name.slot, name.value, name.age_ticks);
  }
  size_t left = room - to.AppendName(name.slot, name.value);
  to.AppendFlow(flow, left);
  to.group.AddRow();
  room = left;
  ++rows;
  return true;
}

template <class Hot>
[[gnu::always_inline]] inline bool FlowBatchWriter::Impl::AddClose(const CloseRow& row) noexcept {
  auto& to = closes[Hot::kIsIpv6];
  if (!to.IsUsual(row.value) || room < to.kRowMax || rows == kRowsMax) [[unlikely]]
    return AddAnyClose<Hot>(row.slot, row.value);
  size_t left = room - to.AppendName(row.slot, row.value);
  if (to.version_mask == 0) left -= to.group.template Append<2>(flow::VersionOf(row.value));
  to.group.AddRow();
  room = left;
  ++rows;
  return true;
}

}  // namespace tandem::mirror
