// SPDX-License-Identifier: Apache-2.0
//
// What a shadow flow belongs to: by this device's ids when it is bound, by its writer's numbers when
// the configuration here lacks one of them. Numbers of the writer's hold for the flow's whole life, so
// they stay with the flow: it goes back to them when an object is deleted here, and is bound again as
// soon as the object is back. They lie where a flow in use has TCP's numbers.
//
// Thread safety: the worker that owns the flow.
#pragma once

#include "dataplane/config/live_counts.h"
#include "dataplane/flow/flow.h"

namespace tandem::mirror {

struct WriterNumbers {
  uint16_t virtual_server = 0;
  uint16_t member = 0;  // 0: none
  uint16_t interface = 0;
};

// Whether a stream of the peer's put the flow here, and nothing has taken it over since. A slot that is
// used anew keeps the mark of its last flow, but is no shadow.
inline bool IsFromPeer(const flow::FlowCommon& common, const flow::FlowCold& cold) noexcept {
  return (common.flags & flow::kShadow) != 0 && cold.mirror_link >= flow::kMirrorSession;
}

inline void SetWriterNumbers(flow::FlowCold& cold, const WriterNumbers& numbers) noexcept {
  cold.client_fin = uint32_t{numbers.virtual_server} << 16 | numbers.member;
  cold.server_fin = numbers.interface;
}

// REQUIRES: IsFromPeer.
inline WriterNumbers WriterNumbersOf(const flow::FlowCold& cold) noexcept {
  return {.virtual_server = static_cast<uint16_t>(cold.client_fin >> 16),
          .member = static_cast<uint16_t>(cold.client_fin),
          .interface = static_cast<uint16_t>(cold.server_fin)};
}

// Before the flow becomes the device's own.
inline void ForgetWriter(const flow::FlowCommon& common, flow::FlowCold& cold) noexcept {
  if (!IsFromPeer(common, cold)) return;
  cold.mirror_link = 0;
  cold.client_fin = 0;
  cold.server_fin = 0;
}

// An object of the flow's is not configured any more. A flow that was never the peer's has no numbers
// to go back to.
inline void Unbind(flow::FlowCommon& common, const flow::FlowCold& cold,
                   config::LiveCounts& live) noexcept {
  if ((common.flags & flow::kUnbound) != 0) return;
  live.ReleaseVirtual(common.virtual_id);
  if (common.member_id != 0) live.ReleaseMember(common.member_id);
  const bool is_from_peer = IsFromPeer(common, cold);
  const WriterNumbers numbers = is_from_peer ? WriterNumbersOf(cold) : WriterNumbers{};
  common.virtual_id = numbers.virtual_server;
  common.member_id = numbers.member;
  common.client_interface = numbers.interface;
  common.flags |= flow::kUnbound;
}

}  // namespace tandem::mirror
