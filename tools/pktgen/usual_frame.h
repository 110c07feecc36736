// SPDX-License-Identifier: Apache-2.0
//
// The frames that nearly all are: marked UDP datagrams and TCP segments of this run that are as they should
// be, without tag, IP options, extension headers or fragments. They are recognized in one pass and turned
// round with checksums that follow the changed words (RFC 1624); whatever differs in anything is left to
// Inspect and TurnRound, which say what it is.
#pragma once

#include "dataplane/base/time.h"
#include "dataplane/net/packet.h"
#include "tools/pktgen/arrival.h"
#include "tools/pktgen/turn_round.h"

namespace tandem::pktgen {

// True: all of the frame was verified, and `arrival` is what Inspect would make of it. False: Inspect has to
// look; `arrival` means nothing.
bool InspectUsual(const net::Packet& packet, Side side, const RunKey& run,
                  Arrival& arrival) noexcept;

// What TurnRound and TurnRoundTcp make of such frames. REQUIRES: arrival.is_usual.
void TurnRoundUsual(net::Packet& packet, const Arrival& arrival, Nanos now,
                    const RunKey& run) noexcept;
void TurnRoundUsualTcp(net::Packet& packet, const Arrival& arrival, const TcpTurn& turn, Nanos now,
                       const RunKey& run) noexcept;

}  // namespace tandem::pktgen
