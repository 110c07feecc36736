// SPDX-License-Identifier: Apache-2.0
#include "control/config_ids.h"

#include <algorithm>

#include "control/config_report.h"
#include "control/text.h"

namespace tandem::control {

absl::Status IdSpace::Assign(const std::vector<std::string>& names) {
  absl::flat_hash_map<std::string, uint16_t> ids;
  ids.reserve(names.size());
  std::vector<bool> used(size_t{id_max_} + 1);
  for (const uint16_t id : retired_)
    used[id] = true;
  std::set<uint16_t> retired = retired_;
  for (const auto& [name, id] : ids_) {
    used[id] = true;
    retired.insert(id);
  }
  size_t next = 1;
  for (const std::string& name : names) {
    const auto known = ids_.find(name);
    if (known != ids_.end()) {
      ids.emplace(name, known->second);
      retired.erase(known->second);
      continue;
    }
    while (next < used.size() && used[next])
      ++next;
    if (next == used.size()) {
      return absl::ResourceExhaustedError(
          Cat(kind_, " ", Quote(name), ": none of ", id_max_, " ids is free; ", retired_.size(),
              " removed ones still have flows, try again when those have ended"));
    }
    used[next] = true;
    ids.emplace(name, static_cast<uint16_t>(next));
  }
  ids_ = std::move(ids);
  retired_ = std::move(retired);
  return absl::OkStatus();
}

uint16_t IdSpace::Find(std::string_view name) const {
  const auto found = ids_.find(ToAbsl(name));
  return found == ids_.end() ? uint16_t{0} : found->second;
}

uint16_t IdSpace::HighestUsed() const {
  uint16_t highest = 0;
  for (const auto& [name, id] : ids_)
    highest = std::max(highest, id);
  return highest;
}

void IdSpace::Released(const std::vector<uint16_t>& ids) {
  for (const uint16_t id : ids)
    retired_.erase(id);
}

}  // namespace tandem::control
