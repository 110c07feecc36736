// SPDX-License-Identifier: Apache-2.0
//
// The device group in the configuration: what Validate refuses, what a running device can change, and
// what the takeover machine is told.
#include "control/config_takeover.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/config_compile.h"
#include "control/config_compile_parts.h"
#include "control/config_health.h"
#include "control/config_load.h"
#include "control/text.h"

namespace tandem::control {
namespace {

// On one line, so that what a test adds begins at line 2.
constexpr char kPairBase[] =
    R"(device { name: "a" } port { name: "p0" device: "net_null0" } vlan { name: "out" port: "p0" } )"
    R"(self_ip { name: "a" address: "192.0.2.2/24" vlan: "out" } )"
    R"(mirroring { device: "net_null1" address: "10.255.0.1/24" peer: "10.255.0.2" unit_id: 1 )"
    R"(key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" } )"
    "\n";
constexpr char kDevices[] = R"(device { name: "a" unit_id: 1 } device { name: "b" unit_id: 2 })";

std::string GroupOf(const std::string& fields) {
  return Cat("device_group { name: \"pair\" ", fields, " }");
}

std::string ErrorsOf(const std::string& added) {
  return std::string(LoadConfigText(Cat(kPairBase, added), "f").status().message());
}

bool IsRefused(const std::string& added, const std::string& reason) {
  const std::string errors = ErrorsOf(added);
  INFO(added << "\n" << errors);
  CHECK(errors.find(reason) != std::string::npos);
  return errors.find(reason) != std::string::npos;
}

}  // namespace

TEST_CASE("config takeover: a device group that makes sense is accepted", "[config]") {
  CHECK(ErrorsOf(GroupOf(kDevices)) == "");
  CHECK(
      ErrorsOf(
          GroupOf(Cat(kDevices,
                      " heartbeat_interval_us: 3300 heartbeat_multiplier: 3 hook: \"/bin/true\"")) +
          R"( traffic_group { name: "g" ha_order: "b" ha_order: "a" auto_failback: true })") == "");
  CHECK(ErrorsOf(GroupOf(R"(device { name: "a" unit_id: 1 management_address: "192.168.0.1" }
                            device { name: "b" unit_id: 2 management_address: "192.168.0.2" })")) ==
        "");
}

namespace {

// Of the devices a, b and c, this one is a.
std::string TrioOf(const std::string& first, const std::string& others,
                   const std::string& mirroring = "") {
  return Cat(R"(device { name: "a" workers: 1 }
mirroring { device: "net_null1" address: "10.255.0.1/24" unit_id: 1 authentication: NONE )",
             mirroring, " } device_group { name: \"trio\" device { name: \"a\" unit_id: 1 ", first,
             " } ", others, " }");
}
constexpr char kOthers[] = R"(device { name: "c" unit_id: 7 mirroring_address: "10.255.0.3" }
                              device { name: "b" unit_id: 2 mirroring_address: "10.255.0.2" })";

std::string ErrorsOfTrio(const std::string& text) {
  return std::string(LoadConfigText(text, "f").status().message());
}

}  // namespace

TEST_CASE("config takeover: a group of three has mirroring addresses", "[config]") {
  const std::string own = R"(mirroring_address: "10.255.0.1")";
  CHECK(ErrorsOfTrio(TrioOf(own, kOthers)) == "");
  const auto is_refused = [](const std::string& text, const std::string& reason) {
    const std::string errors = ErrorsOfTrio(text);
    INFO(errors);
    return errors.find(reason) != std::string::npos;
  };
  CHECK(is_refused(TrioOf(own, kOthers, R"(peer: "10.255.0.2")"),
                   "not allowed: the device_group has mirroring addresses"));
  CHECK(is_refused(TrioOf("", kOthers), "either each one has a mirroring_address, or none has"));
  CHECK(is_refused(TrioOf("", R"(device { name: "b" unit_id: 2 } device { name: "c" unit_id: 3 })",
                          R"(peer: "10.255.0.2")"),
                   "more than two of them need mirroring addresses"));
  CHECK(is_refused(TrioOf(R"(mirroring_address: "10.255.0.9")", kOthers),
                   "device 'a': mirroring_address '10.255.0.9', but mirroring has 10.255.0.1/24"));
  CHECK(
      is_refused(TrioOf(own, R"(device { name: "b" unit_id: 2 mirroring_address: "10.254.0.2" })"),
                 "'10.254.0.2' is not on the network of 10.255.0.1/24"));
  CHECK(
      is_refused(TrioOf(own, R"(device { name: "b" unit_id: 2 mirroring_address: "10.255.0.1" })"),
                 "mirroring_address 10.255.0.1 is another one's"));
  CHECK(
      is_refused(TrioOf(own, R"(device { name: "b" unit_id: 9 mirroring_address: "10.255.0.2" })"),
                 "unit_id 9 is not in 1..8"));
}

TEST_CASE("config takeover: heartbeats over traffic VLANs, from self IPs that stay", "[config]") {
  const auto errors_of = [](const std::string& own, const std::string& other) {
    return ErrorsOf(Cat(
        R"(vlan { name: "v" port: "p0" tag: 7 } self_ip { name: "s" address: "10.0.0.1/24" vlan: "v" }
        traffic_group { name: "g" }
        self_ip { name: "f" address: "10.0.0.9/24" vlan: "v" traffic_group: "g" })",
        GroupOf(Cat(R"(device { name: "a" unit_id: 1 )", own,
                    R"( } device { name: "b" unit_id: 2 )", other, " }"))));
  };
  const auto one = [](const char* address) { return Cat("failover_address: \"", address, "\" "); };
  CHECK(errors_of(one("10.0.0.1"), one("10.0.0.2")) == "");
  const auto is_refused = [&](const std::string& own, const std::string& other,
                              const std::string& reason) {
    const std::string errors = errors_of(own, other);
    INFO(errors);
    return errors.find(reason) != std::string::npos;
  };
  CHECK(is_refused(one("10.0.0.3"), one("10.0.0.2"),
                   "'10.0.0.3' is no self IP of this device, or floats"));
  CHECK(is_refused(one("10.0.0.9"), one("10.0.0.2"), "is no self IP of this device, or floats"));
  CHECK(is_refused(one("10.0.0.1"), one("10.0.1.2"),
                   "'10.0.1.2' is not on the network of this device's"));
  CHECK(is_refused(one("10.0.0.1"), one("10.0.0.1"), "'10.0.0.1' is there twice"));
  CHECK(is_refused(one("10.0.0.1"), "", "0 failover addresses, but this device has 1"));
  CHECK(is_refused(one("10.0.0.1"), one("10.0.0"), "10.0.0"));
}

TEST_CASE("config takeover: peers are counted by their unit ids, and have shares of the ports",
          "[config]") {
  const auto document = LoadConfigText(TrioOf(R"(mirroring_address: "10.255.0.1")", kOthers), "f");
  REQUIRE(document.ok());
  const config::Mirroring mirroring = CompileMirroring(document->config(), {});
  REQUIRE(mirroring.peers.size() == 2);
  CHECK(mirroring.peers[0].unit_id == 2);
  CHECK(mirroring.peers[0].address.ToString() == "10.255.0.2");
  CHECK(mirroring.peers[1].unit_id == 7);
  CHECK(mirroring.peers[1].address.ToString() == "10.255.0.3");
  CHECK(mirroring.port_share == 0);
  CHECK(mirroring.port_shares == 3);
}

TEST_CASE("config takeover: what is refused", "[config]") {
  CHECK(IsRefused(GroupOf(R"(device { name: "a" unit_id: 1 })"), "there are 1, not 2 to 8"));
  CHECK(IsRefused(GroupOf(R"(device { name: "c" unit_id: 1 } device { name: "b" unit_id: 2 })"),
                  "this device, 'a', is not among them"));
  CHECK(IsRefused(GroupOf(R"(device { name: "a" unit_id: 2 } device { name: "b" unit_id: 1 })"),
                  "unit_id 2, but mirroring has 1"));
  CHECK(IsRefused(GroupOf(R"(device { name: "a" unit_id: 1 } device { name: "b" unit_id: 1 })"),
                  "unit_id 1 is another one's"));
  CHECK(IsRefused(GroupOf(R"(device { name: "a" unit_id: 1 } device { name: "a" unit_id: 2 })"),
                  "is there twice"));
  CHECK(IsRefused(GroupOf(R"(device { name: "a" unit_id: 1 management_address: "192.168.0.1" }
                             device { name: "b" unit_id: 2 })"),
                  "either each one has a management_address, or none has"));
  CHECK(IsRefused(GroupOf(R"(device { name: "a" unit_id: 1 management_address: "192.168.0.1" }
                             device { name: "b" unit_id: 2 management_address: "2001:db8::2" })"),
                  "of one family"));
  CHECK(IsRefused(GroupOf(Cat(kDevices, " heartbeat_interval_us: 3299")),
                  "3299 is not in 3300..1000000"));
  CHECK(IsRefused(GroupOf(Cat(kDevices, " heartbeat_multiplier: 2")), "2 is not in 3..50"));
  CHECK(IsRefused(GroupOf(Cat(kDevices, " worker_stall_ms: 99")), "99 is not in 100..60000"));
  CHECK(IsRefused(GroupOf(Cat(kDevices, " state_file: \"failover\"")), "is no absolute path"));
  CHECK(IsRefused(GroupOf(Cat(kDevices, " hook: \"true\"")), "is no absolute path"));
  CHECK(IsRefused(GroupOf(kDevices) + " traffic_group { name: \"g\" role: ACTIVE }",
                  "not allowed with a device_group"));
  CHECK(IsRefused(GroupOf(kDevices) + " traffic_group { name: \"g\" ha_order: \"c\" }",
                  "'c' is not in the device_group"));
  CHECK(IsRefused(GroupOf(kDevices) + " traffic_group { name: \"g\" auto_failback: true }",
                  "needs ha_order"));
  CHECK(IsRefused("traffic_group { name: \"g\" ha_order: \"a\" }", "needs a device_group"));
}

namespace {

std::string WitnessOf(const std::string& fields, const std::string& group = "",
                      const std::string& other = "192.168.0.2") {
  return GroupOf(Cat(R"(device { name: "a" unit_id: 1 management_address: "192.168.0.1" }
                        device { name: "b" unit_id: 2 management_address: ")",
                     other, R"(" } witness { )", fields, " } ", group));
}

}  // namespace

TEST_CASE("config takeover: a witness that makes sense is accepted, and told to the machine",
          "[config]") {
  CHECK(ErrorsOf(WitnessOf(R"(address: "192.168.0.9")")) == "");
  const std::string added = WitnessOf(R"(address: "192.168.0.9" port: 7 lease_ms: 60000)",
                                      "heartbeat_interval_us: 1000000 heartbeat_multiplier: 50");
  REQUIRE(ErrorsOf(added) == "");
  const auto config = LoadConfigText(Cat(kPairBase, added), "f")->config();
  const ha::Settings settings = TakeoverSettings(config, ConfigIds());
  CHECK(settings.witness);
  CHECK(settings.lease == 60 * kSecond);
  CHECK(WitnessAddressOf(config).address.ToString() == "192.168.0.9");
  CHECK(WitnessAddressOf(config).port == 7);
  const auto defaults =
      LoadConfigText(Cat(kPairBase, WitnessOf(R"(address: "192.168.0.9")")), "f")->config();
  CHECK(TakeoverSettings(defaults, ConfigIds()).lease == kSecond);
  CHECK(WitnessAddressOf(defaults).port == 1027);
  const auto none = LoadConfigText(Cat(kPairBase, GroupOf(kDevices)), "f")->config();
  CHECK_FALSE(TakeoverSettings(none, ConfigIds()).witness);
  CHECK(WitnessAddressOf(none).address.is_unset());
}

TEST_CASE("config takeover: a witness that nobody could ask is refused", "[config]") {
  CHECK(IsRefused(WitnessOf(""), "address is missing"));
  CHECK(IsRefused(WitnessOf(R"(address: "witness")"), "'witness'"));
  CHECK(IsRefused(WitnessOf(R"(address: "224.0.0.9")"), "'224.0.0.9'"));
  CHECK(IsRefused(WitnessOf(R"(address: "192.168.0.2")"), "its address is that of device 'b'"));
  CHECK(IsRefused(WitnessOf(R"(address: "2001:db8::9")"),
                  "not of the family of the management addresses"));
  CHECK(IsRefused(GroupOf(Cat(kDevices, R"( witness { address: "192.168.0.9" })")),
                  "has no management_address to ask from"));
  CHECK(IsRefused(WitnessOf(R"(address: "192.168.0.9" port: 0)"), "port 0 is not in 1..65535"));
  CHECK(IsRefused(WitnessOf(R"(address: "192.168.0.9" port: 65536)"), "port 65536 is not in"));
  CHECK(IsRefused(WitnessOf(R"(address: "192.168.0.9" lease_ms: 199)"),
                  "lease_ms 199 is not in 200..60000"));
  CHECK(IsRefused(WitnessOf(R"(address: "192.168.0.9" lease_ms: 60001)"),
                  "lease_ms 60001 is not in 200..60000"));
  CHECK(IsRefused(WitnessOf(R"(address: "192.168.0.9")", "heartbeat_interval_us: 200001"),
                  "lease_ms 1000 is shorter than the detection time, 1000005 us"));
}

TEST_CASE("config takeover: a witness needs authentication", "[config]") {
  std::string text = Cat(kPairBase, WitnessOf(R"(address: "192.168.0.9")"));
  const size_t key = text.find("key: ");
  text.replace(key, text.find('}', key) - key, "authentication: NONE ");
  const auto document = LoadConfigText(text, "f");
  CHECK(std::string(document.status().message()).find("needs authentication in mirroring") !=
        std::string::npos);
}

TEST_CASE("config takeover: the witness cannot change while it runs", "[config]") {
  const std::string had = WitnessOf(R"(address: "192.168.0.9")");
  const auto message = [](const std::string& from, const std::string& to) {
    return std::string(CheckReloadable(LoadConfigText(Cat(kPairBase, from), "f")->config(),
                                       *LoadConfigText(Cat(kPairBase, to), "f"))
                           .message());
  };
  CHECK(message(had, had) == "");
  // A default that is written down is no change.
  CHECK(message(had, WitnessOf(R"(address: "192.168.0.9" port: 1027 lease_ms: 1000)")) == "");
  for (const char* other : {R"(address: "192.168.0.8")", R"(address: "192.168.0.9" port: 1)",
                            R"(address: "192.168.0.9" lease_ms: 2000)"}) {
    CHECK(message(had, WitnessOf(other)).find("restart required") != std::string::npos);
  }
  const std::string without = had.substr(0, had.find("witness")) + "}";
  CHECK(message(had, without).find("restart required") != std::string::npos);
  CHECK(message(without, had).find("restart required") != std::string::npos);
}

TEST_CASE("config takeover: who the devices are cannot change while it runs, timers can",
          "[config]") {
  const auto running = LoadConfigText(Cat(kPairBase, GroupOf(kDevices)), "f")->config();
  const auto error = [&](const std::string& added) {
    return std::string(
        CheckReloadable(running, *LoadConfigText(Cat(kPairBase, added), "f")).message());
  };
  CHECK(error(GroupOf(Cat(kDevices,
                          " heartbeat_interval_us: 20000 hook: \"/bin/true\" boot_wait_ms: 100 "
                          "worker_stall_ms: 0"))) == "");
  CHECK(error("").find("cannot be removed while running") != std::string::npos);
  CHECK(error(GroupOf(Cat(kDevices, " state_file: \"/tmp/other\""))).find("restart required") !=
        std::string::npos);
  CHECK(error(GroupOf(R"(device { name: "a" unit_id: 1 } device { name: "c" unit_id: 2 })"))
            .find("restart required") != std::string::npos);
}

TEST_CASE("config takeover: what the machine is told", "[config]") {
  const auto config =
      LoadConfigText(
          Cat(kPairBase,
              GroupOf(
                  R"(device { name: "b" unit_id: 2 ha_capacity: 7 management_address: "192.168.0.2" }
                                    device { name: "a" unit_id: 1 ha_capacity: 3 management_address: "192.168.0.1" }
                                    heartbeat_interval_us: 3300 boot_wait_ms: 500)"),
              R"( traffic_group { name: "g" ha_order: "b" auto_failback: true auto_failback_time: 9 }
                             traffic_group { name: "h" failover_method: LOAD_AWARE ha_load_factor: 4 })"),
          "f")
          ->config();
  ConfigIds ids;
  REQUIRE(ids.traffic_groups.Assign({"g", "h"}).ok());
  const ha::Settings settings = TakeoverSettings(config, ids);
  CHECK(settings.self == 1);
  CHECK(settings.peers == std::vector<ha::DeviceId>{2});
  CHECK(settings.paths == 2);
  CHECK(settings.interval == 3'300'000);
  CHECK(settings.detection() == 16'500'000);
  CHECK(settings.boot_wait == 500 * kMillisecond);
  CHECK(settings.capacity == 3);
  REQUIRE(settings.groups.size() == 2);
  CHECK(settings.groups[0].id == ids.traffic_groups.Find("g"));
  CHECK(settings.groups[0].ha_order == std::vector<ha::DeviceId>{2});
  CHECK(settings.groups[0].auto_failback);
  CHECK(settings.groups[0].failback_hold == 9 * kSecond);
  CHECK(settings.groups[1].method == ha::Method::kLoad);
  CHECK(settings.groups[1].load_factor == 4);
  CHECK(settings.groups[0].name_hash != settings.groups[1].name_hash);
  CHECK(ManagementAddressesOf(config).own.ToString() == "192.168.0.1");
  CHECK(ManagementAddressesOf(config).peers.at(0).ToString() == "192.168.0.2");
  CHECK(DeviceNameOf(config, 2) == "b");
  CHECK(DeviceNameOf(config, 5) == "device 5");
  CHECK(DeviceIdOf(config, "b") == 2);
  CHECK(DeviceIdOf(config, "x") == 0);
}

TEST_CASE("config takeover: what the watchdog is told", "[config]") {
  const auto stall = [](const std::string& fields) {
    const auto document = LoadConfigText(Cat(kPairBase, GroupOf(Cat(kDevices, fields))), "f");
    REQUIRE(document.ok());
    ConfigIds ids;
    const ha::HealthSettings settings = HealthSettingsOf(document->config(), ids, 2);
    return settings.pulses.empty() ? 0 : settings.pulses.back().timeout;
  };
  CHECK(stall("") == 500 * kMillisecond);
  CHECK(stall(" worker_stall_ms: 0") == 0);
  CHECK(stall(" worker_stall_ms: 100") == 100 * kMillisecond);
}

}  // namespace tandem::control
