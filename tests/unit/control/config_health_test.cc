// SPDX-License-Identifier: Apache-2.0
//
// What makes a device unfit, and its scores, in the configuration: what Validate refuses, what a running
// device can change, and what the watchdog is told.
#include "control/config_health.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/config_compile.h"
#include "control/config_load.h"
#include "control/config_takeover.h"
#include "control/text.h"

namespace tandem::control {
namespace {

using ha::Fault;
using ha::Pulse;

// `port` and `vlan`: further fields of p0 and "out".
std::string PairWith(const std::string& group, const std::string& port = "",
                     const std::string& vlan = "", const std::string& devices = R"(
device_group { name: "pair" device { name: "a" unit_id: 1 } device { name: "b" unit_id: 2 } worker_stall_ms: 0 })") {
  return Cat(R"(device { name: "a" } port { name: "p0" device: "net_null0" )", port, R"( }
port { name: "p2" device: "net_null2" }
vlan { name: "out" port: "p0" )",
             vlan, R"( }
vlan { name: "in" port: "p2" }
self_ip { name: "o" address: "192.0.2.2/24" vlan: "out" }
self_ip { name: "f" address: "192.0.2.1/24" vlan: "out" traffic_group: "g" }
self_ip { name: "i" address: "10.0.0.1/24" vlan: "in" traffic_group: "g" }
route { name: "r" network: "default" gateway: "192.0.2.254" }
pool { name: "web" member { address: "10.0.0.5" port: 80 }
                   member { address: "10.0.0.6" port: 80 state: DISABLED } }
mirroring { device: "net_null1" address: "10.255.0.1/24" peer: "10.255.0.2" unit_id: 1
            key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" })",
             devices, R"(
traffic_group { name: "g" )",
             group, " }");
}

std::string HealthErrorsOf(const std::string& text) {
  return std::string(LoadConfigText(text, "f").status().message());
}

void CheckRefused(const std::string& text, const std::string& reason) {
  const std::string errors = HealthErrorsOf(text);
  INFO(text << "\n" << errors);
  CHECK(errors.find(reason) != std::string::npos);
}

ha::HealthSettings SettingsOf(const std::string& text, unsigned workers = 1) {
  const auto document = LoadConfigText(text, "f");
  INFO(document.status().message());
  REQUIRE(document.ok());
  ConfigIds ids;
  REQUIRE(ids.interfaces.Assign({"out", "in"}).ok());
  REQUIRE(ids.traffic_groups.Assign({"g"}).ok());
  return HealthSettingsOf(document->config(), ids, workers);
}

}  // namespace

TEST_CASE("config health: what is refused", "[config]") {
  const auto gateways = [](const std::string& fields) {
    return PairWith(Cat("gateway_failsafe { ", fields, " }"));
  };
  CheckRefused(gateways(""), "0 addresses are not in 1..16");
  CheckRefused(gateways(R"(address: "x")"), "'x'");
  CheckRefused(gateways(R"(address: "192.0.2.2")"), "is a self IP of this device");
  CheckRefused(gateways(R"(address: "198.51.100.1")"), "is on no network of a self IP");
  CheckRefused(gateways(R"(address: "10.0.0.9")"),
               "is on a VLAN without a self IP of its family that does not float");
  CheckRefused(gateways(R"(address: "192.0.2.254" minimum: 2)"), "minimum 2 of 1 addresses");
  CheckRefused(gateways(R"(address: "192.0.2.254" minimum: 0)"), "would never be a fault");
  CheckRefused(gateways(R"(address: "192.0.2.254" address: "192.0.2.254")"), "is there twice");
  CheckRefused(gateways(R"(address: "192.0.2.254" interval_ms: 49)"), "49 is not in 50..60000");
  CheckRefused(gateways(R"(address: "192.0.2.254" timeout_ms: 3999)"),
               "3999 is not in 4000..600000");
  CheckRefused(PairWith("ha_group { }"), "0 parts are not in 1..32");
  CheckRefused(PairWith(R"(ha_group { ports { port: "p9" } })"), "'p9'");
  CheckRefused(PairWith(R"(ha_group { ports { } })"), "ports without a port");
  CheckRefused(PairWith(R"(ha_group { members { pool: "none" } })"), "'none'");
  CheckRefused(PairWith(R"(ha_group { members { pool: "web" weight: 9 } })"),
               "weight 9 is not in 10..100");
  CheckRefused(PairWith(R"(ha_group { members { pool: "web" } active_bonus: 101 })"),
               "active_bonus 101 is not in 0..100");
  CheckRefused(PairWith("failover_method: HA_SCORE"), "HA_SCORE needs ha_group");
  CheckRefused(
      PairWith(
          R"(failover_method: HA_SCORE ha_group { members { pool: "web" } } ha_order: "a" auto_failback: true)"),
      "not allowed with HA_SCORE");
  CheckRefused(PairWith("", "", "failsafe: true failsafe_timeout: 0"), "0 is not in 1..3600");
  CheckRefused(PairWith("", "link_failsafe: true", "", ""), "needs a device_group");
  CheckRefused(PairWith("", "", "failsafe: true", ""), "needs a device_group");
  CheckRefused(PairWith(R"(gateway_failsafe { address: "192.0.2.254" })", "", "", ""),
               "needs a device_group");
  CheckRefused(PairWith(R"(ha_group { members { pool: "web" } })", "", "", ""),
               "needs a device_group");
}

TEST_CASE("config health: what the watchdog is told of faults", "[config]") {
  const ha::HealthSettings settings = SettingsOf(
      PairWith(R"(gateway_failsafe { address: "192.0.2.254" address: "192.0.2.253" minimum: 2 })",
               "link_failsafe: true", "failsafe: true failsafe_timeout: 9"));
  REQUIRE(settings.pulses.size() == 4);
  CHECK(settings.pulses[0].kind == Pulse::Kind::kLink);
  CHECK(settings.pulses[0].index == 0);
  CHECK(settings.pulses[1].kind == Pulse::Kind::kVlan);
  CHECK(settings.pulses[1].index == 1);
  CHECK(settings.pulses[1].timeout == 9 * kSecond);
  CHECK(settings.pulses[1].targets ==
        std::vector{*IpAddress::Parse("192.0.2.1"), *IpAddress::Parse("192.0.2.254")});
  CHECK(settings.pulses[2].kind == Pulse::Kind::kGateway);
  CHECK(settings.pulses[2].index == 1);
  CHECK(settings.pulses[2].address.ToString() == "192.0.2.254");
  CHECK(settings.pulses[2].timeout == 4 * kSecond);
  CHECK(settings.pulses[2].ask_every == kSecond);
  REQUIRE(settings.rules.size() == 3);
  CHECK(settings.rules[0].kind == Fault::Kind::kLinkDown);
  CHECK(settings.rules[1].kind == Fault::Kind::kVlanSilent);
  CHECK(settings.rules[2].kind == Fault::Kind::kGatewayDown);
  CHECK(settings.rules[2].group == 1);
  CHECK(settings.rules[2].pulses == std::vector<uint32_t>{2, 3});
  CHECK(settings.rules[2].minimum == 2);
  CHECK(SettingsOf(PairWith("")).rules.empty());
}

TEST_CASE("config health: what the watchdog is told of scores", "[config]") {
  const std::string text = PairWith(R"(failover_method: HA_SCORE
    gateway_failsafe { address: "192.0.2.254" interval_ms: 500 timeout_ms: 2000 }
    ha_group { ports { port: "p2" port: "p0" weight: 30 minimum: 1 }
               gateways { address: "192.0.2.254" weight: 40 }
               members { pool: "web" weight: 20 } active_bonus: 5 })");
  const ha::HealthSettings settings = SettingsOf(text);
  // A gateway is one, whoever wants it, and as impatient as the most impatient of them.
  REQUIRE(settings.pulses.size() == 3);
  CHECK(settings.pulses[0].kind == Pulse::Kind::kGateway);
  CHECK(settings.pulses[0].timeout == 2 * kSecond);
  REQUIRE(settings.score_parts.size() == 3);
  CHECK(settings.score_parts[0].name == "ports p2, p0");
  CHECK(settings.score_parts[0].weight == 30);
  CHECK(settings.score_parts[0].needed == 1);
  CHECK(settings.score_parts[0].pulses == std::vector<uint32_t>{1, 2});
  CHECK(settings.pulses[1].index == 1);
  CHECK(settings.pulses[2].index == 0);
  CHECK(settings.score_parts[1].pulses == std::vector<uint32_t>{0});
  CHECK(settings.score_parts[2].up == 1);
  CHECK(settings.score_parts[2].total == 2);

  ConfigIds ids;
  REQUIRE(ids.traffic_groups.Assign({"g"}).ok());
  const ha::Settings takeover = TakeoverSettings(LoadConfigText(text, "f")->config(), ids);
  CHECK(takeover.groups.at(0).method == ha::Method::kHaScore);
  CHECK(takeover.groups.at(0).auto_failback);
  CHECK(takeover.groups.at(0).active_bonus == 5);
}

TEST_CASE("config health: failsafes can change while it runs", "[config]") {
  const auto running = LoadConfigText(PairWith(""), "f")->config();
  const auto next = LoadConfigText(PairWith(R"(gateway_failsafe { address: "192.0.2.254" })",
                                            "link_failsafe: true", "failsafe: true"),
                                   "f");
  REQUIRE(next.ok());
  CHECK(CheckReloadable(running, *next).ok());
}

}  // namespace tandem::control
