// SPDX-License-Identifier: Apache-2.0
//
// What devices share of a configuration: what leaves a device, what it becomes with that of another, and
// which objects differ.
#include "control/config_shared.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include <absl/strings/str_replace.h>
#include <google/protobuf/descriptor.h>

#include "control/config_difference.h"
#include "control/config_edit.h"
#include "control/config_load.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

constexpr char kKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

// Of device "a" or "b", with nothing shared but the device group.
std::string OwnText(const std::string& device) {
  const std::string unit = device == "a" ? "1" : "2";
  const std::string other = device == "a" ? "2" : "1";
  return Cat("device { name: \"", device, "\" admin_socket: \"/run/", device, "\" }\n",
             "port { name: \"p0\" device: \"net_null0\" promiscuous: true }\n",
             "vlan { name: \"out\" port: \"p0\" tag: ", unit, " failsafe: true }\n",
             "self_ip { name: \"fixed\" address: \"192.0.2.", unit, "/24\" vlan: \"out\" }\n",
             "mirroring { device: \"net_null1\" address: \"10.255.0.", unit,
             "/24\" peer: \"10.255.0.", other, "\" unit_id: ", unit, " key: \"", kKey, "\" }\n",
             "device_group { name: \"pair\" device { name: \"a\" unit_id: 1 } ",
             "device { name: \"b\" unit_id: 2 } state_file: \"/var/", device, "\" hook: \"/bin/",
             device, "\" hook_timeout: ", unit, " }\n");
}

constexpr char kShared[] = R"(
limits { reset_rate: 10 }
self_ip { name: "float" address: "192.0.2.100/24" vlan: "out" traffic_group: "tg" }
route { name: "r" network: "10.0.0.0/8" gateway: "192.0.2.254" }
traffic_group { name: "tg" ha_order: "b" ha_order: "a" }
snat_pool { name: "s" members: "192.0.2.101" traffic_group: "tg" }
pool { name: "web" member { address: "10.1.0.5" port: 80 } member { address: "10.1.0.6" port: 80 } }
profile_fastl4 { name: "short" idle_timeout: 10 }
profile_persistence { name: "source" }
virtual { name: "web" destination: "192.0.2.100:80" ip_protocol: TCP pool: "web" profile: "short"
          persistence: "source" traffic_group: "tg" vlans: "out" }
)";

v1::Config Load(const std::string& text) {
  const auto document = LoadConfigText(text, "test");
  INFO(text);
  REQUIRE(std::string(document.status().message()) == "");
  return document->config();
}

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  const std::string result = absl::StrReplaceAll(ToAbsl(text), {{ToAbsl(from), ToAbsl(to)}});
  REQUIRE(result != text);
  return result;
}

// "object: what", of a configuration that is kShared but for what is replaced on the other device.
std::vector<std::string> DifferencesBy(std::string_view from, std::string_view to) {
  const v1::Config ours = Load(OwnText("a") + kShared);
  const v1::Config theirs = Load(OwnText("b") + Replaced(kShared, from, to));
  std::vector<std::string> lines;
  for (const Difference& one : DifferencesOf(ours, SharedPart(theirs), false).listed)
    lines.push_back(Cat(one.object, ": ", TextOf(one, "b")));
  return lines;
}

std::string TakeError(const v1::Config& running, const std::string& text) {
  return std::string(TakeShared(running, text, "configuration of a").status().message());
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("config shared: of every field it is decided whether it is shared", "[config]") {
  const auto* type = v1::Config::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    INFO(type->field(i)->name());
    CHECK(ListedShare(type->field(i)->name()).has_value());
  }
}

TEST_CASE("config shared: nothing of a device's own leaves it", "[config]") {
  const std::string text = PrintShared(Load(OwnText("a") + kShared));
  INFO(text);
  for (const char* own : {kKey, "mirroring", "net_null", "admin_socket", "/run/a", "192.0.2.1/24",
                          "state_file", "hook", "failsafe", "tag", "promiscuous", "role"}) {
    INFO(own);
    CHECK(text.find(own) == std::string::npos);
  }
  for (const char* shared : {"reset_rate: 10", "192.0.2.100/24", "ha_order", "name: \"pair\"",
                             "idle_timeout", "vlan {", "gateway"}) {
    INFO(shared);
    CHECK(text.find(shared) != std::string::npos);
  }
}

TEST_CASE("config shared: a device takes all that is shared, and keeps all that is its own",
          "[config]") {
  const v1::Config a = Load(OwnText("a") + kShared);
  const v1::Config empty = Load(OwnText("b"));
  const v1::Config whole = Load(OwnText("b") + kShared);
  const auto same = [](const v1::Config& left, const v1::Config& right) {
    return DifferencesOf(left, SharedPart(right), true).count == 0;
  };
  for (const v1::Config& before : {empty, whole}) {
    const auto taken = TakeShared(before, PrintShared(a), "configuration of a");
    REQUIRE(std::string(taken.status().message()) == "");
    CHECK(same(taken->config(), a));
    CHECK(PrintShared(taken->config()) == PrintShared(a));
    CHECK(taken->config().device().SerializeAsString() == empty.device().SerializeAsString());
    CHECK(taken->config().mirroring().SerializeAsString() == empty.mirroring().SerializeAsString());
    CHECK(taken->config().vlan(0).SerializeAsString() == empty.vlan(0).SerializeAsString());
    CHECK(taken->config().port(0).SerializeAsString() == empty.port(0).SerializeAsString());
    CHECK(taken->config().device_group().hook() == "/bin/b");
    CHECK(taken->config().device_group().hook_timeout() == 2);
    CHECK(taken->config().device_group().state_file() == "/var/b");
    REQUIRE(taken->config().self_ip_size() == 2);
    CHECK(taken->config().self_ip(0).address() == "192.0.2.2/24");
    CHECK(taken->config().self_ip(1).address() == "192.0.2.100/24");
  }
  // And gives up what the other one has no more.
  const auto taken = TakeShared(whole, PrintShared(Load(OwnText("a"))), "configuration of a");
  REQUIRE(taken.ok());
  CHECK(taken->config().SerializeAsString() == empty.SerializeAsString());
}

TEST_CASE("config shared: a traffic group keeps this device's ha_group, or gets the first one",
          "[config]") {
  const auto with = [](int weight) {
    return Replaced(
        kShared, "ha_order: \"b\" ha_order: \"a\"",
        Cat("failover_method: HA_SCORE ha_group { ports { port: \"p0\" weight: ", weight, " } }"));
  };
  const v1::Config a = Load(OwnText("a") + with(20));
  const v1::Config b = Load(OwnText("b") + with(30));
  CHECK(DifferencesOf(a, SharedPart(b), true).count == 0);
  const auto weight_of = [&](const v1::Config& before) {
    const auto taken = TakeShared(before, PrintShared(a), "configuration of a");
    REQUIRE(taken.ok());
    return taken->config().traffic_group(0).ha_group().ports(0).weight();
  };
  CHECK(weight_of(b) == 30);
  CHECK(weight_of(Load(OwnText("b") + kShared)) == 20);
  CHECK(weight_of(Load(OwnText("b"))) == 20);
}

TEST_CASE("config shared: what cannot be is refused, with object and value", "[config]") {
  const v1::Config b = Load(OwnText("b") + kShared);
  const auto has = [&](const std::string& text, const std::string& wanted) {
    const std::string error = TakeError(b, text);
    INFO(text << "\n" << error);
    CHECK(error.find("configuration of a") == 0);
    CHECK(error.find(wanted) != std::string::npos);
  };
  const std::string good = PrintShared(Load(OwnText("a") + kShared));
  CHECK(TakeError(b, good) == "");
  has(Replaced(good, "vlans: \"out\"", "vlans: \"lab\""), "virtual 'web'");
  has(Replaced(good, "vlans: \"out\"", "vlans: \"lab\""), "'lab'");
  has(Replaced(good, "name: \"pair\"", "name: \"other\""), "restart required");
  has(Replaced(good, "10.1.0.5", "10.1.0.500"), "10.1.0.500");
  has(Replaced(good, "idle_timeout", "new_timeout"), "new_timeout");
  has("", "device_group");
  has(good.substr(0, good.size() / 2), ":");
  has(std::string("\x00\xff\x80{{{<", 7), ":");
  has(std::string(kConfigBytesMax + 1, ' '), "larger");
  has(std::string(kConfigObjectsMax + 1, '{'), "objects, more than");
  std::string deep;
  for (int i = 0; i < 10'000; ++i)
    deep += "device_group { device { ";
  has(deep, ":");
}

TEST_CASE("config shared: what another device says of what is this one's own is nothing",
          "[config]") {
  const v1::Config b = Load(OwnText("b") + kShared);
  const auto taken = TakeShared(b, OwnText("a") + kShared, "configuration of a");
  REQUIRE(std::string(taken.status().message()) == "");
  CHECK(taken->config().SerializeAsString() == b.SerializeAsString());
}

TEST_CASE("config difference: each object that differs, with the first field", "[config]") {
  CHECK(DifferencesBy("port: 80 } member", "port: 80 ratio: 1 state: ENABLED } member").empty());
  CHECK(DifferencesBy("vlans: \"out\"", "vlans: \"out\" mirror: false").empty());
  CHECK(DifferencesBy("member { address: \"10.1.0.5\" port: 80 } member { address: \"10.1.0.6\"",
                      "member { address: \"10.1.0.6\" port: 80 } member { address: \"10.1.0.5\"")
            .empty());
  CHECK(DifferencesBy("reset_rate: 10", "reset_rate: 250") ==
        Lines{"limits: reset_rate: 10 here, 250 on b"});
  CHECK(DifferencesBy("pool: \"web\" profile: \"short\"", "pool: \"web\"") ==
        Lines{"virtual 'web': profile: \"short\" here, \"\" on b"});
  CHECK(DifferencesBy("member { address: \"10.1.0.6\" port: 80 }", "") ==
        Lines{"pool 'web': member: [{ address: \"10.1.0.6\" port: 80 }] here, [] on b"});
  CHECK(DifferencesBy("ha_order: \"b\" ha_order: \"a\"", "ha_order: \"a\" ha_order: \"b\"") ==
        Lines{"traffic_group 'tg': ha_order: [\"b\", \"a\"] here, [\"a\", \"b\"] on b"});
  CHECK(DifferencesBy("route { name: \"r\"", "route { name: \"q\"") ==
        Lines{"route 'q': only on b", "route 'r': only on this device"});
  CHECK(DifferencesBy("profile_persistence { name: \"source\" }",
                      "profile_persistence { name: \"source\" } pool { name: \"old\" member { "
                      "address: \"10.1.0.7\" } }") == Lines{"pool 'old': only on b"});
  CHECK(DifferencesBy("192.0.2.100/24", "192.0.2.99/24") ==
        Lines{"self_ip 'float': address: \"192.0.2.100/24\" here, \"192.0.2.99/24\" on b"});
}

TEST_CASE("config difference: bounded, and of VLANs only when they matter", "[config]") {
  v1::Config ours = Load(OwnText("a") + kShared);
  v1::Config theirs = ours;
  theirs.add_vlan()->set_name("lab");
  CHECK(DifferencesOf(ours, theirs, false).count == 0);
  const Differences vlans = DifferencesOf(ours, theirs, true);
  REQUIRE(vlans.count == 1);
  CHECK(vlans.listed[0].object == "vlan 'lab'");
  for (int i = 0; i < 1000; ++i)
    theirs.add_pool()->set_name(Cat("pool-", i, std::string(300, 'x')));
  const Differences many = DifferencesOf(ours, theirs, false);
  CHECK(many.count == 1000);
  CHECK(many.listed.size() == Differences::kListedMax);
  const std::string line = TextOf(many, "b");
  CHECK(line.size() < 2000);
  CHECK(line.find(", and 992 more") != std::string::npos);
}

}  // namespace tandem::control
