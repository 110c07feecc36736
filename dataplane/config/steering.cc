// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/steering.h"

#include <bit>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/limits.h"

namespace tandem::config {
namespace {

constexpr size_t kInputMax = 18;  // IPv6 address and port

// The 32 key bits that stand against input bit `bit`.
uint32_t KeyWindow(std::span<const uint8_t, kRssKeySize> key, size_t bit) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < 5; ++i) {
    bytes = (bytes << 8) | key[bit / 8 + i];
  }
  return static_cast<uint32_t>(bytes >> (8 - bit % 8));
}

}  // namespace

// With these bytes the low nine bits of the hash take every value over the ports of any one
// address, also over the even ports alone, and over the hosts of a /24 every value of eight bits.
constexpr std::array<uint8_t, kRssKeySize> kDefaultRssKey = {
    0xe9, 0x54, 0xcd, 0x7a, 0x80, 0xf1, 0x85, 0x6b, 0xd0, 0x33, 0x80, 0x47, 0xb7,
    0x8b, 0x6d, 0x32, 0x09, 0xda, 0x03, 0xbf, 0x0d, 0x6e, 0x54, 0x59, 0xfa, 0x6c,
    0x2b, 0xa3, 0x2e, 0xaa, 0xb1, 0x1c, 0xf1, 0x05, 0xd9, 0xf5, 0x25, 0xc6, 0x7f,
    0xd2, 0xac, 0x4f, 0x6d, 0xbf, 0x6d, 0x0c, 0xb6, 0x02, 0xfc, 0xfb, 0xa4, 0x17,
};

Steering::Steering(unsigned workers, std::span<const uint8_t, kRssKeySize> key, size_t reta_size)
    : workers_(workers), reta_mask_(static_cast<uint32_t>(reta_size - 1)), partial_(kInputMax) {
  TANDEM_ASSERT(workers >= 1 && workers <= kWorkersMax);
  TANDEM_ASSERT(std::has_single_bit(reta_size) && reta_size <= kRetaSize);
  std::memcpy(key_.data(), key.data(), key_.size());
  for (size_t byte = 0; byte < kInputMax; ++byte) {
    for (unsigned value = 0; value < 256; ++value) {
      uint32_t hash = 0;
      for (size_t bit = 0; bit < 8; ++bit) {
        if ((value & (0x80U >> bit)) != 0) hash ^= KeyWindow(key, byte * 8 + bit);
      }
      partial_[byte][value] = hash;
    }
  }
}

uint32_t Steering::HashOf(uint32_t address, uint16_t port) const noexcept {
  uint8_t input[6];
  std::memcpy(input, &address, 4);
  std::memcpy(input + 4, &port, 2);
  uint32_t hash = 0;
  for (size_t i = 0; i < sizeof(input); ++i) {
    hash ^= partial_[i][input[i]];
  }
  return hash;
}

uint32_t Steering::HashOf(const net::Ipv6Bytes& address, uint16_t port) const noexcept {
  uint8_t input[18];
  std::memcpy(input, address.bytes, 16);
  std::memcpy(input + 16, &port, 2);
  uint32_t hash = 0;
  for (size_t i = 0; i < sizeof(input); ++i) {
    hash ^= partial_[i][input[i]];
  }
  return hash;
}

unsigned Steering::OwnerOf(uint32_t address, uint16_t port) const noexcept {
  return Owner(HashOf(address, port));
}

unsigned Steering::OwnerOf(const net::Ipv6Bytes& address, uint16_t port) const noexcept {
  return Owner(HashOf(address, port));
}

}  // namespace tandem::config
