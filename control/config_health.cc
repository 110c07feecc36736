// SPDX-License-Identifier: Apache-2.0
#include "control/config_health.h"

#include <algorithm>
#include <string>
#include <utility>

#include "control/config_compile_parts.h"
#include "control/config_endpoint.h"
#include "control/config_networks.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using ha::Fault;
using ha::Pulse;

// A link is asked for every few milliseconds; this much is a driver that has not got to it.
constexpr Nanos kLinkTimeout = 25 * kMillisecond;
constexpr size_t kTargetsMax = 8;  // of a silent VLAN

class HealthCompiler {
 public:
  HealthCompiler(const v1::Config& config, const ConfigIds& ids) : config_(config), ids_(ids) {
    for (int i = 0; i < config_.self_ip_size(); ++i)
      connected_.Add(Must(ParseConfigPrefix(config_.self_ip(i).address())), i);
  }

  ha::HealthSettings Compile(unsigned workers) {
    Workers(workers);
    for (int i = 0; i < config_.port_size(); ++i) {
      if (config_.port(i).link_failsafe()) Links(static_cast<uint32_t>(i));
    }
    for (const v1::Vlan& vlan : config_.vlan()) {
      if (vlan.failsafe()) Vlan(vlan);
    }
    for (const v1::TrafficGroup& group : config_.traffic_group()) {
      if (group.has_gateway_failsafe()) Gateways(group);
      if (group.has_ha_group()) Score(group);
    }
    return std::move(to_);
  }

 private:
  uint32_t InterfaceOf(const std::string& vlan) const {
    return static_cast<uint32_t>(ids_.interfaces.Find(vlan));
  }
  config::TrafficGroupId IdOf(const v1::TrafficGroup& group) const {
    return static_cast<config::TrafficGroupId>(ids_.traffic_groups.Find(group.name()));
  }

  // The place of this pulse, or of one like it that is less patient.
  uint32_t Add(const Pulse& pulse) {
    const auto same =
        std::ranges::find_if(to_.pulses, [&](const Pulse& one) { return one.IsSame(pulse); });
    if (same != to_.pulses.end()) {
      same->timeout = std::min(same->timeout, pulse.timeout);
      same->ask_every = std::min(same->ask_every, pulse.ask_every);
      return static_cast<uint32_t>(same - to_.pulses.begin());
    }
    to_.pulses.push_back(pulse);
    return static_cast<uint32_t>(to_.pulses.size() - 1);
  }

  void AddRule(Fault::Kind kind, uint32_t subject, uint32_t pulse) {
    to_.rules.push_back({.kind = kind, .subject = subject, .pulses = {pulse}});
  }

  void Workers(unsigned workers) {
    const Nanos stall = config_.device_group().worker_stall_ms() * kMillisecond;
    for (uint32_t worker = 0; stall != 0 && worker < workers; ++worker) {
      AddRule(Fault::Kind::kWorkerStall, worker,
              Add({.kind = Pulse::Kind::kWorker, .index = worker, .timeout = stall}));
    }
  }

  uint32_t Link(uint32_t port) {
    return Add({.kind = Pulse::Kind::kLink, .index = port, .timeout = kLinkTimeout});
  }
  void Links(uint32_t port) { AddRule(Fault::Kind::kLinkDown, port, Link(port)); }

  void Vlan(const v1::Vlan& vlan) {
    Pulse pulse{.kind = Pulse::Kind::kVlan,
                .index = InterfaceOf(vlan.name()),
                .timeout = Nanos{vlan.failsafe_timeout()} * kSecond};
    // Where this device is standby, the active one has them.
    for (const v1::SelfIp& self_ip : config_.self_ip()) {
      if (self_ip.vlan() == vlan.name() && self_ip.has_traffic_group())
        AddTarget(vlan, Must(ParseConfigPrefix(self_ip.address())).address, pulse);
    }
    for (const v1::Route& route : config_.route())
      AddTarget(vlan, Must(ParseConfigAddress(route.gateway())), pulse);
    for (const v1::Pool& pool : config_.pool()) {
      for (const v1::Pool::Member& member : pool.member())
        AddTarget(vlan, Must(ParseConfigAddress(member.address())), pulse);
    }
    const uint32_t interface = pulse.index;
    AddRule(Fault::Kind::kVlanSilent, interface, Add(pulse));
  }

  void AddTarget(const v1::Vlan& vlan, const IpAddress& address, Pulse& pulse) const {
    const bool is_there = VlanOf(address) == vlan.name();
    if (!is_there || pulse.targets.size() >= kTargetsMax) return;
    if (std::ranges::find(pulse.targets, address) == pulse.targets.end())
      pulse.targets.push_back(address);
  }

  std::string VlanOf(const IpAddress& address) const {
    const auto self_ip = connected_.Find(address);
    return self_ip ? config_.self_ip(*self_ip).vlan() : "";
  }

  template <class Check>
  std::vector<uint32_t> AddGateways(const Check& check) {
    std::vector<uint32_t> places;
    for (const std::string& text : check.address()) {
      const IpAddress address = Must(ParseConfigAddress(text));
      places.push_back(Add({.kind = Pulse::Kind::kGateway,
                            .index = InterfaceOf(VlanOf(address)),
                            .address = address,
                            .timeout = check.timeout_ms() * kMillisecond,
                            .ask_every = check.interval_ms() * kMillisecond}));
    }
    return places;
  }

  void Gateways(const v1::TrafficGroup& group) {
    const config::TrafficGroupId id = IdOf(group);
    to_.rules.push_back({.kind = Fault::Kind::kGatewayDown,
                         .subject = id,
                         .group = id,
                         .pulses = AddGateways(group.gateway_failsafe()),
                         .minimum = group.gateway_failsafe().minimum()});
  }

  template <class Part>
  ha::ScorePart& AddPart(const v1::TrafficGroup& group, std::string name, const Part& from) {
    return to_.score_parts.emplace_back(ha::ScorePart{.group = IdOf(group),
                                                      .name = std::move(name),
                                                      .weight = from.weight(),
                                                      .needed = from.minimum()});
  }

  void Score(const v1::TrafficGroup& group) {
    for (const v1::HaGroup::Ports& from : group.ha_group().ports()) {
      std::vector<uint32_t> pulses;
      for (const std::string& name : from.port()) {
        const auto port = std::ranges::find(config_.port(), name, &v1::Port::name);
        pulses.push_back(Link(static_cast<uint32_t>(port - config_.port().begin())));
      }
      AddPart(group, Cat("ports ", Joined(from.port())), from).pulses = std::move(pulses);
    }
    for (const v1::HaGroup::Gateways& from : group.ha_group().gateways()) {
      std::vector<uint32_t> pulses = AddGateways(from);
      AddPart(group, Cat("gateways ", Joined(from.address())), from).pulses = std::move(pulses);
    }
    for (const v1::HaGroup::Members& from : group.ha_group().members()) {
      const auto pool = std::ranges::find(config_.pool(), from.pool(), &v1::Pool::name);
      ha::ScorePart& part = AddPart(group, Cat("pool ", from.pool()), from);
      part.total = static_cast<uint32_t>(pool->member_size());
      part.up = static_cast<uint32_t>(std::ranges::count_if(
          pool->member(), [](const v1::Pool::Member& one) { return IsEnabled(one); }));
    }
  }

  template <class Names>
  static std::string Joined(const Names& names) {
    std::string text;
    for (const std::string& name : names)
      text += Cat(text.empty() ? "" : ", ", name);
    return text;
  }

  static bool IsEnabled(const v1::Pool::Member& member) {
    return member.state() == v1::Pool::Member::ENABLED;
  }

  const v1::Config& config_;
  const ConfigIds& ids_;
  Networks connected_;  // value: index of the self IP
  ha::HealthSettings to_;
};

}  // namespace

ha::HealthSettings HealthSettingsOf(const v1::Config& config, const ConfigIds& ids,
                                    unsigned workers) {
  return HealthCompiler(config, ids).Compile(workers);
}

}  // namespace tandem::control
