// SPDX-License-Identifier: Apache-2.0
#include "control/admin_flows.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/unit/control/admin_device.h"

namespace tandem::control {
namespace {

using admin::v1::ConnectionFilter;
using admin::v1::Request;
using admin::v1::Response;

uint64_t Count(AdminDevice& device, const ConnectionFilter& filter) {
  Request request;
  *request.mutable_show_connection()->mutable_filter() = filter;
  request.mutable_show_connection()->set_count(true);
  const Response response = device.Ask(request);
  CHECK(response.code() == Response::OK);
  return response.connections().matched();
}

TEST_CASE("admin flows: a connection is shown with both sides and its names", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  device.Pass(3 * kSecond);
  Request request;
  request.mutable_show_connection();
  const Response response = device.Ask(request);
  REQUIRE(response.connections().connection_size() == 1);
  CHECK(response.connections().matched() == 1);
  const auto& connection = response.connections().connection(0);
  CHECK(connection.cs_client().address() == "10.0.0.9");
  CHECK(connection.cs_client().port() == 1000);
  CHECK(connection.cs_server().address() == "10.0.0.100");
  CHECK(connection.cs_server().port() == 80);
  CHECK(connection.ss_client().address() == "10.1.0.1");
  CHECK(connection.ss_server().address() == "10.1.0.5");
  CHECK(connection.ss_server().port() == 8080);
  CHECK(connection.protocol() == "tcp");
  CHECK(connection.state() == "opening");
  CHECK(connection.virtual_() == "web");
  CHECK(connection.pool() == "web");
  CHECK(connection.member() == "10.1.0.5:8080");
  CHECK(connection.client_mac() == test::kClientMac);
  CHECK(connection.client_vlan() == "clients");
  CHECK(connection.idle_seconds() >= 2);
  CHECK(connection.age_seconds() >= 2);
}

TEST_CASE("admin flows: many come in bounded parts, each once; limit stops early", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  constexpr int kFlows = 2500;
  for (int i = 0; i < kFlows; ++i) {
    device.Syn(static_cast<uint16_t>(10000 + i));
  }
  Request request;
  request.mutable_show_connection();
  int parts = 0;
  const Response all = device.Ask(request, &parts);
  CHECK(parts >= 4);
  std::set<uint32_t> ports;
  for (const auto& connection : all.connections().connection()) {
    ports.insert(connection.cs_client().port());
  }
  CHECK(ports.size() == kFlows);
  CHECK(all.connections().connection_size() == kFlows);
  CHECK(all.connections().matched() == kFlows);
  for (const int limit : {1, 999, 1000, 1001, 2499, 2500, 9999}) {
    request.mutable_show_connection()->set_limit(static_cast<uint64_t>(limit));
    CHECK(device.Ask(request).connections().connection_size() == std::min(limit, kFlows));
  }
  CHECK(Count(device, {}) == kFlows);
}

TEST_CASE("admin flows: every filter selects", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  device.Syn(1001);
  device.ServerSpeaks(7);
  device.Datagram(2000);
  const auto count = [&](auto set) {
    ConnectionFilter filter;
    set(filter);
    return Count(device, filter);
  };
  CHECK(count([](auto& f) { f.set_cs_client_addr("10.0.0.0/24"); }) == 3);
  CHECK(count([](auto& f) { f.set_cs_client_addr("10.0.0.8"); }) == 0);
  CHECK(count([](auto& f) { f.set_cs_client_port(1001); }) == 1);
  CHECK(count([](auto& f) { f.set_cs_server_addr("10.0.0.100"); }) == 3);
  CHECK(count([](auto& f) { f.set_cs_server_port(53); }) == 1);
  CHECK(count([](auto& f) { f.set_ss_client_addr("10.1.0.1"); }) == 2);
  CHECK(count([](auto& f) { f.set_ss_server_addr("10.1.0.7"); }) == 1);
  CHECK(count([](auto& f) { f.set_ss_server_port(8080); }) == 2);
  CHECK(count([](auto& f) { f.set_protocol("udp"); }) == 1);
  CHECK(count([](auto& f) { f.set_protocol("6"); }) == 2);
  CHECK(count([](auto& f) { f.set_virtual_("dns"); }) == 1);
  CHECK(count([](auto& f) {
          f.set_pool("web");
          f.set_member("10.1.0.5:8080");
        }) == 2);
  CHECK(count([](auto& f) { f.set_idle_min(2); }) == 0);
  CHECK(count([](auto& f) { f.set_age_min(2); }) == 0);
  device.Pass(3 * kSecond);
  CHECK(count([](auto& f) { f.set_idle_min(2); }) == 3);
  CHECK(count([](auto& f) { f.set_age_min(2); }) == 3);
  CHECK(count([](auto& f) { f.set_age_min(20); }) == 0);
}

TEST_CASE("admin flows: a filter that cannot be read is refused, never widened", "[admin]") {
  AdminDevice device;
  const auto code = [&](auto set) {
    Request request;
    set(*request.mutable_delete_connection()->mutable_filter());
    return device.Ask(request).code();
  };
  CHECK(code([](auto& f) { f.set_cs_client_addr("10.0.0"); }) == Response::INVALID);
  CHECK(code([](auto& f) { f.set_cs_client_port(65536); }) == Response::INVALID);
  CHECK(code([](auto& f) { f.set_protocol("tpc"); }) == Response::INVALID);
  CHECK(code([](auto& f) { f.set_virtual_("nope"); }) == Response::NOT_FOUND);
  CHECK(code([](auto& f) { f.set_pool("web"); }) == Response::INVALID);
  CHECK(code([](auto& f) {
          f.set_pool("web");
          f.set_member("10.1.0.99:1");
        }) == Response::NOT_FOUND);
  CHECK(code([](auto& f) { f.set_idle_min(UINT32_MAX); }) == Response::INVALID);
  // A condition of a later version.
  CHECK(code([](auto& f) { f.ParseFromString("\xf8\x3f\x01"); }) == Response::INVALID);
}

TEST_CASE("admin flows: delete ends what matches; all has to be said", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  device.Syn(1001);
  device.Syn(1002);
  Request request;
  request.mutable_delete_connection();
  CHECK(device.Ask(request).code() == Response::INVALID);
  CHECK(Count(device, {}) == 3);
  request.mutable_delete_connection()->mutable_filter()->set_cs_client_port(1001);
  CHECK(device.Ask(request).deleted().deleted() == 1);
  CHECK(Count(device, {}) == 2);
  request.mutable_delete_connection()->set_all(true);
  CHECK(device.Ask(request).code() == Response::INVALID);
  request.mutable_delete_connection()->clear_filter();
  CHECK(device.Ask(request).deleted().deleted() == 2);
  CHECK(Count(device, {}) == 0);
  CHECK(device.unit().live_counts().OfVirtual(1) == 0);
  Request drops;
  drops.mutable_show_drops();
  const Response ends = device.Ask(drops);
  REQUIRE(ends.drops().end_size() == 1);
  CHECK(ends.drops().end(0).name() == "deleted");
  CHECK(ends.drops().end(0).total() == 3);
}

TEST_CASE("admin flows: a client that leaves does not take its query from the worker", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  AbandonedQueries abandoned;
  {
    const auto exchange = ShowFlows(device, abandoned, {}, 0);
    Response response;
    CHECK(exchange->Next(response) == AdminExchange::Step::kWait);
  }
  CHECK(abandoned.size() == 1);
  abandoned.Sweep();
  CHECK(abandoned.size() == 1);
  // Another waits until the worker is free again, and is not lost.
  const auto exchange = CountFlows(device, abandoned, {});
  Response response;
  CHECK(exchange->Next(response) == AdminExchange::Step::kWait);
  for (int i = 0; i < 20 && exchange->Next(response) == AdminExchange::Step::kWait; ++i) {
    device.Turn();
  }
  CHECK(response.connections().matched() == 1);
  abandoned.Sweep();
  CHECK(abandoned.size() == 0);
}

}  // namespace
}  // namespace tandem::control
