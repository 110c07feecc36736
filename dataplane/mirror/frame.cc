// SPDX-License-Identifier: Apache-2.0
//
// The header's layout; README.md beside this file shows it byte by byte.
#include "dataplane/mirror/frame.h"

#include <rte_byteorder.h>

#include <cstddef>
#include <cstring>

namespace tandem::mirror {
namespace {

struct WireHeader {
  uint16_t magic;
  uint8_t version;
  uint8_t type;
  uint8_t group;
  uint8_t worker;
  uint16_t flags;
  uint32_t epoch;
  uint32_t session;
  uint64_t sequence;
  uint64_t floor;
  uint64_t sack;
  uint16_t credit;
  uint16_t dictionary;
  uint32_t stamp;
};
static_assert(sizeof(WireHeader) == kHeaderSize);

bool IsData(uint8_t type) {
  return type == static_cast<uint8_t>(FrameType::kFlows) ||
         type == static_cast<uint8_t>(FrameType::kPersist);
}

constexpr size_t kFlagsOffset = offsetof(WireHeader, flags);
constexpr uint16_t kFlagsMask = (1U << kGenerationShift) - 1;

}  // namespace

void WriteGeneration(uint32_t generation, std::span<uint8_t> frame) noexcept {
  uint8_t* const flags = frame.data() + kFlagsOffset;
  const uint32_t bits = generation & kGenerationMask;
  flags[0] = static_cast<uint8_t>(bits >> (8 - kGenerationShift));
  flags[1] = static_cast<uint8_t>((bits << kGenerationShift) | (flags[1] & kFlagsMask));
}

uint32_t ReadGeneration(std::span<const uint8_t> frame) noexcept {
  const uint8_t* const flags = frame.data() + kFlagsOffset;
  return (uint32_t{flags[0]} << 8 | flags[1]) >> kGenerationShift;
}

void WriteHeader(const FrameHeader& header, std::span<uint8_t, kHeaderSize> out) noexcept {
  WireHeader wire{};
  wire.magic = rte_cpu_to_be_16(kFrameMagic);
  wire.version = kFrameVersion;
  wire.type = static_cast<uint8_t>(header.type);
  wire.group = header.group;
  wire.worker = header.worker;
  wire.flags = rte_cpu_to_be_16(header.flags & kFlagsMask);
  wire.epoch = rte_cpu_to_be_32(header.epoch);
  wire.session = rte_cpu_to_be_32(header.session);
  wire.sequence = rte_cpu_to_be_64(header.sequence);
  wire.floor = rte_cpu_to_be_64(header.floor);
  wire.sack = rte_cpu_to_be_64(header.sack);
  wire.credit = rte_cpu_to_be_16(header.credit);
  wire.dictionary = rte_cpu_to_be_16(header.dictionary);
  wire.stamp = rte_cpu_to_be_32(header.stamp);
  std::memcpy(out.data(), &wire, sizeof(wire));
}

bool ReadHeader(std::span<const uint8_t> frame, FrameHeader& header) noexcept {
  WireHeader wire{};
  if (frame.size() < sizeof(wire)) return false;
  std::memcpy(&wire, frame.data(), sizeof(wire));
  if (wire.magic != rte_cpu_to_be_16(kFrameMagic) || wire.version != kFrameVersion) return false;
  if (wire.type < 1 || wire.type > kFrameTypeMax) return false;
  const auto flags = static_cast<uint16_t>(rte_be_to_cpu_16(wire.flags) & kFlagsMask);
  const auto state = static_cast<uint8_t>(flags & kStateMask);
  if (IsData(wire.type) && (state < static_cast<uint8_t>(StreamState::kSyncing) ||
                            state > static_cast<uint8_t>(StreamState::kLagging))) {
    return false;
  }
  header.type = static_cast<FrameType>(wire.type);
  header.group = wire.group;
  header.worker = wire.worker;
  header.flags = flags;
  header.epoch = rte_be_to_cpu_32(wire.epoch);
  header.session = rte_be_to_cpu_32(wire.session);
  header.sequence = rte_be_to_cpu_64(wire.sequence);
  header.floor = rte_be_to_cpu_64(wire.floor);
  header.sack = rte_be_to_cpu_64(wire.sack);
  header.credit = rte_be_to_cpu_16(wire.credit);
  header.dictionary = rte_be_to_cpu_16(wire.dictionary);
  header.stamp = rte_be_to_cpu_32(wire.stamp);
  return true;
}

}  // namespace tandem::mirror
