// SPDX-License-Identifier: Apache-2.0
//
// Two whole devices that mirror over a wire, each with what answers its admin socket. Clients are on
// 10.0.0.0/24, the server is 10.1.0.5. Device 0 is active for "tg", device 1 its standby.
#pragma once

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/admin_requests.h"
#include "control/config_edit.h"
#include "control/config_load.h"
#include "control/config_sync.h"
#include "control/mirror_log.h"
#include "control/operations.h"
#include "tests/support/hosts.h"
#include "tests/support/pair.h"

namespace tandem::control {

// `without` leaves out the lines that hold it; `more` is added.
inline std::string MirrorConfig(unsigned device, std::string_view without = "",
                                std::string_view more = "") {
  const std::string one = std::to_string(device + 1);
  const std::string other = std::to_string(2 - device);
  std::string text = "device { workers: 2 name: \"unit" + one + "\" }\n" +
                     "traffic_group { name: \"tg\" role: " + (device == 0 ? "ACTIVE" : "STANDBY") +
                     " }\nmirroring { device: \"m\" authentication: NONE unit_id: " + one +
                     " address: \"10.255.0." + one + "/24\" peer: \"10.255.0." + other + "\" }\n" +
                     "self_ip { name: \"c\" address: \"10.0.0." + one +
                     "/24\" vlan: \"clients\" }\n" + "self_ip { name: \"s\" address: \"10.1.0." +
                     one + "/24\" vlan: \"servers\" }\n" +
                     R"(port { name: "p0" device: "a" }
port { name: "p1" device: "b" }
vlan { name: "clients" port: "p0" facing: CLIENT }
vlan { name: "servers" port: "p1" facing: SERVER }
profile_persistence { name: "source" type: SOURCE_ADDRESS mirror: true }
pool { name: "web" member { address: "10.1.0.5" port: 80 } }
virtual { name: "web" destination: "10.0.0.100:80" ip_protocol: UDP pool: "web" traffic_group: "tg" persistence: "source" mirror: true mirror_at: SYN }
virtual { name: "dns" destination: "10.0.0.100:53" ip_protocol: UDP pool: "web" traffic_group: "tg" mirror: true mirror_at: SYN }
)" + std::string(more);
  for (size_t at = 0; !without.empty() && (at = text.find(without)) != std::string::npos;) {
    const size_t begin = text.rfind('\n', at) + 1;
    text.erase(begin, text.find('\n', at) + 1 - begin);
  }
  return text;
}

// What answers the admin socket of a Rig.
class RigOperations : public Operations {
 public:
  RigOperations(test::Rig& rig, const std::string& text) : rig_(rig) {
    const auto document = LoadConfigText(text, "test");
    REQUIRE(document.status().message() == "");
    running_ = document->config();
    requests_ = std::make_unique<AdminRequests>(*this);
  }

  ConfigSync* config_sync() override { return &config_sync_; }
  unit::Unit& unit() override { return rig_.unit(); }
  Nanos Now() const override { return rig_.now(); }
  const Facts& facts() const override { return facts_; }
  std::vector<PortReport> Ports() const override { return {}; }
  const config::v1::Config& running() const override { return running_; }
  absl::Status Apply(const config::v1::Config& next, bool check_only) override {
    return ApplyText(PrintConfig(next, "test"), "change", check_only);
  }
  absl::Status ApplyText(std::string_view text, std::string_view name, bool check_only) override {
    const auto document = LoadConfigText(text, std::string(name));
    if (!document.ok() || check_only) return document.status();
    absl::Status status = rig_.Reload(text);
    if (!status.ok()) return status;
    running_ = document->config();
    config_sync_.Follow();
    return status;
  }
  absl::Status Reload(bool) override { return absl::UnimplementedError("no file"); }
  absl::Status Save() override {
    saved = running_;
    return save_status;
  }

  admin::v1::Response Ask(const admin::v1::Request& request) {
    const auto exchange = requests_->Begin(request);
    admin::v1::Response whole;
    for (int waits = 0; waits < 10'000;) {
      admin::v1::Response response;
      if (exchange->Next(response) == AdminExchange::Step::kWait) {
        ++waits;
        rig_.Run();
        continue;
      }
      const bool last = !response.more();
      whole.MergeFrom(response);
      if (last) return whole;
    }
    FAIL("no answer");
    return whole;
  }
  // As the daemon does now and then.
  void Tend() {
    requests_->Sample();
    config_sync_.Poll(Now());
  }

  config::v1::Config saved;
  absl::Status save_status;

 private:
  test::Rig& rig_;
  Facts facts_;
  config::v1::Config running_;
  std::unique_ptr<AdminRequests> requests_;
  ConfigSync config_sync_{*this};
};

class MirrorPair {
 public:
  explicit MirrorPair(const std::string& config0 = MirrorConfig(0),
                      const std::string& config1 = MirrorConfig(1))
      : pair_(config0, config1),
        admins_{std::make_unique<RigOperations>(pair_.rig(0), config0),
                std::make_unique<RigOperations>(pair_.rig(1), config1)} {
    hosts_.Add({"client", "p0", 0, test::Mac("02:00:00:00:00:0c"), {"10.0.0.9"}});
    hosts_.Add({"server", "p1", 0, test::Mac("02:00:00:00:00:11"), {"10.1.0.5"}});
    for (unsigned device = 0; device < 2; ++device) {
      hosts_.Attach(pair_.rig(device));
      hosts_.Greet(pair_.rig(device));
      pair_.rig(device).Run();
    }
  }

  test::Pair& pair() { return pair_; }
  test::Rig& rig(unsigned device) { return pair_.rig(device); }
  RigOperations& admin(unsigned device) { return *admins_[device]; }

  // Time goes on for both, and each device's log is kept.
  void Advance(Nanos span) {
    constexpr Nanos kLook = 100 * kMillisecond;  // as the daemon does
    for (; span > 0; span -= std::min(span, kLook)) {
      pair_.Advance(std::min(span, kLook));
      for (unsigned device = 0; device < 2; ++device)
        Look(device);
    }
  }
  // A datagram of the client to the active device's virtual.
  void Send(uint16_t from, uint16_t to) {
    test::Rig& active = pair_.rig(0);
    active.Inject(active.PortNamed("p0"), 0,
                  test::PacketBuilder()
                      .Ethernet("02:00:00:00:00:0c", tandem::ToString(test::Rig::PortMac(0)))
                      .Ipv4("10.0.0.9", "10.0.0.100")
                      .Udp(from, to)
                      .Payload(20)
                      .Build());
    active.Run();
  }

  admin::v1::MirrorResult Mirror(unsigned device) {
    admin::v1::Request request;
    request.mutable_show_mirror();
    return admins_[device]->Ask(request).mirror();
  }
  admin::v1::TrafficGroupResult::TrafficGroup Group(unsigned device) {
    admin::v1::Request request;
    request.mutable_show_traffic_group();
    const admin::v1::Response response = admins_[device]->Ask(request);
    REQUIRE(response.traffic_groups().traffic_group_size() == 1);
    return response.traffic_groups().traffic_group(0);
  }
  // Lines since the last call.
  std::vector<std::string> Log(unsigned device) { return std::exchange(logs_[device], {}); }

 private:
  void Look(unsigned device) {
    const auto status = pair_.rig(device).unit().mirror_status();
    for (const std::string& line :
         MirrorChanges(known_[device], *status, pair_.rig(device).unit().snapshot()))
      logs_[device].push_back(line.substr(0, line.find(", MTU")));  // found out by and by
    known_[device] = *status;
    admins_[device]->Tend();
  }

  test::Hosts hosts_;
  test::Pair pair_;
  std::array<std::unique_ptr<RigOperations>, 2> admins_;
  std::array<mirror::EndpointStatus, 2> known_;
  std::array<std::vector<std::string>, 2> logs_;
};

}  // namespace tandem::control
