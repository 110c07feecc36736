// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/eal_leftovers.h"

#include <filesystem>
#include <system_error>

namespace tandem::io {

void RemoveEalLeftovers(const std::string& runtime_directory, bool exclusive,
                        const std::vector<std::string>& hugetlbfs_mounts) {
  std::error_code ignored;
  if (!exclusive) {
    // Another process of the same prefix may have its socket in there; then it stays.
    std::filesystem::remove(runtime_directory, ignored);
    return;
  }
  const std::filesystem::path directory(runtime_directory);
  std::filesystem::remove_all(directory, ignored);
  const std::string maps = directory.filename().string() + "map_";
  for (const std::string& mount : hugetlbfs_mounts) {
    for (const auto& entry : std::filesystem::directory_iterator(mount, ignored)) {
      if (entry.path().filename().string().compare(0, maps.size(), maps) == 0) {
        std::filesystem::remove(entry.path(), ignored);
      }
    }
  }
}

}  // namespace tandem::io
