// SPDX-License-Identifier: Apache-2.0
//
// How a NIC spreads packets over its queues: best over the one endpoint that both legs of a flow
// share (config/steering.h), so that packets arrive on their owner's queue; else over what it can.
#pragma once

#include <rte_ethdev.h>

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/config/objects.h"
#include "dataplane/config/steering.h"

namespace tandem::io {

struct RssPlan {
  uint64_t fields = 0;     // RTE_ETH_RSS_*; 0: the device cannot spread
  uint8_t key_size = 0;    // 0: the driver keeps its own key
  bool one_ended = false;  // hashes over source only or destination only
};
RssPlan PlanRss(const rte_eth_dev_info& device, config::Facing facing);

// The redirection table for a device with `size` entries, in the form the API wants.
std::vector<rte_eth_rss_reta_entry64> RetaFor(const config::Steering& steering, uint16_t size,
                                              uint16_t queues);

}  // namespace tandem::io
