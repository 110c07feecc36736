// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/persist_batch.h"

#include <algorithm>
#include <cstring>

#include "dataplane/mirror/column_reader.h"
#include "dataplane/mirror/wire.h"

namespace tandem::mirror {
namespace {

// Fields of PersistBatch.
enum Field : uint32_t {
  kRows = 1,
  kKind,
  kProfile,
  kScope,
  kKeySize,
  kKeys,
  kMember,
  kIdle,
  kVirtual,
};
constexpr uint32_t kColumns = 0x3fc;
constexpr uint32_t kFields = kColumns | 1U << kRows;

constexpr uint32_t kKindExists = 1;
constexpr uint32_t kKindGone = 2;
constexpr uint32_t kIdleTicksMax = UINT32_MAX >> 10;

// `rows`, and of every column its tag and length.
constexpr size_t kOverhead = 4 + 8 * 4;

template <Field kField>
uint32_t ValueOf(const PersistRow& row) {
  if constexpr (kField == kKind) return row.is_gone ? kKindGone : kKindExists;
  if constexpr (kField == kProfile) return row.key.profile;
  if constexpr (kField == kScope) return row.key.scope;
  if constexpr (kField == kKeySize) return row.key.size;
  if constexpr (kField == kMember) return row.member;
  if constexpr (kField == kIdle) return row.idle_ticks >> 10;
  if constexpr (kField == kVirtual) return row.virtual_id;
}

template <Field... kField>
size_t SizeOf(const PersistRow& row) {
  return row.key.size + (wire::VarintSize(ValueOf<kField>(row)) + ...);
}

template <Field kField>
uint8_t* WriteColumn(uint8_t* out, std::span<const PersistRow> rows) {
  const uint32_t first = ValueOf<kField>(rows[0]);
  const auto is_first = [=](const PersistRow& row) { return ValueOf<kField>(row) == first; };
  if (std::all_of(rows.begin(), rows.end(), is_first)) {
    if (first == 0) return out;
    rows = rows.first(1);
  }
  size_t size = 0;
  for (const PersistRow& row : rows)
    size += wire::VarintSize(ValueOf<kField>(row));
  out = wire::WriteVarint(out, wire::MakeTag(kField, wire::kBytes));
  out = wire::WriteVarint(out, size);
  for (const PersistRow& row : rows)
    out = wire::WriteVarint(out, ValueOf<kField>(row));
  return out;
}

template <Field... kField>
uint8_t* WriteColumns(uint8_t* out, std::span<const PersistRow> rows) {
  ((out = WriteColumn<kField>(out, rows)), ...);
  return out;
}

uint8_t* WriteKeys(uint8_t* out, std::span<const PersistRow> rows) {
  size_t size = 0;
  for (const PersistRow& row : rows)
    size += row.key.size;
  out = wire::WriteVarint(out, wire::MakeTag(kKeys, wire::kBytes));
  out = wire::WriteVarint(out, size);
  for (const PersistRow& row : rows) {
    std::memcpy(out, row.key.bytes.data(), row.key.size);
    out += row.key.size;
  }
  return out;
}

}  // namespace

PersistBatchWriter::PersistBatchWriter() : rows_(std::make_unique<PersistRow[]>(kPersistRowsMax)) {}

void PersistBatchWriter::Begin(size_t size) noexcept {
  limit_ = size;
  size_ = kOverhead;
  count_ = 0;
}

bool PersistBatchWriter::HasRoomFor(uint32_t rows) const noexcept {
  return count_ + rows <= kPersistRowsMax && size_ + rows * kPersistRowSizeMax <= limit_;
}

bool PersistBatchWriter::Add(const PersistRow& row) noexcept {
  const size_t size =
      size_ + SizeOf<kKind, kProfile, kScope, kKeySize, kMember, kIdle, kVirtual>(row);
  if (count_ == kPersistRowsMax || size > limit_) return false;
  rows_[count_++] = row;
  size_ = size;
  return true;
}

size_t PersistBatchWriter::Finish(uint8_t* out) noexcept {
  if (count_ == 0) return 0;
  const std::span<const PersistRow> rows(rows_.get(), count_);
  uint8_t* at = wire::WriteVarint(out, wire::MakeTag(kRows, wire::kVarint));
  at = wire::WriteVarint(at, count_);
  at = WriteColumns<kKind, kProfile, kScope, kKeySize>(at, rows);
  at = WriteKeys(at, rows);
  at = WriteColumns<kMember, kIdle, kVirtual>(at, rows);
  return static_cast<size_t>(at - out);
}

struct PersistBatchReader::Columns {
  VarintValues<uint32_t> kind, profile, scope, key_size, member, idle, virtual_id;

  BatchError Read(const ColumnMap& map) noexcept {
    struct Column {
      VarintValues<uint32_t>& values;
      uint32_t field;
      uint32_t max;
    };
    const Column columns[] = {{kind, kKind, kKindGone},          {profile, kProfile, UINT16_MAX},
                              {scope, kScope, UINT32_MAX},       {key_size, kKeySize, 16},
                              {member, kMember, UINT16_MAX},     {idle, kIdle, kIdleTicksMax},
                              {virtual_id, kVirtual, UINT16_MAX}};
    for (const Column& column : columns) {
      const BatchError error = column.values.Read(map, column.field, map.rows, column.max);
      if (error != BatchError::kNone) return error;
    }
    return BatchError::kNone;
  }
};

PersistBatchReader::PersistBatchReader()
    : columns_(std::make_unique<Columns>()),
      rows_(std::make_unique<PersistRow[]>(kPersistRowsMax)) {}

PersistBatchReader::~PersistBatchReader() = default;

BatchError PersistBatchReader::Read(std::span<const uint8_t> body) noexcept {
  count_ = 0;
  ColumnMap map;
  BatchError error = MapColumns(body.data(), body.size(), kColumns, kFields, map);
  if (error != BatchError::kNone) return error;
  if (map.rows > kPersistRowsMax) return BatchError::kTooManyRows;
  const Columns& columns = *columns_;
  error = columns_->Read(map);
  if (error != BatchError::kNone) return error;
  const uint8_t* keys = map.data[kKeys];
  size_t left = map.size[kKeys];
  for (uint32_t i = 0; i < map.rows; ++i) {
    const uint32_t size = columns.key_size[i];
    if (columns.kind[i] == 0 || columns.profile[i] == 0 || (size != 4 && size != 8 && size != 16)) {
      return BatchError::kValue;
    }
    if (left < size) return BatchError::kColumnLength;
    PersistRow& row = rows_[i];
    row = {.is_gone = columns.kind[i] == kKindGone,
           .member = static_cast<config::MemberId>(columns.member[i]),
           .virtual_id = static_cast<config::VirtualId>(columns.virtual_id[i]),
           .idle_ticks = columns.idle[i] << 10};
    row.key.profile = static_cast<config::PersistenceId>(columns.profile[i]);
    row.key.scope = columns.scope[i];
    row.key.size = static_cast<uint8_t>(size);
    std::memcpy(row.key.bytes.data(), keys, size);
    keys += size;
    left -= size;
  }
  if (left != 0) return BatchError::kColumnLength;
  count_ = map.rows;
  return BatchError::kNone;
}

}  // namespace tandem::mirror
