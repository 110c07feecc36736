// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/eal_arguments.h"

#include <sched.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace tandem::io {
namespace {

constexpr uint64_t kMib = uint64_t{1} << 20;
// EAL's own structures, drivers' rings, statistics.
constexpr uint64_t kEalOverhead = 64 * kMib;

uint64_t ReadNumber(const std::filesystem::path& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  file >> value;
  return file ? value : 0;
}

// Whether `extra` has the option, as "--name", "--name=value" or "-x".
bool Has(const std::vector<std::string>& extra, std::string_view option) {
  return std::any_of(extra.begin(), extra.end(), [&](const std::string& argument) {
    return argument.compare(0, option.size(), option) == 0 &&
           (argument.size() == option.size() || argument[option.size()] == '=' ||
            option.size() == 2);
  });
}

bool HasAny(const std::vector<std::string>& extra, std::initializer_list<const char*> options) {
  return std::any_of(options.begin(), options.end(),
                     [&](const char* option) { return Has(extra, option); });
}

void AddMemory(const EalOptions& options, const Machine& machine, uint64_t mib, EalPlan& plan) {
  const std::vector<std::string>& extra = options.extra;
  const bool decided = HasAny(extra, {"--no-huge", "--in-memory", "--no-shconf"});
  plan.hugepages =
      options.hugepages && machine.hugepage_bytes_free >= mib * kMib && !Has(extra, "--no-huge");
  plan.multi_process = plan.hugepages && machine.hugetlbfs_mounted && !decided;
  if (!plan.hugepages) {
    if (!Has(extra, "--no-huge")) plan.arguments.push_back("--no-huge");
    if (!Has(extra, "--iova-mode")) plan.arguments.push_back("--iova-mode=va");
    if (!HasAny(extra, {"-m", "--socket-mem"})) {
      plan.arguments.insert(plan.arguments.end(), {"-m", absl::StrCat(mib)});
    }
  } else if (options.memory_mib != 0 && !HasAny(extra, {"-m", "--socket-mem"})) {
    plan.arguments.insert(plan.arguments.end(), {"-m", absl::StrCat(mib)});
  }
  // Without files that a second process could map there is no use for those EAL would leave behind.
  // (EAL refuses --in-memory together with --no-huge.)
  if (!plan.multi_process && !decided) {
    plan.arguments.push_back(plan.hugepages ? "--in-memory" : "--no-shconf");
  }
}

}  // namespace

uint64_t FreeHugepageBytes(const std::string& sysfs_hugepages) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(sysfs_hugepages, error)) {
    const std::string name = entry.path().filename().string();  // hugepages-2048kB
    const size_t dash = name.find('-');
    if (dash == std::string::npos) continue;
    const uint64_t kib = std::strtoull(name.c_str() + dash + 1, nullptr, 10);
    bytes += ReadNumber(entry.path() / "free_hugepages") * kib * 1024;
  }
  return bytes;
}

std::vector<std::string> HugetlbfsMounts(const std::string& proc_mounts) {
  std::vector<std::string> mounts;
  std::ifstream file(proc_mounts);
  std::string device;
  std::string where;
  std::string type;
  std::string rest;
  while (file >> device >> where >> type && std::getline(file, rest)) {
    if (type == "hugetlbfs") mounts.push_back(where);
  }
  return mounts;
}

Machine ReadMachine() {
  Machine machine;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) machine.cpus.push_back(cpu);
    }
  }
  if (machine.cpus.empty()) machine.cpus.push_back(0);
  machine.hugepage_bytes_free = FreeHugepageBytes("/sys/kernel/mm/hugepages");
  machine.hugetlbfs_mounted = !HugetlbfsMounts("/proc/mounts").empty();
  return machine;
}

absl::StatusOr<EalPlan> PlanEal(const EalOptions& options, const Machine& machine) {
  const uint64_t needed = (options.memory_needed + kEalOverhead + kMib - 1) / kMib;
  const uint64_t mib = options.memory_mib != 0 ? options.memory_mib : needed;
  if (mib < needed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "memory_mib: ", mib, " MiB granted, but this configuration needs ", needed, " MiB"));
  }
  EalPlan plan;
  plan.arguments.push_back("tandemd");
  if (!HasAny(options.extra, {"--lcores", "-l", "-c"})) {
    plan.arguments.push_back("--lcores=" + (options.lcores.empty()
                                                ? LcoresFor(options.workers, machine.cpus)
                                                : options.lcores));
  }
  if (!Has(options.extra, "--file-prefix")) {
    plan.arguments.push_back("--file-prefix=" + options.file_prefix);
  }
  AddMemory(options, machine, mib, plan);
  bool scans = false;
  for (const std::string& device : options.devices) {
    if (!IsPciDevice(device) && !IsBusDevice(device)) continue;
    scans = true;
    plan.arguments.insert(plan.arguments.end(), {"-a", device});
  }
  if (!scans && !HasAny(options.extra, {"--no-pci", "-a", "--allow"})) {
    plan.arguments.push_back("--no-pci");
  }
  plan.arguments.insert(plan.arguments.end(), options.extra.begin(), options.extra.end());
  return plan;
}

std::string LcoresFor(unsigned workers, std::span<const unsigned> cpus) {
  const std::string all = absl::StrCat("(", absl::StrJoin(cpus, ","), ")");
  const bool pinned = cpus.size() >= workers;
  const size_t first = cpus.size() > workers ? 1 : 0;
  std::string text = absl::StrCat("0@", cpus.size() > workers ? absl::StrCat(cpus[0]) : all);
  for (unsigned worker = 0; worker < workers; ++worker) {
    absl::StrAppend(&text, ",", worker + 1, "@", pinned ? absl::StrCat(cpus[first + worker]) : all);
  }
  return text;
}

bool IsPciDevice(std::string_view device) {
  static const std::regex address(
      "(pci:)?([0-9a-fA-F]{1,8}:)?[0-9a-fA-F]{1,2}:[0-9a-fA-F]{1,2}\\.[0-7](,.*)?");
  return std::regex_match(device.begin(), device.end(), address);
}

bool IsBusDevice(std::string_view device) {
  for (const std::string_view bus : {"auxiliary:", "vmbus:", "fslmc:", "dpaa:", "ifpga:"}) {
    if (device.substr(0, bus.size()) == bus) return true;
  }
  return false;
}

std::string FilePrefixOf(std::string_view device_name) {
  std::string prefix(device_name);
  for (char& c : prefix) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-' && c != '.') {
      c = '-';
    }
  }
  // "." and ".." name directories.
  return prefix.find_first_not_of('.') == std::string::npos ? "tandem" : prefix;
}

}  // namespace tandem::io
