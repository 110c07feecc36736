// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/words.h"

#include <catch2/catch.hpp>

#include "tools/tandemctl/commands.h"
#include "tools/tandemctl/help.h"

namespace tandem::tandemctl {
namespace {

std::string ErrorOf(const std::vector<std::string>& line) {
  Words words(line);
  const auto command = FindCommand(words);
  if (!command.ok()) return std::string(command.status().message());
  Invocation invocation;
  absl::Status status = (*command)->parse(words, invocation);
  if (status.ok()) status = words.End();
  return std::string(status.message());
}

admin::v1::Request RequestOf(const std::vector<std::string>& line) {
  Words words(line);
  const auto command = FindCommand(words);
  REQUIRE(command.ok());
  Invocation invocation;
  REQUIRE((*command)->parse(words, invocation).message() == "");
  REQUIRE(words.End().ok());
  return invocation.request;
}

TEST_CASE("tandemctl words: the near word is suggested", "[tandemctl]") {
  const std::vector<std::string_view> words = {"show", "modify", "delete", "load"};
  CHECK(Nearest("shwo", words) == "show");
  CHECK(Nearest("shw", words) == "show");
  CHECK(Nearest("mod", words) == "modify");
  CHECK(Nearest("delet", words) == "delete");
  CHECK(Nearest("laod", words) == "load");
  CHECK(Nearest("frobnicate", words) == "");
  CHECK(Nearest("", words) == "");
}

TEST_CASE("tandemctl words: what is wrong is said with the word", "[tandemctl]") {
  CHECK(ErrorOf({"show", "virtul"}) == "unknown word \"virtul\"; did you mean \"virtual\"?");
  CHECK(ErrorOf({"reset"}) == "a word is missing; it is one of stats");
  CHECK(ErrorOf({"show", "version", "x"}) == "unexpected word \"x\"");
  CHECK(ErrorOf({"delete", "connection"}) == "say which connections to delete: a filter, or all");
  CHECK(ErrorOf({"delete", "connection", "all", "virtual", "x"}) == "unexpected word \"virtual\"");
  CHECK(ErrorOf({"show", "connection", "cs-client-addr"}) ==
        "the value of cs-client-addr is missing");
  CHECK(ErrorOf({"show", "connection", "cs-client-addr", "10.0.0.300"}) ==
        "cs-client-addr \"10.0.0.300\": not an address or prefix");
  CHECK(ErrorOf({"show", "connection", "ss-server-port", "0"}) ==
        "ss-server-port \"0\": not a number from 1 to 65535");
  CHECK(ErrorOf({"show", "connection", "limit", "many"}).substr(0, 12) == "limit \"many\"");
  CHECK(ErrorOf({"show", "connection", "protocol", "tpc"}).substr(0, 14) == "protocol \"tpc\"");
  CHECK(ErrorOf({"show", "connection", "pool", "web"}) ==
        "pool NAME has to be followed by member ADDRESS:PORT");
  CHECK(ErrorOf({"modify", "pool", "web", "member", "10.0.0.1:80", "state", "down"}) ==
        "unknown state \"down\"; it is one of enabled, disabled, forced-offline");
  CHECK(ErrorOf({"modify", "virtual"}) == "the name of the virtual is missing");
  CHECK(ErrorOf({"check"}) == "the file to check is missing");
}

TEST_CASE("tandemctl words: commands become requests", "[tandemctl]") {
  CHECK(RequestOf({"show", "virtual", "web"}).show_virtual().name() == "web");
  const auto show = RequestOf({"show", "connection", "cs-client-addr", "10.0.0.0/8", "idle", "60",
                               "pool", "web", "member", "10.1.0.5:80", "limit", "5"});
  CHECK(show.show_connection().filter().cs_client_addr() == "10.0.0.0/8");
  CHECK(show.show_connection().filter().idle_min() == 60);
  CHECK(show.show_connection().filter().pool() == "web");
  CHECK(show.show_connection().filter().member() == "10.1.0.5:80");
  CHECK(show.show_connection().limit() == 5);
  CHECK(RequestOf({"delete", "connection", "all"}).delete_connection().all());
  const auto modify =
      RequestOf({"modify", "pool", "web", "member", "[2001:db8::1]:80", "state", "forced-offline"});
  CHECK(modify.modify_member().state() == admin::v1::ModifyMember::FORCED_OFFLINE);
  CHECK(RequestOf({"load", "verify"}).load().verify());
  CHECK_FALSE(RequestOf({"load"}).load().has_text());
  CHECK(RequestOf({"save"}).has_save());
  CHECK(RequestOf({"reset", "stats"}).has_reset_stats());
  CHECK(RequestOf({"show", "mirror"}).has_show_mirror());
  CHECK(RequestOf({"show", "traffic-group"}).has_show_traffic_group());
  const auto records = RequestOf({"show", "persistence", "mode", "hash", "count"});
  CHECK(records.show_persistence().filter().mode() == "hash");
  CHECK(records.show_persistence().count());
  CHECK(RequestOf({"delete", "persistence", "all"}).delete_persistence().all());
}

TEST_CASE("tandemctl words: each command has its help, as does each group", "[tandemctl]") {
  for (const Command& command : Commands()) {
    const auto help = HelpFor({command.words.begin(), command.words.end()});
    REQUIRE(help.ok());
    CHECK(help->find("Usage: tandemctl " + command.usage()) == 0);
    CHECK(HelpFor({std::string(command.words[0])}).ok());
    CHECK(HelpFor({})->find("  " + command.usage()) != std::string::npos);
  }
  CHECK_FALSE(HelpFor({"nonsense"}).ok());
}

TEST_CASE("tandemctl words: completion offers every word that may follow", "[tandemctl]") {
  for (const Command& command : Commands()) {
    for (size_t depth = 0; depth < command.words.size(); ++depth) {
      const auto offered = Complete({command.words.begin(),
                                     command.words.begin() + static_cast<std::ptrdiff_t>(depth)})
                               .words;
      CHECK(std::count(offered.begin(), offered.end(), command.words[depth]) == 1);
    }
  }
  using Names = Completion::Names;
  CHECK(Complete({"show", "virtual"}).names == Names::kVirtuals);
  CHECK(Complete({"show", "virtual", "web"}).names == Names::kNone);
  CHECK(Complete({"check"}).names == Names::kFiles);
  CHECK(Complete({"modify", "pool", "web", "member"}).names == Names::kMembers);
  CHECK(Complete({"modify", "pool", "web", "member"}).pool == "web");
  CHECK(Complete({"modify", "pool", "web", "member", "m"}).words ==
        std::vector<std::string_view>{"state"});
  CHECK(Complete({"show", "connection", "virtual"}).names == Names::kVirtuals);
  CHECK(Complete({"show", "connection", "cs-client-port"}).words.empty());
  CHECK(Complete({"nonsense"}).words.empty());
}

}  // namespace
}  // namespace tandem::tandemctl
