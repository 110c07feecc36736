// SPDX-License-Identifier: Apache-2.0
//
// FNV-1a, 64 bits: the same in every release and on every machine. It tells damaged or different from
// equal; who prepares collisions finds them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tandem {

inline constexpr uint64_t kFnvStart = 0xcbf29ce484222325;

constexpr uint64_t Fnv1a(uint8_t byte, uint64_t hash) {
  return (hash ^ byte) * 0x100000001b3;
}

constexpr uint64_t Fnv1a(std::string_view text, uint64_t hash = kFnvStart) {
  for (const char c : text)
    hash = Fnv1a(static_cast<uint8_t>(c), hash);
  return hash;
}

constexpr uint64_t Fnv1a(std::span<const uint8_t> bytes, uint64_t hash = kFnvStart) {
  for (const uint8_t byte : bytes)
    hash = Fnv1a(byte, hash);
  return hash;
}

}  // namespace tandem
