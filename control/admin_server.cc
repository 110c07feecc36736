// SPDX-License-Identifier: Apache-2.0
#include "control/admin_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace tandem::control {
namespace {

using admin::v1::Response;

constexpr int kEventsMax = 64;
constexpr int kAcceptsMax = 64;  // of one call
constexpr int kBusyPollMs = 1;   // while an exchange waits for workers

// Best effort: a client that is sent away learns why if its buffer takes it.
void SendAway(int fd, Response::Code code, const char* why) {
  Response response;
  response.set_code(code);
  response.set_message(why);
  std::string frame;
  if (!AppendFrame(response, frame).ok()) return;
  // What does not fit is lost with the connection.
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Create(const AdminServerOptions& options,
                                                                 AdminHandler& handler) {
  auto listener = AdminListener::Create(options.path, options.group);
  if (!listener.ok()) return listener.status();
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return absl::ErrnoToStatus(errno, "admin socket: epoll_create1");
  return std::unique_ptr<AdminServer>(
      new AdminServer(options, handler, *std::move(listener), std::move(epoll)));
}

AdminServer::AdminServer(const AdminServerOptions& options, AdminHandler& handler,
                         AdminListener listener, UniqueFd epoll)
    : options_(options),
      handler_(handler),
      listener_(std::move(listener)),
      epoll_(std::move(epoll)) {
  WatchListener(true);
}

int AdminServer::TimeoutMs() const {
  Nanos earliest = UINT64_MAX;
  for (const AdminConnection& connection : connections_) {
    if (connection.busy()) return kBusyPollMs;
    earliest = std::min(earliest, connection.deadline());
  }
  if (!listening_) earliest = std::min(earliest, options_.clock() + kSecond);
  if (earliest == UINT64_MAX) return -1;
  const Nanos now = options_.clock();
  if (earliest <= now) return 0;
  return static_cast<int>(std::min<Nanos>((earliest - now) / kMillisecond + 1, 3'600'000));
}

void AdminServer::Process(int timeout_ms) {
  const int own = TimeoutMs();
  const int wait = own < 0 || (timeout_ms >= 0 && timeout_ms < own) ? timeout_ms : own;
  std::array<epoll_event, kEventsMax> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, wait);
  const Nanos now = options_.clock();
  bool knocking = !listening_;
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    const auto next = std::next(connection);
    const auto end = events.begin() + std::max(count, 0);
    const auto event = std::find_if(events.begin(), end, [&](const epoll_event& candidate) {
      return candidate.data.fd == connection->fd();
    });
    const uint32_t happened = event == end ? 0 : event->events;
    if (happened != 0 || connection->busy() || now >= connection->deadline()) {
      Handle(connection, happened, now);
    }
    connection = next;
  }
  for (int i = 0; i < count; ++i) {
    knocking |= events[static_cast<size_t>(i)].data.fd == listener_.fd();
  }
  if (knocking) Accept();
}

void AdminServer::Handle(Connections::iterator connection, uint32_t events, Nanos now) {
  const uint32_t wanted_before = connection->wanted_events();
  if (!connection->Process(events, now)) {
    connections_.erase(connection);  // closing takes it out of the epoll set
    return;
  }
  const uint32_t wanted = connection->wanted_events();
  if (wanted == wanted_before) return;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = connection->fd();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->fd(), &event);
}

void AdminServer::Accept() {
  WatchListener(true);
  for (int i = 0; i < kAcceptsMax; ++i) {
    UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      // Out of descriptors: the listener would stay readable, so look again in a second instead.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) WatchListener(false);
      if (errno != ECONNABORTED && errno != EINTR) return;
      continue;
    }
    TakeIn(std::move(fd));
  }
}

bool AdminServer::TakeIn(UniqueFd fd) {
  const auto peer = CredentialsOf(fd.get());
  const bool welcome =
      peer && (options_.may_operate ? options_.may_operate(*peer)
                                    : MayOperate(*peer, ::geteuid(), options_.group));
  if (!welcome) {
    SendAway(fd.get(), Response::PERMISSION_DENIED, "this user may not operate the device");
    return false;
  }
  if (connections_.size() >= options_.clients_max) {
    SendAway(fd.get(), Response::BUSY, "too many clients are connected; try again");
    return false;
  }
  const int raw = fd.get();
  connections_.emplace_back(std::move(fd), handler_, options_.timeouts, options_.clock());
  epoll_event event{};
  event.events = connections_.back().wanted_events();
  event.data.fd = raw;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, raw, &event) != 0) {
    connections_.pop_back();
    return false;
  }
  return true;
}

void AdminServer::WatchListener(bool on) {
  if (on == listening_) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_.fd();
  const int operation = on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  if (::epoll_ctl(epoll_.get(), operation, listener_.fd(), &event) == 0) listening_ = on;
}

}  // namespace tandem::control
