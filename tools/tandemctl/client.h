// SPDX-License-Identifier: Apache-2.0
//
// The other end of the admin socket: one request, its responses, one after the other.
#pragma once

#include <functional>
#include <string>

#include <absl/status/status.h>

#include "control/admin_frame.h"
#include "control/unique_fd.h"
#include "proto/admin.pb.h"

namespace tandem::tandemctl {

inline constexpr char kDefaultSocket[] = "/run/tandem/admin.sock";

class Client {
 public:
  // kUnavailable, with what to do about it, when nobody answers there.
  absl::Status Connect(const std::string& path);

  // Sends `request` and hands over each Response with code OK, until the last.
  //  kUnavailable: the daemon went away or does not answer.
  //  kFailedPrecondition: it refused; the message is its own.
  absl::Status Ask(const admin::v1::Request& request,
                   const std::function<void(const admin::v1::Response&)>& on_response);

 private:
  absl::Status Send(const std::string& frame);
  absl::Status Receive(admin::v1::Response& response);

  control::UniqueFd fd_;
  control::FrameReader reader_;
};

}  // namespace tandem::tandemctl
