// SPDX-License-Identifier: Apache-2.0
//
// tandem-pktgen: one run, or with --serve as many as are asked for. Exit status 0: it ran; 1: it could not; 2: wrong command line; 3: it ran, and
// found corrupt or misdelivered packets.
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "dataplane/base/hash.h"
#include "dataplane/io/clock.h"
#include "tools/pktgen/devices.h"
#include "tools/pktgen/flags.h"
#include "tools/pktgen/generator.h"
#include "tools/pktgen/live.h"
#include "tools/pktgen/loop.h"
#include "tools/pktgen/loopback_wire.h"
#include "tools/pktgen/pcap_file.h"

namespace tandem::pktgen {
namespace {

constexpr int kCouldNotRun = 1;
constexpr int kFoundFaults = 3;
constexpr MacAddress kLoopbackClient = {2, 0, 0, 0, 0, 1};
constexpr MacAddress kLoopbackServer = {2, 0, 0, 0, 0, 2};

std::atomic<int> signals_received{0};

void OnSignal(int /*number*/) {
  signals_received.fetch_add(1, std::memory_order_relaxed);
}

void TakeSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int Fail(const std::string& why) {
  std::fprintf(stderr, "tandem-pktgen: %s\n", why.c_str());
  return kCouldNotRun;
}

bool Write(const std::string& path, const std::string& text) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && is_written;
}

void Drive(Generator& generator, Wire& client, Wire* server, const Flags& flags) {
  Loop loop(generator, client, server, io::MonotonicNow);
  std::FILE* const out = flags.json == "-" ? stderr : stdout;
  Live live(isatty(fileno(out)) == 1);
  int signals_seen = 0;
  generator.Start(io::MonotonicNow());
  while (!generator.is_done()) {
    const Nanos now = loop.Turn();
    const int signals = signals_received.load(std::memory_order_relaxed);
    for (; signals_seen < signals; ++signals_seen)
      generator.Stop(now);
    if (!flags.live) continue;
    const std::string text = live.Text(generator, now);
    if (text.empty()) continue;
    std::fputs(text.c_str(), out);
    std::fflush(out);
  }
}

int Report(const Generator& generator, const Flags& flags) {
  if (!generator.failure().empty()) return Fail(generator.failure());
  const Result& result = generator.result();
  if (flags.json == "-") {
    std::fputs(ToJson(result).c_str(), stdout);
  } else {
    if (!flags.json.empty() && !Write(flags.json, ToJson(result))) {
      return Fail("--json \"" + flags.json + "\": cannot write it");
    }
    std::fputs(ToText(result).c_str(), stdout);
  }
  return result.corrupt() + result.misdelivered() > 0 ? kFoundFaults : 0;
}

// What EAL does otherwise.
bool PinTo(int core) {
  if (core < 0) return true;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(core), &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

// What the kernel could give without killing somebody; the largest number when it does not say.
uint64_t MemoryAvailable() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  std::string unit;
  while (file >> name >> kib >> unit) {
    if (name == "MemAvailable:") return kib * 1024;
  }
  return UINT64_MAX;
}

std::string NoMemoryFor(const Options& options) {
  const uint64_t needed = Generator::MemoryNeeded(options);
  if (needed <= MemoryAvailable()) return "";
  return "--flows \"" + std::to_string(options.flows) + "\": needs " +
         std::to_string(needed >> 20) + " MiB, more than there is";
}

uint64_t NewRunId() {
  return HashPair(io::MonotonicNow(), static_cast<uint64_t>(getpid()), 1);
}

// What one line of --serve comes to, as JSON.
std::string ServeOne(Devices& devices, const Flags& flags, const std::string& line) {
  const absl::StatusOr<Options> options = NextOptions(line);
  if (!options.ok()) return ErrorJson(std::string(options.status().message()));
  const std::string refusal = NoMemoryFor(*options);
  if (!refusal.empty()) return ErrorJson(refusal);
  const auto generator =
      std::make_unique<Generator>(*options, NewRunId(), devices.client_mac(), devices.server_mac(),
                                  std::vector<std::vector<uint8_t>>());
  Drive(*generator, devices.client(), devices.has_server() ? &devices.server() : nullptr, flags);
  return generator->failure().empty() ? ToJson(generator->result())
                                      : ErrorJson(generator->failure());
}

int Serve(Devices& devices, const Flags& flags) {
  std::string line;
  while (signals_received.load(std::memory_order_relaxed) == 0 && std::getline(std::cin, line)) {
    std::fputs((ServeOne(devices, flags, line) + "\n").c_str(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

int Run(const Flags& flags) {
  const Options& options = flags.options;
  const std::string refusal = NoMemoryFor(options);
  if (!refusal.empty()) return Fail(refusal);
  std::vector<std::vector<uint8_t>> replay;
  if (!options.pcap.empty()) {
    constexpr size_t kLinkSize = 18;  // Ethernet header and a tag
    auto frames = ReadPcap(options.pcap, options.mtu + kLinkSize);
    if (!frames.ok()) return Fail(std::string(frames.status().message()));
    replay = *std::move(frames);
  }
  TakeSignals();
  const uint64_t run_id = NewRunId();
  if (options.loopback) {
    if (!PinTo(flags.machine.core)) {
      return Fail("--core \"" + std::to_string(flags.machine.core) + "\": cannot run there");
    }
    LoopbackPair pair(size_t{options.mtu} + kOriginatedFrameMax);
    const auto generator = std::make_unique<Generator>(options, run_id, kLoopbackClient,
                                                       kLoopbackServer, std::move(replay));
    Drive(*generator, pair.client(), &pair.server(), flags);
    return Report(*generator, flags);
  }
  auto devices = Devices::Start(options, flags.machine);
  if (!devices.ok()) return Fail(std::string(devices.status().message()));
  if (flags.serve) return Serve(**devices, flags);
  const auto generator = std::make_unique<Generator>(options, run_id, (*devices)->client_mac(),
                                                     (*devices)->server_mac(), std::move(replay));
  Drive(*generator, (*devices)->client(),
        (*devices)->has_server() ? &(*devices)->server() : nullptr, flags);
  return Report(*generator, flags);
}

}  // namespace
}  // namespace tandem::pktgen

int main(int argc, char** argv) {
  try {
    return tandem::pktgen::Run(tandem::pktgen::ParseFlags(argc, argv));
  } catch (const std::bad_alloc&) {
    return tandem::pktgen::Fail("not enough memory for so many --flows");
  }
}
