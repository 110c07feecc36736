// SPDX-License-Identifier: Apache-2.0
//
// A whole device under random traffic, checked from outside (traffic.h). TANDEM_SEED=N runs one
// seed instead of the fixed ones.
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/unit/pipeline/traffic.h"

namespace tandem::test {
namespace {

std::string Network(unsigned workers) {
  return "device { workers: " + std::to_string(workers) + " }" + R"(
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" }
vlan { name: "internal" port: "1.2" }
vlan { name: "tagged" port: "1.2" tag: 30 }
self_ip { name: "e4" address: "192.0.2.1/24" vlan: "external" }
self_ip { name: "e6" address: "2001:db8:1::1/64" vlan: "external" }
self_ip { name: "i4" address: "10.0.20.1/24" vlan: "internal" }
self_ip { name: "i6" address: "2001:db8:20::1/64" vlan: "internal" }
self_ip { name: "t4" address: "10.0.30.1/24" vlan: "tagged" }
snat_pool { name: "out" members: ["10.0.20.50", "10.0.20.51"] }
profile_fastl4 { name: "short" idle_timeout: 10 udp_idle_timeout: 10 }
pool { name: "six" load_balancing_mode: MAGLEV_SOURCE
       member { address: "2001:db8:20::11" port: 80 } member { address: "2001:db8:20::12" port: 80 } }
virtual { name: "tcp6" destination: "[2001:db8:1::100]:80" pool: "six" profile: "short"
          source_address_translation { type: AUTOMAP } }
virtual { name: "udp6" destination: "[2001:db8:1::101]:80" pool: "six" profile: "short" }
virtual { name: "forward" type: FORWARDING_IP destination: "10.0.0.0/8:any" profile: "short" }
)";
}

// The states of the configuration that a run goes through.
constexpr const char* kWhole = R"(
pool { name: "p" member { address: "10.0.20.11" port: 80 } member { address: "10.0.20.12" port: 80 }
                 member { address: "10.0.30.11" port: 80 } }
pool { name: "q" load_balancing_mode: LEAST_CONNECTIONS_MEMBER
       member { address: "10.0.20.11" port: 81 } member { address: "10.0.30.11" port: 81 } }
virtual { name: "tcp" destination: "192.0.2.100:80" pool: "p" profile: "short"
          source_address_translation { type: AUTOMAP } }
virtual { name: "routed" destination: "192.0.2.101:80" pool: "q" profile: "short" }
virtual { name: "changed" destination: "192.0.2.102:53" pool: "p" profile: "short" source_port: CHANGE
          source_address_translation { type: SNAT pool: "out" } }
)";
// A member is off, one is disabled; nothing is gone.
constexpr const char* kPartly = R"(
pool { name: "p" member { address: "10.0.20.11" port: 80 state: FORCED_OFFLINE }
                 member { address: "10.0.20.12" port: 80 } member { address: "10.0.30.11" port: 80 state: DISABLED } }
pool { name: "q" load_balancing_mode: RATIO_MEMBER
       member { address: "10.0.20.11" port: 81 } member { address: "10.0.30.11" port: 81 ratio: 3 } }
virtual { name: "routed" destination: "192.0.2.101:80" pool: "q" profile: "short" }
virtual { name: "tcp" destination: "192.0.2.100:80" pool: "p" profile: "short"
          source_address_translation { type: AUTOMAP } }
virtual { name: "changed" destination: "192.0.2.102:53" pool: "p" profile: "short" source_port: CHANGE
          source_address_translation { type: SNAT pool: "out" } }
)";
// A virtual server and a member of pool p are gone.
constexpr const char* kLess = R"(
pool { name: "p" member { address: "10.0.20.11" port: 80 } member { address: "10.0.30.11" port: 80 } }
pool { name: "q" member { address: "10.0.20.11" port: 81 } member { address: "10.0.30.11" port: 81 } }
virtual { name: "tcp" destination: "192.0.2.100:80" pool: "p" profile: "short"
          source_address_translation { type: AUTOMAP } }
virtual { name: "changed" destination: "192.0.2.102:53" pool: "p" profile: "short" source_port: CHANGE
          source_address_translation { type: SNAT pool: "out" } }
)";

TrafficOptions Options(uint64_t seed, unsigned loss_percent) {
  TrafficOptions options;
  options.seed = seed;
  options.loss_percent = loss_percent;
  options.with_resets = loss_percent > 0;
  options.services = {{"tcp", {Ip("192.0.2.100"), 80}, IPPROTO_TCP},
                      {"tcp", {Ip("192.0.2.100"), 80}, IPPROTO_UDP},
                      {"routed", {Ip("192.0.2.101"), 80}, IPPROTO_TCP},
                      {"routed", {Ip("192.0.2.101"), 80}, IPPROTO_UDP},
                      {"changed", {Ip("192.0.2.102"), 53}, IPPROTO_UDP},
                      {"tcp6", {Ip("2001:db8:1::100"), 80}, IPPROTO_TCP},
                      {"udp6", {Ip("2001:db8:1::101"), 80}, IPPROTO_UDP},
                      {"forward", {Ip("10.0.20.12"), 7}, IPPROTO_UDP}};
  options.clients = {"192.0.2.10", "192.0.2.11", "192.0.2.12", "2001:db8:1::10", "2001:db8:1::11"};
  return options;
}

class Lab {
 public:
  Lab(unsigned workers, uint64_t seed, unsigned loss_percent)
      : network_(Network(workers)), rig_(network_ + kWhole, RigOptions{.seed = seed}) {
    const TrafficOptions options = Options(seed, loss_percent);
    hosts_.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), options.clients});
    hosts_.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11", "2001:db8:20::11"}});
    hosts_.Add({"s2", "1.2", 0, Mac("02:00:00:00:00:12"), {"10.0.20.12", "2001:db8:20::12"}});
    hosts_.Add({"s3", "1.2", 30, Mac("02:00:00:00:00:31"), {"10.0.30.11"}});
    hosts_.Attach(rig_);
    traffic_.emplace(rig_, hosts_, options);
  }

  void Reload(uint32_t which) {
    const char* const states[] = {kWhole, kPartly, kLess};
    REQUIRE(rig_.Reload(network_ + states[which]).ok());
    if (states[which] != kLess) return;
    traffic_->Restart([](const Traffic::Conversation& one) {
      return one.service->name == "routed" || (one.server == Endpoint{Ip("10.0.20.12"), 80});
    });
  }

  void Run(int steps) {
    for (int i = 0; i < steps && traffic_->complaint().empty(); ++i)
      traffic_->Step();
    REQUIRE(traffic_->complaint() == "");
  }

  void FallSilent() {
    traffic_->Settle();
    rig_.Advance(15 * kSecond, 100 * kMillisecond);
    traffic_->Forget();
    CHECK(rig_.IsEmpty());
  }

  Rig& rig() { return rig_; }
  Traffic& traffic() { return *traffic_; }

 private:
  std::string network_;
  Hosts hosts_;
  Rig rig_;
  std::optional<Traffic> traffic_;
};

std::vector<uint64_t> Seeds() {
  const char* text = std::getenv("TANDEM_SEED");
  if (text != nullptr) return {std::strtoull(text, nullptr, 10)};
  return {1, 2, 3, 4, 5, 6};
}

}  // namespace

TEST_CASE("conversations stay whole under loss, reloads and any queue", "[pipeline]") {
  for (const uint64_t seed : Seeds()) {
    const auto workers = static_cast<unsigned>(seed % 4 + 1);
    CAPTURE(seed, workers);
    Prng prng(seed);
    Lab lab(workers, seed, 5);
    for (int round = 0; round < 3; ++round) {
      for (int part = 0; part < 6; ++part) {
        lab.Run(60);
        lab.Reload(prng.Below(3));
      }
      lab.FallSilent();
      lab.Reload(0);
    }
    CHECK(lab.traffic().seen_by_servers() > 500);
    CHECK(lab.traffic().seen_by_clients() > 300);
    CHECK(lab.rig().Dropped(DropReason::kTcpInvalid) == 0);
    CHECK(lab.rig().Dropped(DropReason::kFlowTableFull) == 0);
  }
}

TEST_CASE("without loss everything arrives", "[pipeline]") {
  for (const uint64_t seed : Seeds()) {
    const auto workers = static_cast<unsigned>(seed % 4 + 1);
    CAPTURE(seed, workers);
    Lab lab(workers, seed, 0);
    lab.Run(600);
    lab.FallSilent();
    CHECK(lab.traffic().seen_by_servers() == lab.traffic().sent_by_clients());
    CHECK(lab.traffic().seen_by_clients() == lab.traffic().sent_by_servers());
    CHECK(lab.traffic().sent_by_clients() > 500);
  }
}

}  // namespace tandem::test
