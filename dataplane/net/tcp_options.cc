// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/parse.h"
#include "dataplane/net/parse_internal.h"

namespace tandem::net {
namespace {

constexpr uint8_t kEnd = 0;
constexpr uint8_t kNoOperation = 1;
constexpr uint8_t kMss = 2;
constexpr uint8_t kMssLength = 4;
constexpr uint8_t kWindowScale = 3;
constexpr uint8_t kWindowScaleLength = 3;
constexpr uint8_t kWindowScaleMax = 14;

}  // namespace

TcpSynOptions ParseTcpSynOptions(const Packet& packet, const Parsed& parsed) noexcept {
  TcpSynOptions result;
  const auto& tcp = HeaderAt<rte_tcp_hdr>(packet.data, parsed.l4_offset);
  const size_t length = (tcp.data_off >> 4) * size_t{4} - kTcpSize;
  const uint8_t* options = packet.data + parsed.l4_offset + kTcpSize;
  for (size_t i = 0; i < length && options[i] != kEnd;) {
    if (options[i] == kNoOperation) {
      ++i;
      continue;
    }
    // A list that runs out of the header is read as far as it makes sense.
    if (i + 1 >= length || options[i + 1] < 2 || i + options[i + 1] > length) break;
    if (options[i] == kMss && options[i + 1] == kMssLength) result.mss = Load16(options + i + 2);
    if (options[i] == kWindowScale && options[i + 1] == kWindowScaleLength) {
      result.has_window_scale = true;
      // A greater shift counts as the greatest (RFC 7323 section 2.3).
      result.window_scale = std::min(options[i + 2], kWindowScaleMax);
    }
    i += options[i + 1];
  }
  return result;
}

}  // namespace tandem::net
