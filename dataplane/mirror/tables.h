// SPDX-License-Identifier: Apache-2.0
//
// A worker's tables, as senders and receivers see them.
#pragma once

#include <cstdint>

#include "dataplane/base/limits.h"
#include "dataplane/flow/table.h"

namespace tandem::mirror {

struct Tables {
  flow::FlowTable<flow::FlowHot4>& flows4;
  flow::FlowTable<flow::FlowHot6>& flows6;

  template <class Hot>
  flow::FlowTable<Hot>& Of() {
    if constexpr (Hot::kIsIpv6) {
      return flows6;
    } else {
      return flows4;
    }
  }
};

// The first logical slot of the page behind that of `logical`.
constexpr uint32_t NextPage(uint32_t logical) {
  constexpr uint32_t kPage = kFlowsPerPage;
  return logical - logical % kPage + kPage;
}

}  // namespace tandem::mirror
