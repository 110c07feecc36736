// SPDX-License-Identifier: Apache-2.0
//
// Lets one thread in, and orders what one does inside before what the next one does there. Who finds it
// taken is told so and goes on with something else: nobody waits, whoever is inside and for however long.
#pragma once

#include <atomic>

namespace tandem {

class OneAtATime {
 public:
  // Runs `f` and returns true; false: another thread is inside.
  template <class F>
  [[nodiscard]] bool Try(F&& f) noexcept {
    if (taken_.test_and_set(std::memory_order_acquire)) return false;
    f();
    taken_.clear(std::memory_order_release);
    return true;
  }

 private:
  std::atomic_flag taken_;
};

}  // namespace tandem
