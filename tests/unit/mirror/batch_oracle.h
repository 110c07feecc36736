// SPDX-License-Identifier: Apache-2.0
//
// The rules of FlowBatch once more, written for clarity over the generated code: what the codec of the
// packet path is compared with.
#pragma once

#include <optional>
#include <span>

#include "proto/mirror.pb.h"
#include "tests/unit/mirror/random_rows.h"

namespace tandem::mirror {

// The one message that the writer makes of these rows.
v1::FlowBatch MessageOf(const BatchRows& rows, const config::Dictionary& dictionary);

// What the message says; nothing when a rule is broken.
std::optional<BatchRows> RowsOf(const v1::FlowBatch& message, const config::Dictionary& dictionary,
                                uint32_t slots_max_ipv4, uint32_t slots_max_ipv6);

// The reader is stricter than generated code: a known field comes once at most, in its own type (columns
// packed), addresses in the column of their family, and there are no groups.
bool IsStrict(std::span<const uint8_t> body);

// Both, and generated code parses it.
std::optional<BatchRows> Judge(std::span<const uint8_t> body, const config::Dictionary& dictionary,
                               uint32_t slots_max_ipv4, uint32_t slots_max_ipv6);

// A valid message such as no writer of ours makes: columns that could collapse but do not, explicit
// endpoints where none are needed, unknown fields.
v1::FlowBatch RandomMessage(Prng& prng, const config::Dictionary& dictionary);

std::vector<uint8_t> Serialize(const v1::FlowBatch& message);

}  // namespace tandem::mirror
