// SPDX-License-Identifier: Apache-2.0
//
// A device for the admin socket's tests: a real unit::Unit with its configuration, without EAL.
// Clients are on 10.0.0.0/24, servers on 10.1.0.0/24; the unit's turns are taken by hand.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/admin_requests.h"
#include "control/config_compile.h"
#include "control/config_load.h"
#include "control/operations.h"
#include "tests/support/packet_builder.h"

namespace tandem::control {

inline constexpr char kConfigText[] = R"(
device { name: "lb1" workers: 2 }
port { name: "p0" device: "net_null0" }
port { name: "p1" device: "net_null1" }
vlan { name: "clients" port: "p0" }
vlan { name: "servers" port: "p1" }
self_ip { name: "c" address: "10.0.0.1/24" vlan: "clients" }
self_ip { name: "s" address: "10.1.0.1/24" vlan: "servers" }
route { name: "back" network: "10.9.0.0/16" gateway: "10.1.0.254" }
pool {
  name: "web"
  member { address: "10.1.0.5" port: 8080 }
  member { address: "10.1.0.6" port: 8080 state: DISABLED connection_limit: 7 }
}
pool { name: "dns" member { address: "10.1.0.7" port: 53 ratio: 3 } }
virtual {
  name: "web" destination: "10.0.0.100:80" ip_protocol: TCP pool: "web"
  source_address_translation { type: AUTOMAP }
}
virtual { name: "dns" destination: "10.0.0.100:53" ip_protocol: UDP pool: "dns" connection_limit: 3 }
virtual { name: "out" destination: "10.9.0.0/16:any" type: FORWARDING_IP enabled: false }
)";

class AdminDevice : public Operations {
 public:
  static constexpr unsigned kWorkers = 2;

  AdminDevice() {
    facts_ = {.software = {.version = "0.1", .stream_version = 1},
              .dpdk_version = "DPDK 22.11",
              .config_path = "/etc/tandem/tandem.textproto",
              .started = now_,
              .flows_ipv4_per_worker = 8192,
              .flows_ipv6_per_worker = 4096};
    unit::UnitOptions options;
    options.workers = kWorkers;
    options.flows_ipv4_per_worker = facts_.flows_ipv4_per_worker;
    options.flows_ipv6_per_worker = facts_.flows_ipv6_per_worker;
    options.start = now_;
    options.allocate = [this](size_t bytes, unsigned) {
      memory_.emplace_back(static_cast<std::byte*>(::aligned_alloc(64, (bytes + 63) & ~size_t{63})),
                           &::free);
      std::memset(memory_.back().get(), 0, bytes);
      return std::span(memory_.back().get(), bytes);
    };
    const auto document = LoadConfigText(kConfigText, "test");
    REQUIRE(document.status().message() == "");
    running_ = document->config();
    unit_ = std::make_unique<unit::Unit>(options, MakeSnapshot(running_));
    requests_ = std::make_unique<AdminRequests>(*this);
  }
  ~AdminDevice() override {
    std::vector<void*> handles;
    unit_->Drain(handles);
  }

  // ---- Operations -----------------------------------------------------------------------------
  unit::Unit& unit() override { return *unit_; }
  Nanos Now() const override { return now_; }
  const Facts& facts() const override { return facts_; }
  std::vector<PortReport> Ports() const override { return ports; }
  const config::v1::Config& running() const override { return running_; }
  absl::Status Apply(const config::v1::Config& next, bool check_only) override {
    const auto document = LoadConfig(next, "change");
    return document.ok() ? ApplyDocument(*document, check_only) : document.status();
  }
  absl::Status ApplyText(std::string_view text, std::string_view name, bool check_only) override {
    const auto document = LoadConfigText(text, std::string(name));
    return document.ok() ? ApplyDocument(*document, check_only) : document.status();
  }
  absl::Status Reload(bool check_only) override {
    return ApplyText(own_file, facts_.config_path, check_only);
  }
  absl::Status Save() override {
    saved = running_;
    return save_status;
  }

  // ---- what tests do --------------------------------------------------------------------------
  // The parts of the answer merged; workers turn while it waits.
  admin::v1::Response Ask(const admin::v1::Request& request, int* parts = nullptr) {
    const auto exchange = requests_->Begin(request);
    admin::v1::Response whole;
    for (int waits = 0; waits < 10'000;) {
      admin::v1::Response response;
      if (exchange->Next(response) == AdminExchange::Step::kWait) {
        ++waits;
        Turn();
        continue;
      }
      if (parts != nullptr) ++*parts;
      const bool last = !response.more();
      whole.MergeFrom(response);
      if (last) return whole;
    }
    FAIL("no answer");
    return whole;
  }

  // One turn of every worker; `frame` arrives on `port` at worker 0.
  std::vector<std::vector<uint8_t>> Turn(uint16_t port, const std::vector<uint8_t>& frame) {
    packets_.push_back(std::make_unique<test::TestPacket>(frame));
    net::Packet packet = packets_.back()->packet();
    packet.port = port;
    std::vector<std::vector<uint8_t>> sent;
    TurnOne(0, {&packet, 1}, sent);
    for (int round = 0; round < 3; ++round) {
      now_ += kMillisecond / 10;
      for (unsigned worker = 0; worker < kWorkers; ++worker) {
        TurnOne(worker, {}, sent);
      }
    }
    return sent;
  }
  void Turn() {
    std::vector<std::vector<uint8_t>> sent;
    now_ += kMillisecond;
    for (unsigned worker = 0; worker < kWorkers; ++worker) {
      TurnOne(worker, {}, sent);
    }
  }
  void Pass(Nanos span) {
    for (Nanos passed = 0; passed < span; passed += kMillisecond) {
      Turn();
    }
  }

  // A SYN of 10.0.0.9 to the virtual "web".
  void Syn(uint16_t port) {
    Turn(0, test::PacketBuilder()
                .Ipv4("10.0.0.9", "10.0.0.100")
                .Tcp(port, 80, test::kSyn)
                .Seq(100)
                .Build());
  }
  // A datagram of 10.0.0.9 to the virtual "dns".
  void Datagram(uint16_t port) {
    Turn(0, test::PacketBuilder().Ipv4("10.0.0.9", "10.0.0.100").Udp(port, 53).Payload(20).Build());
  }
  // The server at 10.1.0.`last` says its MAC.
  void ServerSpeaks(int last) {
    const std::string address = "10.1.0." + std::to_string(last);
    Turn(1, test::PacketBuilder()
                .Ethernet("02:00:00:00:00:05", "02:00:00:00:00:0e")
                .ArpReply(test::Mac("02:00:00:00:00:05"), address, test::Mac("02:00:00:00:00:0e"),
                          "10.1.0.1")
                .Build());
  }

  AdminRequests& requests() { return *requests_; }
  ConfigIds& ids() { return ids_; }

  std::vector<PortReport> ports;
  std::string own_file = kConfigText;
  config::v1::Config saved;
  absl::Status save_status;

 private:
  absl::Status ApplyDocument(const Document& document, bool check_only) {
    absl::Status status = CheckReloadable(running_, document);
    if (!status.ok() || check_only) return status;
    unit_->Publish(MakeSnapshot(document.config()));
    running_ = document.config();
    return absl::OkStatus();
  }

  std::unique_ptr<const config::Snapshot> MakeSnapshot(const config::v1::Config& config) {
    const std::vector<PortFacts> facts = {
        {.name = "p0", .mac = test::Mac(test::kDeviceMac), .mtu = 1500},
        {.name = "p1", .mac = test::Mac("02:00:00:00:00:0e"), .mtu = 1500}};
    const RouteTableFactory make_routes = [](std::vector<config::Route> routes) {
      return std::make_shared<const config::LinearRoutes>(std::move(routes));
    };
    auto compiled = Compile({.config = config,
                             .ids = ids_,
                             .ports = facts,
                             .make_routes = make_routes,
                             .previous = unit_ == nullptr ? nullptr : &unit_->snapshot()});
    REQUIRE(compiled.status().message() == "");
    ids_ = compiled->ids;
    return std::move(compiled->snapshot);
  }

  void TurnOne(unsigned worker, std::span<const net::Packet> packets,
               std::vector<std::vector<uint8_t>>& sent) {
    auto out = std::make_unique<pipeline::Output>();
    unit_->Turn(worker, packets, now_, *out);
    for (const net::Packet& packet : out->transmit()) {
      sent.emplace_back(packet.data, packet.data + packet.length);
    }
  }

  Nanos now_ = 100 * kSecond;
  Facts facts_;
  config::v1::Config running_;
  ConfigIds ids_;
  std::vector<std::unique_ptr<std::byte, decltype(&::free)>> memory_;
  std::vector<std::unique_ptr<test::TestPacket>> packets_;
  std::unique_ptr<unit::Unit> unit_;
  std::unique_ptr<AdminRequests> requests_;
};

}  // namespace tandem::control
