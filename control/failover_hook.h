// SPDX-License-Identifier: Apache-2.0
//
// Runs the operator's program at transitions, one at a time and in order, each with a timeout. Nothing
// waits for it: a program that takes long delays those after it, and when too many wait, the oldest are
// left out.
//
// Thread safety: control thread.
#pragma once

#include <sys/types.h>

#include <deque>
#include <string>
#include <vector>

#include "dataplane/base/time.h"

namespace tandem::control {

class FailoverHook {
 public:
  static constexpr size_t kWaitingMax = 128;

  ~FailoverHook();

  // `program`: empty: none. Those that wait already run with what holds when their turn comes.
  void Configure(std::string program, Nanos timeout);
  // `environment`: "NAME=value" each, added to this process's own.
  void Add(std::vector<std::string> environment);
  // Ends and begins what is due. Returns lines for the log.
  std::vector<std::string> Poll(Nanos now);
  bool is_idle() const { return running_ == 0 && waiting_.empty(); }

 private:
  void Begin(Nanos now, std::vector<std::string>& lines);

  std::string program_;
  Nanos timeout_ = 0;
  std::deque<std::vector<std::string>> waiting_;
  pid_t running_ = 0;  // 0: none
  std::string running_program_;
  Nanos kill_at_ = 0;
  bool was_killed_ = false;
  size_t left_out_ = 0;
};

}  // namespace tandem::control
