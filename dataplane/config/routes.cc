// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/routes.h"

#include <algorithm>
#include <utility>

namespace tandem::config {

LinearRoutes::LinearRoutes(std::vector<Route> routes) : routes_(std::move(routes)) {
  std::stable_sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) {
    return a.network.length > b.network.length;
  });
}

const Route* LinearRoutes::Lookup(const IpAddress& destination) const noexcept {
  for (const Route& route : routes_) {
    if (route.network.Contains(destination)) return &route;
  }
  return nullptr;
}

}  // namespace tandem::config
