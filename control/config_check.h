// SPDX-License-Identifier: Apache-2.0
//
// Everything that protobuf's types cannot say about a configuration: names, references, ranges,
// and whether the parts fit together. What passes here compiles (control/config_compile.h).
//
// Work is bounded by n log n in the number of objects, but for virtuals of the very same
// destination.
#pragma once

#include "control/config_document.h"
#include "control/config_report.h"

namespace tandem::control {

// Reports all that is wrong with `document`, and notes.
void Validate(const Document& document, Report& report);

}  // namespace tandem::control
