// SPDX-License-Identifier: Apache-2.0
//
// How the admin server asks for answers: a handler begins an exchange for each request, and the
// server takes responses out of it one by one, as fast as the client reads. An exchange that has to
// wait for workers says so instead of blocking.
#pragma once

#include <memory>

#include "proto/admin.pb.h"

namespace tandem::control {

class AdminExchange {
 public:
  enum class Step {
    kResponse,  // `response` is filled; the last one when it does not say `more`
    kWait,      // nothing yet: ask again soon
  };

  // Destroyed before its last response when the client goes away.
  virtual ~AdminExchange() = default;
  virtual Step Next(admin::v1::Response& response) = 0;
};

class AdminHandler {
 public:
  virtual ~AdminHandler() = default;
  // Never null.
  virtual std::unique_ptr<AdminExchange> Begin(const admin::v1::Request& request) = 0;
};

}  // namespace tandem::control
