// SPDX-License-Identifier: Apache-2.0
//
// tandemctl as a whole, against the real server and a real unit in a thread.
#include "tools/tandemctl/run.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "control/admin_server.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/control/admin_device.h"
#include "tools/tandemctl/files.h"

namespace tandem::tandemctl {
namespace {

using control::AdminDevice;

struct Result {
  ExitStatus status = kDone;
  std::string out;
  std::string err;
};

Result RunWith(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Result result;
  result.status = Run(arguments, {in, out, err});
  result.out = out.str();
  result.err = err.str();
  return result;
}

// A device that answers at its socket until the end of the test.
class Daemon {
 public:
  Daemon() {
    device_.ServerSpeaks(5);
    device_.Syn(1000);
    control::AdminServerOptions options;
    options.path = directory_ / "admin.sock";
    options.clock = [this] { return device_.Now(); };
    auto server = control::AdminServer::Create(options, device_.requests());
    REQUIRE(server.ok());
    server_ = *std::move(server);
    thread_ = std::thread([this] {
      while (!stop_) {
        server_->Process(1);
        device_.Turn();
      }
    });
  }
  ~Daemon() {
    stop_ = true;
    thread_.join();
  }

  Result Ctl(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {"--socket", directory_ / "admin.sock"});
    return RunWith(words, input);
  }
  std::string operator/(const std::string& name) const { return directory_ / name; }

 private:
  test::TempDir directory_;
  AdminDevice device_;
  std::unique_ptr<control::AdminServer> server_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("tandemctl: shows what the device says", "[tandemctl]") {
  Daemon daemon;
  const Result virtuals = daemon.Ctl({"show", "virtual", "web"});
  CHECK(virtuals.status == kDone);
  CHECK(virtuals.err.empty());
  CHECK(virtuals.out.find("web   10.0.0.100:80  tcp") != std::string::npos);
  const Result connections = daemon.Ctl({"show", "connection"});
  CHECK(connections.out.find("10.0.0.9:1000  10.0.0.100:80  10.1.0.1:") == 0);
  CHECK(connections.out.find("10.1.0.5:8080  tcp  opening") != std::string::npos);
  CHECK(connections.out.find("1 connection\n") != std::string::npos);
  CHECK(daemon.Ctl({"show", "connection", "count"}).out == "1 connection\n");
  for (const char* what : {"version", "virtual", "pool", "connection", "arp", "port", "worker",
                           "drops", "route", "running-config"}) {
    INFO(what);
    const Result table = daemon.Ctl({"show", what});
    CHECK(table.status == kDone);
    CHECK_FALSE(table.out.empty());
    const Result json = daemon.Ctl({"show", what, "--json"});
    CHECK(json.status == kDone);
    CHECK(json.out.substr(0, 2) == "{\n");
    CHECK(json.out.substr(json.out.size() - 2) == "}\n");
  }
}

TEST_CASE("tandemctl: changes the device, and says when it is refused", "[tandemctl]") {
  Daemon daemon;
  CHECK(
      daemon.Ctl({"modify", "pool", "web", "member", "10.1.0.6:8080", "state", "enabled"}).status ==
      kDone);
  CHECK(daemon.Ctl({"show", "pool", "web"}).out.find("available (2 of 2 members)") !=
        std::string::npos);
  CHECK(daemon.Ctl({"modify", "virtual", "dns", "disabled"}).status == kDone);
  const Result nope = daemon.Ctl({"modify", "virtual", "nope", "disabled"});
  CHECK(nope.status == kRefused);
  CHECK(nope.err == "tandemctl: virtual 'nope' does not exist\n");
  CHECK(nope.out.empty());
  CHECK(daemon.Ctl({"delete", "connection", "cs-client-port", "1000"}).out ==
        "1 connection deleted\n");
  CHECK(daemon.Ctl({"delete", "connection", "all", "--json"}).out == "{\n \"deleted\": \"0\"\n}\n");
  CHECK(daemon.Ctl({"reset", "stats"}).status == kDone);
  CHECK(daemon.Ctl({"save"}).out == "saved to /etc/tandem/tandem.textproto\n");
}

TEST_CASE("tandemctl: files are saved, checked and loaded on this side", "[tandemctl]") {
  Daemon daemon;
  const std::string path = daemon / "saved.textproto";
  CHECK(daemon.Ctl({"save", path}).out == "saved to " + path + "\n");
  CHECK(Contents(path).find("name: \"web\"") != std::string::npos);
  CHECK(RunWith({"check", path}).out.find(path + ": valid\n") != std::string::npos);
  CHECK(daemon.Ctl({"load", path}).status == kDone);
  CHECK(daemon.Ctl({"load", "verify"}).status == kDone);
  CHECK(daemon.Ctl({"load", "-"}, Contents(path)).status == kDone);

  const std::string broken = daemon / "broken.textproto";
  std::ofstream(broken) << "virtual {\n  nonsense: 1\n}\n";
  const Result refused = daemon.Ctl({"load", broken});
  CHECK(refused.status == kRefused);
  CHECK(refused.err.find(broken + ":2:") != std::string::npos);
  const Result checked = RunWith({"check", broken});
  CHECK(checked.status == kRefused);
  CHECK(checked.err.find(broken + ":2:") != std::string::npos);
  const Result json = RunWith({"check", "--json", broken});
  CHECK(json.status == kRefused);
  CHECK(json.out.find("\"valid\": false") != std::string::npos);
  std::ofstream(broken) << "port { name: \"caf\xe9\" }";
  CHECK(RunWith({"check", "--json", broken}).out.find("port 'caf\\\\xe9'") != std::string::npos);
  CHECK(daemon.Ctl({"load", broken}).err.find("port 'caf\\xe9'") != std::string::npos);
  CHECK(daemon.Ctl({"load", daemon / "missing"}).status == kRefused);
  CHECK(RunWith({"check", daemon / "missing"}).status == kRefused);
  CHECK(daemon.Ctl({"save", "/nonexistent/x"}).status == kRefused);
  CHECK(daemon.Ctl({"show", "running-config"}).out.find("name: \"web\"") != std::string::npos);
}

TEST_CASE("tandemctl: completes names that the daemon knows", "[tandemctl]") {
  Daemon daemon;
  CHECK(daemon.Ctl({"__complete", "show", "virtual"}).out == "dns\nout\nweb\n");
  CHECK(daemon.Ctl({"__complete", "modify", "pool"}).out == "dns\nweb\n");
  CHECK(daemon.Ctl({"__complete", "modify", "pool", "web", "member"}).out ==
        "10.1.0.5:8080\n10.1.0.6:8080\n");
  CHECK(RunWith({"--socket", "/nonexistent", "__complete", "show", "virtual"}).out.empty());
}

TEST_CASE("tandemctl: exit statuses of usage and of an absent daemon", "[tandemctl]") {
  CHECK(RunWith({}).status == kUsage);
  CHECK(RunWith({"show"}).status == kUsage);
  CHECK(RunWith({"nonsense"}).status == kUsage);
  CHECK(RunWith({"show", "virtual", "a", "b"}).status == kUsage);
  CHECK(RunWith({"--jsno", "show", "virtual"}).err ==
        "tandemctl: unknown option \"--jsno\"; did you mean \"--json\"?\n");
  CHECK(RunWith({"show", "virtual", "--socket"}).status == kUsage);
  CHECK(RunWith({"--help"}).status == kDone);
  CHECK(RunWith({"--version"}).out.find("tandemctl ") == 0);
  const Result absent = RunWith({"--socket=/nonexistent/admin.sock", "show", "version"});
  CHECK(absent.status == kUnreachable);
  CHECK(absent.err ==
        "tandemctl: cannot reach tandemd at /nonexistent/admin.sock: No such file or directory "
        "(is tandemd running, with this socket?)\n");
}

}  // namespace
}  // namespace tandem::tandemctl
