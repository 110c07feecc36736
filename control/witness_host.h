// SPDX-License-Identifier: Apache-2.0
//
// The witness's process: its socket, its clock and its signals around witness::Server.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/unique_fd.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/io/udp_socket.h"
#include "dataplane/witness/server.h"

namespace tandem::control {

struct WitnessOptions {
  IpAddress address;
  uint16_t port = witness::kPort;
  std::string key_file;
  Nanos lease = kSecond;
};

class WitnessHost {
 public:
  // Bound, and with the key. SIGTERM, SIGINT and SIGHUP are taken from then on.
  static absl::StatusOr<std::unique_ptr<WitnessHost>> Start(const WitnessOptions& options);

  // Until SIGTERM or SIGINT. SIGHUP reads the key again.
  absl::Status Run();

 private:
  WitnessHost() = default;
  bool TakeSignal();
  void ReadKeyAgain();
  void Serve();
  void LogStrangers();

  WitnessOptions options_;
  std::optional<io::UdpSocket> socket_;  // set by Start
  UniqueFd signals_;
  std::unique_ptr<witness::Server> server_;
  witness::ServerCounters logged_;
  Nanos logged_at_ = 0;
};

}  // namespace tandem::control
