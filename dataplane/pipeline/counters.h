// SPDX-License-Identifier: Apache-2.0
//
// What one worker counts. Written by that worker alone, read by anyone; sums over workers are made
// by the reader.
//
// The conservation rule, per worker and over all of them:
//   received + handed_in == forwarded + consumed + held + handed_off + sum of drops
// where `held` (packets waiting for a neighbour) is a level, not a count, and over all workers
// handed_in == handed_off once the rings are empty.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "dataplane/base/counter.h"
#include "dataplane/base/drop_reason.h"
#include "dataplane/base/limits.h"
#include "dataplane/config/ids.h"

namespace tandem::pipeline {

// X(enumerator, exported name, help): why flows ended.
#define TANDEM_END_REASONS(X)                                                      \
  X(kClosed, "closed", "both sides closed the connection")                         \
  X(kReset, "reset", "a valid RST ended the connection")                           \
  X(kIdle, "idle", "idle for longer than its timeout")                             \
  X(kHandshakeTimeout, "handshake_timeout", "the TCP handshake was not completed") \
  X(kCloseTimeout, "close_timeout", "the close was not completed")                 \
  X(kReopened, "reopened", "a new SYN on a closing connection replaced it")        \
  X(kReaped, "reaped", "half open, removed to make room in a full table")          \
  X(kDeleted, "deleted", "deleted by the operator")                                \
  X(kVirtualDeleted, "virtual_deleted", "its virtual server was deleted")          \
  X(kMemberDeleted, "member_deleted", "its pool member was deleted")               \
  X(kUnbound, "unbound", "taken over, but its objects are not configured here")

enum class EndReason : uint8_t {
#define X(symbol, name, help) symbol,
  TANDEM_END_REASONS(X)
#undef X
};

struct EndReasonInfo {
  std::string_view name;
  std::string_view help;
};
inline constexpr auto kEndReasons = std::to_array<EndReasonInfo>({
#define X(symbol, name, help) {name, help},
    TANDEM_END_REASONS(X)
#undef X
});
inline constexpr size_t kEndReasonCount = kEndReasons.size();

struct PortCounters {
  Counter received_packets;
  Counter received_bytes;
};

// Of a virtual server or a member.
struct alignas(64) ObjectCounters {
  struct Way {
    Counter packets;
    Counter bytes;
  };

  std::array<Way, 2> ways;  // by flow::Side that packets came in on
  Counter connections;      // begun so far

  // From the client side, and from the server side.
  Way& in() { return ways[0]; }
  Way& out() { return ways[1]; }
  const Way& in() const { return ways[0]; }
  const Way& out() const { return ways[1]; }
};

struct WorkerCounters {
  Counter received;
  Counter handed_in;
  Counter forwarded;
  Counter consumed;
  Counter handed_off;
  Counter held;               // level
  Counter originated;         // frames of our own: ARP, RST, ICMP, echo replies
  Counter announced;          // of them, announcements of floating addresses
  Counter commit_held;        // packets that waited for the peer's acknowledgement (commit.h)
  Counter commit_timeouts;    // … and went without it, in time
  Counter commit_alone;       // … and went without it, for lack of a peer that keeps up
  Counter commit_full;        // packets that should have waited, with the queue full
  Counter strays;             // packets sent on to the device that took their group over
  Counter resets_suppressed;  // RSTs and ICMP errors beyond the rate limit
  Counter flows_created;
  Counter flows_ipv4;  // level
  Counter flows_ipv6;  // level
  Counter turns;
  Counter busy_turns;  // turns that found work
  std::array<Counter, kDropReasonCount> drops;
  std::array<Counter, kEndReasonCount> ends;
  std::array<PortCounters, kPortsMax> ports;
  std::unique_ptr<ObjectCounters[]> virtuals =
      std::make_unique<ObjectCounters[]>(kVirtualsMax + 1);  // by VirtualId
  std::unique_ptr<ObjectCounters[]> members =
      std::make_unique<ObjectCounters[]>(kMembersMax + 1);  // by MemberId

  // By InterfaceId: when something last came from it, where that is watched (config::Interface).
  std::unique_ptr<Counter[]> heard_at = std::make_unique<Counter[]>(kInterfacesMax + 1);

  void CountDrop(DropReason reason) { drops[static_cast<size_t>(reason)].Add(1); }
};

}  // namespace tandem::pipeline
