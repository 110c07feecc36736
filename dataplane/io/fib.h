// SPDX-License-Identifier: Apache-2.0
//
// config::RouteTable on DPDK's rte_fib and rte_fib6, in the flavour that searches a tree of the
// routes (RTE_FIB_DUMMY): small, and fast enough where only new flows ask. Needs EAL's memory, about
// 100 bytes a route.
#pragma once

#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "dataplane/config/routes.h"

struct rte_fib;
struct rte_fib6;

namespace tandem::io {

class FibRoutes : public config::RouteTable {
 public:
  // Any order; for equal networks the first wins. REQUIRES: EAL.
  static absl::StatusOr<std::shared_ptr<const config::RouteTable>> Create(
      std::vector<config::Route> routes);

  const config::Route* Lookup(const IpAddress& destination) const noexcept override;
  const std::vector<config::Route>& routes() const noexcept override { return routes_; }

 private:
  struct Free {
    void operator()(rte_fib* fib) const noexcept;
    void operator()(rte_fib6* fib) const noexcept;
  };

  explicit FibRoutes(std::vector<config::Route> routes) : routes_(std::move(routes)) {}
  absl::Status Build();
  absl::Status Add(size_t index);

  std::vector<config::Route> routes_;
  std::unique_ptr<rte_fib, Free> fib4_;  // next hops are indices of routes_
  std::unique_ptr<rte_fib6, Free> fib6_;
};

}  // namespace tandem::io
