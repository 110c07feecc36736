// SPDX-License-Identifier: Apache-2.0
//
// Reads the links of all ports, every few milliseconds, in a thread of its own: some drivers take their
// time over it, and neither packets nor heartbeats nor control should wait for them.
//
// Thread safety: Start and destruction by one thread.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <vector>

#include <absl/status/status.h>

#include "dataplane/base/time.h"
#include "dataplane/io/port.h"

namespace tandem::io {

class LinkWatch {
 public:
  static constexpr Nanos kEvery = 5 * kMillisecond;

  struct Link {
    Port* port = nullptr;               // outlives this
    std::function<void(bool)> says_up;  // told each time, by the thread
  };

  explicit LinkWatch(std::vector<Link> links) : links_(std::move(links)) {}
  ~LinkWatch();
  LinkWatch(const LinkWatch&) = delete;
  LinkWatch& operator=(const LinkWatch&) = delete;

  absl::Status Start();
  // One round.
  void Look();

 private:
  static void* Main(void* self);

  std::vector<Link> links_;
  pthread_t thread_{};
  bool running_ = false;
  std::atomic<bool> stop_{false};
};

}  // namespace tandem::io
