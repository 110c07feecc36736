// SPDX-License-Identifier: Apache-2.0
//
// Both legs of a flow have one owner, whatever the interfaces face and whoever opened it.
#include "dataplane/pipeline/steer.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/packet_builder.h"

namespace tandem::pipeline {
namespace {

using config::Facing;
using test::Ip;

constexpr config::InterfaceId kClients = 1;
constexpr config::InterfaceId kServers = 2;      // member 10.1.0.5:80
constexpr config::InterfaceId kMoreServers = 3;  // member 10.2.0.5:80
constexpr config::InterfaceId kOtherClients = 4;

std::unique_ptr<config::Snapshot> FourArms(unsigned workers, bool says_facing) {
  auto snapshot = std::make_unique<config::Snapshot>();
  snapshot->ports.resize(4);
  snapshot->interfaces.resize(5);
  std::vector<config::Route> routes;
  const std::array<const char*, 4> selves = {"10.0.0.1/24", "10.1.0.1/24", "10.2.0.1/24",
                                             "10.3.0.1/24"};
  for (config::InterfaceId id = 1; id <= 4; ++id) {
    const bool servers = id == kServers || id == kMoreServers;
    const Facing facing = servers ? Facing::kServer : Facing::kClient;
    const IpPrefix self = *IpPrefix::Parse(selves[id - 1U]);
    snapshot->interfaces[id] = {.id = id,
                                .port = static_cast<uint16_t>(id - 1),
                                .facing = says_facing ? facing : Facing::kBoth,
                                .self_ips = {self}};
    routes.push_back({.network = self.Network(), .interface = id});
  }
  snapshot->members.resize(3);
  snapshot->members[1] = {.id = 1, .pool = 1, .address = Ip("10.1.0.5"), .port = 80};
  snapshot->members[2] = {.id = 2, .pool = 1, .address = Ip("10.2.0.5"), .port = 80};
  snapshot->pools.resize(2);
  snapshot->pools[1] = {.id = 1, .members = {1, 2}};
  snapshot->virtuals.resize(2);
  snapshot->virtuals[1] = {.id = 1,
                           .destination = *IpPrefix::Parse("10.9.0.0/16"),
                           .source = *IpPrefix::Parse("0.0.0.0/0"),
                           .pool = 1};
  snapshot->routes = std::make_shared<config::LinearRoutes>(std::move(routes));
  snapshot->steering = std::make_shared<config::Steering>(workers);
  snapshot->Finish();
  return snapshot;
}

struct Leg {
  config::InterfaceId arrival;
  const char* source;
  const char* destination;
  uint16_t destination_port;  // the source's is drawn
};

unsigned OwnerOfLeg(const config::Snapshot& snapshot, config::InterfaceId arrival,
                    const net::FlowKey4& key) {
  return OwnerOf(snapshot, snapshot.interfaces[arrival], key, IPPROTO_TCP);
}

// `reply` arrives on the interface given; its source is what `first` was translated to.
void CheckOneOwner(const Leg& first, const Leg& reply) {
  for (const bool says_facing : {true, false}) {
    const auto snapshot = FourArms(4, says_facing);
    for (uint16_t port = 1024; port < 1324; ++port) {
      const net::FlowKey4 there = {Ip(first.source).v4(), Ip(first.destination).v4(), htons(port),
                                   htons(first.destination_port)};
      const net::FlowKey4 back = {Ip(reply.source).v4(), Ip(reply.destination).v4(),
                                  htons(reply.destination_port), htons(port)};
      INFO("source port " << port << (says_facing ? ", facing said" : ", facing unsaid"));
      REQUIRE(OwnerOfLeg(*snapshot, first.arrival, there) ==
              OwnerOfLeg(*snapshot, reply.arrival, back));
    }
  }
}

void CheckRouted(const Leg& first, config::InterfaceId reply_arrival) {
  CheckOneOwner(first, {reply_arrival, first.destination, first.source, first.destination_port});
}

}  // namespace

TEST_CASE("steer: a client's flow to a server it names has one owner", "[pipeline]") {
  CheckRouted({kClients, "10.0.0.9", "10.1.0.5", 80}, kServers);
  CheckRouted({kClients, "10.0.0.9", "10.1.0.5", 22}, kServers);
  CheckRouted({kClients, "10.0.0.9", "10.1.0.77", 22}, kServers);
}

TEST_CASE("steer: a server's flow to a stranger has one owner", "[pipeline]") {
  CheckRouted({kServers, "10.1.0.5", "10.0.0.9", 443}, kClients);
  CheckRouted({kServers, "10.1.0.77", "10.0.0.9", 443}, kClients);
}

TEST_CASE("steer: flows between two that are faced alike have one owner", "[pipeline]") {
  CheckRouted({kServers, "10.1.0.5", "10.2.0.5", 22}, kMoreServers);
  CheckRouted({kServers, "10.1.0.5", "10.2.0.5", 80}, kMoreServers);
  CheckRouted({kServers, "10.1.0.77", "10.2.0.77", 22}, kMoreServers);
  CheckRouted({kClients, "10.0.0.9", "10.3.0.9", 22}, kOtherClients);
}

TEST_CASE("steer: replies of members to whoever came by a virtual meet the flow", "[pipeline]") {
  // Without SNAT: the destination was 10.9.1.1, the reply comes from the member.
  CheckOneOwner({kClients, "10.0.0.9", "10.9.1.1", 80}, {kServers, "10.1.0.5", "10.0.0.9", 80});
  CheckOneOwner({kServers, "10.1.0.77", "10.9.1.1", 80},
                {kMoreServers, "10.2.0.5", "10.1.0.77", 80});
  CheckOneOwner({kServers, "10.1.0.5", "10.9.1.1", 80}, {kMoreServers, "10.2.0.5", "10.1.0.5", 80});
}

}  // namespace tandem::pipeline
