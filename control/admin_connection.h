// SPDX-License-Identifier: Apache-2.0
//
// One client of the admin socket. Reads requests, takes responses out of their exchanges no faster
// than the client reads them, and gives up on a client that is too slow.
//
// Theory of operation. One exchange at a time. While one runs nothing is read, so a client that
// sends without end is stopped by its own socket. Responses are asked for only while less than
// kOutputLow bytes wait to be sent. A client ends by hanging up, or by an error that is said in a
// last response (`closing_`).
//
// Thread safety: the server's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "control/admin_exchange.h"
#include "control/admin_frame.h"
#include "control/unique_fd.h"
#include "dataplane/base/time.h"

namespace tandem::control {

struct AdminTimeouts {
  Nanos frame = 10 * kSecond;  // from a frame's first byte to its last
  Nanos write = 10 * kSecond;  // without a byte taken by a client that has responses to read
  Nanos idle = 60 * kSecond;   // between requests
};

class AdminConnection {
 public:
  // Beyond this no response is produced; one response may stand above it.
  static constexpr size_t kOutputLow = size_t{1} << 20;

  // `fd` does not block. `handler` outlives this.
  AdminConnection(UniqueFd fd, AdminHandler& handler, const AdminTimeouts& timeouts, Nanos now);

  int fd() const { return fd_.get(); }

  // `events` as epoll reports them, 0 to only go on with the work. False: the connection is over.
  [[nodiscard]] bool Process(uint32_t events, Nanos now);
  // What to have epoll report.
  uint32_t wanted_events() const;
  // There is work that no event will announce.
  bool busy() const { return busy_; }
  // When Process has to be called though nothing happened.
  Nanos deadline() const;

 private:
  void Read(Nanos now);
  void Work(Nanos now);
  void Flush(Nanos now);
  void TakeRequest();
  void TakeResponse();
  void Fail(admin::v1::Response::Code code, std::string message);
  bool reads() const;
  bool finished() const;

  UniqueFd fd_;
  AdminHandler& handler_;
  const AdminTimeouts timeouts_;
  FrameReader reader_;
  std::unique_ptr<AdminExchange> exchange_;
  std::string output_;
  size_t sent_ = 0;     // of output_
  Nanos since_ = 0;     // when the present frame began, or the last exchange ended
  Nanos progress_ = 0;  // when the client last took a byte, or had taken all
  bool in_frame_ = false;
  bool end_of_input_ = false;
  bool closing_ = false;
  bool broken_ = false;
  bool busy_ = false;
  bool stalled_ = false;  // by kOutputLow
};

}  // namespace tandem::control
