// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/options.h"

#include <charconv>
#include <limits>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "tools/pktgen/flow_map.h"
#include "tools/pktgen/servers.h"

namespace tandem::pktgen {
namespace {

// Wrong values, the first of which is told.
class Complaints {
 public:
  void Add(const char* flag, const std::string& value, const std::string& what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat("--", flag, " \"", value, "\": ", what));
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

template <typename Number>
std::optional<Number> NumberFrom(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Nanos NanosFrom(const char* flag, double seconds, double seconds_max, Complaints& complaints) {
  if (!(seconds >= 0 && seconds <= seconds_max)) {
    complaints.Add(flag, absl::StrCat(seconds), absl::StrCat("seconds, from 0 to ", seconds_max));
    return 0;
  }
  return static_cast<Nanos>(seconds * static_cast<double>(kSecond));
}

void ReadPorts(const std::string& text, Options& options, Complaints& complaints) {
  const size_t dash = text.find('-');
  const auto first = NumberFrom<uint16_t>(std::string_view(text).substr(0, dash));
  const auto last = dash == std::string::npos
                        ? first
                        : NumberFrom<uint16_t>(std::string_view(text).substr(dash + 1));
  if (!first || !last || *first == 0 || *last < *first) {
    complaints.Add("client_ports", text, "a port, or two as in 1024-65535");
    return;
  }
  options.client_port_first = *first;
  options.client_port_last = *last;
}

void ReadServers(const std::string& text, Options& options, Complaints& complaints) {
  if (text.empty()) {
    // Joined without a device, clients meet the virtual server itself.
    options.servers = {options.virtual_server.address};
    return;
  }
  for (const auto part : absl::StrSplit(text, ',')) {
    const auto range = AddressRange::Parse(std::string_view(part.data(), part.size()));
    if (!range || options.servers.size() + range->count() > ServerAddresses::kMax) {
      complaints.Add("servers", text,
                     "addresses, ranges or prefixes with commas between, 65534 in all");
      return;
    }
    for (uint64_t i = 0; i < range->count(); ++i)
      options.servers.push_back(range->At(i));
  }
}

IpAddress AddressFrom(const char* flag, const std::string& text, Complaints& complaints) {
  if (text.empty()) return {};
  const auto address = IpAddress::Parse(text);
  if (!address) complaints.Add(flag, text, "an address");
  return address.value_or(IpAddress());
}

void ReadAddresses(const FlagTexts& flags, Options& options, Complaints& complaints) {
  const auto target = ParseEndpoint(flags.virtual_server);
  if (!target) {
    complaints.Add("virtual", flags.virtual_server,
                   "address and port, as in 192.0.2.1:80 or [2001:db8::1]:80");
    return;
  }
  options.virtual_server = *target;
  const auto clients = AddressRange::Parse(flags.clients);
  if (!clients) complaints.Add("clients", flags.clients, "a prefix, or FIRST-LAST");
  options.clients = clients.value_or(AddressRange());
  ReadPorts(flags.client_ports, options, complaints);
  ReadServers(flags.servers, options, complaints);
  options.client_gateway = AddressFrom("client_gateway", flags.client_gateway, complaints);
  if (options.client_gateway.is_unset()) options.client_gateway = target->address;
  options.server_gateway = AddressFrom("server_gateway", flags.server_gateway, complaints);
  options.direct_return = flags.direct_return;
  if (flags.device_mac.empty()) return;
  options.device_mac = ParseMac(flags.device_mac);
  if (!options.device_mac) complaints.Add("device_mac", flags.device_mac, "a MAC address");
}

// Of a run with addresses that are each well-formed.
void CheckAddresses(const FlagTexts& flags, const Options& options, Complaints& complaints) {
  const bool is_v4 = options.virtual_server.address.is_v4();
  const char* const other = "of another IP version than --virtual";
  if (options.clients.is_v4() != is_v4) complaints.Add("clients", flags.clients, other);
  if (options.client_gateway.is_v4() != is_v4) {
    complaints.Add("client_gateway", flags.client_gateway, other);
  }
  for (const IpAddress& server : options.servers) {
    if (server.is_v4() != is_v4) complaints.Add("servers", flags.servers, other);
  }
  if (!options.server_gateway.is_unset() && options.server_gateway.is_v4() != is_v4) {
    complaints.Add("server_gateway", flags.server_gateway, other);
  }
  if (!options.server_gateway.is_unset() && options.direct_return) {
    complaints.Add("server_gateway", flags.server_gateway,
                   "has no use with --direct_return, for servers send to nobody");
  }
  if (options.clients.Contains(options.client_gateway)) {
    complaints.Add("clients", flags.clients,
                   absl::StrCat("contains ", options.client_gateway.ToString(),
                                ", where the device is; name a range without it, FIRST-LAST"));
  }
}

void ReadTraffic(const FlagTexts& flags, Options& options, Complaints& complaints) {
  options.is_tcp = flags.protocol == "tcp";
  if (!options.is_tcp && flags.protocol != "udp") {
    complaints.Add("protocol", flags.protocol, "udp or tcp");
  }
  if (flags.popularity != "uniform") {
    constexpr std::string_view kZipf = "zipf:";
    const std::string_view text = flags.popularity;
    const auto exponent = text.substr(0, kZipf.size()) == kZipf
                              ? NumberFrom<double>(text.substr(kZipf.size()))
                              : std::nullopt;
    if (!exponent || !(*exponent > 0 && *exponent <= 10)) {
      complaints.Add("popularity", flags.popularity, "uniform, or zipf:S with 0 < S <= 10");
    }
    options.zipf_exponent = exponent.value_or(0);
  }
  constexpr uint32_t kMtuMax = 9000;
  if (flags.mtu < 576 || flags.mtu > kMtuMax) {
    complaints.Add("mtu", absl::StrCat(flags.mtu), "from 576 to 9000");
  }
  options.mtu = static_cast<uint16_t>(flags.mtu);
  const auto sizes = FrameSizes::Parse(flags.frame_size);
  if (!sizes) {
    complaints.Add("frame_size", flags.frame_size, "bytes with FCS, 64 or more; imix; or LOW-HIGH");
    return;
  }
  options.sizes = *sizes;
  constexpr uint32_t kLinkBytes = 18;  // Ethernet header and FCS
  if (sizes->high() > flags.mtu + kLinkBytes) {
    complaints.Add("frame_size", flags.frame_size, "larger than --mtu and 18 bytes");
  }
}

void ReadRates(const FlagTexts& flags, Options& options, Complaints& complaints) {
  options.rate_pps = flags.rate_pps;
  options.new_per_second = flags.new_per_second;
  options.open_per_second = flags.open_per_second;
  options.requests_per_connection = flags.requests_per_connection;
  options.retransmit_after = flags.retransmit_ms * kMillisecond;
  options.catch_up = flags.catch_up_ms * kMillisecond;
  if (flags.catch_up_ms > 1000) {
    complaints.Add("catch_up_ms", absl::StrCat(flags.catch_up_ms), "from 0 to 1000");
  }
  options.flows = flags.flows;
  options.seed = flags.seed;
  options.warm_up = NanosFrom("warm_up_s", flags.warm_up_s, 3600, complaints);
  options.duration = NanosFrom("duration_s", flags.duration_s, 86400, complaints);
  options.resolve_within = NanosFrom("resolve_s", flags.resolve_s, 3600, complaints);
  if (options.duration == 0)
    complaints.Add("duration_s", absl::StrCat(flags.duration_s), "above 0");
  if (flags.requests_per_connection == 0) {
    complaints.Add("requests_per_connection", "0", "1 or more");
  }
  if (flags.retransmit_ms == 0 || flags.retransmit_ms > 60000) {
    complaints.Add("retransmit_ms", absl::StrCat(flags.retransmit_ms), "from 1 to 60000");
  }
  if (flags.new_per_second != 0 && flags.rate_pps != 0) {
    complaints.Add("rate_pps", absl::StrCat(flags.rate_pps),
                   "not with --new_per_second, where the rate is that of connections");
  }
  if (options.is_tcp && flags.new_per_second == 0 && flags.open_per_second == 0) {
    complaints.Add("open_per_second", "0", "TCP flows have to be opened");
  }
  constexpr uint32_t kFlowsMax = 256U << 20;
  const uint64_t tuples = options.clients.count() *
                          (options.client_port_last - options.client_port_first + uint64_t{1});
  if (flags.flows == 0 || flags.flows > kFlowsMax || flags.flows > tuples) {
    complaints.Add("flows", absl::StrCat(flags.flows),
                   absl::StrCat("from 1 to ", std::min<uint64_t>(tuples, kFlowsMax),
                                ": so many have --clients and --client_ports"));
  }
}

void ReadDevices(const FlagTexts& flags, Options& options, Complaints& complaints) {
  options.client_port = flags.client_port;
  options.server_port = flags.server_port;
  options.loopback = flags.loopback;
  options.pcap = flags.pcap;
  if (flags.loopback) {
    if (!flags.client_port.empty()) {
      complaints.Add("client_port", flags.client_port, "not with --loopback");
    }
    if (!flags.server_port.empty()) {
      complaints.Add("server_port", flags.server_port, "not with --loopback");
    }
    return;
  }
  constexpr const char* kWanted =
      "a DPDK device, as in net_memif0,role=client or 0000:03:00.0; or use --loopback";
  if (flags.client_port.empty()) complaints.Add("client_port", "", kWanted);
  if (flags.server_port.empty() && flags.pcap.empty()) complaints.Add("server_port", "", kWanted);
}

}  // namespace

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::Parse(host);
  const auto port = NumberFrom<uint16_t>(text.substr(colon + 1));
  if (!address || !port || *port == 0 || is_bracketed == address->is_v4()) return std::nullopt;
  return Endpoint{*address, *port};
}

absl::StatusOr<Options> OptionsFrom(const FlagTexts& flags) {
  Options options;
  Complaints complaints;
  ReadDevices(flags, options, complaints);
  ReadAddresses(flags, options, complaints);
  if (complaints.status().ok()) CheckAddresses(flags, options, complaints);
  ReadTraffic(flags, options, complaints);
  if (complaints.status().ok()) ReadRates(flags, options, complaints);
  if (!complaints.status().ok()) return complaints.status();
  return options;
}

}  // namespace tandem::pktgen
