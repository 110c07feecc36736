// SPDX-License-Identifier: Apache-2.0
//
// What mirror_pair measures; each prints its figures.
#pragma once

#include <cstdint>
#include <string_view>

namespace tandem::bench {

void MeasureCost(std::string_view only, bool is_profiled);       // whose names hold it
void MeasureAdmission(std::string_view only, bool is_profiled);  // likewise; part of that
void MeasureLag();
void MeasureBulk();
void MeasurePromotion();
// False: memory grew, or the tables differ at the end.
bool Churn(uint64_t connections);

}  // namespace tandem::bench
