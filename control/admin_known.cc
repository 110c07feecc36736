// SPDX-License-Identifier: Apache-2.0
#include "control/admin_known.h"

#include <utility>

#include "control/admin_show.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;

class Known final : public AdminExchange {
 public:
  explicit Known(v1::Response response) : response_(std::move(response)) {}
  Step Next(v1::Response& response) override {
    response = std::move(response_);
    return Step::kResponse;
  }

 private:
  v1::Response response_;
};

}  // namespace

std::unique_ptr<AdminExchange> AnswerWith(v1::Response response) {
  return std::make_unique<Known>(std::move(response));
}

std::unique_ptr<AdminExchange> Refuse(v1::Response::Code code, std::string message) {
  v1::Response response;
  Fail(response, code, std::move(message));
  return AnswerWith(std::move(response));
}

std::unique_ptr<AdminExchange> Refuse(const absl::Status& status) {
  return Refuse(absl::IsNotFound(status) ? v1::Response::NOT_FOUND : v1::Response::INVALID,
                std::string(status.message()));
}

}  // namespace tandem::control
