// SPDX-License-Identifier: Apache-2.0
//
// FlowBatchWriter: rows become columns as they are added. Whether a row fits is known exactly, but sizes
// are computed only when a column turns from one value to many or the room is nearly used up; until then
// it is enough to count the bytes of values.
#include <endian.h>

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_batch_impl.h"

namespace tandem::mirror {

using namespace batch;

namespace {

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

template <class Hot>
struct OneRow {
  bool has(size_t) const { return true; }
  const Hot& flow(size_t) const { return its_flow; }
  flow::Register value(size_t) const { return name.value; }
  uint32_t slot(size_t) const { return name.slot; }
  uint32_t age_ticks(size_t) const { return name.age_ticks; }

  const Hot& its_flow;
  const FlowName& name;
};

template <class Group>
void Count(Rows<Group>& to, uint32_t slot, flow::Register value) {
  to.last_slot = slot;
  to.last_birth = flow::BirthOf(value);
}

}  // namespace

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

template <class Group, class... Values>
bool FlowBatchWriter::Impl::Add(Rows<Group>& to, uint32_t slot, flow::Register value,
                                const Values&... values) noexcept {
  if (rows == kRowsMax) return false;
  constexpr auto kTurned = std::make_index_sequence<std::min<size_t>(2, sizeof...(values))>();
  constexpr auto kAll = typename Group::AllColumns();
  const bool is_usual = to.group.HaveTurned(kTurned) && to.group.TurnNone(kAll, values...) &&
                        to.group.TryAdd(room, kTurned, kAll, [&] { return values; }...);
  if (!is_usual && !AddWhereSizesLeap(to, {values...})) return false;
  Count(to, slot, value);
  ++rows;
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
  impl_->EachGroup([](auto& to) { to.BeginBatch(); });
  impl_->creates4.shapes.Begin(dictionary);
  impl_->creates6.shapes.Begin(dictionary);
  impl_->size_max = size;
  impl_->room = size;
  impl_->rows = 0;
}

// ---- creates ---------------------------------------------------------------------------------------

template <class Hot>
bool FlowBatchWriter::Impl::AddAnyCreate(const Hot& flow, const FlowName& name) noexcept {
  if (rows == kRowsMax) return false;
  auto& to = Creates<Hot>();
  if (to.group.rows() == 0) to.Clear();
  const bool is_like = to.likeness.CountLike(OneRow<Hot>{flow, name}, 1, to.shapes) != 0;
  if (!(is_like && AddLike(flow, name)) && !AddUnlike(flow, name)) return false;
  Count(to, name.slot, name.value);
  ++rows;
  return true;
}

// A create that is like the first.
template <class Hot>
bool FlowBatchWriter::Impl::AddLike(const Hot& flow, const FlowName& name) noexcept {
  auto& to = Creates<Hot>();
  const bool has_return = to.likeness.has_return();
  return to.group.TryAdd(
      room, TurnedColumns(), ChangingColumns(), [&] { return to.SlotValue(name.slot); },
      [&] { return to.BirthValue(name.value); }, [&] { return flow.common.virtual_id; },
      [&] { return flow.common.member_id; }, [&] { return PortsOf(flow, has_return); },
      [&] { return ColumnValue(flow.client.source); }, [&] { return SnatOf(flow, has_return); });
}

template <class Hot>
bool FlowBatchWriter::Impl::AddUnlike(const Hot& flow, const FlowName& name) noexcept {
  using Address = decltype(Hot::Key::source);
  auto& to = Creates<Hot>();
  const flow::FlowCommon& common = flow.common;
  const uint32_t shape = to.shapes.ShapeOf(flow);
  const bool has_return =
      (common.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0;
  const bool has_destination = (shape & kDestinationExplicit) != 0;
  const bool has_server = (shape & kServerExplicit) != 0;
  const bool is_added = AddWhereSizesLeap(
      to,
      {to.SlotValue(name.slot), to.BirthValue(name.value), flow::VersionOf(name.value),
       StateValue(common.state, common.flags), common.protocol, common.virtual_id, common.member_id,
       name.age_ticks >> 10, common.client_interface, MacValue(common.client_mac),
       PortsOf(flow, has_return), ColumnValue(flow.client.source), SnatOf(flow, has_return), shape,
       Maybe<Address>{has_destination, ColumnValue(flow.client.destination)},
       Maybe<uint64_t>{has_destination, be16toh(flow.client.destination_port)},
       Maybe<Address>{has_server, ColumnValue(flow.server.source)},
       Maybe<uint64_t>{has_server, be16toh(flow.server.source_port)}});
  if (!is_added) return false;
  if (to.group.rows() == 1) to.likeness.SetFirst(flow);
  to.likeness.Clear();
  if (to.group.AreUniform(SteadyColumns()) && to.group.HaveTurned(TurnedColumns()) &&
      !has_destination && !has_server) {
    to.likeness.Set({.virtual_id = to.group.template IsUniform<kVirtual>(),
                     .member_id = to.group.template IsUniform<kMember>(),
                     .ports = to.group.template IsUniform<kPorts>(),
                     .client = to.group.template IsUniform<kClient>(),
                     .snat = to.group.template IsUniform<kSnat>()},
                    name, shape);
    to.row_max = to.group.GrowthMax(ChangingColumns());
    if (to.group.rows() == 2) to.KeepStart();
  }
  return true;
}

// ---- closes ----------------------------------------------------------------------------------------

bool FlowBatchWriter::Impl::AddAnyClose(CloseRows& to, const FlowName& name) noexcept {
  const uint64_t version = flow::VersionOf(name.value);
  if (!Add(to, name.slot, name.value, to.SlotValue(name.slot), to.BirthValue(name.value),
           version)) {
    return false;
  }
  if (to.group.HaveTurned(TurnedColumns())) {
    to.version = flow::VersionOf(name.value);
    to.version_mask = to.group.IsUniform<2>() ? flow::kVersionMax : 0;
  }
  return true;
}

// ---- the class -------------------------------------------------------------------------------------

template <class Hot>
bool FlowBatchWriter::AddCreate(const Hot& flow, const FlowName& name) noexcept {
  const OneRow<Hot> one{flow, name};
  return impl_->AddUsualCreates<Hot>(one, 1) != 0 || impl_->AddAnyCreate(flow, name);
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

template bool FlowBatchWriter::Impl::AddAnyCreate(const flow::FlowHot4&, const FlowName&) noexcept;
template bool FlowBatchWriter::Impl::AddAnyCreate(const flow::FlowHot6&, const FlowName&) noexcept;
template bool FlowBatchWriter::AddCreate(const flow::FlowHot4&, const FlowName&) noexcept;
template bool FlowBatchWriter::AddCreate(const flow::FlowHot6&, const FlowName&) noexcept;
template bool FlowBatchWriter::AddCreate(const CreateRow<flow::FlowHot4>&) noexcept;
template bool FlowBatchWriter::AddCreate(const CreateRow<flow::FlowHot6>&) noexcept;

bool FlowBatchWriter::AddUpdate(bool is_ipv6, const UpdateRow& row) noexcept {
  auto& to = impl_->updates[is_ipv6];
  return impl_->Add(to, row.slot, row.value, to.SlotValue(row.slot), to.BirthValue(row.value),
                    uint64_t{flow::VersionOf(row.value)}, StateValue(row.state, row.flags));
}

bool FlowBatchWriter::AddClose(bool is_ipv6, const CloseRow& row) noexcept {
  return impl_->AddAnyClose(impl_->closes[is_ipv6], {row.slot, row.value, 0});
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

RowCounts FlowBatchWriter::counts() const noexcept {
  const auto both = [](const auto& of) { return of[0].group.rows() + of[1].group.rows(); };
  return {.creates = impl_->creates4.group.rows() + impl_->creates6.group.rows(),
          .updates = both(impl_->updates),
          .closes = both(impl_->closes),
          .touches = both(impl_->touches)};
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
