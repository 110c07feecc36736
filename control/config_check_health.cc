// SPDX-License-Identifier: Apache-2.0
//
// Validate: what makes this device unfit for its traffic groups, and what its scores are made of.
#include <set>

#include "control/config_check_context.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

constexpr int kGatewaysMax = 16;
constexpr int kScorePartsMax = 32;

void CheckWorkerStall(CheckContext& context) {
  const v1::DeviceGroup& group = context.config.device_group();
  if (group.worker_stall_ms() == 0) return;
  context.InRange(context.document.Object("device_group"), "worker_stall_ms",
                  group.worker_stall_ms(), 100, 60'000);
}

// Who asks needs an address that it has also while it is standby.
bool HasFixedSelfIp(const CheckContext& context, const std::string& vlan, bool is_v4) {
  for (const auto& [address, index] : context.self_addresses) {
    const v1::SelfIp& self_ip = context.config.self_ip(index);
    const bool is_fixed = self_ip.vlan() == vlan && !self_ip.has_traffic_group();
    if (is_fixed && address.is_v4() == is_v4) return true;
  }
  return false;
}

void CheckVlanFailsafe(CheckContext& context, int index) {
  const v1::Vlan& vlan = context.config.vlan(index);
  const Origin origin = context.document.Object("vlan", index);
  context.InRange(origin, "failsafe_timeout", vlan.failsafe_timeout(), 1, 3600);
  if (!vlan.failsafe()) return;
  if (!context.config.has_device_group()) {
    context.Error(origin, "failsafe", "needs a device_group");
  } else if (!HasFixedSelfIp(context, vlan.name(), true) &&
             !HasFixedSelfIp(context, vlan.name(), false)) {
    context.Error(origin, "failsafe", "needs a self IP on the VLAN that does not float");
  }
}

void CheckAddress(CheckContext& context, const Origin& origin, std::string_view field,
                  const std::string& text) {
  const auto address = context.HostAddress(origin, field, text);
  if (!address) return;
  const auto wrong = [&](std::string_view why) {
    context.Error(origin, field, Cat("address ", Quote(text), " ", why));
  };
  const auto self_ip = context.connected.Find(*address);
  if (context.self_addresses.contains(*address)) {
    wrong("is a self IP of this device");
  } else if (!self_ip) {
    wrong("is on no network of a self IP");
  } else if (!HasFixedSelfIp(context, context.config.self_ip(*self_ip).vlan(), address->is_v4())) {
    wrong("is on a VLAN without a self IP of its family that does not float");
  }
}

template <class Check>
void CheckGateways(CheckContext& context, const Origin& origin, std::string_view field,
                   const Check& check) {
  std::set<std::string_view> seen;
  const auto wrong = [&](std::string why) { context.Error(origin, field, why); };
  for (const std::string& address : check.address()) {
    CheckAddress(context, origin, field, address);
    if (!seen.insert(address).second) wrong(Cat("address ", Quote(address), " is there twice"));
  }
  const int count = check.address_size();
  if (count < 1 || count > kGatewaysMax) {
    wrong(Cat(count, " addresses are not in 1..", kGatewaysMax));
  }
  if (check.minimum() > static_cast<uint32_t>(count)) {
    wrong(Cat("minimum ", check.minimum(), " of ", count, " addresses"));
  }
  if (check.interval_ms() < 50 || check.interval_ms() > 60'000) {
    wrong(Cat("interval_ms ", check.interval_ms(), " is not in 50..60000"));
  } else if (check.timeout_ms() < 4 * check.interval_ms() || check.timeout_ms() > 600'000) {
    wrong(Cat("timeout_ms ", check.timeout_ms(), " is not in ", 4 * check.interval_ms(),
              "..600000 (four times interval_ms at least)"));
  }
}

template <class Part>
void CheckWeight(CheckContext& context, const Origin& origin, const Part& part) {
  if (part.weight() >= 10 && part.weight() <= 100) return;
  context.Error(origin, "ha_group", Cat("weight ", part.weight(), " is not in 10..100"));
}

void CheckHaGroup(CheckContext& context, const Origin& origin, const v1::HaGroup& group) {
  const auto wrong = [&](const std::string& why) { context.Error(origin, "ha_group", why); };
  for (const v1::HaGroup::Ports& part : group.ports()) {
    CheckWeight(context, origin, part);
    if (part.port().empty()) wrong("ports without a port");
    for (const std::string& name : part.port())
      context.Resolve(origin, "ha_group", name, context.ports);
  }
  for (const v1::HaGroup::Gateways& part : group.gateways()) {
    CheckWeight(context, origin, part);
    CheckGateways(context, origin, "ha_group", part);
  }
  for (const v1::HaGroup::Members& part : group.members()) {
    CheckWeight(context, origin, part);
    context.Resolve(origin, "ha_group", part.pool(), context.pools);
  }
  const int parts = group.ports_size() + group.gateways_size() + group.members_size();
  if (parts < 1 || parts > kScorePartsMax) {
    wrong(Cat(parts, " parts are not in 1..", kScorePartsMax));
  }
  if (group.active_bonus() > 100) {
    wrong(Cat("active_bonus ", group.active_bonus(), " is not in 0..100"));
  }
}

void CheckGroup(CheckContext& context, int index) {
  const v1::TrafficGroup& group = context.config.traffic_group(index);
  const Origin origin = context.document.Object("traffic_group", index);
  const bool has_devices = context.config.has_device_group();
  if (group.has_gateway_failsafe()) {
    if (!has_devices) context.Error(origin, "gateway_failsafe", "needs a device_group");
    if (group.gateway_failsafe().minimum() < 1) {
      context.Error(origin, "gateway_failsafe", "minimum 0 would never be a fault");
    }
    CheckGateways(context, origin, "gateway_failsafe", group.gateway_failsafe());
  }
  if (group.has_ha_group()) {
    if (!has_devices) context.Error(origin, "ha_group", "needs a device_group");
    CheckHaGroup(context, origin, group.ha_group());
  }
  if (group.failover_method() != v1::TrafficGroup::HA_SCORE) return;
  if (!group.has_ha_group()) {
    context.Error(origin, "failover_method", "HA_SCORE needs ha_group, which says what counts");
  }
  if (group.auto_failback()) {
    context.Error(origin, "auto_failback",
                  "not allowed with HA_SCORE: the group is where the score is highest");
  }
}

}  // namespace

void CheckHealth(CheckContext& context) {
  if (context.config.has_device_group()) CheckWorkerStall(context);
  for (int i = 0; i < context.config.port_size(); ++i) {
    if (context.config.port(i).link_failsafe() && !context.config.has_device_group()) {
      context.Error(context.document.Object("port", i), "link_failsafe", "needs a device_group");
    }
  }
  for (int i = 0; i < context.config.vlan_size(); ++i)
    CheckVlanFailsafe(context, i);
  for (int i = 0; i < context.config.traffic_group_size(); ++i)
    CheckGroup(context, i);
}

}  // namespace tandem::control
