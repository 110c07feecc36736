// SPDX-License-Identifier: Apache-2.0
//
// What mirror_pair measures; each prints its figures.
#pragma once

#include <cstdint>

namespace tandem::bench {

void MeasureCost();
void MeasureLag();
void MeasureBulk();

}  // namespace tandem::bench
