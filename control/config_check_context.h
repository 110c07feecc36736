// SPDX-License-Identifier: Apache-2.0
//
// What the steps of Validate share: the document, the names, and what earlier steps learned about
// objects for later ones. Private to control/config_check*.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "control/config_document.h"
#include "control/config_networks.h"
#include "control/config_report.h"
#include "control/text.h"
#include "dataplane/base/ip_address.h"

namespace tandem::control {

// Name -> index among the objects of a kind. Refers to the document's strings.
using NameIndex = absl::flat_hash_map<std::string_view, int>;

struct Families {
  bool v4 = false;
  bool v6 = false;

  bool Has(bool is_v4) const { return is_v4 ? v4 : v6; }
  void Add(const IpAddress& address) { (address.is_v4() ? v4 : v6) = true; }
};

struct PoolFacts {
  Families families;
  int first_v4 = 0;  // index of the first member of the family
  int first_v6 = 0;
  std::optional<int> any_port;      // first member with port 0
  std::optional<int> not_adjacent;  // first member that is on no connected network
};

class CheckContext {
 public:
  CheckContext(const Document& checked, Report& to)
      : document(checked), config(checked.config()), report(to) {}

  void Error(const Origin& origin, std::string_view field, std::string_view reason, int index = 0);
  void Note(const Origin& origin, std::string_view field, std::string_view reason);

  // Each reports and returns false when it does not hold.
  bool InRange(const Origin& origin, std::string_view field, int64_t value, int64_t min,
               int64_t max);
  bool Given(const Origin& origin, std::string_view field, std::string_view value);
  // `value` is one of `names`; returns its index.
  std::optional<int> Resolve(const Origin& origin, std::string_view field, std::string_view value,
                             const NameIndex& names, int index = 0);
  // An address that a host can have: no multicast, loopback, unset or broadcast address.
  std::optional<IpAddress> HostAddress(const Origin& origin, std::string_view field,
                                       std::string_view value, int index = 0);
  void Description(const Origin& origin, std::string_view value);

  const Document& document;
  const config::v1::Config& config;
  Report& report;

  NameIndex ports;
  NameIndex vlans;
  NameIndex traffic_groups;
  NameIndex snat_pools;
  NameIndex pools;
  NameIndex profiles;
  NameIndex persistences;

  // By index of the object; nothing where it is invalid.
  std::map<std::string, int> devices;  // by DeviceName: index of the port
  Networks connected;                  // value: index of the self IP
  std::map<IpAddress, int> self_addresses;
  Families self_families;
  std::vector<Families> snat_families;
  std::vector<PoolFacts> pool_facts;
  std::size_t address_count = 0;  // self IPs and SNAT addresses
};

// The steps, in the order in which Validate runs them.
void CheckNames(CheckContext& context);
void CheckDevice(CheckContext& context);
void CheckPorts(CheckContext& context);
void CheckVlans(CheckContext& context);
void CheckTrafficGroups(CheckContext& context);
void CheckSelfIps(CheckContext& context);
void CheckRoutes(CheckContext& context);
void CheckSnatPools(CheckContext& context);
void CheckPools(CheckContext& context);
void CheckProfiles(CheckContext& context);
void CheckPersistences(CheckContext& context);
void CheckVirtuals(CheckContext& context);
void CheckMirroring(CheckContext& context);
void CheckMirrored(CheckContext& context);
void CheckTakeover(CheckContext& context);
void CheckHealth(CheckContext& context);

// What names the device to EAL: the PCI address, or a virtual device's name without its arguments.
// Empty when `text` can be neither.
std::string DeviceName(std::string_view text);

void CheckDescriptors(CheckContext& context, const Origin& origin, std::string_view field,
                      uint32_t count);

// Whether `prefix` can be an address with its network; reports why not.
bool CheckInterfaceAddress(CheckContext& context, const Origin& origin, const IpPrefix& prefix,
                           std::string_view text);

// Why an address cannot be that of a host; empty when it can.
std::string_view WhyNotHost(const IpAddress& address);

// " at line 7", or nothing when the line is unknown: where the other one of two is.
std::string AtLine(Location location);

}  // namespace tandem::control
