// SPDX-License-Identifier: Apache-2.0
//
// The admin socket's server: takes clients in, turns bytes into requests, hands them to the handler
// and carries its responses back (proto/admin.proto has the protocol and its limits).
//
// Theory of operation. Nothing here blocks. The daemon's loop waits on fd() together with what else
// it waits for, no longer than TimeoutMs(), and calls Process; or it lets Process do the waiting.
//
// Thread safety: one thread. No packet path is involved anywhere.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include "control/admin_connection.h"
#include "control/admin_exchange.h"
#include "control/admin_listener.h"
#include "control/unique_fd.h"
#include "dataplane/base/time.h"

namespace tandem::control {

struct AdminServerOptions {
  std::string path = "/run/tandem/admin.sock";
  std::optional<gid_t> group;  // whose members may operate the device beside root
  size_t clients_max = 32;     // one more is told so and sent away
  AdminTimeouts timeouts;
  std::function<Nanos()> clock;                             // monotonic; required
  std::function<bool(const PeerCredentials&)> may_operate;  // unset: MayOperate
};

class AdminServer {
 public:
  // `handler` outlives the server.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Create(const AdminServerOptions& options,
                                                             AdminHandler& handler);

  // Readable when Process has something to do.
  int fd() const { return epoll_.get(); }
  // How long the loop may wait before it calls Process though fd() is not readable; -1: for ever.
  int TimeoutMs() const;
  // Does what there is to do, after waiting for at most `timeout_ms` (-1: for ever) or TimeoutMs().
  void Process(int timeout_ms = 0);

  size_t clients() const { return connections_.size(); }

 private:
  using Connections = std::list<AdminConnection>;

  AdminServer(const AdminServerOptions& options, AdminHandler& handler, AdminListener listener,
              UniqueFd epoll);
  void Accept();
  bool TakeIn(UniqueFd fd);
  void Handle(Connections::iterator connection, uint32_t events, Nanos now);
  void WatchListener(bool on);

  const AdminServerOptions options_;
  AdminHandler& handler_;
  AdminListener listener_;
  UniqueFd epoll_;
  Connections connections_;
  bool listening_ = false;
};

}  // namespace tandem::control
