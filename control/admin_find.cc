// SPDX-License-Identifier: Apache-2.0
#include "control/admin_find.h"

#include <vector>

#include "control/config_endpoint.h"
#include "control/text.h"

namespace tandem::control {
namespace {

template <class Object>
absl::StatusOr<decltype(Object::id)> FindIn(const std::vector<Object>& objects, const char* kind,
                                            const std::string& name) {
  for (const Object& object : objects) {
    if (object.id != 0 && object.name == name) return object.id;
  }
  return absl::NotFoundError(Cat("there is no ", kind, " \"", name, "\""));
}

}  // namespace

absl::StatusOr<config::VirtualId> FindVirtual(const config::Snapshot& snapshot,
                                              const std::string& name) {
  return FindIn(snapshot.virtuals, "virtual", name);
}

absl::StatusOr<config::PoolId> FindPool(const config::Snapshot& snapshot, const std::string& name) {
  return FindIn(snapshot.pools, "pool", name);
}

absl::StatusOr<config::PersistenceId> FindPersistence(const config::Snapshot& snapshot,
                                                      const std::string& name) {
  return FindIn(snapshot.persistences, "persistence profile", name);
}

absl::StatusOr<config::MemberId> FindMember(const config::Snapshot& snapshot,
                                            const std::string& pool, const std::string& member) {
  const auto wanted = ParseEndpoint(member);
  for (const config::Member& each : snapshot.members) {
    const config::Pool* its_pool = each.id == 0 ? nullptr : snapshot.FindPool(each.pool);
    if (its_pool == nullptr || its_pool->name != pool) continue;
    if (each.name == member ||
        (wanted.ok() && *wanted == Endpoint{HostPrefix(each.address), each.port})) {
      return each.id;
    }
  }
  return absl::NotFoundError(Cat("there is no member \"", member, "\" in a pool \"", pool, "\""));
}

}  // namespace tandem::control
