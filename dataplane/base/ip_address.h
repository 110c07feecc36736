// SPDX-License-Identifier: Apache-2.0
//
// An IPv4 or IPv6 address in one 16-byte value (IPv4 as ::ffff:a.b.c.d, RFC 4291 §2.5.5.2), and an
// address prefix. For configuration, routes and neighbours; flow keys hold raw wire bytes.
#pragma once

#include <endian.h>

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

class IpAddress {
 public:
  // An address as two words, as they lie in memory.
  using Halves = std::array<uint64_t, 2>;

  constexpr IpAddress() = default;  // "::", used for "none"

  // `address` in network byte order.
  static IpAddress V4(uint32_t address_be) {
    // Whole words: what is read as a word soon would wait for the pieces of one.
    constexpr bool kIsLittle = std::endian::native == std::endian::little;
    const uint64_t low =
        kIsLittle ? uint64_t{address_be} << 32 | kV4Mapped : uint64_t{kV4Mapped} << 32 | address_be;
    IpAddress result;
    result.bytes_ = std::bit_cast<std::array<uint8_t, 16>>(Halves{0, low});
    return result;
  }
  // 16 bytes as on the wire.
  static IpAddress V6(const uint8_t* bytes) {
    IpAddress result;
    std::memcpy(result.bytes_.data(), bytes, 16);
    return result;
  }

  // Accepts what inet_pton accepts; nothing else (no zone, no port).
  static std::optional<IpAddress> Parse(std::string_view text);
  std::string ToString() const;

  bool is_v4() const {
    uint32_t third = 0;
    std::memcpy(&third, bytes_.data() + 8, sizeof(third));
    return halves()[0] == 0 && third == kV4Mapped;
  }
  bool is_unset() const { return *this == IpAddress(); }
  bool is_multicast() const;
  bool is_link_local() const;  // fe80::/10 or 169.254/16
  // Network byte order. REQUIRES: is_v4().
  uint32_t v4() const {
    uint32_t result = 0;
    std::memcpy(&result, bytes_.data() + 12, sizeof(result));
    return result;
  }
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  Halves halves() const { return std::bit_cast<Halves>(bytes_); }

  // clang-tidy takes the 0 that the defaulted operator compares with for a null pointer.
  friend constexpr auto operator<=>(const IpAddress&,
                                    const IpAddress&) = default;  // NOLINT(modernize-use-nullptr)

 private:
  static constexpr uint32_t kV4Mapped =
      std::endian::native == std::endian::little ? 0xffff0000 : 0x0000ffff;

  std::array<uint8_t, 16> bytes_{};
};

// `length` counts in the address's own family: 0..32 or 0..128. Host bits are kept as written (a
// self IP is an address with a length); Contains ignores them.
struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;

  // "10.0.0.0/8", "2001:db8::/32"; a bare address means a host prefix.
  static std::optional<IpPrefix> Parse(std::string_view text);
  std::string ToString() const;

  bool Contains(const IpAddress& candidate) const {  // false for the other family
    const IpAddress::Halves ours = address.halves();
    const IpAddress::Halves its = candidate.halves();
    const IpAddress::Halves host = HostBits(address.is_v4(), length);
    return (((ours[0] ^ its[0]) & ~host[0]) | ((ours[1] ^ its[1]) & ~host[1])) == 0 &&
           candidate.is_v4() == address.is_v4();
  }
  IpPrefix Network() const;     // host bits cleared
  IpAddress Broadcast() const;  // last address; REQUIRES: IPv4
  // Ones where addresses of one prefix of such a length may differ.
  static IpAddress::Halves HostBits(bool is_v4, uint8_t length) {
    const unsigned keep = length + (is_v4 ? 96U : 0U);
    const auto behind = [](unsigned bits) {
      return bits >= 64 ? 0 : htobe64(~uint64_t{0} >> bits);
    };
    return {behind(keep), behind(keep <= 64 ? 0 : keep - 64)};
  }
  bool is_host() const { return length == (address.is_v4() ? 32 : 128); }

  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

// Hash for unordered containers on the control side.
struct IpAddressHash {
  size_t operator()(const IpAddress& address) const noexcept;
};

using MacAddress = std::array<uint8_t, 6>;

std::string ToString(const MacAddress& mac);
std::optional<MacAddress> ParseMac(std::string_view text);

}  // namespace tandem
