// SPDX-License-Identifier: Apache-2.0
//
// Columns of a received message, bounded: where they are, then their values. The result of every step
// is a BatchError; nothing is read outside the message whatever its bytes say.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/wire.h"

namespace tandem::mirror {

inline constexpr uint32_t kColumnsEnd = 24;  // field numbers of columns are below it

// Where the columns of one message are; columns that are not there have size 0.
struct ColumnMap {
  uint32_t rows = 0;
  std::array<const uint8_t*, kColumnsEnd> data{};
  std::array<size_t, kColumnsEnd> size{};
};

// `columns`: bit n is set when the message may have column n; `fields`: when it is known at all. Others
// are skipped. A known field that comes twice, is of the wrong type or has no place in this message is
// malformed.
inline BatchError MapColumns(const uint8_t* in, size_t size, uint32_t columns, uint32_t fields,
                             ColumnMap& map) noexcept {
  const uint8_t* const end = in + size;
  uint32_t seen = 0;
  while (in != end) {
    wire::Field field;
    in = wire::ReadField(in, end, field);
    if (in == nullptr) return BatchError::kMalformed;
    if (field.number >= kColumnsEnd || (fields >> field.number & 1) == 0) continue;
    const uint32_t bit = 1U << field.number;
    if ((seen & bit) != 0) return BatchError::kMalformed;
    seen |= bit;
    if (field.number == 1) {
      if (field.type != wire::kVarint) return BatchError::kMalformed;
      map.rows = static_cast<uint32_t>(field.value);
    } else {
      if (field.type != wire::kBytes || (columns & bit) == 0) return BatchError::kMalformed;
      map.data[field.number] = field.data;
      map.size[field.number] = field.size;
    }
  }
  return BatchError::kNone;
}

// A column's values, read from the message where they lie; `mask` is 0 when one holds for all rows.
class Fixed32Values {
 public:
  static constexpr size_t kSize = 4;
  uint32_t operator[](size_t row) const { return wire::ReadFixed32(data_ + (row & mask_) * kSize); }
  void Set(const uint8_t* data, size_t mask) { data_ = data, mask_ = mask; }

 private:
  const uint8_t* data_ = nullptr;
  size_t mask_ = 0;
};
class Fixed64Values {
 public:
  static constexpr size_t kSize = 8;
  uint64_t operator[](size_t row) const { return wire::ReadFixed64(data_ + (row & mask_) * kSize); }
  void Set(const uint8_t* data, size_t mask) { data_ = data, mask_ = mask; }

 private:
  const uint8_t* data_ = nullptr;
  size_t mask_ = 0;
};
class Ipv6Values {
 public:
  static constexpr size_t kSize = 16;
  net::Ipv6Bytes operator[](size_t row) const {
    net::Ipv6Bytes value;
    std::memcpy(value.bytes, data_ + (row & mask_) * kSize, kSize);
    return value;
  }
  void Set(const uint8_t* data, size_t mask) { data_ = data, mask_ = mask; }

 private:
  const uint8_t* data_ = nullptr;
  size_t mask_ = 0;
};

template <class Values>
BatchError ReadFixed(const ColumnMap& map, uint32_t field, uint32_t rows, Values& values) noexcept {
  static constexpr uint8_t kZeros[16] = {};
  const size_t size = map.size[field];
  if (size % Values::kSize != 0) return BatchError::kMalformed;
  if (size == 0) {
    values.Set(kZeros, 0);
  } else if (size == Values::kSize) {
    values.Set(map.data[field], 0);
  } else if (size == rows * Values::kSize) {
    values.Set(map.data[field], SIZE_MAX);
  } else {
    return BatchError::kColumnLength;
  }
  return BatchError::kNone;
}

// The decoded values of a column of varints.
template <class T>
class VarintValues {
 public:
  T operator[](size_t row) const { return values_[row & mask_]; }

  // Cut to the bits of T as generated code does; more than `max` is kValue.
  BatchError Read(const ColumnMap& map, uint32_t field, uint32_t rows, T max) noexcept {
    const uint8_t* in = map.data[field];
    const uint8_t* const end = in + map.size[field];
    uint32_t count = 0;
    T largest = 0;
    while (in != end) {
      if (count == rows && count != 0) return BatchError::kColumnLength;
      if (count == 1 && rows == 0) return BatchError::kColumnLength;
      uint64_t value = 0;
      in = wire::ReadVarint(in, end, value);
      if (in == nullptr) return BatchError::kMalformed;
      values_[count] = static_cast<T>(value);
      largest = values_[count] > largest ? values_[count] : largest;
      ++count;
    }
    if (count == 0) values_[0] = 0;
    if (count > 1 && count != rows) return BatchError::kColumnLength;
    mask_ = count > 1 ? SIZE_MAX : 0;
    return largest > max ? BatchError::kValue : BatchError::kNone;
  }

 private:
  size_t mask_ = 0;
  std::array<T, kRowsMax> values_;
};

}  // namespace tandem::mirror
