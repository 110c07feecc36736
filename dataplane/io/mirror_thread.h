// SPDX-License-Identifier: Apache-2.0
//
// The mirror lcore: receives from the mirroring port, gives the unit's mirror a turn, sends what comes
// out; for ever, until told to stop. A thread of its own beside EAL's lcores, on the CPUs of the
// control thread unless it is given one, so that no worker ever waits for it.
//
// It comes before other threads of its CPU where heartbeats depend on it. Busy, it never pauses; adaptive,
// it sleeps when idle (io/backoff.h).
//
// Thread safety: Start and Stop by control.
#pragma once

#include <pthread.h>

#include <atomic>
#include <optional>

#include <absl/status/status.h>

#include "dataplane/io/mirror_port.h"
#include "dataplane/unit/unit.h"

namespace tandem::io {

struct MirrorThreadOptions {
  bool adaptive = true;
  std::optional<unsigned> cpu;  // unset: wherever the control thread may run
};

class MirrorThread {
 public:
  // `unit` and `port` outlive this.
  MirrorThread(const MirrorThreadOptions& options, unit::Unit& unit, MirrorPort& port);
  ~MirrorThread() { Stop(); }
  MirrorThread(const MirrorThread&) = delete;
  MirrorThread& operator=(const MirrorThread&) = delete;

  absl::Status Start();
  void Stop();

  // One round of the loop; whether there was something to do.
  bool Turn() noexcept;

 private:
  static void* Main(void* self);
  void Run() noexcept;

  const MirrorThreadOptions options_;
  unit::Unit& unit_;
  MirrorPort& port_;
  pthread_t thread_{};
  bool running_ = false;
  std::atomic<bool> stop_{false};
};

}  // namespace tandem::io
