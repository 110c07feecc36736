// SPDX-License-Identifier: Apache-2.0
//
// Where a packet leaves when no flow says so. Routes are looked up for new flows and originated
// packets only; the flow remembers the answer. The production table is DPDK's rte_fib and rte_fib6
// (io/fib.h), which need EAL's memory; LinearRoutes is the plain reference that tests and the
// simulator use and that the other is checked against.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

struct Route {
  std::string name;  // of the configured route; "" for a connected network
  IpPrefix network;
  IpAddress gateway;  // unset: the destination itself is the next hop (connected)
  InterfaceId interface = 0;
};

// Immutable after construction; Lookup is safe from any thread.
class RouteTable {
 public:
  virtual ~RouteTable() = default;
  // The longest match, or nullptr. The pointer lives as long as the table.
  virtual const Route* Lookup(const IpAddress& destination) const noexcept = 0;
  virtual const std::vector<Route>& routes() const noexcept = 0;
};

class LinearRoutes : public RouteTable {
 public:
  // Any order; for equal networks the first wins.
  explicit LinearRoutes(std::vector<Route> routes);
  const Route* Lookup(const IpAddress& destination) const noexcept override;
  const std::vector<Route>& routes() const noexcept override { return routes_; }

 private:
  std::vector<Route> routes_;  // longest prefix first
};

}  // namespace tandem::config
