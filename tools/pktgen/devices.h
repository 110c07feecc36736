// SPDX-License-Identifier: Apache-2.0
//
// DPDK, the generator's ports and a wire on each.
#pragma once

#include <memory>
#include <optional>

#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"
#include "dataplane/io/eal.h"
#include "dataplane/io/ports.h"
#include "tools/pktgen/eth_wire.h"
#include "tools/pktgen/options.h"

namespace tandem::pktgen {

struct MachineOptions {
  int core = -1;  // CPU to run on; -1: any
  bool hugepages = true;
  uint16_t descriptors = 1024;
  uint16_t queues = 1;           // of each port
  std::vector<std::string> eal;  // further arguments of EAL's
};

class Devices {
 public:
  // Once a process. The calling thread becomes EAL's main lcore, on the core. Returns when all links are
  // up; errors when that takes longer than options.resolve_within.
  static absl::StatusOr<std::unique_ptr<Devices>> Start(const Options& options,
                                                        const MachineOptions& machine);

  bool has_server() const { return server_.has_value(); }
  EthWire& client() { return *client_; }
  EthWire& server() { return *server_; }
  const MacAddress& client_mac() const { return ports_->port(0).mac(); }
  const MacAddress& server_mac() const { return ports_->port(has_server() ? 1 : 0).mac(); }

 private:
  explicit Devices(io::Eal eal) : eal_(std::move(eal)) {}

  io::Eal eal_;
  std::unique_ptr<io::Ports> ports_;
  std::optional<EthWire> client_;
  std::optional<EthWire> server_;
};

}  // namespace tandem::pktgen
