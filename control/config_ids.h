// SPDX-License-Identifier: Apache-2.0
//
// Names of configured objects -> the small ids that flows carry. An object keeps its id over reloads
// for as long as its name stays in the configuration; the id of a removed one is retired, and free
// for another object only when the caller says that no flow has it any more.
//
// A value: compiling works on a copy, which replaces the original when the snapshot is published. A
// configuration that is rejected leaves no trace.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "dataplane/base/limits.h"

namespace tandem::control {

class IdSpace {
 public:
  // Ids are 1..`id_max`. `kind` is for messages: "virtual".
  IdSpace(std::string kind, uint16_t id_max) : kind_(std::move(kind)), id_max_(id_max) {}

  // From now on exactly `names` have ids: those that had one keep it, new ones get the lowest free
  // ones in the order given, those of all others are retired. ResourceExhausted, and nothing
  // changed, when too few are free. REQUIRES: names differ.
  absl::Status Assign(const std::vector<std::string>& names);

  // 0 when there is none.
  uint16_t Find(std::string_view name) const;
  uint16_t id_max() const { return id_max_; }
  // The highest id in use, for arrays that are indexed by id.
  uint16_t HighestUsed() const;

  // Removed, and perhaps still in flows.
  const std::set<uint16_t>& retired() const { return retired_; }
  // No flow has these any more. Ids that are not retired are ignored.
  void Released(const std::vector<uint16_t>& ids);

 private:
  std::string kind_;
  uint16_t id_max_;
  absl::flat_hash_map<std::string, uint16_t> ids_;
  std::set<uint16_t> retired_;
};

struct ConfigIds {
  IdSpace virtuals{"virtual", uint16_t{kVirtualsMax}};
  IdSpace pools{"pool", uint16_t{kPoolsMax}};
  IdSpace members{"member", uint16_t{kMembersMax}};  // by MemberKey
  IdSpace interfaces{"vlan", uint16_t{kInterfacesMax}};
  IdSpace traffic_groups{"traffic_group", uint16_t{kTrafficGroupsMax}};
  IdSpace persistences{"profile_persistence", uint16_t{kPersistencesMax}};
};

}  // namespace tandem::control
