// SPDX-License-Identifier: Apache-2.0
//
// What the admin socket can be asked, and who answers: one line of a switch for each request.
//
// Thread safety: control thread. Destroy it after the workers have ended, because they may still be
// busy with its queries.
#pragma once

#include <memory>

#include "control/admin_exchange.h"
#include "control/admin_flows.h"
#include "control/mirror_report.h"
#include "control/operations.h"
#include "control/statistics.h"

namespace tandem::control {

class AdminRequests : public AdminHandler {
 public:
  // `operations` outlives this.
  explicit AdminRequests(Operations& operations);

  std::unique_ptr<AdminExchange> Begin(const admin::v1::Request& request) override;

  // Keeps counters with their objects. To be called after each Publish; Begin does it as well.
  void Follow();
  // To be called now and then, for rates.
  void Sample() { mirror_.Sample(operations_.Now()); }

  const Statistics& statistics() const { return statistics_; }

 private:
  admin::v1::Response Answer(const admin::v1::Request& request);
  std::unique_ptr<AdminExchange> BeginShow(const admin::v1::ShowConnection& request);
  std::unique_ptr<AdminExchange> BeginDelete(const admin::v1::DeleteConnection& request);
  std::unique_ptr<AdminExchange> BeginShow(const admin::v1::ShowPersistence& request);
  std::unique_ptr<AdminExchange> BeginDelete(const admin::v1::DeletePersistence& request);

  Operations& operations_;
  Statistics statistics_;
  MirrorReport mirror_;
  uint64_t followed_generation_;
  AbandonedQueries abandoned_;
};

}  // namespace tandem::control
