// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/link_watch.h"

#include <rte_lcore.h>
#include <time.h>

namespace tandem::io {

LinkWatch::~LinkWatch() {
  if (!running_) return;
  stop_.store(true, std::memory_order_relaxed);
  pthread_join(thread_, nullptr);
}

absl::Status LinkWatch::Start() {
  // A control thread of EAL's: it does not inherit the one CPU of the thread that starts it.
  const int code = rte_ctrl_thread_create(&thread_, "tandem-links", nullptr, Main, this);
  if (code != 0) return absl::ErrnoToStatus(-code, "starting the thread that watches links");
  running_ = true;
  return absl::OkStatus();
}

void LinkWatch::Look() {
  for (const Link& link : links_) {
    link.port->PollLink();
    link.says_up(link.port->link_up().load(std::memory_order_relaxed));
  }
}

void* LinkWatch::Main(void* self) {
  auto& watch = *static_cast<LinkWatch*>(self);
  const timespec pause{0, static_cast<long>(kEvery)};
  while (!watch.stop_.load(std::memory_order_relaxed)) {
    watch.Look();
    nanosleep(&pause, nullptr);
  }
  return nullptr;
}

}  // namespace tandem::io
