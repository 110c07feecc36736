// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/rte_hash_flows.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace tandem::bench {
namespace {

[[noreturn]] void GiveUp(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, rte_strerror(rte_errno));
  std::exit(1);
}

bool HasHugepages() {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  size_t pages = 0;
  return file >> pages && pages > 0;
}

void StartEal() {
  std::vector<std::string> words = {"table_bench", "--no-pci", "--no-telemetry", "--log-level",
                                    "error"};
  if (HasHugepages()) {
    words.emplace_back("--in-memory");
  } else {
    words.insert(words.end(), {"--no-huge", "-m", "2048"});
  }
  std::vector<char*> arguments;
  for (std::string& word : words)
    arguments.push_back(word.data());
  // EAL binds the thread to its lcore; a benchmark stays where it was put.
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof(cpus), &cpus);
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) GiveUp("EAL");
  sched_setaffinity(0, sizeof(cpus), &cpus);
}

}  // namespace

RteHashFlows::RteHashFlows(uint32_t flows) {
  [[maybe_unused]] static const bool is_started = (StartEal(), true);
  rte_hash_parameters parameters = {};
  parameters.name = "flows";
  parameters.entries = 2 * flows < 8 ? 8 : 2 * flows;
  parameters.key_len = sizeof(Key);
  parameters.hash_func = rte_hash_crc;
  // Without it a table that is to be full can refuse keys early.
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
  table_ = rte_hash_create(&parameters);
  if (table_ == nullptr) GiveUp("rte_hash");
}

void RteHashFlows::Insert(const Key& key, uint32_t slot) {
  if (rte_hash_add_key_data(table_, &key, reinterpret_cast<void*>(uintptr_t{slot})) != 0)
    GiveUp("rte_hash");
}

uint64_t RteHashFlows::Find(std::span<const Key, kBurst> keys,
                            std::span<uint64_t, kBurst> slots) noexcept {
  std::array<const void*, kBurst> pointers;
  std::array<void*, kBurst> data;
  for (size_t i = 0; i < kBurst; ++i)
    pointers[i] = &keys[i];
  uint64_t hits = 0;
  rte_hash_lookup_bulk_data(table_, pointers.data(), kBurst, &hits, data.data());
  for (size_t i = 0; i < kBurst; ++i)
    slots[i] = reinterpret_cast<uint64_t>(data[i]);
  return hits;
}

}  // namespace tandem::bench
