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

// How a value is encoded. kBytes: no value takes more.
template <size_t kBytes>
struct VarintCodec {
  using Value = uint64_t;
  static constexpr size_t kSizeMax = kBytes;
  static size_t Size(Value value) { return wire::VarintSize(value); }
  static uint8_t* Write(uint8_t* out, Value value) { return wire::WriteVarint(out, value); }
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

template <uint32_t kField, class Codec, uint32_t kValuesMax>
class Column {
 public:
  using Value = typename Codec::Value;
  // What one more value may add to the message as long as the column does not turn.
  static constexpr size_t kGrowthMax = Codec::kSizeMax + 1;

  void Clear() noexcept {
    count_ = 0;
    bytes_ = 0;
    is_uniform_ = true;
  }

  // Whether the value is the first, or the first that differs: the size then grows by leaps.
  bool Turns(const Value& value) const noexcept {
    return count_ == 0 || (is_uniform_ && !(value == first_));
  }

  size_t Size() const noexcept {
    if (count_ == 0 || (is_uniform_ && first_ == Value{})) return 0;
    return Framed(is_uniform_ ? Codec::Size(first_) : bytes_);
  }
  size_t SizeWith(const Value& value) const noexcept {
    if (count_ == 0 || (is_uniform_ && value == first_)) {
      return value == Value{} ? 0 : Framed(Codec::Size(value));
    }
    return Framed(bytes_ + Codec::Size(value));
  }

  void Add(const Value& value) noexcept {
    if (count_ == 0) first_ = value;
    is_uniform_ &= value == first_;
    uint8_t* end = Codec::Write(&data_[bytes_], value);
    bytes_ = static_cast<uint32_t>(end - data_.data());
    ++count_;
  }

  uint8_t* Write(uint8_t* out) const noexcept {
    if (Size() == 0) return out;
    const size_t payload = is_uniform_ ? Codec::Size(first_) : bytes_;
    out = wire::WriteVarint(out, kTag);
    out = wire::WriteVarint(out, payload);
    std::memcpy(out, data_.data(), payload);
    return out + payload;
  }

 private:
  static constexpr uint32_t kTag = wire::MakeTag(kField, wire::kBytes);

  static size_t Framed(size_t payload) {
    return wire::VarintSize(kTag) + wire::VarintSize(payload) + payload;
  }

  Value first_{};
  uint32_t count_ = 0;
  uint32_t bytes_ = 0;  // of all values
  bool is_uniform_ = true;
  std::array<uint8_t, kValuesMax * Codec::kSizeMax> data_;
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

  void Clear() noexcept { column_.Clear(); }
  bool Turns(const Value& value) const noexcept {
    return value.is_there && column_.Turns(value.value);
  }
  size_t Size() const noexcept { return column_.Size(); }
  size_t SizeWith(const Value& value) const noexcept {
    return value.is_there ? column_.SizeWith(value.value) : column_.Size();
  }
  void Add(const Value& value) noexcept {
    if (value.is_there) column_.Add(value.value);
  }
  uint8_t* Write(uint8_t* out) const noexcept { return column_.Write(out); }

 private:
  Dense column_;
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
    EachWith(row, [&](const auto& column, const auto& value) { size += column.SizeWith(value); });
    return Framed(size);
  }
  void Add(const Row& row) noexcept {
    ++rows_;
    AddEach(row, std::index_sequence_for<Columns...>());
  }
  uint8_t* Write(uint32_t field, uint8_t* out) const noexcept {
    if (rows_ == 0) return out;
    out = wire::WriteVarint(out, wire::MakeTag(field, wire::kBytes));
    out = wire::WriteVarint(out, ContentSize());
    out = wire::WriteVarint(out, wire::MakeTag(1, wire::kVarint));
    out = wire::WriteVarint(out, rows_);
    Each([&](const auto& column) { out = column.Write(out); });
    return out;
  }

 private:
  // Tags of groups take one byte: there are fewer than 16.
  static size_t Framed(size_t content) { return 1 + wire::VarintSize(content) + content; }
  static size_t RowsSize(uint32_t rows) { return 1 + wire::VarintSize(rows); }

  size_t ContentSize() const noexcept {
    size_t size = RowsSize(rows_);
    Each([&](const auto& column) { size += column.Size(); });
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
  void EachWith(const Row& row, F&& f) const {
    EachWith(row, f, std::index_sequence_for<Columns...>());
  }
  template <class F, size_t... kIndex>
  void EachWith(const Row& row, F&& f, std::index_sequence<kIndex...>) const {
    (f(std::get<kIndex>(columns_), std::get<kIndex>(row)), ...);
  }
  template <size_t... kIndex>
  void AddEach(const Row& row, std::index_sequence<kIndex...>) {
    (std::get<kIndex>(columns_).Add(std::get<kIndex>(row)), ...);
  }

  uint32_t rows_ = 0;
  std::tuple<Columns...> columns_;
};

}  // namespace tandem::mirror
