// SPDX-License-Identifier: Apache-2.0
//
// Config-sync of two whole devices over a wire.
#include "control/config_sync.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "control/log.h"
#include "control/text.h"
#include "dataplane/unit/mirroring.h"
#include "tests/unit/control/mirror_pair.h"

namespace tandem::control {
namespace {

using Direction = ConfigSync::Direction;
using Result = ConfigSync::Result;

constexpr char kGroup[] =
    "device_group { name: \"pair\" device { name: \"unit1\" unit_id: 1 } "
    "device { name: \"unit2\" unit_id: 2 } }\n";
constexpr char kExtra[] =
    "pool { name: \"extra\" member { address: \"10.1.0.6\" port: 80 } }\n"
    "virtual { name: \"extra\" destination: \"10.0.0.101:80\" ip_protocol: UDP pool: \"extra\" "
    "traffic_group: \"tg\" }\n";

std::string ConfigOf(unsigned device, const std::string& more = "", bool authenticated = true) {
  std::string text = MirrorConfig(device, "", Cat(kGroup, more));
  const auto replace = [&text](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace(device == 0 ? "role: ACTIVE" : "role: STANDBY", "");
  if (authenticated) replace("authentication: NONE", Cat("key: \"", std::string(64, '0'), "\""));
  return text;
}

struct Devices {
  explicit Devices(const std::string& config0, const std::string& config1 = ConfigOf(1))
      : pair(config0, config1) {
    SetLogLevel(LogLevel::kError);
    pair.Advance(3 * kSecond);
    REQUIRE(pair.rig(0).unit().mirror_status()->peer == mirror::PeerState::kUp);
  }

  // Begins at `device`, and waits for its results.
  std::vector<Result> Run(unsigned device, Direction direction, Nanos patience = 60 * kSecond) {
    ConfigSync& sync = *pair.admin(device).config_sync();
    const auto ticket = sync.Begin(direction, "pair");
    REQUIRE(std::string(ticket.status().message()) == "");
    for (Nanos waited = 0; waited < patience; waited += 100 * kMillisecond) {
      if (auto results = sync.Take(*ticket)) return *std::move(results);
      pair.Advance(100 * kMillisecond);
    }
    FAIL("no results");
    return {};
  }
  std::string BeginError(unsigned device, std::string_view group = "pair") {
    return std::string(
        pair.admin(device).config_sync()->Begin(Direction::kToGroup, group).status().message());
  }
  bool Has(unsigned device, const std::string& name) {
    const auto& virtuals = pair.admin(device).running().virtual_();
    return std::ranges::find(virtuals, name, &config::v1::Virtual::name) != virtuals.end();
  }
  uint64_t generation(unsigned device) { return pair.rig(device).unit().snapshot().generation; }

  MirrorPair pair;
};

}  // namespace

TEST_CASE("config-sync: to-group brings what is shared, saved there, and the devices are alike",
          "[control]") {
  Devices devices(ConfigOf(0, kExtra));
  CHECK_FALSE(devices.pair.rig(0).unit().mirror_status()->config_equal);
  const auto results = devices.Run(0, Direction::kToGroup);
  REQUIRE(results.size() == 1);
  CHECK(results[0].device == "unit2");
  CHECK(results[0].message == "configuration taken and saved");
  CHECK(results[0].is_done);
  CHECK(devices.Has(1, "extra"));
  const config::v1::Config& taken = devices.pair.admin(1).running();
  CHECK(taken.device().name() == "unit2");
  CHECK(taken.mirroring().unit_id() == 2);
  CHECK(devices.pair.admin(1).saved.SerializeAsString() == taken.SerializeAsString());
  CHECK(devices.pair.admin(1).config_sync()->last()->what == "to-group on unit1");
  CHECK(devices.pair.admin(0).config_sync()->last()->what == "to-group");
  devices.pair.Advance(2 * kSecond);
  CHECK(devices.pair.rig(0).unit().mirror_status()->config_equal);
  CHECK(devices.pair.rig(1).unit().mirror_status()->config_equal);
  // Again: nothing to apply, and no new generation.
  const uint64_t generation = devices.generation(1);
  CHECK(devices.Run(0, Direction::kToGroup)[0].is_done);
  CHECK(devices.generation(1) == generation);
}

TEST_CASE("config-sync: from-group takes the other's, and gives up what it lacks", "[control]") {
  Devices devices(ConfigOf(0, kExtra));
  const auto results = devices.Run(0, Direction::kFromGroup);
  REQUIRE(results.size() == 1);
  CHECK(results[0].is_done);
  CHECK_FALSE(devices.Has(0, "extra"));
  CHECK(devices.pair.admin(0).running().device().name() == "unit1");
  CHECK(devices.generation(1) == 1);
}

TEST_CASE("config-sync: over a wire that loses much", "[control]") {
  Devices devices(ConfigOf(0, kExtra));
  devices.pair.pair().SetLoss(40);
  CHECK(devices.Run(0, Direction::kToGroup)[0].is_done);
  CHECK(devices.Has(1, "extra"));
}

TEST_CASE("config-sync: the peer refuses what it cannot have, and stays as it is", "[control]") {
  const std::string vlan = "vlan { name: \"lab\" port: \"p0\" tag: 7 }\n";
  Devices devices(ConfigOf(0, Cat(vlan, kExtra, "virtual { name: \"lab\" destination: ",
                                  "\"10.0.0.102:80\" pool: \"web\" vlans: \"lab\" }\n")));
  const std::string before = devices.pair.admin(1).running().SerializeAsString();
  const auto results = devices.Run(0, Direction::kToGroup);
  CHECK_FALSE(results[0].is_done);
  INFO(results[0].message);
  CHECK(results[0].message.find("configuration of unit1") == 0);
  CHECK(results[0].message.find("virtual 'lab'") != std::string::npos);
  CHECK(devices.pair.admin(1).running().SerializeAsString() == before);
  CHECK(devices.generation(1) == 1);
  CHECK(devices.generation(0) == 1);
  // What cannot be saved runs, and is said to.
  devices.pair.admin(0).save_status = absl::UnavailableError("disk full");
  CHECK(devices.Run(0, Direction::kFromGroup)[0].message == "applied, but not saved: disk full");
  CHECK_FALSE(devices.Has(0, "lab"));
}

TEST_CASE("config-sync: a peer that is down or falls silent, and what else cannot begin",
          "[control]") {
  Devices devices(ConfigOf(0, kExtra));
  CHECK(devices.BeginError(0, "other") == "there is no device group 'other'");
  devices.pair.pair().SetLoss(100);
  const auto results = devices.Run(0, Direction::kToGroup, 10 * kSecond);
  CHECK_FALSE(results[0].is_done);
  CHECK(results[0].message == "went down meanwhile");
  CHECK(devices.Run(0, Direction::kToGroup)[0].message == "is down");
  CHECK(devices.Run(0, Direction::kFromGroup)[0].message == "is down");
  CHECK(devices.generation(1) == 1);
}

TEST_CASE("config-sync: two that push into each other do not exchange what they have",
          "[control]") {
  Devices devices(ConfigOf(0, kExtra));
  ConfigSync& one = *devices.pair.admin(0).config_sync();
  const auto ticket = one.Begin(Direction::kToGroup, "pair");
  REQUIRE(ticket.ok());
  CHECK(devices.BeginError(0) == "another config-sync is under way");
  const auto two = devices.Run(1, Direction::kToGroup);
  CHECK_FALSE(two[0].is_done);
  CHECK(two[0].message == "another config-sync is under way");
  devices.pair.Advance(kSecond);
  CHECK_FALSE(one.Take(*ticket)->at(0).is_done);
  CHECK(devices.Has(0, "extra"));
  CHECK_FALSE(devices.Has(1, "extra"));
}

TEST_CASE("config-sync: not over a link without authentication; what differs is named all the same",
          "[control]") {
  Devices devices(ConfigOf(0, kExtra, false), ConfigOf(1, "", false));
  CHECK(devices.BeginError(0).find("authentication") != std::string::npos);
  devices.pair.Advance(3 * kSecond);
  const auto* outcome = devices.pair.admin(1).config_sync()->compare().Find("unit1");
  REQUIRE(outcome != nullptr);
  CHECK(TextOf(outcome->differences, "unit1") ==
        "pool 'extra' (only on unit1), virtual 'extra' (only on unit1)");
}

TEST_CASE("config-sync: what differs is found again after each change, on both devices",
          "[control]") {
  Devices devices(ConfigOf(0));
  const auto differences = [&](unsigned device) {
    const auto* outcome =
        devices.pair.admin(device).config_sync()->compare().Find(device == 0 ? "unit2" : "unit1");
    REQUIRE(outcome != nullptr);
    CHECK(outcome->error == "");
    return outcome->differences.count;
  };
  devices.pair.Advance(3 * kSecond);
  CHECK(differences(0) == 0);
  CHECK(differences(1) == 0);
  REQUIRE(devices.pair.admin(0).ApplyText(ConfigOf(0, kExtra), "test", false).ok());
  devices.pair.Advance(5 * kSecond);
  CHECK(differences(0) == 2);
  CHECK(differences(1) == 2);
  // A route decides nothing about connections by the hash; it is shared all the same.
  const std::string route =
      "route { name: \"r\" network: \"10.9.0.0/16\" gateway: \"10.1.0.9\" }\n";
  REQUIRE(devices.pair.admin(0).ApplyText(ConfigOf(0, route), "test", false).ok());
  devices.pair.Advance(5 * kSecond);
  CHECK(devices.pair.rig(0).unit().mirror_status()->config_equal);
  CHECK(differences(0) == 1);
  CHECK(differences(1) == 1);
  CHECK(devices.Run(0, Direction::kToGroup)[0].is_done);
  devices.pair.Advance(5 * kSecond);
  CHECK(differences(0) == 0);
  CHECK(differences(1) == 0);
}

TEST_CASE("config-sync: what differs is found soon, though the fetch before had to wait",
          "[control]") {
  Devices devices(ConfigOf(0));
  const auto differences = [&] {
    return devices.pair.admin(0).config_sync()->compare().Find("unit2")->differences.count;
  };
  devices.pair.Advance(3 * kSecond);
  REQUIRE(devices.pair.admin(0).ApplyText(ConfigOf(0, kExtra), "test", false).ok());
  devices.pair.Advance(900 * kMillisecond);
  // The fetch begins, and is heard when the wire is back.
  devices.pair.pair().SetLoss(100);
  devices.pair.Advance(2 * kSecond);
  devices.pair.pair().SetLoss(0);
  devices.pair.Advance(kSecond);
  REQUIRE(differences() == 2);
  REQUIRE(devices.pair.admin(0).ApplyText(ConfigOf(0), "test", false).ok());
  devices.pair.Advance(3 * kSecond);
  CHECK(differences() == 0);
}

TEST_CASE("config-sync: by the admin socket", "[control]") {
  Devices devices(ConfigOf(0, kExtra));
  admin::v1::Request request;
  request.mutable_run_config_sync()->set_device_group("other");
  CHECK(devices.pair.admin(0).Ask(request).code() == admin::v1::Response::NOT_FOUND);
  request.mutable_run_config_sync()->set_direction(
      static_cast<admin::v1::RunConfigSync::Direction>(9));
  CHECK(devices.pair.admin(0).Ask(request).code() == admin::v1::Response::INVALID);
}

}  // namespace tandem::control
