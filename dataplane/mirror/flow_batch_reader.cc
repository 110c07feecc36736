// SPDX-License-Identifier: Apache-2.0
//
// FlowBatchReader: columns become rows again. Each message is first mapped (where each column is), then
// its columns are decoded and checked, then its rows are put together. Rows can be seen when the whole
// body is done.
#include <rte_byteorder.h>

#include "dataplane/mirror/column_reader.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/flow_endpoints.h"

namespace tandem::mirror {
namespace {

constexpr uint32_t kBatchFieldMax = 10;

// Fields of the messages of proto/mirror.proto, as bits.
constexpr uint32_t kCreateFields = 0xfffffe;
constexpr uint32_t kAddresses4 = 1U << 13 | 1U << 15 | 1U << 18 | 1U << 21;
constexpr uint32_t kAddresses6 = kAddresses4 << 1;
constexpr uint32_t kUpdateFields = 0x3e;
constexpr uint32_t kCloseFields = 0x1e;
constexpr uint32_t kTouchFields = 0x6;
constexpr uint32_t kAuditFields = 0xe;

constexpr uint32_t kStateValueMax = uint32_t{kMirroredFlags} << 4 | 0xf;
constexpr uint32_t kAgeMax = UINT32_MAX >> 10;
constexpr uint64_t kMacMax = (uint64_t{1} << 48) - 1;

void Put(uint32_t value, uint32_t& address) {
  address = rte_cpu_to_be_32(value);
}
void Put(const net::Ipv6Bytes& value, net::Ipv6Bytes& address) {
  address = value;
}
void Put(uint64_t value, MacAddress& mac) {
  for (size_t i = 0; i < mac.size(); ++i)
    mac[i] = static_cast<uint8_t>(value >> (40 - 8 * i));
}
uint16_t HighPort(uint32_t ports) {
  return rte_cpu_to_be_16(static_cast<uint16_t>(ports >> 16));
}
uint16_t LowPort(uint32_t ports) {
  return rte_cpu_to_be_16(static_cast<uint16_t>(ports));
}

bool StateExists(uint32_t value) {
  return (value & 0xf) != 0 && (value & 0xf) < flow::kStateCount;
}

// Decodes the columns of one message until the first error.
class Decoder {
 public:
  explicit Decoder(const ColumnMap& map) : map_(map) {}

  BatchError error() const { return error_; }

  template <class T>
  void Read(VarintValues<T>& values, uint32_t field, uint32_t rows, T max) noexcept {
    if (error_ == BatchError::kNone) error_ = values.Read(map_, field, rows, max);
  }
  template <class Values>
  void ReadFixed(Values& values, uint32_t field, uint32_t rows) noexcept {
    if (error_ == BatchError::kNone) error_ = mirror::ReadFixed(map_, field, rows, values);
  }

 private:
  const ColumnMap& map_;
  BatchError error_ = BatchError::kNone;
};

// Values of the columns at hand.
struct Scratch {
  VarintValues<uint32_t> slot_d, version, state, protocol, virtual_id, member_id, age, interface_id;
  VarintValues<uint32_t> shape, destination_port, server_port;
  VarintValues<uint64_t> birth_d;
};

// Slots and registers of the rows in turn.
class Names {
 public:
  Names(const Scratch& scratch, uint32_t slots_max) : scratch_(scratch), slots_max_(slots_max) {}

  // False: out of range.
  bool NextSlot(size_t row, uint32_t& slot) noexcept {
    slot_ += static_cast<uint64_t>(int64_t{wire::UnZigZag32(scratch_.slot_d[row])});
    slot = static_cast<uint32_t>(slot_);
    return slot_ < slots_max_;
  }
  bool Next(size_t row, uint32_t& slot, flow::Register& value) noexcept {
    birth_ += static_cast<uint64_t>(wire::UnZigZag64(scratch_.birth_d[row]));
    value = flow::MakeRegister(birth_, scratch_.version[row]);
    return NextSlot(row, slot) && birth_ != 0 && birth_ <= flow::kBirthMax;
  }

 private:
  const Scratch& scratch_;
  uint64_t slots_max_;
  uint64_t slot_ = 0;
  uint64_t birth_ = 0;
};

// What only the creates of one family have.
template <class Hot>
struct CreateColumns {
  using Addresses = std::conditional_t<Hot::kIsIpv6, Ipv6Values, Fixed32Values>;

  BatchError Read(const ColumnMap& map, Scratch& scratch) noexcept;

  Fixed64Values mac;
  Fixed32Values ports;
  Addresses client, snat, destination, server;
  size_t destinations = 0;  // rows so far with an explicit one
  size_t servers = 0;
};

template <class Hot>
BatchError CreateColumns<Hot>::Read(const ColumnMap& map, Scratch& scratch) noexcept {
  constexpr uint32_t kFamily = Hot::kIsIpv6 ? 1 : 0;
  const uint32_t rows = map.rows;
  Decoder decoder(map);
  decoder.Read(scratch.slot_d, 2, rows, UINT32_MAX);
  decoder.Read(scratch.birth_d, 3, rows, UINT64_MAX);
  decoder.Read(scratch.version, 4, rows, flow::kVersionMax);
  decoder.Read(scratch.state, 5, rows, kStateValueMax);
  decoder.Read(scratch.protocol, 6, rows, uint32_t{UINT8_MAX});
  decoder.Read(scratch.virtual_id, 7, rows, uint32_t{UINT16_MAX});
  decoder.Read(scratch.member_id, 8, rows, uint32_t{UINT16_MAX});
  decoder.Read(scratch.age, 9, rows, kAgeMax);
  decoder.Read(scratch.interface_id, 10, rows, uint32_t{UINT16_MAX});
  decoder.ReadFixed(mac, 11, rows);
  decoder.ReadFixed(ports, 12, rows);
  decoder.ReadFixed(client, 13 + kFamily, rows);
  decoder.ReadFixed(snat, 15 + kFamily, rows);
  decoder.Read(scratch.shape, 17, rows, uint32_t{kShapeMask});
  if (decoder.error() != BatchError::kNone) return decoder.error();
  uint32_t explicit_destinations = 0;
  uint32_t explicit_servers = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    explicit_destinations += (scratch.shape[row] & kDestinationExplicit) != 0 ? 1U : 0U;
    explicit_servers += (scratch.shape[row] & kServerExplicit) != 0 ? 1U : 0U;
  }
  decoder.ReadFixed(destination, 18 + kFamily, explicit_destinations);
  decoder.Read(scratch.destination_port, 20, explicit_destinations, uint32_t{UINT16_MAX});
  decoder.ReadFixed(server, 21 + kFamily, explicit_servers);
  decoder.Read(scratch.server_port, 23, explicit_servers, uint32_t{UINT16_MAX});
  return decoder.error();
}

// Both keys of a row whose flags and ids are set.
template <class Hot>
BatchError FillKeys(const config::Dictionary& dictionary, const Scratch& scratch,
                    CreateColumns<Hot>& columns, size_t row, CreateRow<Hot>& out) noexcept {
  const uint32_t shape = scratch.shape[row];
  const uint32_t ports = columns.ports[row];
  FlowEndpoint<Hot> destination;
  FlowEndpoint<Hot> server;
  Put(columns.client[row], out.client.source);
  out.client.source_port = HighPort(ports);
  if ((shape & kDestinationExplicit) != 0) {
    Put(columns.destination[columns.destinations], destination.address);
    destination.port = LowPort(scratch.destination_port[columns.destinations++]);
  } else if (!DestinationOf<Hot>(dictionary, out.virtual_id, destination)) {
    return BatchError::kUnknownEndpoint;
  }
  if ((shape & kServerExplicit) != 0) {
    Put(columns.server[columns.servers], server.address);
    server.port = LowPort(scratch.server_port[columns.servers++]);
  } else if (!ServerOf<Hot>(dictionary, out.flags, out.member_id, destination, server)) {
    return BatchError::kUnknownEndpoint;
  }
  if ((shape & kServerPortKept) != 0) server.port = destination.port;
  out.client.destination = destination.address;
  out.client.destination_port = destination.port;
  out.server.source = server.address;
  out.server.source_port = server.port;
  if ((out.flags & flow::kTranslateSource) != 0 || (shape & kReturnExplicit) != 0) {
    Put(columns.snat[row], out.server.destination);
    out.server.destination_port = LowPort(ports);
  } else {
    out.server.destination = out.client.source;
    out.server.destination_port = out.client.source_port;
  }
  return BatchError::kNone;
}

template <class Row>
struct RowList {
  std::span<const Row> seen() const { return {all.data(), count}; }

  std::array<Row, kRowsMax> all;
  uint32_t count = 0;
};

}  // namespace

struct FlowBatchReader::Impl {
  void Clear() noexcept;
  BatchError ReadBody(std::span<const uint8_t> body) noexcept;
  BatchError ReadGroup(uint32_t group, const wire::Field& field) noexcept;
  template <class Hot>
  BatchError ReadCreates(const ColumnMap& map, RowList<CreateRow<Hot>>& to) noexcept;
  BatchError ReadUpdates(const ColumnMap& map, RowList<UpdateRow>& to) noexcept;
  BatchError ReadCloses(const ColumnMap& map, RowList<CloseRow>& to) noexcept;
  BatchError ReadTouches(const ColumnMap& map, RowList<uint32_t>& to) noexcept;
  BatchError ReadAudits(const ColumnMap& map, RowList<AuditRow>& to) noexcept;

  RowList<CreateRow<flow::FlowHot4>> creates4;
  RowList<CreateRow<flow::FlowHot6>> creates6;
  RowList<UpdateRow> updates[2];
  RowList<CloseRow> closes[2];
  RowList<uint32_t> touches[2];
  RowList<AuditRow> audits[2];
  Scratch scratch;
  uint32_t slots_max = 0;  // of the message at hand
  uint32_t slots_max_of[2] = {};
  const config::Dictionary* dictionary = nullptr;
};

void FlowBatchReader::Impl::Clear() noexcept {
  creates4.count = 0;
  creates6.count = 0;
  for (const int family : {0, 1}) {
    updates[family].count = 0;
    closes[family].count = 0;
    touches[family].count = 0;
    audits[family].count = 0;
  }
}

template <class Hot>
BatchError FlowBatchReader::Impl::ReadCreates(const ColumnMap& map,
                                              RowList<CreateRow<Hot>>& to) noexcept {
  CreateColumns<Hot> columns;
  if (const BatchError error = columns.Read(map, scratch); error != BatchError::kNone) return error;
  Names names(scratch, slots_max);
  for (uint32_t row = 0; row < map.rows; ++row) {
    CreateRow<Hot>& out = to.all[row];
    const uint32_t state = scratch.state[row];
    const uint64_t mac = columns.mac[row];
    if (!names.Next(row, out.slot, out.value) || !StateExists(state) || mac > kMacMax) {
      return BatchError::kValue;
    }
    out.state = static_cast<flow::State>(state & 0xf);
    out.flags = static_cast<uint16_t>(state >> 4);
    out.protocol = static_cast<uint8_t>(scratch.protocol[row]);
    out.virtual_id = static_cast<config::VirtualId>(scratch.virtual_id[row]);
    out.member_id = static_cast<config::MemberId>(scratch.member_id[row]);
    out.interface_id = static_cast<config::InterfaceId>(scratch.interface_id[row]);
    out.age_ticks = scratch.age[row] << 10;
    Put(mac, out.client_mac);
    const BatchError error = FillKeys<Hot>(*dictionary, scratch, columns, row, out);
    if (error != BatchError::kNone) return error;
  }
  to.count = map.rows;
  return BatchError::kNone;
}

BatchError FlowBatchReader::Impl::ReadUpdates(const ColumnMap& map,
                                              RowList<UpdateRow>& to) noexcept {
  Decoder decoder(map);
  decoder.Read(scratch.slot_d, 2, map.rows, UINT32_MAX);
  decoder.Read(scratch.birth_d, 3, map.rows, UINT64_MAX);
  decoder.Read(scratch.version, 4, map.rows, flow::kVersionMax);
  decoder.Read(scratch.state, 5, map.rows, kStateValueMax);
  if (decoder.error() != BatchError::kNone) return decoder.error();
  Names names(scratch, slots_max);
  for (uint32_t row = 0; row < map.rows; ++row) {
    UpdateRow& out = to.all[row];
    const uint32_t state = scratch.state[row];
    if (!names.Next(row, out.slot, out.value) || !StateExists(state)) return BatchError::kValue;
    out.state = static_cast<flow::State>(state & 0xf);
    out.flags = static_cast<uint16_t>(state >> 4);
  }
  to.count = map.rows;
  return BatchError::kNone;
}

BatchError FlowBatchReader::Impl::ReadCloses(const ColumnMap& map, RowList<CloseRow>& to) noexcept {
  Decoder decoder(map);
  decoder.Read(scratch.slot_d, 2, map.rows, UINT32_MAX);
  decoder.Read(scratch.birth_d, 3, map.rows, UINT64_MAX);
  decoder.Read(scratch.version, 4, map.rows, flow::kVersionMax);
  if (decoder.error() != BatchError::kNone) return decoder.error();
  Names names(scratch, slots_max);
  for (uint32_t row = 0; row < map.rows; ++row) {
    CloseRow& out = to.all[row];
    if (!names.Next(row, out.slot, out.value)) return BatchError::kValue;
  }
  to.count = map.rows;
  return BatchError::kNone;
}

BatchError FlowBatchReader::Impl::ReadTouches(const ColumnMap& map,
                                              RowList<uint32_t>& to) noexcept {
  Decoder decoder(map);
  decoder.Read(scratch.slot_d, 2, map.rows, UINT32_MAX);
  if (decoder.error() != BatchError::kNone) return decoder.error();
  Names names(scratch, slots_max);
  for (uint32_t row = 0; row < map.rows; ++row) {
    if (!names.NextSlot(row, to.all[row])) return BatchError::kValue;
  }
  to.count = map.rows;
  return BatchError::kNone;
}

BatchError FlowBatchReader::Impl::ReadAudits(const ColumnMap& map, RowList<AuditRow>& to) noexcept {
  Fixed64Values digest;
  Decoder decoder(map);
  decoder.Read(scratch.slot_d, 2, map.rows, UINT32_MAX);
  decoder.ReadFixed(digest, 3, map.rows);
  if (decoder.error() != BatchError::kNone) return decoder.error();
  const auto ranges = static_cast<uint32_t>((uint64_t{slots_max} + kRangeSlots - 1) / kRangeSlots);
  Names names(scratch, ranges);
  for (uint32_t row = 0; row < map.rows; ++row) {
    if (!names.NextSlot(row, to.all[row].range)) return BatchError::kValue;
    to.all[row].digest = digest[row];
  }
  to.count = map.rows;
  return BatchError::kNone;
}

BatchError FlowBatchReader::Impl::ReadGroup(uint32_t group, const wire::Field& field) noexcept {
  static constexpr uint32_t kFields[] = {0,
                                         kCreateFields,
                                         kCreateFields,
                                         kUpdateFields,
                                         kUpdateFields,
                                         kCloseFields,
                                         kCloseFields,
                                         kTouchFields,
                                         kTouchFields,
                                         kAuditFields,
                                         kAuditFields};
  const size_t family = (group & 1) == 0 ? 1 : 0;
  const uint32_t fields = kFields[group];
  uint32_t columns = fields;
  if (fields == kCreateFields) columns &= ~(family == 1 ? kAddresses4 : kAddresses6);
  ColumnMap map;
  const BatchError error = MapColumns(field.data, field.size, columns, fields, map);
  if (error != BatchError::kNone) return error;
  uint32_t rows_before = creates4.count + creates6.count;
  for (const int other : {0, 1}) {
    rows_before +=
        updates[other].count + closes[other].count + touches[other].count + audits[other].count;
  }
  if (map.rows > kRowsMax - rows_before) return BatchError::kTooManyRows;
  slots_max = slots_max_of[family];
  switch (group) {
    case 1:
      return ReadCreates(map, creates4);
    case 2:
      return ReadCreates(map, creates6);
    case 3:
    case 4:
      return ReadUpdates(map, updates[family]);
    case 5:
    case 6:
      return ReadCloses(map, closes[family]);
    case 7:
    case 8:
      return ReadTouches(map, touches[family]);
    default:
      return ReadAudits(map, audits[family]);
  }
}

BatchError FlowBatchReader::Impl::ReadBody(std::span<const uint8_t> body) noexcept {
  const uint8_t* in = body.data();
  const uint8_t* const end = in + body.size();
  uint32_t seen = 0;
  while (in != end) {
    wire::Field field;
    in = wire::ReadField(in, end, field);
    if (in == nullptr) return BatchError::kMalformed;
    if (field.number > kBatchFieldMax) continue;
    if (field.type != wire::kBytes || (seen >> field.number & 1) != 0) {
      return BatchError::kMalformed;
    }
    seen |= 1U << field.number;
    const BatchError error = ReadGroup(field.number, field);
    if (error != BatchError::kNone) return error;
  }
  return BatchError::kNone;
}

FlowBatchReader::FlowBatchReader() : impl_(std::make_unique<Impl>()) {}
FlowBatchReader::~FlowBatchReader() = default;

BatchError FlowBatchReader::Read(std::span<const uint8_t> body,
                                 const config::Dictionary& dictionary, uint32_t slots_max_ipv4,
                                 uint32_t slots_max_ipv6) noexcept {
  impl_->Clear();
  impl_->dictionary = &dictionary;
  impl_->slots_max_of[0] = slots_max_ipv4;
  impl_->slots_max_of[1] = slots_max_ipv6;
  const BatchError error = impl_->ReadBody(body);
  if (error != BatchError::kNone) impl_->Clear();
  return error;
}

template <class Hot>
std::span<const CreateRow<Hot>> FlowBatchReader::creates() const noexcept {
  if constexpr (Hot::kIsIpv6) {
    return impl_->creates6.seen();
  } else {
    return impl_->creates4.seen();
  }
}
template std::span<const CreateRow<flow::FlowHot4>> FlowBatchReader::creates() const noexcept;
template std::span<const CreateRow<flow::FlowHot6>> FlowBatchReader::creates() const noexcept;

std::span<const UpdateRow> FlowBatchReader::updates(bool is_ipv6) const noexcept {
  return impl_->updates[is_ipv6].seen();
}
std::span<const CloseRow> FlowBatchReader::closes(bool is_ipv6) const noexcept {
  return impl_->closes[is_ipv6].seen();
}
std::span<const uint32_t> FlowBatchReader::touches(bool is_ipv6) const noexcept {
  return impl_->touches[is_ipv6].seen();
}
std::span<const AuditRow> FlowBatchReader::audits(bool is_ipv6) const noexcept {
  return impl_->audits[is_ipv6].seen();
}

}  // namespace tandem::mirror
