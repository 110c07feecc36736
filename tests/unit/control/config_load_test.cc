// SPDX-License-Identifier: Apache-2.0
#include "control/config_load.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "control/config_edit.h"
#include "control/text.h"

namespace tandem::control {
namespace {

std::string ErrorsOf(const std::string& text) {
  return std::string(LoadConfigText(text, "f").status().message());
}

TEST_CASE("config: the example that is shipped loads, prints and loads again", "[config]") {
  const auto document = LoadConfigFile("deploy/example.textproto");
  INFO(document.status().ToString());
  REQUIRE(document.ok());
  CHECK(document->config().virtual__size() == 5);
  CHECK(document->notes().empty());
  CHECK(document->LocationOf("port", 1) == "deploy/example.textproto:23:1");
  CHECK(document->LocationOf("device") == "deploy/example.textproto:11:1");

  const std::string text = PrintConfig(document->config(), "saved");
  const auto again = LoadConfigText(text, "saved");
  INFO(again.status().ToString());
  REQUIRE(again.ok());
  CHECK(again->config().SerializeAsString() == document->config().SerializeAsString());
  CHECK(PrintConfig(again->config(), "saved") == text);
}

TEST_CASE("config: nothing at all is a valid configuration", "[config]") {
  CHECK(LoadConfigText("", "f").ok());
  const auto document = LoadConfigText("# nothing\n", "f");
  REQUIRE(document.ok());
  CHECK(document->LocationOf("device") == "f");
}

TEST_CASE("config: a syntax error has its place", "[config]") {
  CHECK(ErrorsOf("port {\n  name: \"a\"\n  device \"b\"\n}\n") ==
        "f:3:10: Expected \":\", found \"\"b\"\".");
  CHECK(ErrorsOf("pool { load_balancing_mode: FASTEST }") ==
        "f:1:37: Unknown enumeration value of \"FASTEST\" for field \"load_balancing_mode\".");
  CHECK(ErrorsOf("port { name: \"a\" name: \"b\" }") ==
        "f:1:22: Non-repeated field \"name\" is specified multiple times.");
  CHECK(ErrorsOf("device { workers: -1 }") == "f:1:19: Expected integer, got: -");
  CHECK(ErrorsOf("device { workers: 4294967296 }") == "f:1:19: Integer out of range (4294967296)");
}

TEST_CASE("config: unknown fields are all reported, with the object they are in", "[config]") {
  CHECK(ErrorsOf("port { name: \"a\" device: \"net_null0\" speed: 10 }\n"
                 "virtuall { name: \"x\" }\n"
                 "port {\n"
                 "  name: \"b\" device: \"net_null1\"\n"
                 "  lanes { count: 4 }\n"
                 "}\n"
                 "vlan { name: \"v\" port: \"c\" }\n") ==
        "f:1:38: port 'a': unknown field 'speed'\n"
        "f:2:1: unknown field 'virtuall'\n"
        "f:5:3: port 'b': unknown field 'lanes'\n"
        "f:7:18: vlan 'v': port: 'c' does not exist");
  // A tab leads to the next multiple of eight, as in most editors.
  CHECK(ErrorsOf("port {\tspeed\n :\n 10 }") ==
        "f:1:1: port #1: name: missing\n"
        "f:1:1: port #1: device: missing\n"
        "f:1:9: port #1: unknown field 'speed'");
  // After a syntax error nothing is said of objects, half of which are missing.
  CHECK(ErrorsOf("port { speed: 10 device: }") ==
        "f:1:8: unknown field 'speed'\nf:1:26: Expected string, got: }");
}

TEST_CASE("config: errors come in the order of the file, and only so many", "[config]") {
  std::string text;
  for (int i = 0; i < 30; ++i)
    text += Cat("route { name: \"r", i, "\" }\n");
  const std::string errors = ErrorsOf(text);
  CHECK(errors.find("f:1:1: route 'r0': network: missing\n"
                    "f:1:1: route 'r0': gateway: missing\n"
                    "f:2:1: route 'r1': network: missing\n") == 0);
  CHECK(errors.rfind("\nf: and 40 more errors") == errors.size() - 22);
}

TEST_CASE("config: values of the file are shown escaped and cut", "[config]") {
  CHECK(ErrorsOf("vlan { name: \"v\" port: \"\\n\\377\" }") ==
        "f:1:18: vlan 'v': port: '\\n\\xff' does not exist");
  CHECK(ErrorsOf(Cat("vlan { name: \"v\" port: \"", std::string(300, 'x'), "\" }")) ==
        Cat("f:1:18: vlan 'v': port: '", std::string(80, 'x'), "...' does not exist"));
}

TEST_CASE("config: objects in list form have places too", "[config]") {
  CHECK(ErrorsOf("vlan [\n"
                 "  { name: \"a\" port: \"x\" },\n"
                 "  { name: \"b\" port: \"y\" }\n"
                 "]\n"
                 "snat_pool {\n"
                 "  name: \"s\"\n"
                 "  members: [\"10.0.0.1\", \"10.0.0.1\"]\n"
                 "}\n") ==
        "f:2:15: vlan 'a': port: 'x' does not exist\n"
        "f:3:15: vlan 'b': port: 'y' does not exist\n"
        "f:7:3: snat_pool 's': members: '10.0.0.1' is there twice");
}

TEST_CASE("config: objects without a place are named all the same", "[config]") {
  config::v1::Config config;
  config.add_vlan()->set_name("v");
  config.add_vlan()->set_port("x");
  CHECK(LoadConfig(config, "running").status().message() ==
        "running: vlan #2: name: missing\n"
        "running: vlan 'v': port: missing\n"
        "running: vlan #2: port: 'x' does not exist");
}

TEST_CASE("config: what is too large or nested too deeply is refused", "[config]") {
  CHECK(ErrorsOf(std::string(kConfigBytesMax + 1, ' ')) == "f: larger than 16777216 bytes");
  std::string many;
  for (size_t i = 0; i <= kConfigObjectsMax; ++i)
    many += "pool{}";
  CHECK(ErrorsOf(many) == "f: 262145 objects, more than 262144");
  // An unknown field, a known one, and neither is allowed to use up the stack.
  for (const char* field : {"x {", "pool {", "x <"}) {
    std::string deep = "device { ";
    for (size_t i = 0; i < 200000; ++i)
      deep += field;
    INFO(field);
    const std::string errors = ErrorsOf(deep);
    CHECK(errors.find("f:1:") == 0);
    CHECK(errors.size() < 20000);
  }
}

TEST_CASE("config: a file that cannot be read is an error", "[config]") {
  CHECK(LoadConfigFile("/nonexistent/tandem.textproto").status().code() ==
        absl::StatusCode::kNotFound);
  CHECK_FALSE(LoadConfigFile("/").ok());
  CHECK(LoadConfigFile("/dev/zero").status().message() == "/dev/zero: larger than 16777216 bytes");
}

}  // namespace
}  // namespace tandem::control
