// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the configuration that another device says it has. Whatever is in them: what differs is
// named within bounds; what this device would take leaves what is its own as it is, and taken again
// changes nothing.
#include <cstdint>
#include <string>
#include <string_view>

#include "control/config_difference.h"
#include "control/config_load.h"
#include "control/config_shared.h"
#include "dataplane/base/assert.h"

namespace {

using namespace tandem;
using namespace tandem::control;

constexpr char kOwn[] = R"(
device { name: "b" }
port { name: "p0" device: "net_null0" }
vlan { name: "out" port: "p0" }
self_ip { name: "fixed" address: "192.0.2.2/24" vlan: "out" }
mirroring { device: "net_null1" address: "10.255.0.2/24" peer: "10.255.0.1" unit_id: 2
            key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" }
device_group { name: "pair" device { name: "a" unit_id: 1 } device { name: "b" unit_id: 2 }
               state_file: "/var/b" }
traffic_group { name: "tg" }
pool { name: "web" member { address: "10.1.0.5" port: 80 } }
virtual { name: "web" destination: "192.0.2.100:80" pool: "web" traffic_group: "tg" }
)";

const config::v1::Config& Running() {
  static const config::v1::Config running = LoadConfigText(kOwn, "own")->config();
  return running;
}

void CheckOwn(const config::v1::Config& taken) {
  const config::v1::Config& running = Running();
  TANDEM_ASSERT(taken.device().SerializeAsString() == running.device().SerializeAsString());
  TANDEM_ASSERT(taken.mirroring().SerializeAsString() == running.mirroring().SerializeAsString());
  TANDEM_ASSERT(taken.port_size() == 1 && taken.vlan_size() == 1);
  TANDEM_ASSERT(taken.port(0).SerializeAsString() == running.port(0).SerializeAsString());
  TANDEM_ASSERT(taken.vlan(0).SerializeAsString() == running.vlan(0).SerializeAsString());
  TANDEM_ASSERT(taken.self_ip(0).SerializeAsString() == running.self_ip(0).SerializeAsString());
  for (int i = 1; i < taken.self_ip_size(); ++i)
    TANDEM_ASSERT(!taken.self_ip(i).traffic_group().empty());
  TANDEM_ASSERT(taken.device_group().state_file() == "/var/b");
  TANDEM_ASSERT(!taken.device_group().has_hook());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto theirs = ParseConfigText(text, "theirs"); theirs.ok()) {
    const Differences differences = DifferencesOf(Running(), *theirs, true);
    TANDEM_ASSERT(differences.listed.size() <= Differences::kListedMax);
    TANDEM_ASSERT(differences.listed.size() <= differences.count);
    TANDEM_ASSERT(TextOf(differences, "a").size() < 8192);
  }
  const auto taken = TakeShared(Running(), text, "theirs");
  if (!taken.ok()) {
    TANDEM_ASSERT(!taken.status().message().empty());
    return 0;
  }
  CheckOwn(taken->config());
  const std::string shared = PrintShared(taken->config());
  const auto again = TakeShared(taken->config(), shared, "again");
  TANDEM_ASSERT(again.ok());
  TANDEM_ASSERT(again->config().SerializeAsString() == taken->config().SerializeAsString());
  TANDEM_ASSERT(DifferencesOf(taken->config(), *ParseConfigText(shared, "again"), true).count == 0);
  return 0;
}
