// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a configuration file. What loads has to compile, to print as text that loads to the
// same, and to replace itself without a change of ids, routes or anything that needs a restart.
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "control/config_compile.h"
#include "control/config_edit.h"
#include "control/config_load.h"
#include "dataplane/base/assert.h"

namespace {

using namespace tandem;
using namespace tandem::control;

absl::StatusOr<std::shared_ptr<const config::RouteTable>> MakeRoutes(
    std::vector<config::Route> routes) {
  return std::make_shared<const config::LinearRoutes>(std::move(routes));
}

void CheckIds(const config::v1::Config& config, const Compiled& first, const Compiled& second) {
  for (const auto& each : config.virtual_()) {
    const uint16_t id = first.ids.virtuals.Find(each.name());
    TANDEM_ASSERT(id != 0 && id == second.ids.virtuals.Find(each.name()));
    TANDEM_ASSERT(second.snapshot->FindVirtual(id)->name == each.name());
  }
  for (const auto& each : config.pool()) {
    const uint16_t id = first.ids.pools.Find(each.name());
    TANDEM_ASSERT(id != 0 && id == second.ids.pools.Find(each.name()));
    const config::Pool* pool = second.snapshot->FindPool(id);
    TANDEM_ASSERT(pool->members.size() == static_cast<size_t>(each.member_size()));
  }
}

void CheckCompiles(const config::v1::Config& config) {
  std::vector<PortFacts> ports;
  for (const auto& port : config.port())
    ports.push_back({.name = port.name()});
  const RouteTableFactory make_routes = MakeRoutes;
  const ConfigIds ids;
  const auto first =
      Compile({.config = config, .ids = ids, .ports = ports, .make_routes = make_routes});
  TANDEM_ASSERT(first.ok());
  const auto second = Compile({.config = config,
                               .ids = first->ids,
                               .ports = ports,
                               .make_routes = make_routes,
                               .previous = first->snapshot.get()});
  TANDEM_ASSERT(second.ok());
  TANDEM_ASSERT(second->snapshot->route_generation == first->snapshot->route_generation);
  TANDEM_ASSERT(second->snapshot->routes == first->snapshot->routes);
  CheckIds(config, *first, *second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = LoadConfigText(text, "fuzz");
  if (!document.ok()) {
    TANDEM_ASSERT(!document.status().message().empty());
    return 0;
  }
  const auto again = LoadConfigText(PrintConfig(document->config(), "fuzz"), "printed");
  TANDEM_ASSERT(again.ok());
  TANDEM_ASSERT(again->config().SerializeAsString() == document->config().SerializeAsString());
  TANDEM_ASSERT(CheckReloadable(document->config(), *again).ok());
  CheckCompiles(document->config());
  return 0;
}
