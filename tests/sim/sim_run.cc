// SPDX-License-Identifier: Apache-2.0
//
// The simulator by hand: tools/sim.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/pair_world.h"
#include "tests/sim/stream_world.h"

namespace tandem::sim {
namespace {

struct Arguments {
  uint64_t first = 0;
  uint64_t last = 0;
  unsigned ticks = 100'000;
  bool is_small = false;
  bool verbose = false;
};

Journal* current_journal = nullptr;

// An assertion of the code under test: what went before is what one wants to know.
void AtAbort(int) {
  if (current_journal != nullptr) std::fputs(current_journal->Text().c_str(), stderr);
  std::signal(SIGABRT, SIG_DFL);
}

[[noreturn]] void Usage() {
  std::fputs("sim_run --seed N | --seeds A-B [--ticks N] [--world small|pair] [--verbose]\n",
             stderr);
  std::exit(2);
}

Arguments Parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--verbose") {
      arguments.verbose = true;
      continue;
    }
    if (++i == count) Usage();
    char* end = nullptr;
    if (word == "--seed") {
      arguments.first = arguments.last = std::strtoull(words[i], nullptr, 0);
    } else if (word == "--seeds") {
      arguments.first = std::strtoull(words[i], &end, 0);
      if (*end != '-') Usage();
      arguments.last = std::strtoull(end + 1, nullptr, 0);
    } else if (word == "--ticks") {
      arguments.ticks = static_cast<unsigned>(std::strtoul(words[i], nullptr, 0));
    } else if (word == "--world") {
      arguments.is_small = std::strcmp(words[i], "small") == 0;
    } else {
      Usage();
    }
  }
  if (arguments.first == 0) Usage();
  return arguments;
}

// What the seed's fixed part does too, but for as long as wanted.
void RunSmall(uint64_t seed, unsigned ticks, Journal& journal) {
  constexpr unsigned kBetweenRests = 5'000;
  StreamWorld world(StreamOptions::Random(seed), journal);
  for (unsigned done = 0; done < ticks; done += kBetweenRests) {
    world.Run(std::min(kBetweenRests, ticks - done));
    world.Settle();
  }
  world.Empty();
  std::printf(
      "seed %llu: %llu changes in %.1f s of its time\n", static_cast<unsigned long long>(seed),
      static_cast<unsigned long long>(world.operations()), static_cast<double>(world.now()) / 1e9);
}

void RunPair(uint64_t seed, unsigned ticks, Journal& journal) {
  constexpr unsigned kBetweenRests = 5'000;
  PairWorld world(PairOptions::Random(seed), journal);
  for (unsigned done = 0; done < ticks; done += kBetweenRests) {
    world.Run(std::min(kBetweenRests, ticks - done));
    world.Rest();
  }
  world.Finish();
  const LanTotals& totals = world.lan().totals();
  std::printf("seed %llu: %llu conversations, %llu done, %llu reset in %.1f s of its time\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(totals.opened),
              static_cast<unsigned long long>(totals.completed),
              static_cast<unsigned long long>(totals.reset),
              static_cast<double>(world.now()) / 1e9);
}

int RunSeed(uint64_t seed, const Arguments& arguments) {
  Journal journal(arguments.verbose);
  current_journal = &journal;
  try {
    arguments.is_small ? RunSmall(seed, arguments.ticks, journal)
                       : RunPair(seed, arguments.ticks, journal);
  } catch (const Violation& violation) {
    std::fprintf(stderr, "%sseed %llu: VIOLATION: %s\n", journal.Text().c_str(),
                 static_cast<unsigned long long>(seed), violation.what());
    return 1;
  }
  current_journal = nullptr;
  return 0;
}

}  // namespace
}  // namespace tandem::sim

int main(int count, char** words) {
  const auto arguments = tandem::sim::Parse(count, words);
  std::signal(SIGABRT, tandem::sim::AtAbort);
  for (uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    if (tandem::sim::RunSeed(seed, arguments) != 0) return 1;
    std::fflush(stdout);
  }
  return 0;
}
