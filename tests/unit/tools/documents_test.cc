// SPDX-License-Identifier: Apache-2.0
//
// The man page says what the command table says.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include <absl/strings/str_replace.h>

#include "tools/tandemctl/commands.h"
#include "tools/tandemctl/filter.h"

namespace tandem::tandemctl {
namespace {

// A page's text without roff's markup.
std::string PageText(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file.is_open());
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return absl::StrReplaceAll(
      text,
      {{"\\fB", ""}, {"\\fI", ""}, {"\\fR", ""}, {"\\-", "-"}, {"\n.B ", "\n"}, {"\n.I ", "\n"}});
}

TEST_CASE("man page: has every command as --help has it, and no other", "[tandemctl]") {
  const std::string page = PageText("deploy/man/tandemctl.1");
  for (const Command& command : Commands()) {
    INFO(command.usage());
    CHECK(page.find("\n.TP\n" + command.usage() + "\n") != std::string::npos);
  }
  const size_t begin = page.find(".SH COMMANDS");
  const size_t end = page.find(".SH FILTERS");
  REQUIRE(begin < end);
  size_t commands = 0;
  for (size_t at = page.find("\n.TP\n", begin); at < end; at = page.find("\n.TP\n", at + 1)) {
    ++commands;
  }
  CHECK(commands == Commands().size());
}

TEST_CASE("man page: has every filter and option", "[tandemctl]") {
  const std::string page = PageText("deploy/man/tandemctl.1");
  for (const std::string_view key : FilterKeys()) {
    INFO(key);
    CHECK(page.find("\n" + std::string(key) + " ") != std::string::npos);
  }
  for (const char* option : {"--json", "--raw", "--socket", "--help", "--version"}) {
    CHECK(page.find(std::string("\n") + option) != std::string::npos);
  }
}

}  // namespace
}  // namespace tandem::tandemctl
