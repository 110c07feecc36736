// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/rss.h"

#include <algorithm>

namespace tandem::io {
namespace {

constexpr uint64_t kFields = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
constexpr uint64_t kSourceOnly = RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L4_SRC_ONLY;
constexpr uint64_t kDestinationOnly = RTE_ETH_RSS_L3_DST_ONLY | RTE_ETH_RSS_L4_DST_ONLY;

uint64_t OneEnded(config::Facing facing) {
  switch (facing) {
    case config::Facing::kClient:
      return kSourceOnly;
    case config::Facing::kServer:
      return kDestinationOnly;
    case config::Facing::kBoth:
      break;
  }
  return 0;
}

}  // namespace

RssPlan PlanRss(const rte_eth_dev_info& device, config::Facing facing) {
  RssPlan plan;
  plan.fields = kFields & device.flow_type_rss_offloads;
  if (plan.fields == 0) return plan;
  plan.key_size = static_cast<uint8_t>(std::min<size_t>(device.hash_key_size, config::kRssKeySize));
  // A driver that wants a longer key than ours keeps its own.
  if (device.hash_key_size > config::kRssKeySize) plan.key_size = 0;
  const uint64_t end = OneEnded(facing);
  if (end != 0 && (device.flow_type_rss_offloads & end) == end) {
    plan.fields |= end;
    plan.one_ended = true;
  }
  return plan;
}

std::vector<rte_eth_rss_reta_entry64> RetaFor(const config::Steering& steering, uint16_t size,
                                              uint16_t queues) {
  std::vector<rte_eth_rss_reta_entry64> table((size + RTE_ETH_RETA_GROUP_SIZE - 1u) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (uint16_t i = 0; i < size; ++i) {
    rte_eth_rss_reta_entry64& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= uint64_t{1} << (i % RTE_ETH_RETA_GROUP_SIZE);
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<uint16_t>(steering.RetaEntry(i) % queues);
  }
  return table;
}

}  // namespace tandem::io
