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
  [[gnu::always_inline]] static uint8_t* Write(uint8_t* out, Value value) {
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
  using ValueCodec = Codec;

  void Clear() noexcept {
    bytes_ = 0;
    is_uniform_ = true;
  }
  // Without values, but not uniform whatever they will be.
  void ClearTurned() noexcept {
    bytes_ = 0;
    is_uniform_ = false;
  }
  // All values will be this one, as far as is known. REQUIRES: the column is uniform.
  void SetFirst(const Value& value) noexcept { first_ = value; }

  // Whether all so far have it. REQUIRES: the column is uniform, and not empty.
  bool IsUsual(const Value& value) const noexcept { return value == first_; }
  // Adds a value to a column that is not uniform; returns its size.
  [[gnu::always_inline]] size_t Append(const Value& value) noexcept {
    uint8_t* const out = &data_[bytes_];
    const auto size = static_cast<size_t>(Codec::Write(out, value) - out);
    bytes_ += size;
    return size;
  }
  // The same of `count` values, value(0) and on.
  template <class ValueOf>
  [[gnu::always_inline]] size_t AppendEach(size_t count, ValueOf value) noexcept {
    uint8_t* const begin = &data_[bytes_];
    uint8_t* out = begin;
    for (size_t i = 0; i < count; ++i)
      out = Codec::Write(out, value(i));
    const auto size = static_cast<size_t>(out - begin);
    bytes_ += size;
    return size;
  }
  // Where the next value will be, for callers that write some by themselves and say then how many bytes.
  uint8_t* end() noexcept { return &data_[bytes_]; }
  void Extend(size_t bytes) noexcept { bytes_ += bytes; }
  // By how much the length of the values may come to take more bytes than it does.
  size_t LengthGrowth() const noexcept { return !is_uniform_ && bytes_ < 0x80 ? 1 : 0; }
  // One more value makes the message longer by no more than this, later growth of lengths included.
  size_t GrowthBound(const Value& value, uint32_t count) const noexcept {
    if (!is_uniform_) return Codec::Size(value);
    if (count != 0 && value == first_) return 0;
    return kFrameMax + count * Codec::Size(first_) + Codec::Size(value);
  }
  bool is_uniform() const noexcept { return is_uniform_; }

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

  // Adds any value.
  void Add(const Value& value, uint32_t count) noexcept {
    if (count == 0) {
      first_ = value;
    } else if (is_uniform_ && !(value == first_)) {
      is_uniform_ = false;
      for (uint32_t i = 0; i < count; ++i)
        Append(first_);
    }
    if (!is_uniform_) Append(value);
  }

  static constexpr uint32_t kTag = wire::MakeTag(kField, wire::kBytes);
  static constexpr size_t kFrameMax = wire::VarintSize(kTag) + 2;  // bodies are shorter than 16 KiB

  uint8_t* Write(uint8_t* out, uint32_t count) const noexcept {
    if (!is_uniform_) return wire::WriteBytes(out, kTag, data_.data(), bytes_);
    if (Size(count) == 0) return out;
    std::array<uint8_t, kSlack> value;
    Codec::Write(value.data(), first_);
    return wire::WriteBytes(out, kTag, value.data(), Codec::Size(first_));
  }

 private:
  static size_t Framed(size_t payload) {
    return wire::VarintSize(kTag) + wire::VarintSize(payload) + payload;
  }

  Value first_{};
  size_t bytes_ = 0;        // in data_
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
  using ValueCodec = Codec;
  static constexpr size_t kFrameMax = Dense::kFrameMax;

  void Clear() noexcept {
    column_.Clear();
    count_ = 0;
  }
  bool is_uniform() const noexcept { return column_.is_uniform(); }
  size_t LengthGrowth() const noexcept { return column_.LengthGrowth(); }
  size_t GrowthBound(const Value& value, uint32_t /*rows*/) const noexcept {
    return value.is_there ? column_.GrowthBound(value.value, count_) : 0;
  }
  size_t Size(uint32_t /*rows*/) const noexcept { return column_.Size(count_); }
  size_t SizeWith(const Value& value, uint32_t /*rows*/) const noexcept {
    return value.is_there ? column_.SizeWith(value.value, count_) : column_.Size(count_);
  }
  void Add(const Value& value, uint32_t /*rows*/) noexcept {
    if (value.is_there) column_.Add(value.value, count_++);
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
  template <size_t kIndex>
  using ValueAt = std::tuple_element_t<kIndex, Row>;
  template <size_t kIndex>
  using ColumnAt = std::tuple_element_t<kIndex, std::tuple<Columns...>>;
  using AllColumns = std::index_sequence_for<Columns...>;
  static constexpr size_t kFrameMax = 1 + 2 + 1 + 2;

  uint32_t rows() const noexcept { return rows_; }

  void Clear() noexcept {
    if (rows_ == 0 && turned_ == 0) return;
    rows_ = 0;
    turned_ = 0;
    Each([](auto& column) { column.Clear(); });
  }
  // Bit i: column i is not uniform.
  uint32_t turned() const noexcept { return turned_; }
  // Without rows, but those columns turned that are in `turned`, which have been before. In the others, rows
  // added column by column have the values that were first before, or of SetFirst. REQUIRES: no sparse column
  // has values.
  void ClearRows(uint32_t turned) noexcept {
    uint32_t bit = 1;
    Each([&](auto& column) {
      if constexpr (requires { column.ClearTurned(); }) {
        if ((turned & bit) != 0) {
          column.ClearTurned();
        } else if ((turned_ & bit) != 0) {
          column.Clear();
        }
      }
      bit <<= 1;
    });
    rows_ = 0;
    turned_ = turned;
  }
  // What the message takes at most beside the values of columns that have turned, if the others of kIndex
  // get any first value.
  template <size_t... kIndex>
  size_t BytesBeside(std::index_sequence<kIndex...>) const noexcept {
    size_t bytes = kFrameMax;
    uint32_t bit = 1;
    Each([&]<class Its>(const Its& column) {
      if ((turned_ & bit) != 0) {
        bytes += Its::kFrameMax;
      } else if ((kBits<kIndex...> & bit) != 0) {
        bytes += Its::kFrameMax + Its::ValueCodec::kSizeMax;
      } else {
        bytes += column.Size(rows_);
      }
      bit <<= 1;
    });
    return bytes;
  }
  // SetFirst where the column is uniform.
  template <size_t kIndex>
  void SetFirst(const ValueAt<kIndex>& value) noexcept {
    if (IsUniform<kIndex>()) std::get<kIndex>(columns_).SetFirst(value);
  }
  // Whether each of these columns has values that differ.
  template <size_t... kIndex>
  bool HaveTurned(std::index_sequence<kIndex...>) const noexcept {
    return (turned_ & kBits<kIndex...>) == kBits<kIndex...>;
  }
  template <size_t kIndex>
  bool IsUniform() const noexcept {
    return (turned_ & kBits<kIndex>) == 0;
  }
  template <size_t... kIndex>
  bool AreUniform(std::index_sequence<kIndex...>) const noexcept {
    return (IsUniform<kIndex>() && ...);
  }
  // What one more row takes at most in these columns, those that are uniform aside.
  template <size_t... kIndex>
  size_t GrowthMax(std::index_sequence<kIndex...>) const noexcept {
    return ((IsUniform<kIndex>() ? 0 : ColumnAt<kIndex>::ValueCodec::kSizeMax) + ...);
  }
  // Rows whose values were appended column by column, to all that are not uniform.
  void AddRows(size_t count) noexcept { rows_ += static_cast<uint32_t>(count); }
  // Nothing where the column is uniform.
  template <size_t kIndex, class ValueOf>
  [[gnu::always_inline]] size_t AppendEach(size_t count, ValueOf value) noexcept {
    return IsUniform<kIndex>() ? 0 : std::get<kIndex>(columns_).AppendEach(count, value);
  }
  template <size_t kIndex>
  auto& column() noexcept {
    return std::get<kIndex>(columns_);
  }
  // Whether no column turns from one value to many by these, when the size grows by a leap.
  // REQUIRES: rows() > 0.
  template <size_t... kIndex>
  [[gnu::always_inline]] bool TurnNone(std::index_sequence<kIndex...>,
                                       const ValueAt<kIndex>&... values) const noexcept {
    return (((turned_ & kBits<kIndex>) != 0 || std::get<kIndex>(columns_).IsUsual(values)) && ...);
  }
  // Adds a row, of which `value()...` are those in the columns kIndex; in the others they are known to be
  // the first of their columns, or not there. False, and nothing has changed: the values take more bytes
  // than `room`, which they are taken from. REQUIRES: HaveTurned(Turned); TurnNone.
  template <class Turned, size_t... kIndex, class... Value>
  [[gnu::always_inline]] bool TryAdd(size_t& room, Turned, std::index_sequence<kIndex...>,
                                     const Value&... value) noexcept {
    constexpr size_t kMost = (ColumnAt<kIndex>::ValueCodec::kSizeMax + ...);
    const auto has_turned = [this](uint32_t bit) {
      return (BitsOf(Turned()) & bit) != 0 || (turned_ & bit) != 0;
    };
    size_t left = room;
    if (left < kMost) [[unlikely]] {
      size_t size = 0;
      ((size += has_turned(kBits<kIndex>) ? ColumnAt<kIndex>::ValueCodec::Size(value()) : 0), ...);
      if (size > left) return false;
    }
    ((left -= has_turned(kBits<kIndex>) ? std::get<kIndex>(columns_).Append(value()) : 0), ...);
    room = left;
    ++rows_;
    return true;
  }
  // One more row makes the batch longer by no more than this, later growth of lengths included.
  size_t GrowthBound(const Row& row) const noexcept {
    size_t bound = rows_ == 0 ? kFrameMax : 0;
    EachWith(row, [&](const auto& column, const auto& value) {
      bound += column.GrowthBound(value, rows_);
    });
    return bound;
  }
  // By how much the lengths that the message holds, and its own, may come to take more bytes while no
  // column turns.
  size_t LengthGrowth() const noexcept {
    if (rows_ == 0) return 0;
    size_t growth = rows_ < 0x80 ? 2 : 1;
    Each([&](const auto& column) { growth += column.LengthGrowth(); });
    return growth;
  }
  // Bytes that the message takes in the batch, with its tag and length; 0 without rows.
  size_t Size() const noexcept { return rows_ == 0 ? 0 : Framed(ContentSize()); }
  size_t SizeWith(const Row& row) const noexcept {
    size_t size = RowsSize(rows_ + 1);
    EachWith(row,
             [&](const auto& column, const auto& value) { size += column.SizeWith(value, rows_); });
    return Framed(size);
  }
  // Adds any row.
  void Add(const Row& row) noexcept {
    EachWith(row, [&](auto& column, const auto& value) { column.Add(value, rows_); });
    ++rows_;
    turned_ = 0;
    uint32_t bit = 1;
    Each([&](const auto& column) {
      if (!column.is_uniform()) turned_ |= bit;
      bit <<= 1;
    });
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

  template <size_t... kIndex>
  static constexpr uint32_t kBits = ((uint32_t{1} << kIndex) | ...);
  template <size_t... kIndex>
  static constexpr uint32_t BitsOf(std::index_sequence<kIndex...>) {
    return kBits<kIndex...>;
  }

  uint32_t rows_ = 0;
  uint32_t turned_ = 0;
  std::tuple<Columns...> columns_;
};

}  // namespace tandem::mirror
