// SPDX-License-Identifier: Apache-2.0
#include "control/config_edit.h"

#include <catch2/catch.hpp>

#include "control/config_load.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

v1::Config Base() {
  const auto document = LoadConfigText(R"(
      pool {
        name: "web"
        description: "caf\303\251 \"one\""
        member { address: "10.0.0.1" port: 80 }
        member { address: "2001:db8::1" port: 80 }
        member { address: "10.0.0.1" }
      }
      virtual { name: "v" type: REJECT destination: "192.0.2.1:80" }
      virtual { name: "w" type: REJECT destination: "192.0.2.2:80" }
    )",
                                       "f");
  INFO(document.status().ToString());
  REQUIRE(document.ok());
  return document->config();
}

TEST_CASE("config edit: a member's state, whatever the spelling of its name", "[config]") {
  v1::Config config = Base();
  REQUIRE(SetMemberState(config, "web", "[2001:DB8:0::1]:80", v1::Pool::Member::DISABLED).ok());
  REQUIRE(SetMemberState(config, "web", "10.0.0.1:0", v1::Pool::Member::FORCED_OFFLINE).ok());
  CHECK(config.pool(0).member(0).state() == v1::Pool::Member::ENABLED);
  CHECK(config.pool(0).member(1).state() == v1::Pool::Member::DISABLED);
  CHECK(config.pool(0).member(2).state() == v1::Pool::Member::FORCED_OFFLINE);
}

TEST_CASE("config edit: what does not exist is named", "[config]") {
  v1::Config config = Base();
  const std::string before = config.SerializeAsString();
  const auto state = v1::Pool::Member::DISABLED;
  CHECK(SetMemberState(config, "wep", "10.0.0.1:80", state).message() ==
        "pool 'wep' does not exist");
  CHECK(SetMemberState(config, "web", "10.0.0.1:81", state).message() ==
        "pool 'web': member '10.0.0.1:81' does not exist");
  CHECK(SetMemberState(config, "web", "10.0.0.0/24:80", state).code() ==
        absl::StatusCode::kNotFound);
  CHECK(SetMemberState(config, "web", "10.0.0.1", state).message() ==
        "member '10.0.0.1': no port; expected ADDRESS:PORT, as in 10.0.0.1:80");
  CHECK(SetVirtualEnabled(config, "x", false).message() == "virtual 'x' does not exist");
  CHECK(config.SerializeAsString() == before);
}

TEST_CASE("config edit: a virtual is disabled and enabled", "[config]") {
  v1::Config config = Base();
  REQUIRE(SetVirtualEnabled(config, "w", false).ok());
  CHECK(config.virtual_(0).enabled());
  CHECK_FALSE(config.virtual_(1).enabled());
  REQUIRE(SetVirtualEnabled(config, "w", true).ok());
  CHECK(config.virtual_(1).enabled());
}

TEST_CASE("config edit: the printed form is for people and reads back", "[config]") {
  v1::Config config;
  config.mutable_device()->set_name("lb1");
  v1::Pool& pool = *config.add_pool();
  pool.set_name("web");
  pool.set_description("caf\303\251 \"one\"");
  pool.add_member()->set_address("10.0.0.1");
  CHECK(PrintConfig(config, "by tandemctl\n\nsecond") ==
        "# by tandemctl\n"
        "#\n"
        "# second\n"
        "\n"
        "device {\n"
        "  name: \"lb1\"\n"
        "}\n"
        "\n"
        "pool {\n"
        "  name: \"web\"\n"
        "  member {\n"
        "    address: \"10.0.0.1\"\n"
        "  }\n"
        "  description: \"caf\303\251 \\\"one\\\"\"\n"
        "}\n");
  const v1::Config base = Base();
  const auto again = LoadConfigText(PrintConfig(base, "x"), "f");
  REQUIRE(again.ok());
  CHECK(again->config().SerializeAsString() == base.SerializeAsString());
  CHECK(PrintConfig(v1::Config(), "empty") == "# empty\n");
}

}  // namespace
}  // namespace tandem::control
