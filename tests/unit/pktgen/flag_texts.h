// SPDX-License-Identifier: Apache-2.0
//
// Flags that are right, for tests to spoil.
#pragma once

#include "tools/pktgen/options.h"

namespace tandem::pktgen {

inline FlagTexts GoodFlags() {
  FlagTexts flags;
  flags.client_port = "net_null0";
  flags.server_port = "net_null1";
  flags.virtual_server = "192.0.2.100:80";
  flags.clients = "10.0.0.0/24";
  flags.client_ports = "1024-65535";
  flags.protocol = "udp";
  flags.popularity = "uniform";
  flags.frame_size = "64";
  flags.flows = 100;
  flags.open_per_second = 20000;
  flags.requests_per_connection = 1;
  flags.retransmit_ms = 200;
  flags.catch_up_ms = 1;
  flags.warm_up_s = 0.1;
  flags.duration_s = 0.5;
  flags.resolve_s = 2;
  flags.mtu = 1500;
  flags.seed = 1;
  return flags;
}

}  // namespace tandem::pktgen
