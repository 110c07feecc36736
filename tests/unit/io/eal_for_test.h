// SPDX-License-Identifier: Apache-2.0
//
// EAL for tests: in ordinary memory, without devices of the machine and without rights. It comes up
// once a process, at the first call.
#pragma once

namespace tandem::io {

void NeedEal();

}  // namespace tandem::io
