// SPDX-License-Identifier: Apache-2.0
//
// Showing, counting and deleting persistence records. Control goes through the table itself, a bounded
// piece at a time (unit/record_query.h); each piece with records becomes a response, so memory is
// bounded, and nothing waits for a client that reads slowly.
//
// Thread safety: control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <absl/status/statusor.h>

#include "control/admin_exchange.h"
#include "control/operations.h"
#include "dataplane/unit/record_query.h"

namespace tandem::control {

// NotFound for names that are not configured, InvalidArgument for what cannot be read.
absl::StatusOr<unit::RecordFilter> CompileFilter(const admin::v1::PersistenceFilter& filter,
                                                 const config::Snapshot& snapshot);
bool IsEmpty(const admin::v1::PersistenceFilter& filter);

// Exchanges; `operations` outlives them.
inline constexpr size_t kRecordChunk = 1000;  // records in one response, about

std::unique_ptr<AdminExchange> ShowRecords(Operations& operations, const unit::RecordFilter& filter,
                                           uint64_t limit);
std::unique_ptr<AdminExchange> CountRecords(Operations& operations,
                                            const unit::RecordFilter& filter);
std::unique_ptr<AdminExchange> DeleteRecords(Operations& operations,
                                             const unit::RecordFilter& filter);

}  // namespace tandem::control
