// SPDX-License-Identifier: Apache-2.0
//
// Connection filters on the command line: KEY VALUE pairs with tmsh's names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "proto/admin.pb.h"
#include "tools/tandemctl/commands.h"
#include "tools/tandemctl/words.h"

namespace tandem::tandemctl {

std::vector<std::string_view> FilterKeys();

// Lines for --help.
extern const std::string_view kFilterHelp;

// Takes one KEY VALUE pair. REQUIRES: !words.empty(). `others` are words that would fit as well, for
// the error.
absl::Status ParseFilterPair(Words& words, const std::vector<std::string_view>& others,
                             admin::v1::ConnectionFilter& filter);

// What may follow `before`, a list of KEY VALUE pairs; `others` are words that may stand there too.
Completion CompleteFilter(const std::vector<std::string>& before,
                          const std::vector<std::string_view>& others);

}  // namespace tandem::tandemctl
