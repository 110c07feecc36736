// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/help.h"

#include <algorithm>

#include "control/text.h"
#include "tools/tandemctl/commands.h"
#include "tools/tandemctl/commands_mirror.h"
#include "tools/tandemctl/filter.h"

namespace tandem::tandemctl {
namespace {

using control::Cat;

constexpr std::string_view kOptions =
    "Options:\n"
    "  --json         one JSON document, with the field names of admin.proto\n"
    "  --raw          exact numbers and seconds in tables\n"
    "  --socket PATH  the daemon's socket (default /run/tandem/admin.sock)\n"
    "  --help         help, also behind a command: tandemctl show connection --help\n"
    "  --version      the version of tandemctl\n";
constexpr std::string_view kExitStatus =
    "Exit status:\n"
    "  0  done\n"
    "  1  refused: by the daemon, or the file that was checked is not valid\n"
    "  2  the command line is wrong\n"
    "  3  the daemon cannot be reached\n";

bool BeginsWith(const Command& command, const std::vector<std::string>& words) {
  return words.size() <= command.words.size() &&
         std::equal(words.begin(), words.end(), command.words.begin());
}

std::string List(const std::vector<const Command*>& commands) {
  std::string text = "Commands:\n";
  for (const Command* command : commands) {
    const std::string usage = command->usage();
    constexpr size_t kUsageWidth = 48;
    const bool fits = usage.size() < kUsageWidth;
    text += Cat("  ", usage,
                fits ? std::string(kUsageWidth - usage.size(), ' ')
                     : "\n  " + std::string(kUsageWidth, ' '),
                command->help, "\n");
  }
  return text;
}

std::string Describe(const Command& command) {
  std::string text = Cat("Usage: tandemctl ", command.usage(), "\n\n", command.help, "\n");
  if (!command.details.empty()) text += Cat("\n", command.details);
  if (command.arguments.find("FILTER") != std::string_view::npos) {
    const bool records = command.words.back() == "persistence";
    text += Cat("\n", records ? kRecordFilterHelp : kFilterHelp);
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> HelpFor(const std::vector<std::string>& words) {
  // Arguments behind a whole command do not matter.
  for (const Command& command : Commands()) {
    if (words.size() >= command.words.size() &&
        std::equal(command.words.begin(), command.words.end(), words.begin())) {
      return Cat(Describe(command), "\n", kOptions);
    }
  }
  std::vector<const Command*> fitting;
  for (const Command& command : Commands()) {
    if (BeginsWith(command, words)) fitting.push_back(&command);
  }
  if (fitting.empty()) {
    Words rest(words);
    return FindCommand(rest).status();
  }
  return Cat("Usage: tandemctl [OPTION...] COMMAND\n\n", List(fitting), "\n", kOptions, "\n",
             kExitStatus);
}

}  // namespace tandem::tandemctl
