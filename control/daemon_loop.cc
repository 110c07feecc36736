// SPDX-License-Identifier: Apache-2.0
#include "control/daemon_loop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "control/log.h"
#include "control/text.h"

namespace tandem::control {
namespace {

// False when it is time to stop.
bool TakeSignal(Daemon& daemon, int fd) {
  signalfd_siginfo info{};
  if (read(fd, &info, sizeof(info)) != ssize_t{sizeof(info)}) return true;
  if (info.ssi_signo != SIGHUP) {
    LogNotice(info.ssi_signo == SIGTERM ? "SIGTERM: stopping" : "SIGINT: stopping");
    return false;
  }
  const absl::Status status = daemon.Reload(/*check_only=*/false);
  if (!status.ok()) {
    LogError(Cat("SIGHUP: the configuration stays as it is, because of\n",
                 std::string(status.message())));
  }
  return true;
}

}  // namespace

absl::StatusOr<UniqueFd> TakeSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&set, number);
  }
  if (const int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0) {
    return absl::ErrnoToStatus(code, "blocking signals");
  }
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

absl::Status RunLoop(Daemon& daemon, const UniqueFd& signals) {
  AdminServer& admin = daemon.admin_server();
  for (;;) {
    int timeout = daemon.Tend();
    if (const int wanted = admin.TimeoutMs(); wanted >= 0) timeout = std::min(timeout, wanted);
    std::array<pollfd, 2> waits{{{signals.get(), POLLIN, 0}, {admin.fd(), POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), timeout) < 0 && errno != EINTR) {
      return absl::ErrnoToStatus(errno, "poll");
    }
    admin.Process();
    if (waits[0].revents != 0 && !TakeSignal(daemon, signals.get())) return absl::OkStatus();
  }
}

}  // namespace tandem::control
