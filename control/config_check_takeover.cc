// SPDX-License-Identifier: Apache-2.0
//
// Validate: the device group, and what traffic groups say about takeover.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <absl/strings/match.h>

#include "control/config_check_context.h"
#include "control/config_endpoint.h"
#include "control/config_takeover.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

void CheckPath(CheckContext& context, const Origin& origin, std::string_view field,
               const std::string& path) {
  constexpr size_t kPathMax = 1024;
  if (absl::StartsWith(path, "/") && path.size() <= kPathMax) return;
  context.Error(origin, field,
                Cat(Quote(path), " is no absolute path of at most ", kPathMax, " bytes"));
}

void CheckTimers(CheckContext& context, const Origin& origin, const v1::DeviceGroup& group) {
  context.InRange(origin, "heartbeat_interval_us", group.heartbeat_interval_us(), 3300, 1'000'000);
  context.InRange(origin, "heartbeat_multiplier", group.heartbeat_multiplier(), 3, 50);
  context.InRange(origin, "boot_wait_ms", group.boot_wait_ms(), 100, 600'000);
  context.InRange(origin, "drain_timeout_ms", group.drain_timeout_ms(), 1, 1000);
  context.InRange(origin, "hook_timeout", group.hook_timeout(), 1, 3600);
}

// The addresses of one kind that devices have: all of them, or none, and no two the same.
class AddressesOfDevices {
 public:
  AddressesOfDevices(CheckContext& context, const Origin& origin, std::string_view field)
      : context_(context), origin_(origin), field_(field) {}

  std::optional<IpAddress> Add(const std::string& label, const std::string& text) {
    ++given_;
    const auto address = context_.HostAddress(origin_, "device", text);
    if (!address) return address;
    ipv4_ += address->is_v4() ? 1 : 0;
    if (!seen_.insert(*address).second) {
      context_.Error(origin_, "device", Cat(label, ": ", field_, " ", text, " is another one's"));
    }
    return address;
  }

  void Finish(int devices) {
    if (given_ != 0 && given_ != devices) {
      context_.Error(origin_, "device", Cat("either each one has a ", field_, ", or none has"));
    } else if (ipv4_ != 0 && ipv4_ != given_) {
      context_.Error(origin_, "device", Cat(field_, ": they are not of one family"));
    }
  }
  int given() const { return given_; }

 private:
  CheckContext& context_;
  const Origin& origin_;
  const std::string_view field_;
  std::set<IpAddress> seen_;
  int given_ = 0;
  int ipv4_ = 0;
};

// Of another device: on the network of this device's own address for the same path. Of this one: its own.
std::string_view FaultOfFailoverAddress(const CheckContext& context, const v1::GroupDevice& self,
                                        const v1::GroupDevice& device, int path,
                                        const IpAddress& address) {
  const auto self_ip_of = [&](const IpAddress& own) -> const v1::SelfIp* {
    const auto found = context.self_addresses.find(own);
    return found != context.self_addresses.end() ? &context.config.self_ip(found->second) : nullptr;
  };
  if (device.name() == self.name()) {
    const v1::SelfIp* own = self_ip_of(address);
    const bool is_fixed = own != nullptr && !own->has_traffic_group();
    return is_fixed ? "" : " is no self IP of this device, or floats";
  }
  const auto here = ParseConfigAddress(self.failover_address(path));
  const v1::SelfIp* own = here ? self_ip_of(*here) : nullptr;
  const auto network = own != nullptr ? ParseConfigPrefix(own->address()) : std::nullopt;
  return !network || network->Contains(address) ? "" : " is not on the network of this device's";
}

// Heartbeats on traffic VLANs.
void CheckFailoverAddresses(CheckContext& context, const Origin& origin,
                            const v1::DeviceGroup& group) {
  const v1::GroupDevice* const self = SelfOf(context.config);
  if (self == nullptr) return;  // said elsewhere
  const int count = self->failover_address_size();
  if (count > static_cast<int>(kFailoverPathsMax)) {
    context.Error(origin, "device",
                  Cat(count, " failover addresses of a device, more than ", kFailoverPathsMax));
  }
  std::set<IpAddress> seen;
  for (const v1::GroupDevice& device : group.device()) {
    const std::string label = Cat("device ", Quote(device.name()), ": ");
    if (device.failover_address_size() != count) {
      context.Error(origin, "device",
                    Cat(label, device.failover_address_size(),
                        " failover addresses, but this device has ", count));
      continue;
    }
    for (int i = 0; i < count; ++i) {
      const std::string& text = device.failover_address(i);
      const auto address = context.HostAddress(origin, "device", text);
      if (!address) continue;
      const std::string_view fault =
          !seen.insert(*address).second
              ? " is there twice"
              : FaultOfFailoverAddress(context, *self, device, i, *address);
      if (!fault.empty())
        context.Error(origin, "device", Cat(label, "failover_address ", Quote(text), fault));
    }
  }
}

// Where the device is on the mirroring network.
void CheckMirroringAddress(CheckContext& context, const Origin& origin,
                           const v1::GroupDevice& device, const IpAddress& address) {
  const auto own = ParseConfigPrefix(context.config.mirroring().address());
  if (!own) return;
  const std::string label = Cat("device ", Quote(device.name()), ": mirroring_address ",
                                Quote(device.mirroring_address()));
  if (device.name() != context.config.device().name()) {
    if (!own->Contains(address))
      context.Error(origin, "device",
                    Cat(label, " is not on the network of ", context.config.mirroring().address()));
  } else if (address != own->address) {
    context.Error(origin, "device",
                  Cat(label, ", but mirroring has ", context.config.mirroring().address()));
  }
}

// Names and numbers, and the addresses of each where it has some.
void CheckGroupDevices(CheckContext& context, const Origin& origin, const v1::DeviceGroup& group) {
  std::set<std::string_view> names;
  std::set<uint32_t> units;
  AddressesOfDevices management(context, origin, "management_address");
  AddressesOfDevices mirroring(context, origin, "mirroring_address");
  for (const v1::GroupDevice& device : group.device()) {
    if (!context.Given(origin, "device", device.name())) continue;
    const std::string label = Cat("device ", Quote(device.name()));
    const auto wrong = [&](std::string_view why) {
      context.Error(origin, "device", Cat(label, ": ", why));
    };
    if (!names.insert(device.name()).second) wrong("is there twice");
    if (!device.has_unit_id()) {
      wrong("unit_id is missing");
    } else if (device.unit_id() < 1 || device.unit_id() > kDevicesMax) {
      wrong(Cat("unit_id ", device.unit_id(), " is not in 1..", kDevicesMax));
    } else if (!units.insert(device.unit_id()).second) {
      wrong(Cat("unit_id ", device.unit_id(), " is another one's"));
    }
    if (device.ha_capacity() < 1 || device.ha_capacity() > 100'000) {
      wrong(Cat("ha_capacity ", device.ha_capacity(), " is not in 1..100000"));
    }
    if (device.has_management_address()) management.Add(label, device.management_address());
    if (!device.has_mirroring_address()) continue;
    if (const auto address = mirroring.Add(label, device.mirroring_address()))
      CheckMirroringAddress(context, origin, device, *address);
  }
  management.Finish(group.device_size());
  mirroring.Finish(group.device_size());
  if (group.device_size() > 2 && mirroring.given() == 0) {
    context.Error(origin, "device", "more than two of them need mirroring addresses");
  }
}

void CheckSelf(CheckContext& context, const Origin& origin) {
  const std::string& name = context.config.device().name();
  const v1::GroupDevice* const self = SelfOf(context.config);
  if (self == nullptr) {
    context.Error(origin, "device", Cat("this device, ", Quote(name), ", is not among them"));
    return;
  }
  if (!context.config.has_mirroring()) {
    context.Error(origin, "device", "heartbeats need the mirroring port: mirroring is missing");
  } else if (context.config.mirroring().unit_id() != self->unit_id()) {
    context.Error(origin, "device",
                  Cat("device ", Quote(name), ": unit_id ", self->unit_id(), ", but mirroring has ",
                      context.config.mirroring().unit_id()));
  }
}

void CheckWitness(CheckContext& context, const Origin& origin, const v1::DeviceGroup& group) {
  if (!group.has_witness()) return;
  const v1::Witness& witness = group.witness();
  const auto wrong = [&](std::string_view why) { context.Error(origin, "witness", why); };
  const auto in_range = [&](std::string_view field, uint32_t value, uint32_t low, uint32_t high) {
    if (value < low || value > high) wrong(Cat(field, " ", value, " is not in ", low, "..", high));
  };
  in_range("port", witness.port(), 1, 65'535);
  in_range("lease_ms", witness.lease_ms(), 200, 60'000);
  const uint64_t detection_us =
      uint64_t{group.heartbeat_interval_us()} * group.heartbeat_multiplier();
  if (witness.lease_ms() * uint64_t{1000} < detection_us) {
    wrong(Cat("lease_ms ", witness.lease_ms(), " is shorter than the detection time, ",
              detection_us, " us"));
  }
  if (context.config.mirroring().authentication() == v1::Mirroring::NONE)
    wrong("needs authentication in mirroring");
  if (!witness.has_address()) return wrong("address is missing");
  const auto address = context.HostAddress(origin, "witness", witness.address());
  for (const v1::GroupDevice& device : group.device()) {
    const auto its = ParseConfigAddress(device.management_address());
    if (!device.has_management_address()) {
      return wrong(Cat("device ", Quote(device.name()), " has no management_address to ask from"));
    }
    if (!address || !its) continue;
    if (*address == *its) wrong(Cat("its address is that of device ", Quote(device.name())));
    if (address->is_v4() != its->is_v4())
      return wrong("its address is not of the family of the management addresses");
  }
}

void CheckGroupTakeover(CheckContext& context, int index) {
  const v1::TrafficGroup& group = context.config.traffic_group(index);
  const Origin origin = context.document.Object("traffic_group", index);
  if (!context.config.has_device_group()) {
    for (const auto& [field, given] :
         {std::pair{"ha_order", group.ha_order_size() > 0},
          std::pair{"failover_method", group.has_failover_method()},
          std::pair{"auto_failback", group.has_auto_failback()},
          std::pair{"auto_failback_time", group.has_auto_failback_time()},
          std::pair{"ha_load_factor", group.has_ha_load_factor()}}) {
      if (given) context.Error(origin, field, "needs a device_group");
    }
    return;
  }
  if (group.has_role()) {
    context.Error(origin, "role", "not allowed with a device_group, which decides it");
  }
  context.InRange(origin, "auto_failback_time", group.auto_failback_time(), 0, 86'400);
  context.InRange(origin, "ha_load_factor", group.ha_load_factor(), 1, 1000);
  std::set<std::string_view> seen;
  const auto& devices = context.config.device_group().device();
  for (int i = 0; i < group.ha_order_size(); ++i) {
    const std::string& name = group.ha_order(i);
    if (std::ranges::find(devices, name, &v1::GroupDevice::name) == devices.end()) {
      context.Error(origin, "ha_order", Cat(Quote(name), " is not in the device_group"), i);
    } else if (!seen.insert(name).second) {
      context.Error(origin, "ha_order", Cat(Quote(name), " is there twice"), i);
    }
  }
  if (group.auto_failback() && group.failover_method() == v1::TrafficGroup::HA_ORDER &&
      group.ha_order_size() == 0) {
    context.Error(origin, "auto_failback", "needs ha_order, which says where to");
  }
}

}  // namespace

void CheckTakeover(CheckContext& context) {
  for (int i = 0; i < context.config.traffic_group_size(); ++i)
    CheckGroupTakeover(context, i);
  if (!context.config.has_device_group()) return;
  const v1::DeviceGroup& group = context.config.device_group();
  const Origin origin = context.document.Object("device_group");
  context.Given(origin, "name", group.name());
  if (group.device_size() < 2 || group.device_size() > static_cast<int>(kDevicesMax)) {
    context.Error(origin, "device",
                  Cat("there are ", group.device_size(), ", not 2 to ", kDevicesMax));
  }
  CheckTimers(context, origin, group);
  CheckGroupDevices(context, origin, group);
  CheckFailoverAddresses(context, origin, group);
  CheckSelf(context, origin);
  CheckWitness(context, origin, group);
  CheckPath(context, origin, "state_file", group.state_file());
  if (group.has_hook()) CheckPath(context, origin, "hook", group.hook());
}

}  // namespace tandem::control
