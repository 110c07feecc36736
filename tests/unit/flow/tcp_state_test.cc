// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/tcp_state.h"

#include <catch2/catch.hpp>

using namespace tandem::flow;

TEST_CASE("tcp state: flags fall into one class, RST before SYN before FIN before ACK", "[flow]") {
  for (unsigned flags = 0; flags < 64; ++flags) {
    const bool fin = (flags & 1) != 0;
    const bool syn = (flags & 2) != 0;
    const bool rst = (flags & 4) != 0;
    const bool ack = (flags & 16) != 0;
    const FlagClass expected = rst          ? FlagClass::kRst
                               : syn && ack ? FlagClass::kSynAck
                               : syn        ? FlagClass::kSyn
                               : fin        ? FlagClass::kFin
                               : ack        ? FlagClass::kAck
                                            : FlagClass::kNone;
    CHECK(Classify(static_cast<uint8_t>(flags)) == expected);
  }
}
