// SPDX-License-Identifier: Apache-2.0
//
// One flow as both devices must agree on it, and a book of what a writer ever had, against which a
// shadow is checked.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/flow/table.h"

namespace tandem::sim {

struct FlowImage {
  bool is_ipv6 = false;
  uint32_t logical = 0;
  flow::Register value = 0;
  flow::State state = flow::State::kFree;
  uint16_t flags = 0;  // mirrored ones
  uint8_t protocol = 0;
  // Numbers of a device first; made comparable by whoever knows its names. 0: none or unbound.
  unsigned virtual_server = 0;
  unsigned member = 0;
  unsigned interface = 0;
  MacAddress client_mac{};
  std::array<uint8_t, 36> client{}, server{};  // keys
  uint32_t link = 0;                           // mirror_link; not compared

  bool operator==(const FlowImage& other) const;
  std::string ToText() const;
};

template <class Hot>
FlowImage ImageOf(const flow::FlowTable<Hot>& table, uint32_t slot);

// Live flows of the group with all of `flags`, by logical slot.
template <class Hot>
void CollectImages(const flow::FlowTable<Hot>& table, config::TrafficGroupId group, uint16_t flags,
                   std::vector<FlowImage>& images);

// Calls visit(logical, slot, count) for every page of the group: its first slot, and how many it has.
template <class Hot, class Visit>
void ForEachPage(const flow::FlowTable<Hot>& table, config::TrafficGroupId group, Visit&& visit) {
  const uint32_t end = table.pages().LogicalEnd(group);
  for (uint32_t logical = 0; logical < end; logical += kFlowsPerPage) {
    const uint32_t slot = table.pages().SlotAt(group, logical);
    if (slot == UINT32_MAX) continue;  // not begun
    visit(logical, slot, std::min<uint32_t>(kFlowsPerPage, table.pages().capacity() - slot));
  }
}

// Calls visit(logical, slot) for every slot, used or not, of the group's pages.
template <class Hot, class Visit>
void ForEachSlot(const flow::FlowTable<Hot>& table, config::TrafficGroupId group, Visit&& visit) {
  ForEachPage(table, group, [&](uint32_t logical, uint32_t slot, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
      visit(logical + i, slot + i);
  });
}

// Slots whose mirror_link says dirty.
template <class Hot>
uint32_t CountDirty(const flow::FlowTable<Hot>& table, config::TrafficGroupId group);

// Of one table and group: what its writers had, by register, and how far the shadow is.
class FlowBook {
 public:
  struct Past {
    FlowImage image;  // state kFree: the slot was free
    Nanos when = 0;
  };

  void Remember(const FlowImage& image, Nanos now) { past_[image.value] = {image, now}; }
  void RememberFree(const FlowImage& image, Nanos now);
  const Past* Find(flow::Register value) const;  // of the present writer
  size_t size() const { return past_.size(); }
  // The writer is another one: its registers begin anew, and may be those of other flows before.
  void NewWriter() {
    before_.push_back(std::move(past_));
    past_.clear();
    if (before_.size() > 8) before_.erase(before_.begin());
  }
  // Forgets what was before `oldest` and is not among `kept`.
  void Prune(Nanos oldest, const std::vector<FlowImage>& kept);

  // Whether it shows what the writer had. An unbound one is compared without its objects.
  static bool IsKnownAs(const FlowImage& shadow, const FlowImage& had);
  // I1: the writer had it, just so.
  void CheckKnown(const FlowImage& shadow, const char* where) const;
  // I2: within a session, a slot's register never goes back.
  template <class Hot>
  void CheckRegisters(const flow::FlowTable<Hot>& table, config::TrafficGroupId group,
                      const char* where);
  void NewShadow() { seen_.clear(); }

 private:
  struct Seen {
    uint32_t link = 0;
    flow::Register value = 0;
  };
  using Pasts = std::unordered_map<flow::Register, Past>;
  Pasts past_;
  std::vector<Pasts> before_;  // of the writers before, the last of them last
  std::vector<Seen> seen_;     // by logical slot
};

// I3: `here` (the writer's) and `there` (the shadow), both by logical slot, are equal. An unbound one
// is excused when `unbound_allowed`.
void CheckEqual(const std::vector<FlowImage>& here, const std::vector<FlowImage>& there,
                bool unbound_allowed, const char* where);

// I3: found by both keys, at its slot.
template <class Hot>
void CheckFound(flow::FlowTable<Hot>& table, config::TrafficGroupId group, const FlowImage& image,
                const char* where);

}  // namespace tandem::sim
