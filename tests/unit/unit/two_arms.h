// SPDX-License-Identifier: Apache-2.0
//
// The smallest configuration that balances: port 0 faces clients (10.0.0.1/24), port 1 servers
// (10.1.0.1/24); one TCP virtual, 10.0.0.100:80, with one member, 10.1.0.5:8080.
#pragma once

#include <netinet/in.h>

#include <memory>

#include "dataplane/config/snapshot.h"
#include "tests/support/packet_builder.h"

namespace tandem::test {

inline constexpr std::string_view kServerMac = "02:00:00:00:00:05";
inline constexpr std::string_view kServerSideMac = "02:00:00:00:00:0e";

inline std::unique_ptr<config::Snapshot> TwoArms(unsigned workers, config::SnatKind snat) {
  auto snapshot = std::make_unique<config::Snapshot>();
  snapshot->ports = {{.name = "client"}, {.name = "server"}};
  snapshot->interfaces.resize(3);
  snapshot->interfaces[1] = {.name = "client",
                             .id = 1,
                             .port = 0,
                             .mac = Mac(kDeviceMac),
                             .facing = config::Facing::kClient,
                             .self_ips = {*IpPrefix::Parse("10.0.0.1/24")}};
  snapshot->interfaces[2] = {.name = "server",
                             .id = 2,
                             .port = 1,
                             .mac = Mac(kServerSideMac),
                             .facing = config::Facing::kServer,
                             .self_ips = {*IpPrefix::Parse("10.1.0.1/24")}};
  snapshot->traffic_groups.resize(1);
  snapshot->members.resize(2);
  snapshot->members[1] = {
      .name = "10.1.0.5:8080", .id = 1, .pool = 1, .address = Ip("10.1.0.5"), .port = 8080};
  snapshot->pools.resize(2);
  snapshot->pools[1] = {.name = "web", .id = 1, .members = {1}};
  snapshot->virtuals.resize(2);
  snapshot->virtuals[1] = {.name = "web",
                           .id = 1,
                           .destination = *IpPrefix::Parse("10.0.0.100"),
                           .port = 80,
                           .protocol = IPPROTO_TCP,
                           .source = *IpPrefix::Parse("0.0.0.0/0"),
                           .pool = 1,
                           .snat = snat};
  snapshot->routes = std::make_shared<config::LinearRoutes>(
      std::vector<config::Route>{{.network = *IpPrefix::Parse("10.0.0.0/24"), .interface = 1},
                                 {.network = *IpPrefix::Parse("10.1.0.0/24"), .interface = 2}});
  snapshot->steering = std::make_shared<config::Steering>(workers);
  snapshot->Finish();
  return snapshot;
}

}  // namespace tandem::test
