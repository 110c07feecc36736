// SPDX-License-Identifier: Apache-2.0
#include "control/config_load.h"

#include <catch2/catch.hpp>

namespace tandem::control {
namespace {

TEST_CASE("config: the example that is shipped loads", "[config]") {
  const auto document = LoadConfigFile("deploy/example.textproto");
  INFO(document.status().ToString());
  REQUIRE(document.ok());
  CHECK(document->config().virtual__size() == 5);
  CHECK(document->notes().empty());
  CHECK(document->LocationOf("port", 1) == "deploy/example.textproto:20:1");
}

}  // namespace
}  // namespace tandem::control
