// SPDX-License-Identifier: Apache-2.0
#include "control/config_endpoint.h"
#include "control/text.h"

#include <algorithm>
#include <charconv>

#include <absl/status/status.h>

namespace tandem::control {
namespace {

constexpr std::string_view kAny = "any";
constexpr std::string_view kAny6 = "any6";

std::optional<uint16_t> ParsePort(std::string_view text) {
  if (text == kAny) return uint16_t{0};
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return port;
}

std::optional<IpPrefix> ParsePrefixPart(std::string_view text) {
  if (text == kAny) return Everything(/*v4=*/true);
  if (text == kAny6) return Everything(/*v4=*/false);
  const bool bracketed = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  const auto prefix = ParseConfigPrefix(bracketed ? text.substr(1, text.size() - 2) : text);
  // Brackets are for IPv6 and IPv6 is in brackets, else "2001:db8::1:80" would be ambiguous.
  if (!prefix || prefix->address.is_v4() == bracketed) return std::nullopt;
  return prefix;
}

std::string PortText(uint16_t port) {
  return port == 0 ? std::string(kAny) : std::to_string(unsigned{port});
}

}  // namespace

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    return absl::InvalidArgumentError("no port; expected ADDRESS:PORT, as in 10.0.0.1:80");
  }
  const auto prefix = ParsePrefixPart(text.substr(0, colon));
  if (!prefix) {
    return absl::InvalidArgumentError(
        "no address or prefix before the port; expected 10.0.0.1, 10.0.0.0/8, [2001:db8::1], "
        "[2001:db8::/32], any or any6");
  }
  const auto port = ParsePort(text.substr(colon + 1));
  if (!port) return absl::InvalidArgumentError("port is neither 0 to 65535 nor any");
  return Endpoint{*prefix, *port};
}

std::string FormatEndpoint(const IpPrefix& prefix, uint16_t port) {
  const bool v4 = prefix.address.is_v4();
  if (prefix == Everything(v4)) return Cat(v4 ? kAny : kAny6, ":", PortText(port));
  const std::string text = prefix.is_host() ? prefix.address.ToString() : prefix.ToString();
  return Cat(v4 ? text : Cat("[", text, "]"), ":", PortText(port));
}

std::string FormatEndpoint(const IpAddress& address, uint16_t port) {
  return FormatEndpoint(HostPrefix(address), port);
}

std::optional<IpAddress> ParseConfigAddress(std::string_view text) {
  auto address = IpAddress::Parse(text);
  if (address && address->is_v4() && text.find(':') != std::string_view::npos) return std::nullopt;
  return address;
}

std::optional<IpPrefix> ParseConfigPrefix(std::string_view text) {
  auto prefix = IpPrefix::Parse(text);
  if (prefix && prefix->address.is_v4() && text.find(':') != std::string_view::npos)
    return std::nullopt;
  return prefix;
}

IpPrefix Everything(bool v4) {
  return {v4 ? IpAddress::V4(0) : IpAddress(), 0};
}

}  // namespace tandem::control
