// SPDX-License-Identifier: Apache-2.0
//
// What EAL leaves behind even after a clean end: its runtime directory and, where a second process
// may attach, its shared files there and files of hugepages, which stay taken.
#pragma once

#include <string>
#include <vector>

namespace tandem::io {

// Removes `runtime_directory` (".../dpdk/PREFIX"); what is in it, and PREFIX's files in the
// hugetlbfs mounts, only if `exclusive`: EAL's lock on the prefix was ours.
void RemoveEalLeftovers(const std::string& runtime_directory, bool exclusive,
                        const std::vector<std::string>& hugetlbfs_mounts);

}  // namespace tandem::io
