// SPDX-License-Identifier: Apache-2.0
#include "control/witness_host.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "control/log.h"
#include "control/mirroring_key_file.h"
#include "control/random.h"
#include "control/text.h"
#include "dataplane/io/clock.h"

namespace tandem::control {
namespace {

constexpr int kBurst = 64;                 // datagrams between two looks at signals
constexpr Nanos kLogEvery = 60 * kSecond;  // of what strangers send

absl::StatusOr<UniqueFd> TakeSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&set, number);
  if (const int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0)
    return absl::ErrnoToStatus(code, "blocking signals");
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WitnessHost>> WitnessHost::Start(const WitnessOptions& options) {
  std::unique_ptr<WitnessHost> host(new WitnessHost);
  host->options_ = options;
  absl::StatusOr<UniqueFd> signals = TakeSignals();
  if (!signals.ok()) return signals.status();
  host->signals_ = *std::move(signals);
  const auto key = ReadMirroringKey("--key_file", options.key_file);
  if (!key.ok()) return key.status();
  absl::StatusOr<io::UdpSocket> socket = io::UdpSocket::Open(options.address, options.port);
  if (!socket.ok()) return socket.status();
  host->socket_.emplace(*std::move(socket));
  host->server_ = std::make_unique<witness::Server>(
      witness::ServerOptions{.lease = options.lease,
                             .run = RandomNumber(),
                             .granted =
                                 [](uint64_t group, ha::DeviceId device) {
                                   LogNotice(Cat("traffic group ",
                                                 absl::Hex(group, absl::kZeroPad16),
                                                 ": the lease is unit ", device, "'s"));
                                 }},
      *key, io::MonotonicNow());
  LogNotice(Cat("witness at ", options.address.ToString(), " port ", options.port, ", leases of ",
                options.lease / kMillisecond, " ms; the first ones after that time"));
  return host;
}

absl::Status WitnessHost::Run() {
  for (;;) {
    std::array<pollfd, 2> waits{{{signals_.get(), POLLIN, 0}, {socket_->fd(), POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR)
      return absl::ErrnoToStatus(errno, "poll");
    if (waits[0].revents != 0 && !TakeSignal()) return absl::OkStatus();
    if (waits[1].revents != 0) Serve();
    LogStrangers();
  }
}

// False when it is time to stop.
bool WitnessHost::TakeSignal() {
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof(info)) != ssize_t{sizeof(info)}) return true;
  if (info.ssi_signo != SIGHUP) return false;
  ReadKeyAgain();
  return true;
}

void WitnessHost::ReadKeyAgain() {
  const auto key = ReadMirroringKey("--key_file", options_.key_file);
  if (!key.ok()) {
    LogError(Cat("SIGHUP: the key stays as it is: ", std::string(key.status().message())));
    return;
  }
  server_->SetKey(*key);
  LogNotice("SIGHUP: the key is read; the one before is good until the next time");
}

void WitnessHost::Serve() {
  std::array<uint8_t, witness::kDatagramSize + 1> question{};
  std::array<uint8_t, witness::kDatagramSize> answer{};
  for (int i = 0; i < kBurst; ++i) {
    const auto came = socket_->Receive(question);
    if (!came) return;
    if (came->bytes.empty()) continue;  // an ICMP message about an earlier answer
    if (server_->Answer(came->bytes, io::MonotonicNow(), answer)) socket_->Send(answer, came->from);
  }
}

void WitnessHost::LogStrangers() {
  const witness::ServerCounters& now = server_->counters();
  const uint64_t others = now.malformed + now.forged + now.limited + now.replayed;
  const uint64_t known = logged_.malformed + logged_.forged + logged_.limited + logged_.replayed;
  const bool is_lease = now.too_long != logged_.too_long;
  if ((others == known && !is_lease) || io::MonotonicNow() < logged_at_ + kLogEvery) return;
  logged_at_ = io::MonotonicNow();
  if (others != known) {
    LogWarning(Cat("datagrams that are not the devices': ", now.malformed, " malformed, ",
                   now.forged, " forged or of another key, ", now.replayed, " repeated, ",
                   now.limited, " too many of no session"));
  }
  if (is_lease) LogWarning("a device counts on longer leases than --lease_ms; it gets none");
  logged_ = now;
}

}  // namespace tandem::control
