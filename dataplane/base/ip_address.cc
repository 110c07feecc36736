// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/ip_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>

#include "dataplane/base/hash.h"

namespace tandem {

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof(buffer)) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  uint32_t v4 = 0;
  if (inet_pton(AF_INET, buffer, &v4) == 1) return V4(v4);
  std::array<uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, buffer, v6.data()) == 1) return V6(v6.data());
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes_.data() + 12, buffer, sizeof(buffer));
  } else {
    inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof(buffer));
  }
  return buffer;
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes_[12] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes_[12] == 169 && bytes_[13] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned length_max = address->is_v4() ? 32 : 128;
  unsigned length = length_max;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc() || end != digits.data() + digits.size() || length > length_max) {
      return std::nullopt;
    }
  }
  return IpPrefix{*address, static_cast<uint8_t>(length)};
}

std::string IpPrefix::ToString() const {
  return address.ToString() + "/" + std::to_string(unsigned{length});
}

IpPrefix IpPrefix::Network() const {
  IpAddress::Halves halves = address.halves();
  const IpAddress::Halves host = HostBits(address.is_v4(), length);
  halves[0] &= ~host[0];
  halves[1] &= ~host[1];
  return {IpAddress::V6(std::bit_cast<std::array<uint8_t, 16>>(halves).data()), length};
}

IpAddress IpPrefix::Broadcast() const {
  const uint32_t host_mask = length == 0 ? ~0U : length >= 32 ? 0U : ~0U >> length;
  return IpAddress::V4(address.v4() | htonl(host_mask));
}

size_t IpAddressHash::operator()(const IpAddress& address) const noexcept {
  const IpAddress::Halves halves = address.halves();
  // Not 0: the first half of every IPv4 address is, and it would swallow the second.
  return HashPair(halves[0], halves[1], 0x9e3779b97f4a7c15);
}

std::string ToString(const MacAddress& mac) {
  char buffer[18];
  std::snprintf(buffer, sizeof(buffer), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                mac[3], mac[4], mac[5]);
  return buffer;
}

std::optional<MacAddress> ParseMac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddress mac{};
  for (size_t i = 0; i < 6; ++i) {
    const char* digits = text.data() + i * 3;
    if (i < 5 && digits[2] != ':') return std::nullopt;
    const auto [end, error] = std::from_chars(digits, digits + 2, mac[i], 16);
    if (error != std::errc() || end != digits + 2) return std::nullopt;
  }
  return mac;
}

}  // namespace tandem
