// SPDX-License-Identifier: Apache-2.0
//
// The command language, as one table: parsing, help, completion and the test of the man page all
// come from it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "proto/admin.pb.h"
#include "tools/tandemctl/words.h"

namespace tandem::tandemctl {

// What is done beside asking the daemon.
enum class Action {
  kAsk,
  kLoadFile,   // send the file's text
  kSaveFile,   // write the running configuration to the file
  kCheckFile,  // without the daemon
};

struct Invocation {
  Action action = Action::kAsk;
  admin::v1::Request request;
  std::string file;
};

// What completes a command's arguments: words, and names that the daemon knows.
struct Completion {
  enum class Names {
    kNone,
    kVirtuals,
    kPools,
    kMembers,
    kPorts,
    kSnatPools,
    kPersistences,
    kTrafficGroups,
    kDevices,
    kDeviceGroups,
    kFiles
  };
  std::vector<std::string_view> words;
  Names names = Names::kNone;
  std::string pool;  // of kMembers
};

struct Command {
  std::vector<std::string_view> words;  // {"show", "virtual"}
  std::string_view arguments;           // "[NAME]"
  std::string_view help;                // one line
  std::string_view details;             // further lines of --help; may be empty
  absl::Status (*parse)(Words& words, Invocation& invocation);
  Completion (*complete)(const std::vector<std::string>& before);  // of the arguments

  std::string usage() const;  // "show virtual [NAME]"
};

const std::vector<Command>& Commands();

// The command that `words` begins with, taken out of it; an error that names the near word.
absl::StatusOr<const Command*> FindCommand(Words& words);

// Candidates for the word after `before`.
Completion Complete(const std::vector<std::string>& before);

}  // namespace tandem::tandemctl
