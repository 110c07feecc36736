// SPDX-License-Identifier: Apache-2.0
//
// Addresses with ports as the configuration writes them: "10.0.0.1:80", "[2001:db8::/32]:any",
// "any:53". proto/config.proto documents the syntax, at Virtual.destination.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"

namespace tandem::control {

struct Endpoint {
  IpPrefix prefix;
  uint16_t port = 0;  // host byte order; 0: any

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// The message of an error says what is expected, but not the text.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text);

// The shortest form that ParseEndpoint reads back.
std::string FormatEndpoint(const IpPrefix& prefix, uint16_t port);

// A member's name within its pool.
std::string FormatEndpoint(const IpAddress& address, uint16_t port);

// As IpAddress::Parse and IpPrefix::Parse, but an IPv4 address has to be written as one:
// "::ffff:10.0.0.1" is refused, because here it would be another spelling of 10.0.0.1.
std::optional<IpAddress> ParseConfigAddress(std::string_view text);
std::optional<IpPrefix> ParseConfigPrefix(std::string_view text);

inline IpPrefix HostPrefix(const IpAddress& address) {
  return {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
}

// All addresses of a family.
IpPrefix Everything(bool v4);

}  // namespace tandem::control
