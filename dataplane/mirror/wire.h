// SPDX-License-Identifier: Apache-2.0
//
// The few pieces of the protobuf encoding that frames are made of (protobuf.dev, "Encoding"): varints,
// zigzag, fixed-width integers, tags. Writers know the sizes beforehand; readers are bounded and take
// every byte for hostile.
#pragma once

#include <rte_byteorder.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tandem::mirror::wire {

enum Type : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline constexpr size_t kVarintSizeMax = 10;

constexpr uint32_t MakeTag(uint32_t field, Type type) {
  return field << 3 | type;
}

constexpr size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

constexpr uint32_t ZigZag32(int32_t value) {
  return static_cast<uint32_t>(value) << 1 ^ static_cast<uint32_t>(value >> 31);
}
constexpr uint64_t ZigZag64(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
constexpr int32_t UnZigZag32(uint32_t value) {
  return static_cast<int32_t>(value >> 1 ^ (0 - (value & 1)));
}
constexpr int64_t UnZigZag64(uint64_t value) {
  return static_cast<int64_t>(value >> 1 ^ (0 - (value & 1)));
}

// Each returns the end of what it wrote.
inline uint8_t* WriteVarint(uint8_t* out, uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<uint8_t>(value);
  return out;
}
[[gnu::noinline, gnu::cold]] inline uint8_t* WriteLongVarint(uint8_t* out, uint64_t value) {
  return WriteVarint(out, value);
}
// For values of up to kBytes bytes; writes up to 4 bytes, of which those behind the end mean nothing. One or
// two bytes, or three or four, take the same way: which of them is as good as random.
template <size_t kBytes>
[[gnu::always_inline]] inline uint8_t* WriteShortVarint(uint8_t* out, uint64_t value) {
  if constexpr (kBytes > 4) {
    // Differences are mostly small where flows begin.
    if (value < 0x80) {
      *out = static_cast<uint8_t>(value);
      return out + 1;
    }
    if (value >= 1U << 28) [[unlikely]]
      return WriteLongVarint(out, value);
  }
  if (kBytes <= 2 || value < 1U << 14) [[likely]] {
    const auto low = static_cast<uint32_t>(value);
    const uint32_t more = low >= 0x80 ? 1 : 0;
    const auto little = rte_cpu_to_le_16(static_cast<uint16_t>(low + (low & ~0x7fU) + (more << 7)));
    std::memcpy(out, &little, sizeof(little));
    return out + 1 + more;
  }
  // Makes room for the highest bit of each byte: what is above it goes up by one.
  auto word = static_cast<uint32_t>(value);
  word += word & ~0x7fU;
  if constexpr (kBytes > 2) word += word & ~0x7fffU;
  if constexpr (kBytes > 3) word += word & ~0x7fffffU;
  static constexpr uint32_t kContinued[] = {0, 0x80, 0x8080, 0x808080};
  const uint32_t last = (static_cast<uint32_t>(std::bit_width(word | 1)) - 1) / 8;
  const uint32_t little = rte_cpu_to_le_32(word | kContinued[last]);
  std::memcpy(out, &little, sizeof(little));
  return out + last + 1;
}
inline uint8_t* WriteFixed32(uint8_t* out, uint32_t value) {
  const uint32_t little = rte_cpu_to_le_32(value);
  std::memcpy(out, &little, sizeof(little));
  return out + sizeof(little);
}
inline uint8_t* WriteFixed64(uint8_t* out, uint64_t value) {
  const uint64_t little = rte_cpu_to_le_64(value);
  std::memcpy(out, &little, sizeof(little));
  return out + sizeof(little);
}

// A field of bytes. (Once for all columns: code of each would be in no cache when a frame is written.)
[[gnu::noinline]] inline uint8_t* WriteBytes(uint8_t* out, uint32_t tag, const uint8_t* bytes,
                                             size_t size) {
  out = WriteVarint(WriteVarint(out, tag), size);
  std::memcpy(out, bytes, size);
  return out + size;
}

// The end of the varint at `in`; nullptr when there is none before `end`. Bits above the 64th are
// ignored, as generated code does.
inline const uint8_t* ReadVarint(const uint8_t* in, const uint8_t* end, uint64_t& value) {
  if (in != end && *in < 0x80) {
    value = *in;
    return in + 1;
  }
  value = 0;
  for (unsigned shift = 0; shift < 7 * kVarintSizeMax && in != end; shift += 7) {
    const uint8_t byte = *in++;
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return in;
  }
  return nullptr;
}
inline uint32_t ReadFixed32(const uint8_t* in) {
  uint32_t little = 0;
  std::memcpy(&little, in, sizeof(little));
  return rte_le_to_cpu_32(little);
}
inline uint64_t ReadFixed64(const uint8_t* in) {
  uint64_t little = 0;
  std::memcpy(&little, in, sizeof(little));
  return rte_le_to_cpu_64(little);
}

// One field of a message: its number and type, and the value or the bytes.
struct Field {
  uint32_t number = 0;
  Type type = kVarint;
  uint64_t value = 0;             // of a varint
  const uint8_t* data = nullptr;  // of bytes
  size_t size = 0;
};

// Reads the field at `in` and returns its end; nullptr: malformed. Groups, which proto3 does not have,
// count as malformed.
inline const uint8_t* ReadField(const uint8_t* in, const uint8_t* end, Field& field) {
  uint64_t tag = 0;
  in = ReadVarint(in, end, tag);
  if (in == nullptr || tag > UINT32_MAX || tag < 8) return nullptr;
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<Type>(tag & 7);
  field.data = in;
  field.size = 0;
  const auto left = static_cast<size_t>(end - in);
  switch (field.type) {
    case kVarint:
      return ReadVarint(in, end, field.value);
    case kFixed64:
      return left >= 8 ? in + 8 : nullptr;
    case kFixed32:
      return left >= 4 ? in + 4 : nullptr;
    case kBytes: {
      uint64_t size = 0;
      in = ReadVarint(in, end, size);
      if (in == nullptr || size > static_cast<size_t>(end - in)) return nullptr;
      field.data = in;
      field.size = static_cast<size_t>(size);
      return in + size;
    }
  }
  return nullptr;
}

}  // namespace tandem::mirror::wire
