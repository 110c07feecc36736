// SPDX-License-Identifier: Apache-2.0
//
// FlowBatchWriter: rows become columns as they are added. Whether a row fits is known exactly, but
// computed only when it matters: as long as even the costliest row would fit and no column turns from
// one value to many, a bound is enough.
#include <rte_byteorder.h>

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

uint32_t ColumnValue(uint32_t address) {
  return rte_be_to_cpu_32(address);
}
const net::Ipv6Bytes& ColumnValue(const net::Ipv6Bytes& address) {
  return address;
}

template <class Hot>
uint32_t ShapeOf(const config::Dictionary& dictionary, const CreateRow<Hot>& row) {
  uint32_t shape = 0;
  FlowEndpoint<Hot> derived;
  const FlowEndpoint<Hot> destination{row.client.destination, row.client.destination_port};
  if (!DestinationOf<Hot>(dictionary, row.virtual_id, derived) || derived != destination) {
    shape |= kDestinationExplicit;
  }
  if (!ServerOf<Hot>(dictionary, row.flags, row.member_id, destination, derived) ||
      derived.address != row.server.source) {
    shape |= kServerExplicit;
  } else if (derived.port != row.server.source_port) {
    shape |= row.server.source_port == destination.port ? kServerPortKept : kServerExplicit;
  }
  const bool answers_client = row.server.destination == row.client.source &&
                              row.server.destination_port == row.client.source_port;
  if ((row.flags & flow::kTranslateSource) == 0 && !answers_client) shape |= kReturnExplicit;
  return shape;
}

}  // namespace

struct FlowBatchWriter::Impl {
  template <class Group>
  bool Add(Rows<Group>& to, const typename Group::Row& row, uint32_t slot,
           flow::Register value) noexcept;
  template <class F>
  void EachGroup(F&& f);
  template <class Group>
  size_t SizeBut(const Rows<Group>& without) noexcept;

  template <class Hot>
  auto& Creates() {
    if constexpr (Hot::kIsIpv6) {
      return creates6;
    } else {
      return creates4;
    }
  }

  Rows<CreateGroup<Fixed32Codec, 0>> creates4;
  Rows<CreateGroup<Ipv6Codec, 1>> creates6;
  Rows<UpdateGroup> updates[2];
  Rows<CloseGroup> closes[2];
  Rows<TouchGroup> touches[2];
  Rows<AuditGroup> audits[2];
  const config::Dictionary* dictionary = nullptr;
  size_t size_max = 0;
  size_t room = 0;  // at least so many bytes are left
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

// Bytes of all messages but one.
template <class Group>
size_t FlowBatchWriter::Impl::SizeBut(const Rows<Group>& without) noexcept {
  size_t size = 0;
  EachGroup([&](const auto& to) {
    if (static_cast<const void*>(&to) != &without) size += to.group.Size();
  });
  return size;
}

template <class Group>
bool FlowBatchWriter::Impl::Add(Rows<Group>& to, const typename Group::Row& row, uint32_t slot,
                                flow::Register value) noexcept {
  if (rows == kRowsMax) return false;
  if (room >= Group::kGrowthMax && !to.group.Turns(row)) {
    room -= Group::kGrowthMax;
  } else {
    const size_t size = SizeBut(to) + to.group.SizeWith(row);
    if (size > size_max) return false;
    room = size_max - size;
    to.group.Prepare(row);
  }
  to.group.Add(row);
  to.last_slot = slot;
  to.last_birth = flow::BirthOf(value);
  ++rows;
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

template <class Hot>
bool FlowBatchWriter::AddCreate(const CreateRow<Hot>& row) noexcept {
  auto& to = impl_->Creates<Hot>();
  using Group = std::remove_reference_t<decltype(to.group)>;
  using Address = std::remove_cvref_t<decltype(ColumnValue(row.client.source))>;
  const uint32_t shape = ShapeOf(*impl_->dictionary, row);
  const bool has_return =
      (row.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0;
  const bool has_destination = (shape & kDestinationExplicit) != 0;
  const bool has_server = (shape & kServerExplicit) != 0;
  const uint32_t return_port = has_return ? rte_be_to_cpu_16(row.server.destination_port) : 0U;
  const typename Group::Row values{
      to.SlotValue(row.slot),
      to.BirthValue(row.value),
      flow::VersionOf(row.value),
      StateValue(row.state, row.flags),
      row.protocol,
      row.virtual_id,
      row.member_id,
      row.age_ticks >> 10,
      row.interface_id,
      MacValue(row.client_mac),
      uint32_t{rte_be_to_cpu_16(row.client.source_port)} << 16 | return_port,
      ColumnValue(row.client.source),
      has_return ? ColumnValue(row.server.destination) : Address{},
      shape,
      Maybe<Address>{has_destination, ColumnValue(row.client.destination)},
      Maybe<uint64_t>{has_destination, rte_be_to_cpu_16(row.client.destination_port)},
      Maybe<Address>{has_server, ColumnValue(row.server.source)},
      Maybe<uint64_t>{has_server, rte_be_to_cpu_16(row.server.source_port)}};
  return impl_->Add(to, values, row.slot, row.value);
}

template bool FlowBatchWriter::AddCreate(const CreateRow<flow::FlowHot4>&) noexcept;
template bool FlowBatchWriter::AddCreate(const CreateRow<flow::FlowHot6>&) noexcept;

bool FlowBatchWriter::AddUpdate(bool is_ipv6, const UpdateRow& row) noexcept {
  auto& to = impl_->updates[is_ipv6];
  return impl_->Add(to,
                    {to.SlotValue(row.slot), to.BirthValue(row.value), flow::VersionOf(row.value),
                     StateValue(row.state, row.flags)},
                    row.slot, row.value);
}

bool FlowBatchWriter::AddClose(bool is_ipv6, const CloseRow& row) noexcept {
  auto& to = impl_->closes[is_ipv6];
  return impl_->Add(to,
                    {to.SlotValue(row.slot), to.BirthValue(row.value), flow::VersionOf(row.value)},
                    row.slot, row.value);
}

bool FlowBatchWriter::AddTouch(bool is_ipv6, uint32_t slot) noexcept {
  auto& to = impl_->touches[is_ipv6];
  return impl_->Add(to, {to.SlotValue(slot)}, slot, 0);
}

bool FlowBatchWriter::AddAudit(bool is_ipv6, const AuditRow& row) noexcept {
  auto& to = impl_->audits[is_ipv6];
  return impl_->Add(to, {to.SlotValue(row.range), row.digest}, row.range, 0);
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
