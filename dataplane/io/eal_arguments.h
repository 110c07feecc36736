// SPDX-License-Identifier: Apache-2.0
//
// From what the configuration says about the machine to EAL's command line. Pure but for the
// reading of /sys and /proc, so that every choice can be tested without EAL.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace tandem::io {

struct EalOptions {
  std::string file_prefix = "tandem";  // distinguishes daemons of one machine
  std::string lcores;                  // EAL's --lcores; empty: `workers` on CPUs we choose
  unsigned workers = 1;
  std::vector<std::string> devices;  // of the ports, as configured
  bool hugepages = true;             // whether they may be used
  uint64_t memory_needed = 0;        // bytes, for packet buffers and tables in EAL's memory
  uint32_t memory_mib = 0;           // what the operator grants; 0: as much as needed
  std::vector<std::string> extra;    // further arguments; they win over ours
};

// What EAL finds when it comes up.
struct Machine {
  std::vector<unsigned> cpus;  // that this process may run on
  uint64_t hugepage_bytes_free = 0;
  bool hugetlbfs_mounted = false;
};
Machine ReadMachine();

// The parts of it, on files of the caller's choice.
uint64_t FreeHugepageBytes(const std::string& sysfs_hugepages);
std::vector<std::string> HugetlbfsMounts(const std::string& proc_mounts);

struct EalPlan {
  std::vector<std::string> arguments;  // the program's name first
  bool hugepages = false;
  bool multi_process = false;  // a second process (dpdk-dumpcap) can attach
};

// Errors: less memory granted than needed.
absl::StatusOr<EalPlan> PlanEal(const EalOptions& options, const Machine& machine);

// EAL's --lcores for a control thread (lcore 0) and `workers` workers. A CPU for each when there are
// enough; with one CPU too few the control thread, which mostly sleeps, floats; with fewer all do.
std::string LcoresFor(unsigned workers, std::span<const unsigned> cpus);

// "0000:03:00.0", "03:00.0", with or without arguments after a comma.
bool IsPciDevice(std::string_view device);
// A device on a bus of its own that EAL scans ("auxiliary:mlx5_core.sf.8").
bool IsBusDevice(std::string_view device);

// A name as it may stand in a path: what is not a letter, digit, '_', '-' or '.' becomes '-'.
std::string FilePrefixOf(std::string_view device_name);

}  // namespace tandem::io
