// SPDX-License-Identifier: Apache-2.0
//
// A flow to be: what its first packet says, and what has been found and taken for it so far (admit.h).
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/table.h"
#include "dataplane/nat/snat.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/next_hop.h"
#include "dataplane/pipeline/persistence.h"

namespace tandem::pipeline {

template <class Hot>
struct Plan {
  Work* work = nullptr;
  const config::Virtual* virtual_server = nullptr;
  const config::Member* member = nullptr;  // nullptr: forwarding
  RecordQuery record;
  uint64_t persistence_word = 0;
  NextHop hop;
  flow::NewFlow<Hot> flow;
  uint16_t flags = 0;  // flow::FlowFlag

  // Of kTranslateSource.
  nat::SourceSearch<Hot> sources;
  bool tries_fixed = false;           // automap: after the floating self IPs those that stay
  std::array<IpAddress, 16> automap;  // that `sources` reads
};

// Begins the search for the source of the server side and takes the first candidate.
// REQUIRES: the plan has a way out and, in flow.server, the member's end.
template <class Hot>
bool BeginSource(Context& context, Plan<Hot>& plan) noexcept;
// The next candidate, with its hash, is flow.server. False: sources.reason().
template <class Hot>
bool NextSource(Context& context, Plan<Hot>& plan) noexcept;

}  // namespace tandem::pipeline
