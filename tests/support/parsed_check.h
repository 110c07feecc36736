// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/net/parse.h"

namespace tandem::test {

// Whether two results of parsing one accepted IP frame say the same.
inline bool IsSame(const net::Parsed& a, const net::Parsed& b) {
  const bool is_same_key = a.is_ipv6() ? a.key6 == b.key6 : a.key4 == b.key4;
  return a.kind == b.kind && a.drop == b.drop && a.flags == b.flags && a.protocol == b.protocol &&
         a.tcp_flags == b.tcp_flags && a.ttl == b.ttl && a.vlan == b.vlan &&
         a.l3_offset == b.l3_offset && a.l4_offset == b.l4_offset && a.ip_length == b.ip_length &&
         a.l4_length == b.l4_length && is_same_key;
}

}  // namespace tandem::test
