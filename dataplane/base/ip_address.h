// SPDX-License-Identifier: Apache-2.0
//
// An IPv4 or IPv6 address in one 16-byte value (IPv4 as ::ffff:a.b.c.d, RFC 4291 §2.5.5.2), and an
// address prefix. For configuration, routes and neighbours; flow keys hold raw wire bytes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

class IpAddress {
 public:
  constexpr IpAddress() = default;  // "::", used for "none"

  // `address` in network byte order.
  static IpAddress V4(uint32_t address_be);
  // 16 bytes as on the wire.
  static IpAddress V6(const uint8_t* bytes);

  // Accepts what inet_pton accepts; nothing else (no zone, no port).
  static std::optional<IpAddress> Parse(std::string_view text);
  std::string ToString() const;

  bool is_v4() const;
  bool is_unset() const { return *this == IpAddress(); }
  bool is_multicast() const;
  bool is_link_local() const;  // fe80::/10 or 169.254/16
  // Network byte order. REQUIRES: is_v4().
  uint32_t v4() const;
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }

  // clang-tidy takes the 0 that the defaulted operator compares with for a null pointer.
  friend constexpr auto operator<=>(const IpAddress&,
                                    const IpAddress&) = default;  // NOLINT(modernize-use-nullptr)

 private:
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

  bool Contains(const IpAddress& candidate) const;  // false for the other family
  IpPrefix Network() const;                         // host bits cleared
  IpAddress Broadcast() const;                      // last address; REQUIRES: IPv4
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
