// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "control/text.h"

namespace tandem::tandemctl {
namespace {

using admin::v1::Response;
using control::Cat;

// A large configuration takes the daemon a while.
constexpr time_t kAnswerSecondsMax = 60;

absl::Status Unreachable(const std::string& path, int error) {
  std::string hint;
  if (error == ENOENT) hint = " (is tandemd running, with this socket?)";
  if (error == ECONNREFUSED) hint = " (tandemd is not running)";
  if (error == EACCES || error == EPERM) hint = " (try as root)";
  return absl::UnavailableError(
      Cat("cannot reach tandemd at ", path, ": ", std::strerror(error), hint));
}

}  // namespace

absl::Status Client::Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Unreachable(path, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  fd_.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd_) return Unreachable(path, errno);
  const timeval limit{.tv_sec = kAnswerSecondsMax, .tv_usec = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Unreachable(path, errno);
  }
  return absl::OkStatus();
}

absl::Status Client::Ask(const admin::v1::Request& request,
                         const std::function<void(const Response&)>& on_response) {
  std::string frame;
  if (const absl::Status status = control::AppendFrame(request, frame); !status.ok()) {
    return absl::FailedPreconditionError(Cat("the request: ", status.message()));
  }
  // When the daemon hangs up in the middle, it has said why.
  const absl::Status sent = Send(frame);
  for (bool more = true; more;) {
    Response response;
    if (const absl::Status status = Receive(response); !status.ok()) {
      return sent.ok() ? status : sent;
    }
    if (response.code() != Response::OK) return absl::FailedPreconditionError(response.message());
    on_response(response);
    more = response.more();
  }
  return absl::OkStatus();
}

absl::Status Client::Send(const std::string& frame) {
  for (size_t sent = 0; sent < frame.size();) {
    const ssize_t count = ::send(fd_.get(), frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::UnavailableError("tandemd does not take the request");
    sent += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status Client::Receive(Response& response) {
  std::array<char, 65536> bytes;
  for (;;) {
    auto message = reader_.Next();
    if (!message.ok()) return absl::UnavailableError(message.status().message());
    if (*message) {
      if (control::ParseMessage(**message, response)) return absl::OkStatus();
      return absl::UnavailableError("what answers at the socket is not tandemd");
    }
    const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (count > 0) {
      reader_.Append({bytes.data(), static_cast<size_t>(count)});
    } else if (count == 0) {
      return absl::UnavailableError("tandemd closed the connection before its answer ended");
    } else if (errno == EAGAIN) {
      return absl::UnavailableError(Cat("no answer from tandemd in ", kAnswerSecondsMax, " s"));
    } else if (errno != EINTR) {
      return absl::UnavailableError(Cat("lost tandemd: ", std::strerror(errno)));
    }
  }
}

}  // namespace tandem::tandemctl
