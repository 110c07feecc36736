// SPDX-License-Identifier: Apache-2.0
//
// A pair of devices between a client and two servers, with a virtual server of each kind that a flow
// can be of; connections that are opened on one device and go on over either; and what both devices
// must agree on.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/hosts.h"
#include "tests/support/pair.h"

namespace tandem::test {

// `device` is 0 or 1; objects come in another order on the second, so that their numbers differ.
// `mirror` is what every virtual says of mirroring, `global` what the mirroring itself adds.
std::string PairConfigOf(unsigned device, const std::string& mirror = "mirror: true",
                         unsigned timeout = 10, const std::string& global = "");
// Without the virtual servers, pools, SNAT pools and profiles: what a device begins with.
std::string BarePairConfigOf(unsigned device);

struct PairNetwork {
  explicit PairNetwork(const std::string& mirror = "mirror: true", unsigned timeout = 10,
                       const PairOptions& options = {}, const std::string& global = "");

  // The hosts answer the device, which was (re)started.
  void Meet(unsigned device);
  // What leaves the device, "host: packet", when `host` sends `line`.
  std::vector<std::string> Send(unsigned device, const std::string& host, const std::string& line);

  Hosts hosts;
  Pair pair;
};

// A connection as its two ends see it: a line each, to be sent again and again.
struct Connection {
  std::string client;  // what the client sends
  std::string server;  // what its server sends back; empty: it answers past the device
  std::string by;      // the server
  std::vector<std::string> forward, back;  // what came out then
};

// "A > B", or "B > A", of "host: tcp A > B …".
std::string EndpointsOf(const std::string& text, bool turned);

// Opens "A > B" on `device`.
Connection OpenConnection(PairNetwork& network, unsigned device, const std::string& kind,
                          const std::string& endpoints, bool answers = true);
// One of each kind, from the client's `port`.
std::vector<Connection> OpenAll(PairNetwork& network, unsigned device, unsigned port);
// Each comes out as it did before, both ways.
void CheckGoesOn(PairNetwork& network, unsigned device, const std::vector<Connection>& all);

// All that both devices must agree on, by the names of what a flow belongs to.
using PairImage = std::tuple<unsigned, uint32_t, uint64_t, uint8_t, flow::State, uint16_t,
                             std::string, std::string, std::string, std::string>;
std::vector<PairImage> ImagesOf(Rig& rig, unit::FlowType type);
// The shadow on the other device is the flows of `active`.
bool AreEqual(PairNetwork& network, unsigned active = 0);
void CheckEqual(PairNetwork& network, unsigned active = 0);
unit::FlowFilter FlowsOf(unit::FlowType type);

}  // namespace tandem::test
