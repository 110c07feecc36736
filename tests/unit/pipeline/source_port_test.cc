// SPDX-License-Identifier: Apache-2.0
//
// Which source port a flow gets in a whole device: the client's own whenever it is free, however many flows
// there are whose index entries look alike.
#include <catch2/catch.hpp>

#include "tests/support/packet_builder.h"
#include "tests/support/rig.h"

namespace tandem {
namespace {

using test::PacketBuilder;
using test::Rig;

// One address for clients' sources, and one member.
std::unique_ptr<config::Snapshot> Device() {
  auto snapshot = std::make_unique<config::Snapshot>();
  snapshot->ports = {{.name = "client"}, {.name = "server"}};
  snapshot->interfaces.resize(3);
  for (const config::InterfaceId id : {config::InterfaceId{1}, config::InterfaceId{2}}) {
    snapshot->interfaces[id] = {
        .name = "interface",
        .id = id,
        .port = static_cast<uint16_t>(id - 1),
        .mac = test::Mac(test::kDeviceMac),
        .self_ips = {*IpPrefix::Parse(id == 1 ? "10.0.0.1/16" : "10.1.0.1/16")}};
  }
  snapshot->traffic_groups.resize(1);
  snapshot->pools.resize(2);
  snapshot->pools[1] = {.name = "pool", .id = 1, .members = {1}};
  snapshot->members.resize(2);
  snapshot->members[1] = {
      .name = "member", .id = 1, .pool = 1, .address = test::Ip("10.1.0.2"), .port = 80};
  snapshot->snat_pools = {{.name = "snat", .addresses = {test::Ip("10.1.0.50")}}};
  snapshot->virtuals.resize(2);
  snapshot->virtuals[1] = {.name = "virtual",
                           .id = 1,
                           .destination = *IpPrefix::Parse("10.0.0.100"),
                           .port = 80,
                           .protocol = 0,
                           .source = *IpPrefix::Parse("0.0.0.0/0"),
                           .pool = 1,
                           .snat = config::SnatKind::kPool};
  snapshot->routes = std::make_shared<config::LinearRoutes>(
      std::vector<config::Route>{{.network = *IpPrefix::Parse("10.0.0.0/16"), .interface = 1},
                                 {.network = *IpPrefix::Parse("10.1.0.0/16"), .interface = 2}});
  snapshot->steering = std::make_shared<config::Steering>(1);
  snapshot->Finish();
  return snapshot;
}

}  // namespace

TEST_CASE("source port: the client's own is kept while no flow has it", "[pipeline]") {
  constexpr uint32_t kFirst = 1024;
  constexpr uint32_t kEnd = kFirst + 60'000;
  Rig rig(Device(), {.flows_ipv4 = 65'536});
  const auto send = [&](const char* client, uint32_t port) {
    rig.Inject(
        0, 0,
        PacketBuilder().Ipv4(client, "10.0.0.100").Udp(static_cast<uint16_t>(port), 80).Build());
  };
  for (uint32_t port = kFirst; port < kEnd; ++port) {
    send("10.0.9.1", port);
    if (port % kBurstMax == 0 || port + 1 == kEnd) rig.Turn(0);
  }
  uint32_t kept = 0;
  for (const unit::FlowInfo& flow : rig.Flows())
    kept += flow.ss_client_port == flow.cs_client_port ? 1 : 0;
  CHECK(kept == kEnd - kFirst);
  // Another client has to do with others.
  for (uint32_t port = kFirst; port < kFirst + kBurstMax; ++port)
    send("10.0.9.2", port);
  rig.Run();
  const auto others = rig.Flows({.cs_client_addr = *IpPrefix::Parse("10.0.9.2")});
  CHECK(others.size() == kBurstMax);
  for (const unit::FlowInfo& flow : others)
    CHECK(flow.ss_client_port != flow.cs_client_port);
}

}  // namespace tandem
