// SPDX-License-Identifier: Apache-2.0
//
// Parsing and completion of the commands about mirroring and persistence; lines of the table in
// commands.cc.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "tools/tandemctl/commands.h"
#include "tools/tandemctl/words.h"

namespace tandem::tandemctl {

// KEY VALUE pairs that choose records, for --help.
extern const std::string_view kRecordFilterHelp;

absl::Status ParseShowPersistence(Words& words, Invocation& invocation);
absl::Status ParseDeletePersistence(Words& words, Invocation& invocation);
absl::Status ParseShowMirror(Words& words, Invocation& invocation);
absl::Status ParseShowTrafficGroup(Words& words, Invocation& invocation);
absl::Status ParseModifySnatPool(Words& words, Invocation& invocation);
absl::Status ParseModifyPersistence(Words& words, Invocation& invocation);
// Behind `modify virtual NAME mirror`.
absl::Status ParseMirrorState(Words& words, admin::v1::ModifyMirror::Kind kind,
                              const std::string& name, Invocation& invocation);

Completion CompleteShowPersistence(const std::vector<std::string>& before);
Completion CompleteDeletePersistence(const std::vector<std::string>& before);
Completion CompleteModifySnatPool(const std::vector<std::string>& before);
Completion CompleteModifyPersistence(const std::vector<std::string>& before);

}  // namespace tandem::tandemctl
