// SPDX-License-Identifier: Apache-2.0
#include "control/admin_config_sync.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/admin_known.h"
#include "control/admin_show.h"
#include "control/config_sync.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;

void Fill(const std::vector<ConfigSync::Result>& results, v1::ConfigSyncResult& out) {
  for (const ConfigSync::Result& result : results) {
    v1::ConfigSyncResult::Device& device = *out.add_device();
    device.set_name(result.device);
    device.set_done(result.is_done);
    device.set_message(result.message);
  }
}

// All devices have it, or the answer is an error that says what became of each.
void Finish(const std::vector<ConfigSync::Result>& results, v1::Response& response) {
  std::string failures;
  for (const ConfigSync::Result& result : results) {
    if (!result.is_done)
      failures += Cat(failures.empty() ? "" : "\n", result.device, ": ", result.message);
  }
  if (failures.empty()) return Fill(results, *response.mutable_config_sync());
  for (const ConfigSync::Result& result : results) {
    if (result.is_done) failures += Cat("\n", result.device, ": ", result.message);
  }
  Fail(response, v1::Response::FAILED, failures);
}

class ConfigSyncExchange final : public AdminExchange {
 public:
  ConfigSyncExchange(ConfigSync& sync, uint32_t ticket) : sync_(sync), ticket_(ticket) {}

  Step Next(v1::Response& response) override {
    const auto results = sync_.Take(ticket_);
    if (!results) return Step::kWait;
    Finish(*results, response);
    return Step::kResponse;
  }

 private:
  ConfigSync& sync_;
  const uint32_t ticket_;
};

}  // namespace

std::unique_ptr<AdminExchange> RunConfigSync(Operations& operations,
                                             const v1::RunConfigSync& request) {
  using Direction = ConfigSync::Direction;
  ConfigSync* const sync = operations.config_sync();
  if (sync == nullptr) return Refuse(v1::Response::REFUSED, "there is no device_group");
  if (request.direction() != v1::RunConfigSync::TO_GROUP &&
      request.direction() != v1::RunConfigSync::FROM_GROUP) {
    return Refuse(v1::Response::INVALID, "a config-sync is to-group or from-group");
  }
  const bool is_to = request.direction() == v1::RunConfigSync::TO_GROUP;
  const auto ticket =
      sync->Begin(is_to ? Direction::kToGroup : Direction::kFromGroup, request.device_group());
  if (ticket.ok()) return std::make_unique<ConfigSyncExchange>(*sync, *ticket);
  return Refuse(absl::IsNotFound(ticket.status()) ? v1::Response::NOT_FOUND : v1::Response::REFUSED,
                std::string(ticket.status().message()));
}

void FillConfigSync(Operations& operations, v1::DeviceGroupResult& result) {
  const ConfigSync* const sync = operations.config_sync();
  if (sync == nullptr) return;
  if (const auto& last = sync->last()) {
    v1::LastConfigSync& out = *result.mutable_last_config_sync();
    out.set_unix_ms(last->unix_ms);
    out.set_what(last->what);
    Fill(last->results, *out.mutable_result());
  }
  for (v1::DeviceGroupResult::Device& device : *result.mutable_device()) {
    const ConfigCompare::Outcome* outcome = sync->compare().Find(device.name());
    if (device.is_self() || outcome == nullptr) continue;
    v1::ConfigComparison& out = *device.mutable_config();
    out.set_error(outcome->error);
    out.set_differences(static_cast<uint32_t>(outcome->differences.count));
    for (const Difference& one : outcome->differences.listed) {
      v1::ConfigComparison::Difference& to = *out.add_difference();
      to.set_object(one.object);
      to.set_text(TextOf(one, device.name()));
    }
  }
}

}  // namespace tandem::control
