// SPDX-License-Identifier: Apache-2.0
//
// rte_mbuf <-> net::Packet. The mbuf is the packet's handle.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/net/packet.h"

namespace tandem::io {

// What the pipeline writes to must be ours alone. Buffers that others read too (a driver's, a
// capture's) are copied; nullptr, and the mbuf freed, when there is none to copy to.
rte_mbuf* MakeWritable(rte_mbuf* mbuf, rte_mempool* pool) noexcept;

// Headers have to be in the first buffer of a chain, and a stripped VLAN tag back in the frame;
// leaves the mbuf as it is where there is no room for that.
rte_mbuf* MakeReadable(rte_mbuf* mbuf) noexcept;

// A chain is made one buffer for a device that takes no chains; false when it does not fit.
bool MakeLinear(rte_mbuf* mbuf) noexcept;

inline uint16_t FlagsOf(uint64_t ol_flags) noexcept {
  uint16_t flags = 0;
  const uint64_t ip = ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || ip == RTE_MBUF_F_RX_IP_CKSUM_NONE) {
    flags |= net::kIpChecksumGood;
  } else if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD) {
    flags |= net::kIpChecksumBad;
  }
  if ((ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
    flags |= net::kL4ChecksumBad;
  }
  return flags;
}

// Whether MakeWritable and MakeReadable have nothing to do, as is the rule.
inline bool IsPlain(const rte_mbuf* mbuf) noexcept {
  constexpr uint64_t kUncommon =
      RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_RX_VLAN_STRIPPED;
  return mbuf->nb_segs == 1 && (mbuf->ol_flags & kUncommon) == 0 && rte_mbuf_refcnt_read(mbuf) == 1;
}

inline net::Packet ToPacket(rte_mbuf* mbuf, uint16_t port) noexcept {
  net::Packet packet;
  packet.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  packet.handle = mbuf;
  packet.length = mbuf->pkt_len;
  packet.contiguous = mbuf->data_len;
  packet.headroom = mbuf->data_off;
  packet.port = port;
  packet.flags = FlagsOf(mbuf->ol_flags);
  return packet;
}

// The pipeline may have moved the beginning of the frame. What receiving noted in the mbuf would
// mean something else to a transmitting driver and is cleared.
inline rte_mbuf* FromPacket(const net::Packet& packet) noexcept {
  auto* const mbuf = static_cast<rte_mbuf*>(packet.handle);
  mbuf->data_off = packet.headroom;
  mbuf->data_len = static_cast<uint16_t>(packet.contiguous);
  mbuf->pkt_len = packet.length;
  mbuf->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  return mbuf;
}

}  // namespace tandem::io
