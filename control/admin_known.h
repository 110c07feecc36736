// SPDX-License-Identifier: Apache-2.0
//
// Exchanges whose answer is known when they begin.
#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>

#include "control/admin_exchange.h"

namespace tandem::control {

std::unique_ptr<AdminExchange> AnswerWith(admin::v1::Response response);

std::unique_ptr<AdminExchange> Refuse(admin::v1::Response::Code code, std::string message);
// NOT_FOUND when that is what `status` says, else INVALID.
std::unique_ptr<AdminExchange> Refuse(const absl::Status& status);

}  // namespace tandem::control
