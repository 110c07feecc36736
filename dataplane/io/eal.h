// SPDX-License-Identifier: Apache-2.0
//
// Brings DPDK's environment up, once in the life of a process, and down again.
//
// EAL and the drivers log a lot and say why something failed nowhere else: every line goes to the
// sink, and the first error among them becomes part of the Status.
//
// Thread safety: the main thread, which becomes EAL's main lcore. The sink is called by any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dataplane/io/eal_arguments.h"

namespace tandem::io {

// RTE_LOG_EMERG (1) to RTE_LOG_DEBUG (8), and one line without its newline.
using EalLogSink = std::function<void(unsigned level, std::string_view line)>;

class Eal {
 public:
  // At most once a process, whatever comes of it.
  static absl::StatusOr<Eal> Start(const EalOptions& options, EalLogSink sink);
  Eal(Eal&& other) noexcept;
  Eal& operator=(Eal&&) = delete;
  ~Eal();  // ends it; every port is closed and no lcore runs

  bool hugepages() const { return plan_.hugepages; }
  const std::vector<std::string>& arguments() const { return plan_.arguments; }
  // Whether dpdk-dumpcap can attach.
  bool capture() const { return capture_; }

  // Every lcore but the main one, in order: worker w runs on the w-th.
  std::vector<unsigned> WorkerLcores() const;
  int NodeOf(unsigned lcore) const;  // NUMA node; 0 on a machine with one
  // Whether every lcore, the main one included, has a CPU that no other lcore may run on.
  bool HasCpuForEachLcore() const;

 private:
  explicit Eal(EalPlan plan) : plan_(std::move(plan)) {}

  EalPlan plan_;
  bool owner_ = true;
  bool capture_ = false;
};

std::string DpdkVersion();

// The first error EAL or a driver logged since the last call; empty when there was none.
std::string TakeEalError();

}  // namespace tandem::io
