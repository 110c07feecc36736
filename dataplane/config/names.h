// SPDX-License-Identifier: Apache-2.0
//
// What a peer needs of a snapshot to speak of the same objects, and to see whether it was configured
// alike. Part of Snapshot::Finish.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/config/dictionary.h"

namespace tandem::config {

struct Snapshot;

// Objects of one kind with one name name nothing (Dictionary::Finish).
std::shared_ptr<const Dictionary> MakeDictionary(const Snapshot& snapshot);

// Of everything that decides where a connection goes, by names and values: the order of the objects,
// their ids, and what belongs to one device alone (self IPs that do not float, MACs, roles, ports,
// mirroring) do not count. Stable over releases that forward alike.
uint64_t ConfigHash(const Snapshot& snapshot);

}  // namespace tandem::config
