// SPDX-License-Identifier: Apache-2.0
//
// What control does for takeover with the system: the facts file on a real disk, and the hook.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/facts_file.h"
#include "control/failover_hook.h"
#include "control/text.h"
#include "tests/support/temp_dir.h"

namespace tandem::control {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteProgram(const std::string& path, const std::string& body) {
  std::ofstream(path) << "#!/bin/sh\n" << body;
  chmod(path.c_str(), 0755);
}

// Polls until nothing runs any more; what it had to say.
std::vector<std::string> Finish(FailoverHook& hook, Nanos step) {
  std::vector<std::string> all;
  Nanos now = kSecond;
  for (int i = 0; i < 2000 && (i == 0 || !hook.is_idle()); ++i) {
    for (std::string& line : hook.Poll(now += step))
      all.push_back(std::move(line));
    usleep(1000);
  }
  return all;
}

}  // namespace

TEST_CASE("facts: a new device has none; what was stored comes back") {
  const test::TempDir directory;
  const std::string path = directory.path() + "/state/failover";
  const auto fresh = LoadFacts(path);
  REQUIRE(fresh.ok());
  CHECK(*fresh == ha::Facts());
  ha::Facts facts;
  facts.ballot = 48;
  facts.forced_offline = true;
  facts.Note({.unix_ms = 1,
              .group = "g",
              .from = ha::State::kStandby,
              .to = ha::State::kStandalone,
              .epoch = ha::Epoch::Promoted(7, 1),
              .reason = "the active device is silent"});
  REQUIRE(StoreFacts(facts, path).ok());
  facts.ballot = 64;
  REQUIRE(StoreFacts(facts, path).ok());
  const auto loaded = LoadFacts(path);
  REQUIRE(loaded.ok());
  CHECK(*loaded == facts);
}

TEST_CASE("facts: a damaged file is refused, with its name and what to do") {
  const test::TempDir directory;
  const std::string path = directory.path() + "/failover";
  std::ofstream(path) << "what is this\n";
  const auto loaded = LoadFacts(path);
  REQUIRE_FALSE(loaded.ok());
  const std::string message(loaded.status().message());
  CHECK(message.find(path) == 0);
  CHECK(message.find("remove the file while another device of the group runs") !=
        std::string::npos);
  std::ofstream(path) << std::string(ha::kFactsSizeMax + 1, 'x');
  CHECK_FALSE(LoadFacts(path).ok());
}

TEST_CASE("facts: a place that cannot be written to is an error") {
  CHECK_FALSE(StoreFacts(ha::Facts(), "/proc/there/failover").ok());
}

TEST_CASE("hook: runs one at a time, in order, with the environment it is given") {
  const test::TempDir directory;
  const std::string log = directory.path() + "/log";
  WriteProgram(directory.path() + "/hook", Cat("echo \"$TANDEM_TO\" >> ", log, "\n"));
  FailoverHook hook;
  hook.Configure(directory.path() + "/hook", kSecond);
  for (const char* to : {"one", "two", "three"})
    hook.Add({Cat("TANDEM_TO=", to)});
  CHECK(Finish(hook, kMillisecond).empty());
  CHECK(Contents(log) == "one\ntwo\nthree\n");
}

TEST_CASE("hook: one that hangs is killed, with all it began; one that fails is told of") {
  const test::TempDir directory;
  WriteProgram(directory.path() + "/hook", "[ $TANDEM_TO = hang ] && sleep 100\nexit 3\n");
  FailoverHook hook;
  hook.Configure(directory.path() + "/hook", 10 * kMillisecond);
  hook.Add({"TANDEM_TO=hang"});
  std::vector<std::string> lines = Finish(hook, kMillisecond);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("killed after its timeout") != std::string::npos);
  hook.Configure(directory.path() + "/hook", 100 * kSecond);
  hook.Add({"TANDEM_TO=fail"});
  lines = Finish(hook, kMillisecond);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("exit status 3") != std::string::npos);
}

TEST_CASE("hook: a program that is not there is told of; without one nothing runs") {
  FailoverHook hook;
  hook.Add({"TANDEM_TO=x"});
  CHECK(hook.is_idle());
  hook.Configure("/nonexistent/hook", kSecond);
  hook.Add({"TANDEM_TO=x"});
  const std::vector<std::string> lines = Finish(hook, kMillisecond);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("No such file") != std::string::npos);
}

TEST_CASE("hook: too slow, the oldest that wait are left out, and counted") {
  const test::TempDir directory;
  WriteProgram(directory.path() + "/hook", "true\n");
  FailoverHook hook;
  hook.Configure(directory.path() + "/hook", kSecond);
  for (size_t i = 0; i < FailoverHook::kWaitingMax + 5; ++i)
    hook.Add({"TANDEM_TO=x"});
  const std::vector<std::string> lines = hook.Poll(kSecond);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("5 transitions were left out") != std::string::npos);
}

}  // namespace tandem::control
