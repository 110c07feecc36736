// SPDX-License-Identifier: Apache-2.0
//
// Columns of a message under construction. A value is encoded when it is added; writing the message
// is copying. A column knows at any time how many bytes of the message it will take, and how many with
// one more value, also when all its values are equal and only one will be written, or none for zeros.
//
// A ColumnGroup is one message of a batch: `rows` and its columns. Its columns are a type list, so all
// loops over them are unrolled.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#include "dataplane/mirror/wire.h"
#include "dataplane/net/flow_key.h"

namespace tandem::mirror {

// How a value is encoded. kSizeMax: no value takes more. Write may write up to kSlack bytes.
inline constexpr size_t kSlack = 16;

template <size_t kBytes>
struct VarintCodec {
  using Value = uint64_t;
  static constexpr size_t kSizeMax = kBytes;
  static size_t Size(Value value) { return wire::VarintSize(value); }
  static uint8_t* Write(uint8_t* out, Value value) {
    return wire::WriteShortVarint<kBytes>(out, value);
  }
};
struct Fixed32Codec {
  using Value = uint32_t;
  static constexpr size_t kSizeMax = 4;
  static size_t Size(Value) { return 4; }
  static uint8_t* Write(uint8_t* out, Value value) { return wire::WriteFixed32(out, value); }
};
struct Fixed64Codec {
  using Value = uint64_t;
  static constexpr size_t kSizeMax = 8;
  static size_t Size(Value) { return 8; }
  static uint8_t* Write(uint8_t* out, Value value) { return wire::WriteFixed64(out, value); }
};
struct Ipv6Codec {
  using Value = net::Ipv6Bytes;
  static constexpr size_t kSizeMax = 16;
  static size_t Size(const Value&) { return 16; }
  static uint8_t* Write(uint8_t* out, const Value& value) {
    std::memcpy(out, value.bytes, 16);
    return out + 16;
  }
};

// `count` is how many values the column has so far.
template <uint32_t kField, class Codec, uint32_t kValuesMax>
class Column {
 public:
  using Value = typename Codec::Value;
  // What one more value may add to the message as long as the column does not turn.
  static constexpr size_t kGrowthMax = Codec::kSizeMax + 1;

  void Clear() noexcept {
    bytes_ = 0;
    is_uniform_ = true;
  }

  // Whether the value is the first that differs: the size then grows by a leap. The first value of
  // all is always a leap.
  bool Turns(const Value& value) const noexcept { return is_uniform_ && !(value == first_); }

  size_t Size(uint32_t count) const noexcept {
    if (!is_uniform_) return Framed(bytes_);
    return count == 0 || first_ == Value{} ? 0 : Framed(Codec::Size(first_));
  }
  size_t SizeWith(const Value& value, uint32_t count) const noexcept {
    if (!is_uniform_) return Framed(bytes_ + Codec::Size(value));
    if (count != 0 && !(value == first_)) {
      return Framed(count * Codec::Size(first_) + Codec::Size(value));
    }
    return value == Value{} ? 0 : Framed(Codec::Size(value));
  }

  // Must be called before Add when the value turns the column or is its first.
  void Prepare(const Value& value, uint32_t count) noexcept {
    if (count == 0) {
      first_ = value;
    } else if (Turns(value)) {
      is_uniform_ = false;
      for (uint32_t i = 0; i < count; ++i)
        Append(first_);
    }
  }
  void Add(const Value& value) noexcept {
    if (!is_uniform_) Append(value);
  }

  uint8_t* Write(uint8_t* out, uint32_t count) const noexcept {
    if (Size(count) == 0) return out;
    const size_t payload = is_uniform_ ? Codec::Size(first_) : bytes_;
    out = wire::WriteVarint(out, kTag);
    out = wire::WriteVarint(out, payload);
    if (is_uniform_) {
      std::array<uint8_t, kSlack> value;
      Codec::Write(value.data(), first_);
      std::memcpy(out, value.data(), payload);
    } else {
      std::memcpy(out, data_.data(), payload);
    }
    return out + payload;
  }

 private:
  static constexpr uint32_t kTag = wire::MakeTag(kField, wire::kBytes);

  static size_t Framed(size_t payload) {
    return wire::VarintSize(kTag) + wire::VarintSize(payload) + payload;
  }
  void Append(const Value& value) noexcept {
    uint8_t* const out = &data_[bytes_];
    bytes_ += static_cast<uint32_t>(Codec::Write(out, value) - out);
  }

  Value first_{};
  uint32_t bytes_ = 0;      // in data_
  bool is_uniform_ = true;  // all values are first_, and none is in data_
  std::array<uint8_t, kValuesMax * Codec::kSizeMax + kSlack> data_;
};

// A column that has values for some rows only.
template <class Value>
struct Maybe {
  bool is_there = false;
  Value value{};
};

template <uint32_t kField, class Codec, uint32_t kValuesMax>
class SparseColumn {
 public:
  using Value = Maybe<typename Codec::Value>;
  using Dense = Column<kField, Codec, kValuesMax>;
  static constexpr size_t kGrowthMax = Dense::kGrowthMax;

  void Clear() noexcept {
    column_.Clear();
    count_ = 0;
  }
  bool Turns(const Value& value) const noexcept {
    return value.is_there && (count_ == 0 || column_.Turns(value.value));
  }
  size_t Size(uint32_t /*rows*/) const noexcept { return column_.Size(count_); }
  size_t SizeWith(const Value& value, uint32_t /*rows*/) const noexcept {
    return value.is_there ? column_.SizeWith(value.value, count_) : column_.Size(count_);
  }
  void Prepare(const Value& value, uint32_t /*rows*/) noexcept {
    if (value.is_there) column_.Prepare(value.value, count_);
  }
  void Add(const Value& value) noexcept {
    if (!value.is_there) return;
    column_.Add(value.value);
    ++count_;
  }
  uint8_t* Write(uint8_t* out, uint32_t /*rows*/) const noexcept {
    return column_.Write(out, count_);
  }

 private:
  Dense column_;
  uint32_t count_ = 0;
};

template <class... Columns>
class ColumnGroup {
 public:
  using Row = std::tuple<typename Columns::Value...>;
  // What one more row may add to the batch as long as no column turns: its values, and one byte more
  // for the lengths of each column and of the message, and for `rows`.
  static constexpr size_t kGrowthMax = (Columns::kGrowthMax + ...) + 2;

  uint32_t rows() const noexcept { return rows_; }

  void Clear() noexcept {
    if (rows_ == 0) return;
    rows_ = 0;
    Each([](auto& column) { column.Clear(); });
  }
  bool Turns(const Row& row) const noexcept {
    bool turns = rows_ == 0;
    EachWith(row, [&](const auto& column, const auto& value) { turns |= column.Turns(value); });
    return turns;
  }
  // Bytes that the message takes in the batch, with its tag and length; 0 without rows.
  size_t Size() const noexcept { return rows_ == 0 ? 0 : Framed(ContentSize()); }
  size_t SizeWith(const Row& row) const noexcept {
    size_t size = RowsSize(rows_ + 1);
    EachWith(row,
             [&](const auto& column, const auto& value) { size += column.SizeWith(value, rows_); });
    return Framed(size);
  }
  // Must be called before Add when Turns says so.
  void Prepare(const Row& row) noexcept {
    EachWith(row, [&](auto& column, const auto& value) { column.Prepare(value, rows_); });
  }
  void Add(const Row& row) noexcept {
    EachWith(row, [](auto& column, const auto& value) { column.Add(value); });
    ++rows_;
  }
  uint8_t* Write(uint32_t field, uint8_t* out) const noexcept {
    if (rows_ == 0) return out;
    out = wire::WriteVarint(out, wire::MakeTag(field, wire::kBytes));
    out = wire::WriteVarint(out, ContentSize());
    out = wire::WriteVarint(out, wire::MakeTag(1, wire::kVarint));
    out = wire::WriteVarint(out, rows_);
    Each([&](const auto& column) { out = column.Write(out, rows_); });
    return out;
  }

 private:
  // Tags of groups take one byte: there are fewer than 16.
  static size_t Framed(size_t content) { return 1 + wire::VarintSize(content) + content; }
  static size_t RowsSize(uint32_t rows) { return 1 + wire::VarintSize(rows); }

  size_t ContentSize() const noexcept {
    size_t size = RowsSize(rows_);
    Each([&](const auto& column) { size += column.Size(rows_); });
    return size;
  }

  template <class F>
  void Each(F&& f) {
    std::apply([&](auto&... column) { (f(column), ...); }, columns_);
  }
  template <class F>
  void Each(F&& f) const {
    std::apply([&](const auto&... column) { (f(column), ...); }, columns_);
  }
  template <class F>
  void EachWith(const Row& row, F&& f) {
    EachWith(columns_, row, f, std::index_sequence_for<Columns...>());
  }
  template <class F>
  void EachWith(const Row& row, F&& f) const {
    EachWith(columns_, row, f, std::index_sequence_for<Columns...>());
  }
  template <class Tuple, class F, size_t... kIndex>
  static void EachWith(Tuple& columns, const Row& row, F&& f, std::index_sequence<kIndex...>) {
    (f(std::get<kIndex>(columns), std::get<kIndex>(row)), ...);
  }

  uint32_t rows_ = 0;
  std::tuple<Columns...> columns_;
};

}  // namespace tandem::mirror
