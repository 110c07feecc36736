// SPDX-License-Identifier: Apache-2.0
//
// Looking through a worker's flows from outside: show and delete connections, and the sweep that
// ends flows of deleted objects. Control fills a query and posts it to a worker; the worker walks
// its slots a bounded piece each turn and says when it is done. Control polls `done`, so nobody
// waits for anybody.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/flow/flow.h"

namespace tandem::unit {

// As `tmsh show sys connection type`: those that a peer told of, or this device's own.
enum class FlowType : uint8_t { kAny, kMirror, kSelf };

// Unset fields match everything. Names follow `tmsh show sys connection`: cs = client side, ss =
// server side. Ports in host byte order, 0 = any.
struct FlowFilter {
  IpPrefix cs_client_addr;  // unset address: any
  IpPrefix cs_server_addr;  // the virtual server's address
  IpPrefix ss_client_addr;  // the SNAT address
  IpPrefix ss_server_addr;  // the member
  uint16_t cs_client_port = 0;
  uint16_t cs_server_port = 0;
  uint16_t ss_client_port = 0;
  uint16_t ss_server_port = 0;
  uint8_t protocol = 0;
  config::VirtualId virtual_id = 0;
  config::MemberId member_id = 0;
  uint32_t idle_ticks_min = 0;  // since the last packet
  uint32_t age_ticks_min = 0;   // since the first
  FlowType type = FlowType::kAny;
  bool orphaned = false;  // only flows whose virtual or member is in the configuration no more
};

// One flow as a person reads it; ports in host byte order.
struct FlowInfo {
  uint16_t worker = 0;
  uint32_t slot = 0;
  uint64_t birth = 0;  // flow/register.h
  uint8_t protocol = 0;
  flow::State state = flow::State::kFree;
  // flow::FlowFlag. kMirrored: the peer is told of it; kShadow: the peer told of it; kUnbound: and
  // what it belongs to is not configured here, so ids are 0.
  uint16_t flags = 0;
  config::TrafficGroupId traffic_group = 0;
  uint32_t logical_slot = 0;  // its name within the traffic group, the same on both devices
  config::VirtualId virtual_id = 0;
  config::MemberId member_id = 0;
  IpAddress cs_client, cs_server, ss_client, ss_server;
  uint16_t cs_client_port = 0, cs_server_port = 0, ss_client_port = 0, ss_server_port = 0;
  MacAddress client_mac{};
  config::InterfaceId client_interface = 0;
  uint32_t idle_ticks = 0;
  uint32_t age_ticks = 0;
};

struct FlowQuery {
  enum class Action : uint8_t { kShow, kCount, kDelete };

  Action action = Action::kShow;
  FlowFilter filter;
  // kShow: at most results.capacity() flows are reported; reserved by control (one at least), never
  // grown by the worker.
  std::vector<FlowInfo> results;
  uint64_t matched = 0;
  // kShow: where the walk begins, in the worker's own numbering: 0, or the `next` of an earlier
  // query. The worker stops when it finds a flow that `results` has no room for, and says in `next`
  // where to go on; `next` is 0 when it walked to the end. So control reads a table of any size in
  // pieces of its own choice.
  uint64_t begin = 0;
  uint64_t next = 0;
  // Set by the worker with release order when it is done with the query; nothing above may be
  // touched by control before.
  std::atomic<bool> done{false};
};

}  // namespace tandem::unit
