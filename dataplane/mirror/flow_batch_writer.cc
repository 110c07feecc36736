// SPDX-License-Identifier: Apache-2.0
//
// FlowBatchWriter: rows become columns as they are added. Whether a row fits is known exactly, but sizes
// are computed only when a column turns from one value to many or the room is nearly used up; until then
// it is enough to count the bytes of values.
#include <rte_byteorder.h>

#include <algorithm>
#include <bit>
#include <cstddef>

#include "dataplane/base/assert.h"
#include "dataplane/mirror/columns.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_endpoints.h"

namespace tandem::mirror {
namespace {

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
// Positions in it of the columns that differ from flow to flow, and of those that mostly do not. Sparse
// ones are neither.
using ChangingColumns = std::index_sequence<0, 1, 5, 6, 10, 11, 12>;
using SteadyColumns = std::index_sequence<2, 3, 4, 7, 8, 9, 13>;
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
  void Clear() {
    group.Clear();
    last_slot = 0;
    last_birth = 0;
  }
};

// All that a create says in the steady columns.
struct Steady {
  uint64_t flow = 0;    // protocol, state, flags
  uint64_t client = 0;  // MAC, interface
  uint64_t rest = 0;    // version, age, shape

  bool operator==(const Steady&) const = default;
};

// Taken as they lie in memory.
struct Identity {
  uint8_t protocol;
  flow::State state;
  uint16_t flags;
  config::VirtualId virtual_id;
  config::MemberId member_id;
};
constexpr size_t kClientOffset = offsetof(flow::FlowCommon, client_mac);
static_assert(sizeof(Identity) == 8 && offsetof(flow::FlowCommon, member_id) == 6);
static_assert(offsetof(flow::FlowCommon, client_interface) == kClientOffset + 6);

inline Steady SteadyOf(const flow::FlowCommon& common, const FlowName& name, uint32_t shape) {
  constexpr auto kMask =
      std::bit_cast<uint64_t>(Identity{0xff, static_cast<flow::State>(0xff), kMirroredFlags, 0, 0});
  Steady steady;
  std::memcpy(&steady.flow, &common, sizeof(steady.flow));
  steady.flow &= kMask;
  std::memcpy(&steady.client, reinterpret_cast<const std::byte*>(&common) + kClientOffset, 8);
  steady.rest =
      flow::VersionOf(name.value) | uint64_t{name.age_ticks >> 10} << 16 | uint64_t{shape} << 48;
  return steady;
}

template <class Group>
struct CreateRows : Rows<Group> {
  Steady steady;           // the first row's
  bool is_steady = false;  // so are those of all rows since, and the sparse columns are empty

  void Clear() {
    Rows<Group>::Clear();
    is_steady = false;
  }
};

constexpr uint64_t kStateMax = uint64_t{kMirroredFlags} << 4 | 0xf;

uint64_t StateValue(flow::State state, uint16_t flags) {
  return static_cast<uint64_t>(state) | (uint64_t{flags} << 4 & kStateMax);
}

uint64_t MacValue(const MacAddress& mac) {
  uint64_t value = 0;
  for (const uint8_t byte : mac)
    value = value << 8 | byte;
  return value;
}

inline uint32_t ColumnValue(uint32_t address) {
  return rte_be_to_cpu_32(address);
}
inline const net::Ipv6Bytes& ColumnValue(const net::Ipv6Bytes& address) {
  return address;
}

}  // namespace

struct FlowBatchWriter::Impl {
  template <class Group, class... Values>
  bool Add(Rows<Group>& to, uint32_t slot, flow::Register value, Values... values) noexcept;
  template <class F>
  void EachGroup(F&& f);
  template <class Group>
  void Count(Rows<Group>& to, uint32_t slot, flow::Register value) noexcept;
  template <class Hot, class Rows>
  bool AddSteady(Rows& to, const Hot& hot, const FlowName& name, uint32_t shape) noexcept;
  template <class Hot, class Rows>
  [[gnu::noinline]] bool AddAny(Rows& to, const Hot& hot, const FlowName& name,
                                uint32_t shape) noexcept;
  // Slow, and right whatever the row is.
  template <class Group>
  [[gnu::noinline]] bool AddWhereSizesLeap(Rows<Group>& to,
                                           const typename Group::Row& row) noexcept;

  template <class Hot>
  auto& Creates() {
    if constexpr (Hot::kIsIpv6) {
      return creates6;
    } else {
      return creates4;
    }
  }

  CreateRows<CreateGroup<Fixed32Codec, 0>> creates4;
  CreateRows<CreateGroup<Ipv6Codec, 1>> creates6;
  Rows<UpdateGroup> updates[2];
  Rows<CloseGroup> closes[2];
  Rows<TouchGroup> touches[2];
  Rows<AuditGroup> audits[2];
  const config::Dictionary* dictionary = nullptr;
  size_t size_max = 0;
  size_t room = 0;  // at least so many bytes are left for values
  uint32_t rows = 0;
};

// In the order of their field numbers.
template <class F>
void FlowBatchWriter::Impl::EachGroup(F&& f) {
  f(creates4);
  f(creates6);
  f(updates[0]);
  f(updates[1]);
  f(closes[0]);
  f(closes[1]);
  f(touches[0]);
  f(touches[1]);
  f(audits[0]);
  f(audits[1]);
}

template <class Group>
void FlowBatchWriter::Impl::Count(Rows<Group>& to, uint32_t slot, flow::Register value) noexcept {
  to.last_slot = slot;
  to.last_birth = flow::BirthOf(value);
  ++rows;
}

template <class Group, class... Values>
bool FlowBatchWriter::Impl::Add(Rows<Group>& to, uint32_t slot, flow::Register value,
                                Values... values) noexcept {
  if (rows == kRowsMax) return false;
  if (!to.group.TryAdd(room, typename Group::AllColumns(), values...) &&
      !AddWhereSizesLeap(to, {values...})) {
    return false;
  }
  Count(to, slot, value);
  return true;
}

template <class Group>
bool FlowBatchWriter::Impl::AddWhereSizesLeap(Rows<Group>& to,
                                              const typename Group::Row& row) noexcept {
  const size_t bound = to.group.GrowthBound(row);
  if (bound <= room) {
    room -= bound;
    to.group.Add(row);
    return true;
  }
  size_t size = to.group.SizeWith(row);
  size_t growth = 0;
  EachGroup([&](const auto& any) {
    if (static_cast<const void*>(&any) == &to) return;
    size += any.group.Size();
    growth += any.group.LengthGrowth();
  });
  if (size > size_max) return false;
  to.group.Add(row);
  growth += to.group.LengthGrowth();
  room = size_max - size - std::min(growth, size_max - size);
  return true;
}

// Not zeroed: columns that are never used take no memory.
FlowBatchWriter::FlowBatchWriter() : impl_(std::make_unique_for_overwrite<Impl>()) {}
FlowBatchWriter::~FlowBatchWriter() = default;

void FlowBatchWriter::Begin(size_t size, const config::Dictionary& dictionary) noexcept {
  TANDEM_ASSERT(size >= 256);
  impl_->EachGroup([](auto& to) { to.Clear(); });
  impl_->dictionary = &dictionary;
  impl_->size_max = size;
  impl_->room = size;
  impl_->rows = 0;
}

// A create whose steady columns are as those of all before it.
template <class Hot, class Rows>
bool FlowBatchWriter::Impl::AddSteady(Rows& to, const Hot& hot, const FlowName& name,
                                      uint32_t shape) noexcept {
  using Address = std::remove_cvref_t<decltype(ColumnValue(hot.client.source))>;
  const bool has_return =
      (hot.common.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0;
  const uint32_t return_port = has_return ? rte_be_to_cpu_16(hot.server.destination_port) : 0U;
  return to.group.TryAdd(room, ChangingColumns(), to.SlotValue(name.slot),
                         to.BirthValue(name.value), hot.common.virtual_id, hot.common.member_id,
                         uint32_t{rte_be_to_cpu_16(hot.client.source_port)} << 16 | return_port,
                         ColumnValue(hot.client.source),
                         has_return ? ColumnValue(hot.server.destination) : Address{});
}

template <class Hot, class Rows>
bool FlowBatchWriter::Impl::AddAny(Rows& to, const Hot& hot, const FlowName& name,
                                   uint32_t shape) noexcept {
  using Address = std::remove_cvref_t<decltype(ColumnValue(hot.client.source))>;
  const flow::FlowCommon& common = hot.common;
  const bool has_return =
      (common.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0;
  const bool has_destination = (shape & kDestinationExplicit) != 0;
  const bool has_server = (shape & kServerExplicit) != 0;
  const uint32_t return_port = has_return ? rte_be_to_cpu_16(hot.server.destination_port) : 0U;
  const bool is_added = AddWhereSizesLeap(
      to,
      {to.SlotValue(name.slot), to.BirthValue(name.value), flow::VersionOf(name.value),
       StateValue(common.state, common.flags), common.protocol, common.virtual_id, common.member_id,
       name.age_ticks >> 10, common.client_interface, MacValue(common.client_mac),
       uint32_t{rte_be_to_cpu_16(hot.client.source_port)} << 16 | return_port,
       ColumnValue(hot.client.source), has_return ? ColumnValue(hot.server.destination) : Address{},
       shape, Maybe<Address>{has_destination, ColumnValue(hot.client.destination)},
       Maybe<uint64_t>{has_destination, rte_be_to_cpu_16(hot.client.destination_port)},
       Maybe<Address>{has_server, ColumnValue(hot.server.source)},
       Maybe<uint64_t>{has_server, rte_be_to_cpu_16(hot.server.source_port)}});
  if (!is_added) return false;
  if (to.group.rows() == 1) to.steady = SteadyOf(common, name, shape);
  to.is_steady = to.group.AreUniform(SteadyColumns()) && !has_destination && !has_server;
  return true;
}

template <class Hot>
bool FlowBatchWriter::AddCreate(const Hot& flow, const FlowName& name) noexcept {
  Impl& impl = *impl_;
  if (impl.rows == kRowsMax) return false;
  auto& to = impl.Creates<Hot>();
  const uint32_t shape = ShapeOf(*impl.dictionary, flow);
  const bool is_steady = to.is_steady && to.steady == SteadyOf(flow.common, name, shape);
  if (!(is_steady && impl.AddSteady(to, flow, name, shape)) &&
      !impl.AddAny(to, flow, name, shape)) {
    return false;
  }
  impl.Count(to, name.slot, name.value);
  return true;
}

template <class Hot>
bool FlowBatchWriter::AddCreate(const CreateRow<Hot>& row) noexcept {
  Hot flow;
  flow.client = row.client;
  flow.server = row.server;
  flow.common.protocol = row.protocol;
  flow.common.state = row.state;
  flow.common.flags = row.flags;
  flow.common.virtual_id = row.virtual_id;
  flow.common.member_id = row.member_id;
  flow.common.client_mac = row.client_mac;
  flow.common.client_interface = row.interface_id;
  return AddCreate(flow, {row.slot, row.value, row.age_ticks});
}

template bool FlowBatchWriter::AddCreate(const flow::FlowHot4&, const FlowName&) noexcept;
template bool FlowBatchWriter::AddCreate(const flow::FlowHot6&, const FlowName&) noexcept;
template bool FlowBatchWriter::AddCreate(const CreateRow<flow::FlowHot4>&) noexcept;
template bool FlowBatchWriter::AddCreate(const CreateRow<flow::FlowHot6>&) noexcept;

bool FlowBatchWriter::AddUpdate(bool is_ipv6, const UpdateRow& row) noexcept {
  auto& to = impl_->updates[is_ipv6];
  return impl_->Add(to, row.slot, row.value, to.SlotValue(row.slot), to.BirthValue(row.value),
                    flow::VersionOf(row.value), StateValue(row.state, row.flags));
}

bool FlowBatchWriter::AddClose(bool is_ipv6, const CloseRow& row) noexcept {
  auto& to = impl_->closes[is_ipv6];
  return impl_->Add(to, row.slot, row.value, to.SlotValue(row.slot), to.BirthValue(row.value),
                    flow::VersionOf(row.value));
}

bool FlowBatchWriter::AddTouch(bool is_ipv6, uint32_t slot) noexcept {
  auto& to = impl_->touches[is_ipv6];
  return impl_->Add(to, slot, 0, to.SlotValue(slot));
}

bool FlowBatchWriter::AddAudit(bool is_ipv6, const AuditRow& row) noexcept {
  auto& to = impl_->audits[is_ipv6];
  return impl_->Add(to, row.range, 0, to.SlotValue(row.range), row.digest);
}

uint32_t FlowBatchWriter::rows() const noexcept {
  return impl_->rows;
}

size_t FlowBatchWriter::Finish(uint8_t* out) noexcept {
  uint8_t* end = out;
  uint32_t field = 1;
  impl_->EachGroup([&](const auto& to) { end = to.group.Write(field++, end); });
  const auto size = static_cast<size_t>(end - out);
  TANDEM_ASSERT(size <= impl_->size_max);
  return size;
}

}  // namespace tandem::mirror
