// SPDX-License-Identifier: Apache-2.0
#include "control/admin_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <absl/strings/str_cat.h>

namespace tandem::control {
namespace {

using admin::v1::Request;
using admin::v1::Response;

constexpr size_t kReadSize = size_t{64} << 10;
constexpr int kStepsMax = 16;  // responses or requests of one call, so that others get their turn

}  // namespace

AdminConnection::AdminConnection(UniqueFd fd, AdminHandler& handler, const AdminTimeouts& timeouts,
                                 Nanos now)
    : fd_(std::move(fd)), handler_(handler), timeouts_(timeouts), since_(now), progress_(now) {}

bool AdminConnection::Process(uint32_t events, Nanos now) {
  if ((events & EPOLLIN) != 0) {
    Read(now);
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    return false;
  }
  if (now >= deadline()) {
    if (sent_ < output_.size()) return false;  // does not read: there is no telling it
    Fail(Response::TIMEOUT,
         in_frame_ ? "the request did not come to its end in time" : "no request for a long time");
  }
  Work(now);
  Flush(now);
  if (stalled_ && output_.size() - sent_ < kOutputLow) busy_ = true;
  return !broken_ && !finished();
}

uint32_t AdminConnection::wanted_events() const {
  uint32_t events = 0;
  if (reads()) events |= EPOLLIN;
  if (sent_ < output_.size()) events |= EPOLLOUT;
  return events;
}

Nanos AdminConnection::deadline() const {
  if (sent_ < output_.size()) return progress_ + timeouts_.write;
  if (exchange_) return UINT64_MAX;
  return since_ + (in_frame_ ? timeouts_.frame : timeouts_.idle);
}

bool AdminConnection::reads() const {
  return !exchange_ && !closing_ && !end_of_input_ && !busy_ && !stalled_;
}

void AdminConnection::Read(Nanos now) {
  if (!reads()) return;
  std::array<char, kReadSize> bytes;
  const ssize_t count = ::recv(fd(), bytes.data(), bytes.size(), 0);
  if (count > 0) {
    reader_.Append({bytes.data(), static_cast<size_t>(count)});
    if (!in_frame_) since_ = now;
    in_frame_ = true;
  } else if (count == 0) {
    end_of_input_ = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    broken_ = true;
  }
}

void AdminConnection::Work(Nanos now) {
  busy_ = false;
  stalled_ = false;
  for (int step = 0; step < kStepsMax; ++step) {
    if (closing_) return;
    if (output_.size() - sent_ >= kOutputLow) {
      stalled_ = true;
      return;
    }
    if (exchange_) {
      TakeResponse();
      if (busy_) return;
      if (!exchange_) since_ = now;
      continue;
    }
    TakeRequest();
    if (!exchange_) {
      in_frame_ = reader_.partial();
      return;
    }
  }
  busy_ = true;
}

void AdminConnection::TakeRequest() {
  auto frame = reader_.Next();
  if (!frame.ok()) return Fail(Response::TOO_LARGE, std::string(frame.status().message()));
  if (!*frame) return;
  Request request;
  if (!ParseMessage(**frame, request)) {
    return Fail(Response::INVALID, "the frame holds no Request of admin.proto");
  }
  exchange_ = handler_.Begin(request);
}

void AdminConnection::TakeResponse() {
  Response response;
  if (exchange_->Next(response) == AdminExchange::Step::kWait) {
    busy_ = true;
    return;
  }
  const bool last = !response.more();
  if (const absl::Status status = AppendFrame(response, output_); !status.ok()) {
    return Fail(Response::TOO_LARGE, absl::StrCat("the answer: ", status.message()));
  }
  if (last) exchange_.reset();
}

void AdminConnection::Fail(Response::Code code, std::string message) {
  exchange_.reset();
  Response response;
  response.set_code(code);
  response.set_message(std::move(message));
  closing_ = true;
  broken_ = !AppendFrame(response, output_).ok();
}

void AdminConnection::Flush(Nanos now) {
  while (sent_ < output_.size()) {
    const ssize_t count =
        ::send(fd(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) broken_ = true;
      if (sent_ >= kOutputLow) {
        output_.erase(0, sent_);
        sent_ = 0;
      }
      return;
    }
    sent_ += static_cast<size_t>(count);
    progress_ = now;
  }
  output_.clear();
  sent_ = 0;
  progress_ = now;
}

bool AdminConnection::finished() const {
  if (sent_ < output_.size()) return false;
  return closing_ || (end_of_input_ && !exchange_);
}

}  // namespace tandem::control
