// SPDX-License-Identifier: Apache-2.0
#include "control/admin_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace tandem::control {
namespace {

using test::TempDir;

// A socket file that nobody listens on: its process died.
void LeaveStale(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

TEST_CASE("admin listener: makes its directory, and a socket for owner and group", "[admin]") {
  const TempDir directory;
  const std::string path = directory / "run/tandem/admin.sock";
  const mode_t before = ::umask(0);
  {
    const auto listener = AdminListener::Create(path, ::getegid());
    ::umask(before);
    REQUIRE(listener.ok());
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(S_ISSOCK(status.st_mode));
    CHECK((status.st_mode & 0777) == 0660);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("admin listener: replaces the socket of a dead process", "[admin]") {
  const TempDir directory;
  LeaveStale(directory / "admin.sock");
  CHECK(AdminListener::Create(directory / "admin.sock", {}).ok());
}

TEST_CASE("admin listener: leaves the socket of a living process alone", "[admin]") {
  const TempDir directory;
  const std::string path = directory / "admin.sock";
  const auto first = AdminListener::Create(path, {});
  REQUIRE(first.ok());
  const auto second = AdminListener::Create(path, {});
  REQUIRE_FALSE(second.ok());
  CHECK(std::string(second.status().message()) ==
        "admin socket " + path + ": another process listens on it");
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("admin listener: never removes a file that is no socket", "[admin]") {
  const TempDir directory;
  const std::string path = directory / "precious";
  std::ofstream(path) << "data";
  CHECK_FALSE(AdminListener::Create(path, {}).ok());
  CHECK(std::filesystem::file_size(path) == 4);
}

TEST_CASE("admin listener: what took the file's place is not removed at the end", "[admin]") {
  const TempDir directory;
  const std::string path = directory / "admin.sock";
  {
    const auto listener = AdminListener::Create(path, {});
    REQUIRE(listener.ok());
    std::filesystem::rename(path, directory / "moved");
    std::ofstream(path) << "other";
  }
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("admin listener: a path that does not fit an address is an error", "[admin]") {
  CHECK_FALSE(AdminListener::Create("", {}).ok());
  CHECK_FALSE(AdminListener::Create("/tmp/" + std::string(108, 'x'), {}).ok());
}

TEST_CASE("admin listener: root, the daemon's user and the group may operate", "[admin]") {
  constexpr uid_t kSelf = 500;
  constexpr gid_t kGroup = 60;
  CHECK(MayOperate({.uid = 0, .gid = 0, .groups = {}}, kSelf, {}));
  CHECK(MayOperate({.uid = kSelf, .gid = 9, .groups = {}}, kSelf, {}));
  CHECK_FALSE(MayOperate({.uid = 1000, .gid = kGroup, .groups = {kGroup}}, kSelf, {}));
  CHECK(MayOperate({.uid = 1000, .gid = kGroup, .groups = {}}, kSelf, kGroup));
  CHECK(MayOperate({.uid = 1000, .gid = 9, .groups = {8, kGroup}}, kSelf, kGroup));
  CHECK_FALSE(MayOperate({.uid = 1000, .gid = 9, .groups = {8, 10}}, kSelf, kGroup));
}

TEST_CASE("admin listener: the kernel tells who is at the other end", "[admin]") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  const auto peer = CredentialsOf(one.get());
  REQUIRE(peer);
  CHECK(peer->uid == ::geteuid());
  CHECK(peer->gid == ::getegid());
  CHECK_FALSE(CredentialsOf(-1));
}

}  // namespace
}  // namespace tandem::control
