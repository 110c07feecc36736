// SPDX-License-Identifier: Apache-2.0
//
// What nobody can know beforehand, from the operating system.
#pragma once

#include <cstdint>
#include <random>

namespace tandem::control {

inline uint64_t RandomNumber() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace tandem::control
