// SPDX-License-Identifier: Apache-2.0
//
// A device that dies unasked, in scenes of their own; the seeds of pair_test.cc do it by chance.
#include <catch2/catch.hpp>

#include "tests/sim/pair_world.h"

namespace tandem::sim {
namespace {

// From the same 150 ports, some of each device's blocks, to every service that translates sources.
void CallAll(PairWorld& world, const char* ipv4, const char* ipv6) {
  for (const LanService& service : world.lan().services()) {
    if (service.name != "app" && service.name != "dns" && service.name != "six") continue;
    const IpAddress client = test::Ip(service.endpoint.address.is_v4() ? ipv4 : ipv6);
    for (uint16_t port = 30'000; port < 30'150; ++port)
      world.lan().Call(service, test::Endpoint{client, port}, world.now());
  }
}

}  // namespace

TEST_CASE("row 26: who takes over gives nobody a port that it was not told of") {
  Journal journal;
  PairOptions options;
  options.seed = 26;
  options.conversations = 20;
  options.pace = kSecond;
  options.with_faults = options.with_restarts = options.with_config = false;
  PairWorld world(options, journal);
  try {
    for (const unsigned dies : {0U, 1U}) {
      world.Settle();
      for (unsigned device = 0; device < 2; ++device)
        world.SetMirrorFaults(device, {.cut = true});
      // Their servers keep what the heir never hears of, and other clients come from the same ports.
      CallAll(world, "192.0.2.10", "2001:db8:1::10");
      world.Steps(300, kMillisecond);
      world.Crash(dies);
      CallAll(world, "192.0.2.11", "2001:db8:1::11");
      world.Steps(300, kMillisecond);
    }
    world.Finish();
  } catch (const Violation& violation) {
    FAIL(violation.what() << "\n" << journal.Text());
  }
}

}  // namespace tandem::sim
