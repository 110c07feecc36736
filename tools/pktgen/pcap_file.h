// SPDX-License-Identifier: Apache-2.0
//
// The frames of a pcap file, for replay.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace tandem::pktgen {

// Errors: no such file, not Ethernet, nothing in it, a frame cut off or larger than `frame_size_max`.
absl::StatusOr<std::vector<std::vector<uint8_t>>> ReadPcap(const std::string& path,
                                                           size_t frame_size_max);

}  // namespace tandem::pktgen
