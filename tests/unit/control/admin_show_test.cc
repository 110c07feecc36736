// SPDX-License-Identifier: Apache-2.0
//
// What is shown, of a real unit with packets through it.
#include "control/admin_show.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/control/admin_device.h"

namespace tandem::control {
namespace {

using admin::v1::Request;
using admin::v1::Response;
using Worker = admin::v1::WorkerResult::Worker;

Request ShowVirtual(const std::string& name = "") {
  Request request;
  request.mutable_show_virtual()->set_name(name);
  return request;
}

Request ShowPool(const std::string& name = "") {
  Request request;
  request.mutable_show_pool()->set_name(name);
  return request;
}

void CheckConserved(const Worker& worker) {
  CHECK(worker.received() + worker.handed_in() + worker.held_before() ==
        worker.forwarded() + worker.consumed() + worker.held() + worker.handed_off() +
            worker.dropped());
}

Response Workers(AdminDevice& device) {
  Request request;
  request.mutable_show_worker();
  return device.Ask(request);
}

TEST_CASE("admin show: a virtual's counters are those of its packets", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  device.Syn(1001);
  device.ServerSpeaks(5);
  const Response response = device.Ask(ShowVirtual("web"));
  REQUIRE(response.virtuals().virtual__size() == 1);
  const auto& web = response.virtuals().virtual_(0);
  CHECK(web.destination() == "10.0.0.100:80");
  CHECK(web.ip_protocol() == "tcp");
  CHECK(web.type() == "fastl4");
  CHECK(web.pool() == "web");
  CHECK(web.availability() == admin::v1::AVAILABLE);
  CHECK(web.connections().current() == 2);
  CHECK(web.connections().total() == 2);
  CHECK(web.traffic().packets_in() == 2);
  CHECK(web.traffic().bytes_in() > 0);
  CHECK(web.traffic().packets_out() == 0);
  const Response pools = device.Ask(ShowPool("web"));
  CHECK(pools.pools().pool(0).member(0).connections().current() == 2);
  CHECK(pools.pools().pool(0).member(0).traffic().packets_in() == 2);
}

TEST_CASE("admin show: virtuals come by name, with why they do not serve", "[admin]") {
  AdminDevice device;
  const Response response = device.Ask(ShowVirtual());
  REQUIRE(response.virtuals().virtual__size() == 3);
  CHECK(response.virtuals().virtual_(0).name() == "dns");
  const auto& out = response.virtuals().virtual_(1);
  CHECK(out.name() == "out");
  CHECK(out.type() == "forwarding-ip");
  CHECK(out.destination() == "10.9.0.0/16:any");
  CHECK_FALSE(out.enabled());
  CHECK(out.availability() == admin::v1::DISABLED);
  CHECK(out.reason() == "disabled by the operator");
}

TEST_CASE("admin show: limits and offline members are told apart", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(7);
  for (uint16_t port = 2000; port < 2003; ++port) {
    device.Datagram(port);
  }
  CHECK(device.Ask(ShowVirtual("dns")).virtuals().virtual_(0).availability() ==
        admin::v1::UNAVAILABLE);

  Request request;
  auto& modify = *request.mutable_modify_member();
  modify.set_pool("web");
  modify.set_member("10.1.0.5:8080");
  modify.set_state(admin::v1::ModifyMember::FORCED_OFFLINE);
  REQUIRE(device.Ask(request).code() == Response::OK);
  const Response pools = device.Ask(ShowPool("web"));
  const auto& pool = pools.pools().pool(0);
  CHECK(pool.members_available() == 0);
  CHECK(pool.member(0).state() == "user-down");
  CHECK(pool.member(0).session() == "user-disabled");
  CHECK(pool.member(0).availability() == admin::v1::OFFLINE);
  CHECK(pool.member(1).state() == "up");
  CHECK(pool.member(1).session() == "user-disabled");
  CHECK(pool.member(1).availability() == admin::v1::DISABLED);
  const Response web = device.Ask(ShowVirtual("web"));
  CHECK(web.virtuals().virtual_(0).availability() == admin::v1::OFFLINE);
  CHECK(web.virtuals().virtual_(0).reason() == "pool web: no member is up and enabled");
}

TEST_CASE("admin show: what is not there is said by name", "[admin]") {
  AdminDevice device;
  const Response virtuals = device.Ask(ShowVirtual("nope"));
  CHECK(virtuals.code() == Response::NOT_FOUND);
  CHECK(virtuals.message() == "there is no virtual \"nope\"");
  CHECK_FALSE(virtuals.has_virtuals());
  CHECK(device.Ask(ShowPool("nope")).code() == Response::NOT_FOUND);
  Request port;
  port.mutable_show_port()->set_name("nope");
  CHECK(device.Ask(port).code() == Response::NOT_FOUND);
  CHECK(device.Ask(Request()).code() == Response::UNSUPPORTED);
}

TEST_CASE("admin show: workers keep the conservation rule, also after a reset", "[admin]") {
  AdminDevice device;
  device.Syn(1000);  // waits for ARP
  device.Datagram(2000);
  Response response = Workers(device);
  REQUIRE(response.workers().worker_size() == 2);
  CHECK(response.workers().total().received() == 2);
  CHECK(response.workers().total().held() == 2);
  CHECK(response.workers().total().flows_ipv4() == 2);
  CHECK(response.workers().total().flows_ipv4_capacity() == 16384);
  for (const Worker& worker : response.workers().worker()) {
    CheckConserved(worker);
  }

  Request reset;
  reset.mutable_reset_stats();
  CHECK(device.Ask(reset).code() == Response::OK);
  device.ServerSpeaks(5);  // releases what was held
  device.Syn(1001);
  device.Turn(0, test::PacketBuilder()
                     .Ipv4("10.0.0.9", "10.0.0.200")
                     .Tcp(1, 2, test::kSyn)
                     .Build());  // no virtual
  response = Workers(device);
  CHECK(response.workers().total().received() == 3);
  CHECK(response.workers().total().held_before() == 2);
  CHECK(response.workers().total().dropped() == 1);
  for (const Worker& worker : response.workers().worker()) {
    CheckConserved(worker);
  }
  CheckConserved(response.workers().total());
}

TEST_CASE("admin show: drops and ends by reason, zeros only on demand", "[admin]") {
  AdminDevice device;
  for (int i = 0; i < 3; ++i) {
    device.Turn(0,
                test::PacketBuilder().Ipv4("10.0.0.9", "10.0.0.200").Tcp(1, 2, test::kSyn).Build());
  }
  Request request;
  request.mutable_show_drops();
  const Response some = device.Ask(request);
  REQUIRE(some.drops().drop_size() == 1);
  CHECK(some.drops().dropped() == 3);
  CHECK(some.drops().drop(0).total() == 3);
  CHECK(some.drops().drop(0).worker_size() == 2);
  CHECK(some.drops().drop(0).worker(0) + some.drops().drop(0).worker(1) == 3);
  CHECK_FALSE(some.drops().drop(0).help().empty());
  request.mutable_show_drops()->set_all(true);
  const Response all = device.Ask(request);
  CHECK(all.drops().drop_size() == static_cast<int>(kDropReasonCount) - 1);
  CHECK(all.drops().end_size() == static_cast<int>(pipeline::kEndReasonCount));
  CHECK(all.drops().dropped() == 3);
}

TEST_CASE("admin show: a reset lets every count begin at zero, not the levels", "[admin]") {
  AdminDevice device;
  device.ports = {{.name = "p0", .rx_packets = 50, .tx_bytes = 7000}};
  device.ServerSpeaks(5);
  device.Syn(1000);
  Request reset;
  reset.mutable_reset_stats();
  CHECK(device.Ask(reset).has_reset());
  device.ports[0].rx_packets = 60;
  const Response web = device.Ask(ShowVirtual("web"));
  CHECK(web.virtuals().virtual_(0).connections().current() == 1);
  CHECK(web.virtuals().virtual_(0).connections().total() == 0);
  CHECK(web.virtuals().virtual_(0).traffic().packets_in() == 0);
  Request show_port;
  show_port.mutable_show_port();
  const Response ports = device.Ask(show_port);
  CHECK(ports.ports().port(0).rx_packets() == 10);
  CHECK(ports.ports().port(0).tx_bytes() == 0);
  device.Syn(1001);
  CHECK(device.Ask(ShowVirtual("web")).virtuals().virtual_(0).connections().total() == 1);
  CHECK(device.Ask(show_port).ports().port(0).worker_rx_packets() == 1);
}

TEST_CASE("admin show: neighbours, routes, version and configuration", "[admin]") {
  AdminDevice device;
  device.Syn(1000);
  device.ServerSpeaks(5);
  Request request;
  request.mutable_show_arp();
  const Response arp = device.Ask(request);
  bool found = false;
  for (const auto& neighbour : arp.arp().neighbour()) {
    if (neighbour.address() != "10.1.0.5") continue;
    found = true;
    CHECK(neighbour.mac() == "02:00:00:00:00:05");
    CHECK(neighbour.vlan() == "servers");
    CHECK(neighbour.state() == "reachable");
  }
  CHECK(found);

  request.mutable_show_route();
  const Response routes = device.Ask(request);
  REQUIRE(routes.routes().route_size() == 3);
  CHECK(routes.routes().route(2).network() == "10.9.0.0/16");
  CHECK(routes.routes().route(2).gateway() == "10.1.0.254");
  CHECK(routes.routes().route(2).vlan() == "servers");

  request.mutable_show_version();
  const Response version = device.Ask(request);
  CHECK(version.version().device() == "lb1");
  CHECK(version.version().workers() == 2);
  CHECK(version.version().config_path() == "/etc/tandem/tandem.textproto");

  request.mutable_show_config();
  CHECK(device.Ask(request).config().config().virtual__size() == 3);
}

}  // namespace
}  // namespace tandem::control
