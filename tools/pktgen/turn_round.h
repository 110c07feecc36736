// SPDX-License-Identifier: Apache-2.0
//
// A request becomes its reply in its own buffer: MACs, addresses and ports change places, the mark says
// that it is a reply and when it left, checksums are right again.
#pragma once

#include <cstdint>

#include "dataplane/base/time.h"
#include "dataplane/net/packet.h"
#include "tools/pktgen/arrival.h"

namespace tandem::pktgen {

struct TcpTurn {
  uint8_t flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
};

// REQUIRES: `arrival` is Inspect's of `packet`.
void TurnRound(net::Packet& packet, const Arrival& arrival, Nanos now, const RunKey& run) noexcept;
void TurnRoundTcp(net::Packet& packet, const Arrival& arrival, const TcpTurn& turn, Nanos now,
                  const RunKey& run) noexcept;

}  // namespace tandem::pktgen
