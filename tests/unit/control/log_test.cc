// SPDX-License-Identifier: Apache-2.0
#include "control/log.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>

#include <catch2/catch.hpp>

#include "control/daemon_notify.h"
#include "control/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace tandem::control {

TEST_CASE("levels are called as documented, and nothing else") {
  CHECK(ParseLogLevel("error") == LogLevel::kError);
  CHECK(ParseLogLevel("debug") == LogLevel::kDebug);
  CHECK_FALSE(ParseLogLevel("").has_value());
  CHECK_FALSE(ParseLogLevel("Error").has_value());
  CHECK_FALSE(ParseLogLevel("errors").has_value());
}

TEST_CASE("a level lets itself and what is worse through") {
  SetLogLevel(LogLevel::kWarning);
  CHECK(IsLogged(LogLevel::kError));
  CHECK(IsLogged(LogLevel::kWarning));
  CHECK_FALSE(IsLogged(LogLevel::kNotice));
  SetLogLevel(LogLevel::kNotice);
}

TEST_CASE("the journal gets priorities, a terminal time and level") {
  CHECK(FormatLog(LogLevel::kError, "", "it broke") == "<3>it broke\n");
  CHECK(FormatLog(LogLevel::kDebug, "noon", "so what") == "noon debug: so what\n");
}

TEST_CASE("every line of a message is one of the log, and no control character gets there") {
  CHECK(FormatLog(LogLevel::kInfo, "", "one\n\ntwo\n") == "<6>one\n<6>two\n");
  CHECK(FormatLog(LogLevel::kInfo, "", "a\x1b[2J\rb\x7f\tc") == "<6>a?[2J?b?\tc\n");
  CHECK(FormatLog(LogLevel::kInfo, "", "").empty());
}

TEST_CASE("the service manager is told, if there is one") {
  const test::TempDir directory;
  const std::string path = directory / "notify";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  unsetenv("NOTIFY_SOCKET");
  NotifyManager("READY=1");
  setenv("NOTIFY_SOCKET", "relative", 1);
  NotifyManager("READY=1");
  std::array<char, 64> text{};
  CHECK(recv(fd.get(), text.data(), text.size(), 0) == -1);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  NotifyManager("READY=1");
  unsetenv("NOTIFY_SOCKET");
  REQUIRE(recv(fd.get(), text.data(), text.size(), 0) == 7);
  CHECK(std::string(text.data()) == "READY=1");
}

}  // namespace tandem::control
