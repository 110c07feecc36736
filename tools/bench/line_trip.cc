// SPDX-License-Identifier: Apache-2.0
//
// How far two CPUs are apart: nanoseconds that a cache line takes from one to the other and back. Whatever is
// handed from core to core, as memif hands frames, costs some of these; on a virtual machine they may change
// from minute to minute, as its CPUs are moved about.
//
//   line_trip CPU CPU     prints the median of some trips, each the mean of many
#include <pthread.h>
#include <rte_pause.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

constexpr uint32_t kTrips = 20'000;  // a round, of which the time is taken
constexpr size_t kRounds = 15;

struct alignas(64) Line {
  std::atomic<uint32_t> value{0};
};

bool RunOn(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<size_t>(cpu), &cpus);
  return pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus) == 0;
}

void AwaitValue(const Line& line, uint32_t value) {
  while (line.value.load(std::memory_order_acquire) != value)
    rte_pause();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: line_trip CPU CPU\n");
    return 2;
  }
  const int near = std::atoi(argv[1]);
  const int far = std::atoi(argv[2]);
  if (!RunOn(near) || !RunOn(far)) {
    std::fprintf(stderr, "line_trip: there are no CPUs %s and %s\n", argv[1], argv[2]);
    return 1;
  }
  Line there;
  Line back;
  // Begun on its own CPU: in a real-time class it would not get the one that this thread spins on.
  std::thread other([&] {
    for (uint32_t i = 1; i <= kTrips * kRounds; ++i) {
      AwaitValue(there, i);
      back.value.store(i, std::memory_order_release);
    }
  });
  RunOn(near);
  std::array<double, kRounds> nanos{};
  uint32_t trip = 0;
  for (double& round : nanos) {
    const auto begin = std::chrono::steady_clock::now();
    for (uint32_t i = 0; i < kTrips; ++i) {
      there.value.store(++trip, std::memory_order_release);
      AwaitValue(back, trip);
    }
    round =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() /
        kTrips;
  }
  other.join();
  std::sort(nanos.begin(), nanos.end());
  std::printf("%.0f\n", nanos[kRounds / 2]);
  return 0;
}
