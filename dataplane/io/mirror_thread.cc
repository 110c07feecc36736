// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/mirror_thread.h"

#include <rte_lcore.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <absl/strings/str_cat.h>

#include "dataplane/io/backoff.h"
#include "dataplane/io/clock.h"

namespace tandem::io {
namespace {

constexpr int kNiceOfHeartbeats = -15;

void Sleep(Nanos span) {
  const timespec time{0, static_cast<long>(span)};
  nanosleep(&time, nullptr);
}

}  // namespace

MirrorThread::MirrorThread(const MirrorThreadOptions& options, unit::Unit& unit, MirrorPort& port)
    : options_(options), unit_(unit), port_(port) {}

absl::Status MirrorThread::Start() {
  // A control thread of EAL's: it does not inherit the one CPU of the thread that starts it.
  int code = rte_ctrl_thread_create(&thread_, "tandem-mirror", nullptr, Main, this);
  if (code != 0) return absl::ErrnoToStatus(-code, "starting the mirror thread");
  running_ = true;
  if (!options_.cpu.has_value()) return absl::OkStatus();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(*options_.cpu, &set);
  code = pthread_setaffinity_np(thread_, sizeof(set), &set);
  if (code == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(code, absl::StrCat("mirroring: cpu ", *options_.cpu));
}

void MirrorThread::Stop() {
  if (!running_) return;
  stop_.store(true, std::memory_order_relaxed);
  pthread_join(thread_, nullptr);
  running_ = false;
}

void* MirrorThread::Main(void* self) {
  static_cast<MirrorThread*>(self)->Run();
  return nullptr;
}

void MirrorThread::Run() noexcept {
  // With an lcore id it has a cache of the buffer pool; without one (all are taken) it does without.
  const bool registered = rte_thread_register() == 0;
  prctl(PR_SET_TIMERSLACK, 1000);
  // Heartbeats that are late are taken for a death. Without the right to it, it runs as the others.
  if (unit_.takeover() != nullptr)
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceOfHeartbeats);
  Backoff backoff;
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool busy = Turn();
    if (!options_.adaptive) continue;
    if (const Nanos pause = backoff.After(busy); pause > 0) Sleep(pause);
  }
  // Nobody need wait for this reader of configurations any more.
  unit_.publisher().Offline(unit_.workers());
  if (registered) rte_thread_unregister();
}

bool MirrorThread::Turn() noexcept {
  const bool busy = unit_.MirrorTurn(port_.Receive(), MonotonicNow(), port_);
  port_.Flush();
  return busy;
}

}  // namespace tandem::io
