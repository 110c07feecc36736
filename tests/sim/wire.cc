// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/wire.h"

namespace tandem::sim {

WireFaults RandomFaults(Chance& chance) {
  WireFaults faults;
  if (chance.OneIn(3)) return faults;
  if (chance.Percent(60)) faults.loss_percent = chance.Between(1, 50);
  if (chance.Percent(30)) faults.duplicate_percent = chance.Between(1, 50);
  if (chance.Percent(30)) faults.damage_permille = chance.Between(1, 200);
  if (chance.Percent(50)) faults.delay = chance.Span(1'000, 2 * kMillisecond);
  // Half of it late by less than what makes a frame count as lost.
  const Nanos jitter_max = chance.OneIn(2) ? kMillisecond : 20 * kMillisecond;
  if (chance.Percent(40)) faults.jitter = chance.Span(1'000, jitter_max);
  if (chance.Percent(5)) faults.jitter = chance.Span(kMillisecond, 10 * kSecond);
  if (chance.Percent(8)) faults.cut = true;
  if (chance.Percent(8)) faults.size_max = chance.Between(64, 1400);
  return faults;
}

}  // namespace tandem::sim
