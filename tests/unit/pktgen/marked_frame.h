// SPDX-License-Identifier: Apache-2.0
//
// A request of flow 77 as the generator's clients send it, for the tests of those who read it.
#pragma once

#include "tests/support/packet_builder.h"
#include "tools/pktgen/frame_builder.h"
#include "tools/pktgen/signature.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {

struct MarkedKind {
  bool is_tcp = false;
  bool is_v4 = true;
};

inline test::Bytes MarkedFrame(const RunKey& run, const Signature& mark, MarkedKind kind,
                               size_t payload_size) {
  const Endpoint target = {test::Ip(kind.is_v4 ? "192.0.2.1" : "2001:db8::1"), 80};
  const ClientTuple client = {test::Ip(kind.is_v4 ? "10.0.0.1" : "2001:db8:1::1"), 5555};
  const FrameBuilder builder({}, target, run.key);
  const Segment segment = {RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG, 1, 2, run.TimestampOf(77)};
  test::Bytes out(9000, 0xee);
  out.resize(kind.is_tcp ? builder.Tcp(out, client, segment, mark, payload_size)
                         : builder.Udp(out, WordsOf(client), mark, payload_size));
  return out;
}

}  // namespace tandem::pktgen
