// SPDX-License-Identifier: Apache-2.0
//
// The server against clients that are rude, slow, or many. Time is the test's own.
#include "control/admin_server.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/support/temp_dir.h"

namespace tandem::control {
namespace {

using admin::v1::Request;
using admin::v1::Response;

// Answers `show virtual NAME` by NAME: "flood" without end, "wait" never, "huge" beyond a frame,
// anything else with a virtual of that name.
class FakeHandler : public AdminHandler {
 public:
  class FakeExchange : public AdminExchange {
   public:
    FakeExchange(FakeHandler& handler, std::string name)
        : handler_(handler), name_(std::move(name)) {
      ++handler_.alive;
    }
    ~FakeExchange() override { --handler_.alive; }
    Step Next(Response& response) override {
      if (name_ == "wait") return Step::kWait;
      ++handler_.responses;
      auto* result = response.mutable_virtuals()->add_virtual_();
      result->set_name(name_);
      if (name_ == "flood") {
        result->set_reason(std::string(64 << 10, 'x'));
        response.set_more(true);
      }
      if (name_ == "huge") result->set_reason(std::string(kFrameMax, 'x'));
      return Step::kResponse;
    }

   private:
    FakeHandler& handler_;
    std::string name_;
  };

  std::unique_ptr<AdminExchange> Begin(const Request& request) override {
    return std::make_unique<FakeExchange>(*this, request.show_virtual().name());
  }

  int alive = 0;
  size_t responses = 0;
};

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
            0);
  }

  // How many bytes the socket took.
  size_t Send(std::string_view bytes) {
    const ssize_t count =
        ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 ? 0 : static_cast<size_t>(count);
  }
  void Ask(const std::string& name) {
    Request request;
    request.mutable_show_virtual()->set_name(name);
    std::string frame;
    REQUIRE(AppendFrame(request, frame).ok());
    REQUIRE(Send(frame) == frame.size());
  }
  // The responses that are there now. Sets `closed` at the end of the stream.
  std::vector<Response> Read() {
    std::array<char, 65536> bytes;
    ssize_t count = 0;
    while ((count = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0) {
      reader_.Append({bytes.data(), static_cast<size_t>(count)});
    }
    closed = count == 0 || errno == ECONNRESET;
    std::vector<Response> responses;
    for (auto message = reader_.Next(); message.ok() && *message; message = reader_.Next()) {
      REQUIRE(responses.emplace_back().ParseFromString(**message));
    }
    return responses;
  }
  void HangUp() { fd_.Reset(); }
  void EndInput() { ::shutdown(fd_.get(), SHUT_WR); }

  bool closed = false;

 private:
  UniqueFd fd_;
  FrameReader reader_;
};

struct Fixture {
  test::TempDir directory;
  Nanos now = 1000 * kSecond;
  FakeHandler handler;
  bool welcome = true;
  std::unique_ptr<AdminServer> server;

  Fixture() {
    AdminServerOptions options;
    options.path = directory / "admin.sock";
    options.clock = [this] { return now; };
    options.may_operate = [this](const PeerCredentials&) { return welcome; };
    auto created = AdminServer::Create(options, handler);
    REQUIRE(created.ok());
    server = *std::move(created);
  }

  Client Connect() { return Client(directory / "admin.sock"); }
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      server->Process(0);
    }
  }
  void Pass(Nanos time) {
    now += time;
    Settle();
  }
  // What one request to a healthy server answers.
  void CheckHealthy() {
    Client client = Connect();
    client.Ask("health");
    Settle();
    const auto responses = client.Read();
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].virtuals().virtual_(0).name() == "health");
  }
};

TEST_CASE("admin server: answers requests in order, also those sent ahead", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  for (int i = 0; i < 100; ++i) {
    client.Ask(std::to_string(i));
  }
  f.Settle();
  const auto responses = client.Read();
  REQUIRE(responses.size() == 100);
  for (size_t i = 0; i < responses.size(); ++i) {
    CHECK(responses[i].virtuals().virtual_(0).name() == std::to_string(i));
  }
  CHECK_FALSE(client.closed);
}

TEST_CASE("admin server: a client may end its input and still gets its answer", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  client.Ask("web");
  client.EndInput();
  f.Settle();
  CHECK(client.Read().size() == 1);
  CHECK(client.closed);
  CHECK(f.server->clients() == 0);
}

TEST_CASE("admin server: a frame cut at any byte closes quietly", "[admin]") {
  Fixture f;
  Request request;
  request.mutable_show_virtual()->set_name("web");
  std::string frame;
  REQUIRE(AppendFrame(request, frame).ok());
  for (size_t cut = 0; cut < frame.size(); ++cut) {
    Client client = f.Connect();
    client.Send(std::string_view(frame).substr(0, cut));
    f.Settle();
    CHECK(f.server->clients() == 1);
    client.HangUp();
    f.Settle();
    CHECK(f.server->clients() == 0);
  }
  CHECK(f.handler.responses == 0);
  f.CheckHealthy();
}

TEST_CASE("admin server: garbage gets an error and a closed connection", "[admin]") {
  Fixture f;
  constexpr uint64_t kSeed = 11;
  INFO("seed " << kSeed);
  Prng prng(kSeed);
  for (int round = 0; round < 200; ++round) {
    Client client = f.Connect();
    std::string bytes(1 + prng.Below(200), '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(prng.Next());
    }
    client.Send(bytes);
    client.EndInput();
    f.Settle();
    client.Read();
    CHECK(client.closed);
    CHECK(f.server->clients() == 0);
  }
  Client client = f.Connect();
  client.Send(std::string("\0\0\0\x02\xff\xff", 6));
  f.Settle();
  const auto responses = client.Read();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].code() == Response::INVALID);
  CHECK(client.closed);
  f.CheckHealthy();
}

TEST_CASE("admin server: an oversized request is refused at its header", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  client.Send(std::string("\x7f\xff\xff\xff", 4) + std::string(1000, 'x'));
  f.Settle();
  const auto responses = client.Read();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].code() == Response::TOO_LARGE);
  CHECK(client.closed);
  f.CheckHealthy();
}

TEST_CASE("admin server: an answer beyond a frame becomes an error", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  client.Ask("huge");
  f.Settle();
  const auto responses = client.Read();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].code() == Response::TOO_LARGE);
  CHECK(f.handler.alive == 0);
}

TEST_CASE("admin server: a client that never reads stops its query, then is cut off", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  client.Ask("flood");
  f.Settle();
  const size_t produced = f.handler.responses;
  // What waits is bounded: kOutputLow here, and what the kernel buffers.
  CHECK(produced < 100);
  f.Pass(9 * kSecond);
  CHECK(f.handler.responses == produced);
  CHECK(f.server->clients() == 1);
  f.CheckHealthy();
  f.Pass(2 * kSecond);
  CHECK(f.server->clients() == 0);
  CHECK(f.handler.alive == 0);
}

TEST_CASE("admin server: a client that reads slowly is not cut off", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  client.Ask("flood");
  size_t received = 0;
  for (int i = 0; i < 10; ++i) {
    f.Pass(8 * kSecond);
    received += client.Read().size();
  }
  f.Settle();
  CHECK(f.server->clients() == 1);
  CHECK(received > 20);
}

TEST_CASE("admin server: a frame that trickles in is given up after its time", "[admin]") {
  Fixture f;
  Client client = f.Connect();
  for (int i = 0; i < 9; ++i) {
    client.Send(std::string_view("\0\0\1\0xxxxxxxx", 12).substr(static_cast<size_t>(i), 1));
    f.Pass(kSecond);
    REQUIRE(f.server->clients() == 1);
  }
  f.Pass(2 * kSecond);
  const auto responses = client.Read();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].code() == Response::TIMEOUT);
  CHECK(client.closed);
  CHECK(f.server->clients() == 0);
}

TEST_CASE("admin server: an idle client is sent away, a waiting one is not", "[admin]") {
  Fixture f;
  Client idle = f.Connect();
  Client waiting = f.Connect();
  waiting.Ask("wait");
  f.Settle();
  f.Pass(59 * kSecond);
  CHECK(f.server->clients() == 2);
  f.Pass(2 * kSecond);
  CHECK(f.server->clients() == 1);
  idle.Read();
  CHECK(idle.closed);
  CHECK(f.handler.alive == 1);
  waiting.HangUp();
  f.Settle();
  CHECK(f.handler.alive == 0);
}

TEST_CASE("admin server: one client too many is told so, and the others go on", "[admin]") {
  Fixture f;
  std::vector<Client> clients;
  for (size_t i = 0; i < 32; ++i) {
    clients.push_back(f.Connect());
  }
  f.Settle();
  CHECK(f.server->clients() == 32);
  Client late = f.Connect();
  f.Settle();
  const auto responses = late.Read();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].code() == Response::BUSY);
  CHECK(late.closed);
  clients[7].Ask("web");
  f.Settle();
  CHECK(clients[7].Read().size() == 1);
  clients.pop_back();
  f.Settle();
  f.CheckHealthy();
}

TEST_CASE("admin server: a stranger is told so and never heard", "[admin]") {
  Fixture f;
  f.welcome = false;
  Client client = f.Connect();
  client.Ask("web");
  f.Settle();
  const auto responses = client.Read();
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].code() == Response::PERMISSION_DENIED);
  CHECK(client.closed);
  CHECK(f.handler.responses == 0);
  f.welcome = true;
  f.CheckHealthy();
}

TEST_CASE("admin server: says how long its loop may wait", "[admin]") {
  Fixture f;
  CHECK(f.server->TimeoutMs() == -1);
  Client client = f.Connect();
  f.Settle();
  CHECK(f.server->TimeoutMs() == 60'001);
  client.Send(std::string(1, '\0'));
  f.Settle();
  CHECK(f.server->TimeoutMs() == 10'001);
  Client waiting = f.Connect();
  waiting.Ask("wait");
  f.Settle();
  CHECK(f.server->TimeoutMs() == 1);
}

}  // namespace
}  // namespace tandem::control
