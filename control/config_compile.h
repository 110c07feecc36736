// SPDX-License-Identifier: Apache-2.0
//
// Configuration -> Snapshot: the one place where the schema's types become the plain structs that
// workers read. Pure: no EAL, no clock; what only the running device knows comes in.
//
// Thread safety: control thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/config_document.h"
#include "control/config_ids.h"
#include "control/config_mirroring_key.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/config/routes.h"
#include "dataplane/config/snapshot.h"
#include "proto/config.pb.h"

namespace tandem::control {

// A port as it runs. The position among the facts is the port's index in the snapshot.
struct PortFacts {
  std::string name;  // as configured
  MacAddress mac{};
  uint16_t mtu = 0;  // largest IP packet; 0: the configured one
};

// Connected networks and static routes -> table; LinearRoutes, or the one on rte_fib.
using RouteTableFactory = std::function<absl::StatusOr<std::shared_ptr<const config::RouteTable>>(
    std::vector<config::Route>)>;

struct CompileInput {
  // REQUIRES: passed Validate (control/config_load.h).
  const config::v1::Config& config;
  const ConfigIds& ids;
  // One for each configured port, in any order.
  const std::vector<PortFacts>& ports;
  const RouteTableFactory& make_routes;
  // What runs now; nullptr at start. Routes and steering that did not change are shared with it.
  const config::Snapshot* previous = nullptr;
  // Entries of the smallest redirection table among the NICs; a power of two.
  size_t reta_size = config::kRetaSize;
  // By MemberKey; who is not there is up. nullptr: all are up.
  const absl::flat_hash_map<std::string, bool>* members_up = nullptr;
  // What MirroringKeyOf says of `config`.
  MirroringKey mirroring_key{};
};

struct Compiled {
  std::unique_ptr<config::Snapshot> snapshot;
  // Replaces the ids that went in, once the snapshot is published.
  ConfigIds ids;
};

// Errors: a port without facts, too few free ids, what `make_routes` says.
absl::StatusOr<Compiled> Compile(const CompileInput& input);

// Ok when `next` can replace `running` in a live process; else every difference that needs a
// restart, one a line, with its place in `next` and both values.
absl::Status CheckReloadable(const config::v1::Config& running, const Document& next);

// A member's name in its pool, "10.0.0.1:80", and among all members, "web/10.0.0.1:80".
std::string MemberName(const config::v1::Pool::Member& member);
std::string MemberKey(std::string_view pool, std::string_view member_name);

}  // namespace tandem::control
