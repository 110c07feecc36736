// SPDX-License-Identifier: Apache-2.0
//
// What the endpoints of all peers say, taken together: of each traffic group the one peer that it is
// mirrored with counts.
//
// Thread safety: control thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "dataplane/mirror/endpoint.h"
#include "dataplane/unit/unit.h"

namespace tandem::control {

class MirrorStatus {
 public:
  // As it is now. Without mirroring there is no peer.
  explicit MirrorStatus(const unit::Unit& unit);

  size_t peers() const { return of_.size(); }
  const mirror::EndpointStatus& of(size_t peer) const { return *of_[peer]; }
  // Of an active group, to whom it is mirrored; of a standby's, who writes it, or would. REQUIRES: peers().
  size_t PeerOf(config::TrafficGroupId group) const;
  // As that peer's endpoint says; of a group that it has not spoken of yet: no session.
  mirror::EndpointStatus::Group GroupOf(config::TrafficGroupId group) const;
  // All peers that are there are configured as this device is.
  bool are_configs_equal() const;

 private:
  const mirror::EndpointStatus::Group* Find(size_t peer, config::TrafficGroupId group) const;

  std::vector<std::shared_ptr<const mirror::EndpointStatus>> of_;
};

}  // namespace tandem::control
