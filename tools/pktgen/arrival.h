// SPDX-License-Identifier: Apache-2.0
//
// A received frame, checked: every frame is hostile until Inspect has said what it is. Checksums of IP,
// TCP and UDP are verified in software, mark and filler of the payload too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/net/packet.h"
#include "dataplane/net/parse.h"
#include "tools/pktgen/counters.h"
#include "tools/pktgen/flow_map.h"
#include "tools/pktgen/frame_builder.h"
#include "tools/pktgen/signature.h"

namespace tandem::pktgen {

// What tells the packets of one run from all others.
struct RunKey {
  uint64_t key = 0;
  uint32_t flows = 0;  // flow numbers are below

  uint32_t TimestampOf(uint32_t flow) const { return flow ^ static_cast<uint32_t>(key >> 32); }
  uint32_t FlowOf(uint32_t timestamp) const { return TimestampOf(timestamp); }
};

struct Arrival {
  enum class Kind : uint8_t { kNeighbour, kEcho, kUdp, kTcp };  // kEcho: a request

  Kind kind = Kind::kNeighbour;
  net::Parsed parsed;
  // Of kUdp and kTcp: whose it is. The mark is there when `is_marked`.
  uint32_t flow = 0;
  bool is_marked = false;
  bool is_usual = false;  // usual_frame.h
  Signature signature;
  size_t payload_offset = 0;
  size_t payload_size = 0;
  // Of kTcp.
  uint8_t tcp_flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  size_t timestamps_offset = 0;  // of the option's values, from the start of the frame

  Endpoint Source() const;
  Endpoint Destination() const;
  // The same as they stand in the packet.
  EndpointWords SourceWords() const {
    return {pktgen::SourceWords(parsed),
            parsed.is_ipv6() ? parsed.key6.source_port : parsed.key4.source_port};
  }
  EndpointWords DestinationWords() const {
    return {pktgen::DestinationWords(parsed),
            parsed.is_ipv6() ? parsed.key6.destination_port : parsed.key4.destination_port};
  }
};

enum class Side : uint8_t { kClient, kServer };

// kNone, and `arrival` says what it is; or what to count the frame as, and nothing more is to be done.
Counter Inspect(const net::Packet& packet, Side side, const RunKey& run, Arrival& arrival) noexcept;
// The same without the short way for usual frames.
Counter InspectClosely(const net::Packet& packet, Side side, const RunKey& run,
                       Arrival& arrival) noexcept;

// What the pseudo header adds to the L4 checksum. REQUIRES: parsed.kind is kTcp or kUdp.
uint64_t PseudoHeaderSumOf(const net::Packet& packet, const net::Parsed& parsed) noexcept;

}  // namespace tandem::pktgen
