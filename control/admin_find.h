// SPDX-License-Identifier: Apache-2.0
//
// Objects by the names that operators write in filters.
#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "dataplane/config/snapshot.h"

namespace tandem::control {

// Each NotFound when there is none, with a message for people.
absl::StatusOr<config::VirtualId> FindVirtual(const config::Snapshot& snapshot,
                                              const std::string& name);
absl::StatusOr<config::PoolId> FindPool(const config::Snapshot& snapshot, const std::string& name);
absl::StatusOr<config::PersistenceId> FindPersistence(const config::Snapshot& snapshot,
                                                      const std::string& name);
// `member` is ADDRESS:PORT in any spelling.
absl::StatusOr<config::MemberId> FindMember(const config::Snapshot& snapshot,
                                            const std::string& pool, const std::string& member);

}  // namespace tandem::control
