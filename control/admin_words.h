// SPDX-License-Identifier: Apache-2.0
//
// The words that operators read and write for the dataplane's enumerations, those of tmsh.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/config/objects.h"
#include "dataplane/flow/flow.h"
#include "dataplane/mirror/sync_state.h"
#include "dataplane/neighbour/table.h"

namespace tandem::control {

std::string_view WordOf(config::VirtualType type);
std::string_view WordOf(config::Balancing balancing);
std::string_view WordOf(flow::State state);
std::string_view WordOf(neighbour::State state);
std::string_view WordOf(config::Role role);
std::string_view WordOf(config::PersistenceType type);
std::string_view WordOf(mirror::SyncState state);

// "tcp", "udp", "icmp", "icmp6", or the number.
std::string ProtocolWord(uint8_t protocol);
// The reverse; numbers 1 to 255.
std::optional<uint8_t> ParseProtocol(std::string_view word);

}  // namespace tandem::control
