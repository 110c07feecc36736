// SPDX-License-Identifier: Apache-2.0
//
// What the network has to be told when this device becomes active for a traffic group: each of the
// group's floating addresses that is answered for, on the interface whose network it is in; and, on
// interfaces with no such address, the group's masquerade MAC alone, so that switches learn where it
// is. An address in no self IP's network is not announced: who has a route to it reaches it by way of
// a floating self IP, and that is.
//
// A group's announcements come in turns by interface, first one of each, so that every interface has
// heard something soon, however many addresses another one has.
//
// Immutable after construction; safe from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

struct Snapshot;

struct Announcement {
  IpAddress address;  // unset: only the MAC
  InterfaceId interface = 0;
  uint64_t since = 0;  // Snapshot::generation with which it came, with this MAC
};

class Announcements {
 public:
  Announcements() = default;
  // Of a snapshot that is finished but for this. `previous` as for Snapshot::Finish.
  Announcements(const Snapshot& snapshot, const Snapshot* previous);

  std::span<const Announcement> Of(TrafficGroupId group) const {
    if (size_t{group} + 1 >= begins_.size()) return {};
    return std::span(all_).subspan(begins_[group], begins_[group + 1U] - begins_[group]);
  }
  // The highest `since` of the group; 0 when there is none.
  uint64_t NewestOf(TrafficGroupId group) const {
    return group < newest_.size() ? newest_[group] : 0;
  }

 private:
  std::vector<Announcement> all_;  // by group
  std::vector<size_t> begins_;     // of each group in all_, and the end
  std::vector<uint64_t> newest_;
};

}  // namespace tandem::config
