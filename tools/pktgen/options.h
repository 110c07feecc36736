// SPDX-License-Identifier: Apache-2.0
//
// What a run is to do, and its making from the text of flags. Errors name the flag and the value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "dataplane/base/time.h"
#include "tools/pktgen/address_range.h"
#include "tools/pktgen/frame_builder.h"
#include "tools/pktgen/frame_sizes.h"

namespace tandem::pktgen {

// The flags as they were given; the defaults are flags.cc's.
struct FlagTexts {
  std::string client_port;
  std::string server_port;
  bool loopback = false;
  std::string pcap;
  std::string virtual_server;
  std::string clients;
  std::string client_ports;
  std::string servers;
  std::string client_gateway;
  std::string server_gateway;
  bool direct_return = false;
  std::string device_mac;
  std::string protocol;
  std::string popularity;
  std::string frame_size;
  uint32_t flows = 0;
  uint64_t rate_pps = 0;
  uint64_t new_per_second = 0;
  uint64_t open_per_second = 0;
  uint32_t requests_per_connection = 0;
  uint32_t retransmit_ms = 0;
  uint32_t catch_up_ms = 0;
  double warm_up_s = 0;
  double duration_s = 0;
  double resolve_s = 0;
  uint32_t mtu = 0;
  uint64_t seed = 0;
};

struct Options {
  // Devices as DPDK calls them; empty with `loopback`. `pcap` needs no server port.
  std::string client_port;
  std::string server_port;
  bool loopback = false;
  std::string pcap;

  Endpoint virtual_server;
  AddressRange clients;
  uint16_t client_port_first = 0;
  uint16_t client_port_last = 0;
  std::vector<IpAddress> servers;
  IpAddress client_gateway;              // who is asked for on the client side
  IpAddress server_gateway;              // unset: servers answer whoever sent
  bool direct_return = false;            // replies reach the clients past the device
  std::optional<MacAddress> device_mac;  // nobody is asked for

  bool is_tcp = false;
  uint32_t flows = 1;
  double zipf_exponent = 0;
  FrameSizes sizes = FrameSizes::Fixed(FrameSizes::kSmallest);
  uint64_t rate_pps = 0;
  uint64_t new_per_second = 0;  // 0: flows stay
  uint64_t open_per_second = 0;
  uint32_t requests_per_connection = 1;
  Nanos retransmit_after = 0;
  Nanos catch_up = 0;  // what a generator that was held up sends at once, at most
  Nanos warm_up = 0;
  Nanos duration = 0;
  Nanos resolve_within = 0;
  uint16_t mtu = 1500;
  uint64_t seed = 0;

  bool has_connections() const { return new_per_second != 0; }
};

absl::StatusOr<Options> OptionsFrom(const FlagTexts& flags);

// "192.0.2.1:80", "[2001:db8::1]:80".
std::optional<Endpoint> ParseEndpoint(std::string_view text);

}  // namespace tandem::pktgen
