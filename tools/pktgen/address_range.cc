// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/address_range.h"

#include <algorithm>
#include <cstring>

namespace tandem::pktgen {
namespace {

uint64_t Word(const IpAddress& address, size_t offset) {
  uint64_t word = 0;
  std::memcpy(&word, address.bytes().data() + offset, sizeof(word));
  return __builtin_bswap64(word);
}

IpAddress FromWords(uint64_t high, uint64_t low) {
  uint8_t bytes[16];
  high = __builtin_bswap64(high);
  low = __builtin_bswap64(low);
  std::memcpy(bytes, &high, sizeof(high));
  std::memcpy(bytes + 8, &low, sizeof(low));
  return IpAddress::V6(bytes);
}

}  // namespace

AddressRange::AddressRange(const IpAddress& first, uint64_t count)
    : first_(first), high_(Word(first, 0)), low_(Word(first, 8)), count_(count) {
  // The last address has the first one's upper half.
  count_ = std::min({count_, kCountMax, UINT64_MAX - low_});
}

std::optional<AddressRange> AddressRange::Parse(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto first = IpAddress::Parse(text.substr(0, dash));
    const auto last = IpAddress::Parse(text.substr(dash + 1));
    if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) return std::nullopt;
    if (Word(*first, 0) != Word(*last, 0)) return std::nullopt;
    const uint64_t distance = Word(*last, 8) - Word(*first, 8);
    if (distance >= kCountMax) return std::nullopt;
    return AddressRange(*first, distance + 1);
  }
  const auto prefix = IpPrefix::Parse(text);
  if (!prefix) return std::nullopt;
  const IpAddress network = prefix->Network().address;
  const int host_bits = (network.is_v4() ? 32 : 128) - prefix->length;
  const uint64_t count = host_bits >= 32 ? kCountMax : uint64_t{1} << host_bits;
  // In an IPv6 network the first address is its routers' (RFC 4291 section 2.6.1).
  if (count <= 2) return AddressRange(network, count);
  const AddressRange all(network, count);
  return AddressRange(all.At(1), network.is_v4() ? count - 2 : count - 1);
}

IpAddress AddressRange::At(uint64_t index) const noexcept {
  return FromWords(high_, low_ + index);
}

std::optional<uint64_t> AddressRange::IndexOf(const IpAddress& address) const noexcept {
  const uint64_t index = Word(address, 8) - low_;
  if (Word(address, 0) != high_ || index >= count_) return std::nullopt;
  return index;
}

}  // namespace tandem::pktgen
