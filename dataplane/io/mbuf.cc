// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/mbuf.h"

#include <rte_ether.h>

namespace tandem::io {
namespace {

// Ethernet, tag, IPv6 with an extension header, TCP with options: what the parser usually reads.
constexpr uint16_t kHeadersUsual = 128;

bool IsShared(const rte_mbuf* mbuf) {
  for (const rte_mbuf* segment = mbuf; segment != nullptr; segment = segment->next) {
    if (rte_mbuf_refcnt_read(segment) != 1 || RTE_MBUF_CLONED(segment)) return true;
    if (RTE_MBUF_HAS_EXTBUF(segment) && rte_mbuf_ext_refcnt_read(segment->shinfo) != 1) return true;
  }
  return false;
}

}  // namespace

rte_mbuf* MakeWritable(rte_mbuf* mbuf, rte_mempool* pool) noexcept {
  if (!IsShared(mbuf)) return mbuf;
  rte_mbuf* const copy = rte_pktmbuf_copy(mbuf, pool, 0, UINT32_MAX);
  rte_pktmbuf_free(mbuf);
  return copy;
}

rte_mbuf* MakeReadable(rte_mbuf* mbuf) noexcept {
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) rte_vlan_insert(&mbuf);
  if (mbuf->nb_segs > 1 && mbuf->data_len < kHeadersUsual) MakeLinear(mbuf);
  return mbuf;
}

bool MakeLinear(rte_mbuf* mbuf) noexcept {
  return rte_pktmbuf_linearize(mbuf) == 0;
}

}  // namespace tandem::io
