// SPDX-License-Identifier: Apache-2.0
//
// Showing, counting and deleting connections. Flows belong to workers, so control posts queries to
// them and looks again later; nobody waits for anybody.
//
// Theory of operation. `show` asks one worker after the other for kChunk flows at a time, and each
// answer becomes a response; so memory is bounded, and a client that reads slowly slows down the
// walk and nothing else. `delete` and counting ask all workers at once and answer with the sum.
//
// Thread safety: control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "control/admin_exchange.h"
#include "control/operations.h"
#include "dataplane/unit/flow_query.h"

namespace tandem::control {

// Queries that a worker may still be busy with, though nobody wants their answer any more.
class AbandonedQueries {
 public:
  void Add(std::unique_ptr<unit::FlowQuery> query);
  // Frees those that are done. To be called now and then.
  void Sweep();
  size_t size() const { return queries_.size(); }

 private:
  std::list<std::unique_ptr<unit::FlowQuery>> queries_;
};

// kNotFound for names that are not configured, kInvalidArgument for what cannot be read.
absl::StatusOr<unit::FlowFilter> CompileFilter(const admin::v1::ConnectionFilter& filter,
                                               const config::Snapshot& snapshot);
bool IsEmpty(const admin::v1::ConnectionFilter& filter);

// Exchanges; `operations` and `abandoned` outlive them.
inline constexpr size_t kFlowChunk = 1000;  // flows in one response

std::unique_ptr<AdminExchange> ShowFlows(Operations& operations, AbandonedQueries& abandoned,
                                         const unit::FlowFilter& filter, uint64_t limit);
std::unique_ptr<AdminExchange> CountFlows(Operations& operations, AbandonedQueries& abandoned,
                                          const unit::FlowFilter& filter);
std::unique_ptr<AdminExchange> DeleteFlows(Operations& operations, AbandonedQueries& abandoned,
                                           const unit::FlowFilter& filter);

}  // namespace tandem::control
