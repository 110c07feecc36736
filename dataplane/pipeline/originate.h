// SPDX-License-Identifier: Apache-2.0
//
// Frames of our own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/net/frame.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// Sends by `port` (index into Snapshot::ports) the frame that `build(net::FrameBuffer)` writes; it
// returns the length, or 0 for none. False: the turn has no room for another one.
template <class Build>
bool Originate(Context& context, uint16_t port, Build&& build) noexcept {
  OriginatedFrame* frame = context.out->NextOriginated();
  if (frame == nullptr) return false;
  const size_t length = build(net::FrameBuffer(frame->bytes));
  if (length == 0) return true;
  frame->length = static_cast<uint16_t>(length);
  frame->port = port;
  context.out->CommitOriginated();
  context.counters.originated.Add(1);
  return true;
}

}  // namespace tandem::pipeline
