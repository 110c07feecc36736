// SPDX-License-Identifier: Apache-2.0
#include "control/config_check.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include "control/config_check_context.h"
#include "control/config_endpoint.h"
#include "control/config_lcores.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

constexpr size_t kNameMax = 255;
constexpr size_t kTextMax = 1024;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("_-.:/@").find(c) != std::string_view::npos;
}

// Bytes of the UTF-8 sequence that starts with `lead`; 0: none does.
size_t Utf8Length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// Text that can go into a table and into JSON: UTF-8 (RFC 3629) without control characters.
bool IsPlainText(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = Utf8Length(lead);
    if (length == 0 || length > text.size() - i || absl::ascii_iscntrl(lead)) return false;
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
      if (k == 1 && ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
                     (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f))) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

bool CheckCount(CheckContext& context, std::string_view kind, int count, size_t max) {
  if (static_cast<size_t>(count) <= max) return true;
  const Origin origin = context.document.Object(kind, static_cast<int>(max));
  context.report.Error(origin.location(), origin.label(),
                       Cat("there are ", count, ", more than the maximum of ", max));
  return false;
}

// Later steps rely on these bounds.
bool CheckCounts(CheckContext& context) {
  const v1::Config& config = context.config;
  bool ok = CheckCount(context, "port", config.port_size(), kPortsMax);
  ok &= CheckCount(context, "vlan", config.vlan_size(), kInterfacesMax);
  ok &= CheckCount(context, "self_ip", config.self_ip_size(), kLocalAddressesMax);
  ok &= CheckCount(context, "route", config.route_size(), kRoutesMax);
  ok &= CheckCount(context, "traffic_group", config.traffic_group_size(), kTrafficGroupsMax);
  ok &= CheckCount(context, "snat_pool", config.snat_pool_size(), kPoolsMax);
  ok &= CheckCount(context, "pool", config.pool_size(), kPoolsMax);
  ok &= CheckCount(context, "profile_fastl4", config.profile_fastl4_size(), kVirtualsMax);
  ok &= CheckCount(context, "virtual", config.virtual__size(), kVirtualsMax);
  ok &= CheckCount(context, "profile_persistence", config.profile_persistence_size(),
                   kPersistencesMax);
  return ok;
}

template <class Objects>
NameIndex IndexNames(CheckContext& context, std::string_view kind, const Objects& objects) {
  NameIndex names;
  for (int i = 0; i < objects.size(); ++i) {
    const std::string& name = objects[i].name();
    const Origin origin = context.document.Object(kind, i);
    if (!context.Given(origin, "name", name)) continue;
    if (name.size() > kNameMax) {
      context.Error(origin, "name", Cat("longer than ", kNameMax, " characters"));
    } else if (!std::all_of(name.begin(), name.end(), IsNameCharacter)) {
      context.Error(origin, "name", "only letters, digits and _-.:/@ are allowed");
    }
    const auto [other, inserted] = names.emplace(name, i);
    if (!inserted) {
      const Location place = context.document.Object(kind, other->second).location();
      context.Error(origin, "name", Cat("already used", AtLine(place)));
    }
  }
  return names;
}

void CheckEalArgs(CheckContext& context, const v1::Device& device, const Origin& origin) {
  for (int i = 0; i < device.eal_args_size(); ++i) {
    const std::string& arg = device.eal_args(i);
    if (arg.empty() || arg.size() > kTextMax || !IsPlainText(arg)) {
      context.Error(origin, "eal_args", Cat(Quote(arg), " is no argument"), i);
    }
    // They would change which lcores exist behind the back of `workers`.
    const std::string_view option = std::string_view(arg).substr(0, arg.find('='));
    if (option == "--lcores" || option == "--main-lcore" || option == "--master-lcore" ||
        absl::StartsWith(arg, "-l") || absl::StartsWith(arg, "-c")) {
      context.Error(origin, "eal_args", Cat(Quote(arg), ": lcores are chosen by workers or lcores"),
                    i);
    }
  }
}

void CheckLcores(CheckContext& context, const v1::Device& device, const Origin& origin) {
  if (!device.has_lcores()) {
    context.InRange(origin, "workers", device.workers(), 1, int64_t{kWorkersMax});
    return;
  }
  if (device.has_workers()) {
    context.Error(origin, "workers", "not allowed together with lcores, which counts them");
  }
  const auto lcores = ParseLcores(device.lcores());
  if (!lcores.ok()) {
    context.Error(origin, "lcores", Cat(Quote(device.lcores()), " is ", lcores.status().message()));
  } else if (lcores->count() < 2 || lcores->count() > kWorkersMax + 1) {
    context.Error(
        origin, "lcores",
        Cat(Quote(device.lcores()), " has ", lcores->count(),
            " lcores; needed are one for control and 1 to ", kWorkersMax, " for workers"));
  }
}

}  // namespace

void CheckContext::Error(const Origin& origin, std::string_view field, std::string_view reason,
                         int index) {
  report.Error(origin.At(field, index), origin.label(), Cat(field, ": ", reason));
}

void CheckContext::Note(const Origin& origin, std::string_view field, std::string_view reason) {
  report.Note(origin.At(field), origin.label(), Cat(field, ": ", reason));
}

bool CheckContext::InRange(const Origin& origin, std::string_view field, int64_t value, int64_t min,
                           int64_t max) {
  if (value >= min && value <= max) return true;
  Error(origin, field, Cat(value, " is not in ", min, "..", max));
  return false;
}

bool CheckContext::Given(const Origin& origin, std::string_view field, std::string_view value) {
  if (!value.empty()) return true;
  Error(origin, field, "missing");
  return false;
}

std::optional<int> CheckContext::Resolve(const Origin& origin, std::string_view field,
                                         std::string_view value, const NameIndex& names,
                                         int index) {
  const auto found = names.find(value);
  if (found != names.end()) return found->second;
  Error(origin, field, Cat(Quote(value), " does not exist"), index);
  return std::nullopt;
}

std::optional<IpAddress> CheckContext::HostAddress(const Origin& origin, std::string_view field,
                                                   std::string_view value, int index) {
  const auto address = ParseConfigAddress(value);
  if (!address) {
    Error(origin, field, Cat(Quote(value), " is no IPv4 or IPv6 address"), index);
    return std::nullopt;
  }
  const std::string_view why_not = WhyNotHost(*address);
  if (!why_not.empty()) {
    Error(origin, field, Cat(Quote(value), " is ", why_not), index);
    return std::nullopt;
  }
  return address;
}

void CheckContext::Description(const Origin& origin, std::string_view value) {
  if (value.size() > kTextMax) {
    Error(origin, "description", Cat("longer than ", kTextMax, " bytes"));
  } else if (!IsPlainText(value)) {
    Error(origin, "description", "control characters or invalid UTF-8");
  }
}

std::string_view WhyNotHost(const IpAddress& address) {
  const auto& bytes = address.bytes();
  if (address.is_multicast()) return "a multicast address";
  if (!address.is_v4()) {
    if (address.is_unset()) return "the unspecified address";
    if (address.is_link_local()) return "a link-local address";
    return address == *IpAddress::Parse("::1") ? "the loopback address" : "";
  }
  if (bytes[12] == 0) return "in 0.0.0.0/8";
  if (bytes[12] == 127) return "a loopback address";
  return bytes[12] >= 240 ? "in 240.0.0.0/4" : "";
}

std::string AtLine(Location location) {
  return location.line == 0 ? "" : Cat(" at line ", location.line);
}

void CheckNames(CheckContext& context) {
  const v1::Config& config = context.config;
  context.ports = IndexNames(context, "port", config.port());
  context.vlans = IndexNames(context, "vlan", config.vlan());
  IndexNames(context, "self_ip", config.self_ip());
  IndexNames(context, "route", config.route());
  context.traffic_groups = IndexNames(context, "traffic_group", config.traffic_group());
  context.snat_pools = IndexNames(context, "snat_pool", config.snat_pool());
  context.pools = IndexNames(context, "pool", config.pool());
  context.profiles = IndexNames(context, "profile_fastl4", config.profile_fastl4());
  IndexNames(context, "virtual", config.virtual_());
  context.persistences = IndexNames(context, "profile_persistence", config.profile_persistence());
}

void CheckDevice(CheckContext& context) {
  constexpr int64_t kMemoryMibMax = int64_t{4} << 20;  // 4 TiB
  constexpr size_t kSocketPathMax = 107;               // sun_path, with its final NUL
  const v1::Device& device = context.config.device();
  const Origin origin = context.document.Object("device");
  if (device.name().empty() || device.name().size() > kNameMax ||
      !std::all_of(device.name().begin(), device.name().end(), IsNameCharacter)) {
    context.Error(
        origin, "name",
        Cat(Quote(device.name()), " is not 1 to ", kNameMax, " letters, digits and _-.:/@"));
  }
  CheckLcores(context, device, origin);
  // A page holds flows of one traffic group, and those of none need one, too.
  const int64_t flows_min = int64_t{kFlowsPerPage} * (1 + context.config.traffic_group_size());
  for (const auto& [field, flows] :
       {std::pair{"ipv4_flows_per_worker", device.ipv4_flows_per_worker()},
        std::pair{"ipv6_flows_per_worker", device.ipv6_flows_per_worker()}}) {
    context.InRange(origin, field, flows, flows_min, kFlowsPerWorkerMax);
  }
  constexpr int64_t kRecordsMin = 1024;
  constexpr int64_t kRecordsMax = kPersistenceRecordsMax;
  context.InRange(origin, "persistence_records", device.persistence_records(), kRecordsMin,
                  kRecordsMax);
  context.InRange(origin, "memory_mib", device.memory_mib(), 0, kMemoryMibMax);
  CheckEalArgs(context, device, origin);
  const std::string& path = device.admin_socket();
  if (path.empty() || path.front() != '/' || path.size() > kSocketPathMax || !IsPlainText(path)) {
    context.Error(
        origin, "admin_socket",
        Cat(Quote(path), " is not an absolute path of at most ", kSocketPathMax, " bytes"));
  }
  constexpr int64_t kResetRateMax = 1'000'000;
  context.InRange(context.document.Object("limits"), "reset_rate",
                  context.config.limits().reset_rate(), 0, kResetRateMax);
  constexpr int64_t kAnnounceRateMax = 100'000;
  context.InRange(context.document.Object("limits"), "announce_rate",
                  context.config.limits().announce_rate(), 1, kAnnounceRateMax);
}

void Validate(const Document& document, Report& report) {
  CheckContext context(document, report);
  if (!CheckCounts(context)) return;
  CheckNames(context);
  CheckDevice(context);
  CheckPorts(context);
  CheckVlans(context);
  CheckTrafficGroups(context);
  CheckSelfIps(context);
  CheckRoutes(context);
  CheckSnatPools(context);
  CheckPools(context);
  CheckProfiles(context);
  CheckPersistences(context);
  CheckVirtuals(context);
  CheckMirroring(context);
  CheckMirrored(context);
  CheckTakeover(context);
  CheckHealth(context);
}

}  // namespace tandem::control
