// SPDX-License-Identifier: Apache-2.0
//
// A range of consecutive addresses, counted by index: the clients' addresses, from a prefix or from two
// ends. Of an IPv4 prefix, network and broadcast address are left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/ip_address.h"
#include "tools/pktgen/address_words.h"

namespace tandem::pktgen {

class AddressRange {
 public:
  static constexpr uint64_t kCountMax = uint64_t{1} << 32;

  AddressRange() = default;
  // "10.0.0.0/16", "10.0.0.1-10.0.3.200", one address; of a large IPv6 prefix, the first kCountMax.
  static std::optional<AddressRange> Parse(std::string_view text);

  uint64_t count() const { return count_; }
  bool is_v4() const { return first_.is_v4(); }
  // REQUIRES: index < count().
  IpAddress At(uint64_t index) const noexcept;
  AddressWords WordsAt(uint64_t index) const noexcept {
    return {__builtin_bswap64(high_), __builtin_bswap64(low_ + index)};
  }
  std::optional<uint64_t> IndexOf(const IpAddress& address) const noexcept;
  bool Contains(const IpAddress& address) const noexcept { return IndexOf(address).has_value(); }

 private:
  AddressRange(const IpAddress& first, uint64_t count);

  IpAddress first_;
  uint64_t high_ = 0;  // the 16 bytes of the first address, in two words of host byte order
  uint64_t low_ = 0;
  uint64_t count_ = 0;
};

}  // namespace tandem::pktgen
