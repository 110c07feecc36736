// SPDX-License-Identifier: Apache-2.0
//
// Half of the small world: one worker's flow tables with the streams of its groups, and a
// configuration. Numbers of objects differ between the two devices, as they do in life.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/config/live_counts.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/flow/table.h"
#include "dataplane/mirror/flow_receiver.h"
#include "dataplane/mirror/flow_sender.h"
#include "dataplane/mirror/translation.h"
#include "tests/sim/chance.h"
#include "tests/sim/flow_image.h"
#include "tests/unit/flow/aligned_memory.h"

namespace tandem::sim {

inline constexpr unsigned kVirtuals = 6;  // the last one forwards
inline constexpr unsigned kMembers = 9;
inline constexpr unsigned kInterfaces = 3;
inline constexpr unsigned kGroups = 2;

struct DeviceOptions {
  unsigned unit = 1;  // 1 or 2; decides its numbers
  uint32_t flows_ipv4 = 16384;
  uint32_t flows_ipv6 = 16384;
  flow::Birth first_birth = 0;
  uint64_t seed = 1;
};

class StreamDevice {
 public:
  explicit StreamDevice(const DeviceOptions& options);

  // This device's number of group 0.., virtual 1.., member 1.., interface 1...
  config::TrafficGroupId Group(unsigned group) const;
  uint16_t Number(unsigned object) const { return static_cast<uint16_t>(object * step_ + shift_); }
  unsigned ObjectOf(unsigned number) const { return number == 0 ? 0 : (number - shift_) / step_; }

  template <class Hot>
  flow::FlowTable<Hot>& Table() {
    if constexpr (Hot::kIsIpv6) {
      return flows6;
    } else {
      return flows4;
    }
  }
  // The flow at `slot`, its objects by the numbers of nobody.
  template <class Hot>
  FlowImage Image(uint32_t slot) {
    return Named(ImageOf(Table<Hot>(), slot));
  }
  // Those of a group that the peer should have, or that are shadows; by family and logical slot.
  std::vector<FlowImage> Images(unsigned group, uint16_t flag);
  // Slots whose mirror_link says dirty.
  uint32_t CountDirtySlots(unsigned group);
  // Without or with an object; a new snapshot.
  void Configure(const std::array<bool, kVirtuals + 1>& has_virtual,
                 const std::array<bool, kMembers + 1>& has_member);
  // Joins the peer's dictionary with the configuration.
  void Translate(const StreamDevice& peer);

  const DeviceOptions options;

 private:
  FlowImage Named(FlowImage image) const;

  unsigned step_, shift_;
  flow::AlignedMemory memory4_, memory6_;

 public:
  flow::FlowTable<flow::FlowHot4> flows4;
  flow::FlowTable<flow::FlowHot6> flows6;
  config::LiveTotals live_totals{1};
  config::LiveCounts live{live_totals, 0};
  std::shared_ptr<const config::Snapshot> snapshot;
  std::unique_ptr<const mirror::Translation> translation;
  mirror::FlowBatchWriter batch_writer;
  mirror::ReceiverShare share;
  std::array<std::unique_ptr<mirror::FlowSender>, kGroups> senders;
  std::array<std::unique_ptr<mirror::FlowReceiver>, kGroups> receivers;
  uint64_t generation = 0;
};

// Addresses of the objects, the same for both devices.
IpAddress VirtualAddress(unsigned virtual_server, bool is_ipv6);
uint16_t VirtualPort(unsigned virtual_server);  // host byte order; 0: any
IpAddress MemberAddress(unsigned member, bool is_ipv6);
uint16_t MemberPort(unsigned member);
// Families alternate, so that each object is of one.
inline bool IsIpv6Virtual(unsigned virtual_server) {
  return virtual_server % 3 == 0;
}
inline bool IsIpv6Member(unsigned member) {
  return member % 3 == 0;
}

}  // namespace tandem::sim
