// SPDX-License-Identifier: Apache-2.0
//
// A device's way to the witness, the half that comes back: what was put there arrives, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/witness/link.h"

namespace tandem::test {

class ArrivalsPath : public witness::Path {
 public:
  std::span<const uint8_t> Receive() noexcept override {
    if (arrivals.empty()) return {};
    current_ = std::move(arrivals.front());
    arrivals.pop_front();
    return current_;
  }

  std::deque<std::vector<uint8_t>> arrivals;

 private:
  std::vector<uint8_t> current_;
};

}  // namespace tandem::test
