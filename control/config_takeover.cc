// SPDX-License-Identifier: Apache-2.0
#include "control/config_takeover.h"

#include <algorithm>

#include "control/config_compile_parts.h"
#include "control/config_endpoint.h"
#include "control/text.h"
#include "dataplane/config/dictionary.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

ha::Method MethodOf(v1::TrafficGroup::FailoverMethod method) {
  switch (method) {
    case v1::TrafficGroup::HA_ORDER:
      return ha::Method::kHaOrder;
    case v1::TrafficGroup::LOAD_AWARE:
      return ha::Method::kLoad;
    case v1::TrafficGroup::HA_SCORE:
      return ha::Method::kHaScore;
  }
  return ha::Method::kHaOrder;
}

ha::GroupSettings GroupSettingsOf(const v1::Config& config, const v1::TrafficGroup& from,
                                  const ConfigIds& ids) {
  ha::GroupSettings to;
  to.id = static_cast<config::TrafficGroupId>(ids.traffic_groups.Find(from.name()));
  to.name_hash = config::NameHash(config::ObjectKind::kTrafficGroup, from.name());
  to.method = MethodOf(from.failover_method());
  for (const std::string& name : from.ha_order())
    to.ha_order.push_back(DeviceIdOf(config, name));
  to.load_factor = from.ha_load_factor();
  to.auto_failback = from.auto_failback() || to.method == ha::Method::kHaScore;
  to.active_bonus = from.ha_group().active_bonus();
  to.failback_hold = Nanos{from.auto_failback_time()} * kSecond;
  return to;
}

std::string VlanOfSelfIp(const v1::Config& config, const IpAddress& address) {
  for (const v1::SelfIp& self_ip : config.self_ip()) {
    if (Must(ParseConfigPrefix(self_ip.address())).address == address) return self_ip.vlan();
  }
  return address.ToString();
}

}  // namespace

ha::Settings TakeoverSettings(const v1::Config& config, const ConfigIds& ids) {
  constexpr Nanos kMicrosecond = kMillisecond / 1000;
  const v1::DeviceGroup& from = config.device_group();
  ha::Settings to;
  if (const v1::GroupDevice* const self = SelfOf(config); self != nullptr) {
    to.self = static_cast<ha::DeviceId>(self->unit_id());
    to.capacity = self->ha_capacity();
  }
  for (const v1::GroupDevice* peer : PeersOf(config))
    to.peers.push_back(static_cast<ha::DeviceId>(peer->unit_id()));
  to.paths = static_cast<uint8_t>(PathNamesOf(config).size());
  to.interval = from.heartbeat_interval_us() * kMicrosecond;
  to.multiplier = from.heartbeat_multiplier();
  // Who wants to be found dead later may be slower to act, too.
  to.grant_wait_min = std::max(to.grant_wait_min, to.interval);
  to.boot_wait = from.boot_wait_ms() * kMillisecond;
  to.drain_max = from.drain_timeout_ms() * kMillisecond;
  to.witness = from.has_witness();
  to.lease = from.witness().lease_ms() * kMillisecond;
  for (const v1::TrafficGroup& group : config.traffic_group())
    to.groups.push_back(GroupSettingsOf(config, group, ids));
  return to;
}

const v1::GroupDevice* SelfOf(const v1::Config& config) {
  const auto& devices = config.device_group().device();
  const auto self = std::ranges::find(devices, config.device().name(), &v1::GroupDevice::name);
  return self != devices.end() ? &*self : nullptr;
}

std::vector<const v1::GroupDevice*> PeersOf(const v1::Config& config) {
  std::vector<const v1::GroupDevice*> peers;
  for (const v1::GroupDevice& device : config.device_group().device()) {
    if (device.name() != config.device().name()) peers.push_back(&device);
  }
  std::ranges::sort(peers, {}, &v1::GroupDevice::unit_id);
  return peers;
}

ManagementAddresses ManagementAddressesOf(const v1::Config& config) {
  ManagementAddresses addresses;
  const v1::GroupDevice* const self = SelfOf(config);
  if (self == nullptr || !self->has_management_address()) return addresses;
  addresses.own = Must(ParseConfigAddress(self->management_address()));
  for (const v1::GroupDevice* peer : PeersOf(config))
    addresses.peers.push_back(Must(ParseConfigAddress(peer->management_address())));
  return addresses;
}

std::vector<std::string> PathNamesOf(const v1::Config& config) {
  std::vector<std::string> names = {"mirroring"};
  const v1::GroupDevice* const self = SelfOf(config);
  if (self == nullptr) return names;
  if (self->has_management_address()) names.emplace_back("management");
  for (const std::string& address : self->failover_address())
    names.push_back(VlanOfSelfIp(config, Must(ParseConfigAddress(address))));
  return names;
}

WitnessAddress WitnessAddressOf(const v1::Config& config) {
  if (!config.device_group().has_witness()) return {};
  const v1::Witness& witness = config.device_group().witness();
  return {Must(ParseConfigAddress(witness.address())), static_cast<uint16_t>(witness.port())};
}

std::string DeviceNameOf(const v1::Config& config, ha::DeviceId device) {
  for (const v1::GroupDevice& one : config.device_group().device()) {
    if (one.unit_id() == device) return one.name();
  }
  return Cat("device ", device);
}

ha::DeviceId DeviceIdOf(const v1::Config& config, std::string_view name) {
  for (const v1::GroupDevice& one : config.device_group().device()) {
    if (one.name() == name) return static_cast<ha::DeviceId>(one.unit_id());
  }
  return 0;
}

}  // namespace tandem::control
