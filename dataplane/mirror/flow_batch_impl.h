// SPDX-License-Identifier: Apache-2.0
//
// The inside of FlowBatchWriter: the columns of a batch, and what is known of the rows so far.
//
// Creates and closes are mostly many at once and of the usual kind: they meet columns that have turned (they
// have a value for each row) or stay as they are (all of their values are equal). Such rows differ from the
// first one in turned columns alone, so they are added column by column, those for which there is room
// whatever their values are. Any other row goes the slow way, which is right whatever the row is.
//
// Rows come from a Source: flow(i), slot(i) (logical), value(i) and age_ticks(i) of row i, of which a close
// wants only slot and value; has(i) says whether it goes as far as that. So nothing is copied but into
// columns. Loops have a Source of their own: through a reference it would be read anew after each byte
// written.
#pragma once

#include <endian.h>

#include <algorithm>
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

  static uint64_t Difference(uint32_t from, uint32_t to) {
    return wire::ZigZag32(static_cast<int32_t>(to - from));
  }
  static uint64_t Difference(flow::Birth from, flow::Birth to) {
    return wire::ZigZag64(static_cast<int64_t>(to - from));
  }
  uint64_t SlotValue(uint32_t slot) const { return Difference(last_slot, slot); }
  uint64_t BirthValue(flow::Register value) const {
    return Difference(last_birth, flow::BirthOf(value));
  }
  // The first two columns of rows, which have turned; returns how many bytes longer they are. Mostly each
  // value takes one, for what begins or ends together is near in both.
  template <class Source>
  size_t AppendNames(Source source, size_t count) {
    auto& slots = group.template column<0>();
    auto& births = group.template column<1>();
    uint8_t* const slot_bytes = slots.end();
    uint8_t* const birth_bytes = births.end();
    uint32_t slot = last_slot;
    flow::Birth birth = last_birth;
    uint64_t bits = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t slot_value = Difference(slot, source.slot(i));
      const uint64_t birth_value = Difference(birth, flow::BirthOf(source.value(i)));
      slot = source.slot(i);
      birth = flow::BirthOf(source.value(i));
      slot_bytes[i] = static_cast<uint8_t>(slot_value);
      birth_bytes[i] = static_cast<uint8_t>(birth_value);
      bits |= slot_value | birth_value;
    }
    if (bits >= 0x80) [[unlikely]]
      return AppendLongNames(source, count);
    last_slot = slot;
    last_birth = birth;
    slots.Extend(count);
    births.Extend(count);
    return 2 * count;
  }
  template <class Source>
  [[gnu::noinline]] size_t AppendLongNames(Source source, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
      size += group.template column<0>().Append(SlotValue(source.slot(i)));
      size += group.template column<1>().Append(BirthValue(source.value(i)));
      last_slot = source.slot(i);
      last_birth = flow::BirthOf(source.value(i));
    }
    return size;
  }
  void Clear() {
    group.Clear();
    last_slot = 0;
    last_birth = 0;
  }
  void BeginBatch() { Clear(); }
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

  // How many of the rows are usual, up to one that is not.
  template <class Source>
  size_t CountUsual(const Source& source, size_t count) const {
    size_t usual = 0;
    while (usual < count && source.has(usual) && IsUsual(source.value(usual)))
      ++usual;
    return usual;
  }
  bool IsUsual(flow::Register value) const {
    return ((flow::VersionOf(value) ^ version) & version_mask) == 0;
  }
  // Usual rows; returns how many bytes longer their columns are.
  template <class Source>
  size_t Append(const Source& source, size_t count) {
    const size_t size =
        AppendNames(source, count) + group.template AppendEach<2>(count, [&](size_t i) {
          return uint64_t{flow::VersionOf(source.value(i))};
        });
    group.AddRows(count);
    return size;
  }
  void BeginBatch() {
    Clear();
    version = kVersionNone;
    version_mask = kVersionNone;
  }
};

template <class Hot, class Group>
struct CreateRows : Rows<Group> {
  using Rows<Group>::group;
  using Rows<Group>::last_slot;
  using Rows<Group>::last_birth;

  ShapeTeller<Hot> shapes;
  Likeness<Hot> likeness;
  size_t row_max = 1;  // bytes of a row that is like the first; anything before one can be

  // How the batch was when its second row had shown which columns turn. The next batch is mostly the same
  // from the beginning, so it begins like that (GoOn), or if its first row is of another kind, from nothing.
  struct Start {
    Likeness<Hot> likeness;
    uint32_t turned = 0;
    size_t beside_rows = 0;  // bytes
    uint32_t uses = 0;       // of late; 0: there is none
  };
  // Now and then from nothing, for what has turned would stay so.
  static constexpr uint32_t kUsesMax = 16;
  Start start;

  void KeepStart() { start = {likeness, group.turned(), group.BytesBeside(ChangingColumns()), 1}; }
  // For the first row.
  template <class Source>
  bool GoOn(const Source& source) {
    const Hot& flow = source.flow(0);
    if (!likeness.is_set() || !likeness.GoOn(flow, source.value(0), source.age_ticks(0), shapes))
      return false;
    group.template SetFirst<kVirtual>(flow.common.virtual_id);
    group.template SetFirst<kMember>(flow.common.member_id);
    group.template SetFirst<kPorts>(PortsOf(flow, likeness.has_return()));
    group.template SetFirst<kClient>(ColumnValue(flow.client.source));
    group.template SetFirst<kSnat>(SnatOf(flow, likeness.has_return()));
    return true;
  }
  // Rows that are like the first; returns how many bytes longer their columns are.
  template <class Source>
  size_t Append(const Source& source, size_t count) {
    const bool has_return = likeness.has_return();
    size_t size = this->AppendNames(source, count);
    size += group.template AppendEach<kVirtual>(
        count, [=](size_t i) { return source.flow(i).common.virtual_id; });
    size += group.template AppendEach<kMember>(
        count, [=](size_t i) { return source.flow(i).common.member_id; });
    size += group.template AppendEach<kPorts>(
        count, [=](size_t i) { return PortsOf(source.flow(i), has_return); });
    size += group.template AppendEach<kClient>(
        count, [=](size_t i) { return ColumnValue(source.flow(i).client.source); });
    size += group.template AppendEach<kSnat>(
        count, [=](size_t i) { return SnatOf(source.flow(i), has_return); });
    group.AddRows(count);
    return size;
  }

  void Clear() {
    Rows<Group>::Clear();
    likeness.Clear();
    start.uses = 0;
  }
  void BeginBatch() {
    if (group.rows() == 0) return;
    if (!likeness.is_set() || start.uses == 0 || start.uses == kUsesMax) return Clear();
    if (group.turned() != start.turned) likeness = start.likeness;
    group.ClearRows(start.turned);
    row_max = group.GrowthMax(ChangingColumns());
    last_slot = 0;
    last_birth = 0;
    ++start.uses;
  }
};

}  // namespace batch

struct FlowBatchWriter::Impl {
  static constexpr uint32_t kManyRows = 32;

  // As many of `count` rows, from the front, as are usual and as there is room for; returns how many. None:
  // the first one goes the slow way.
  template <class Hot, class Source>
  size_t AddUsualCreates(const Source& source, size_t count) noexcept;
  template <class Hot, class Source>
  size_t AddUsualCloses(const Source& source, size_t count) noexcept;
  // Whether there are many rows, and no room for another of their kind for sure. What is left is a row or
  // two, not worth the slow way.
  bool IsAsGoodAsFull(size_t row_max) const { return rows >= kManyRows && room < row_max; }
  // Slow, and right whatever the row is. False when there is no room.
  template <class Hot>
  [[gnu::noinline]] bool AddAnyCreate(const Hot& flow, const FlowName& name) noexcept;
  [[gnu::noinline]] bool AddAnyClose(batch::CloseRows& to, const FlowName& name) noexcept;
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
  // How many of `count` rows there is room for if each takes `row_max` bytes, and all of them `more`.
  size_t RoomFor(size_t count, size_t row_max, size_t more = 0) const {
    count = std::min<size_t>(count, kRowsMax - rows);
    if (more + count * row_max <= room) return count;
    return room < more ? 0 : (room - more) / row_max;
  }

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

template <class Hot, class Source>
inline size_t FlowBatchWriter::Impl::AddUsualCreates(const Source& source, size_t count) noexcept {
  auto& to = Creates<Hot>();
  const bool is_first = to.group.rows() == 0;
  if (is_first && !to.GoOn(source)) return 0;
  const size_t more = is_first ? to.start.beside_rows : 0;
  const size_t added = to.likeness.CountLike(source, RoomFor(count, to.row_max, more), to.shapes);
  if (added == 0) return 0;
  room -= more + to.Append(source, added);
  rows += static_cast<uint32_t>(added);
  return added;
}

template <class Hot, class Source>
inline size_t FlowBatchWriter::Impl::AddUsualCloses(const Source& source, size_t count) noexcept {
  batch::CloseRows& to = closes[Hot::kIsIpv6];
  const size_t added = to.CountUsual(source, RoomFor(count, to.kRowMax));
  if (added == 0) return 0;
  room -= to.Append(source, added);
  rows += static_cast<uint32_t>(added);
  return added;
}

}  // namespace tandem::mirror
