// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/mbuf.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <cstring>

#include <catch2/catch.hpp>

#include "tests/unit/io/eal_for_test.h"

namespace tandem::io {
namespace {

// A pool of its own for each test, which checks that every buffer comes home.
class Pool {
 public:
  Pool() {
    NeedEal();
    pool_ = rte_pktmbuf_pool_create("mbuf_test", 63, 0, 0, 512 + RTE_PKTMBUF_HEADROOM, 0);
    REQUIRE(pool_ != nullptr);
  }
  ~Pool() {
    CHECK(rte_mempool_in_use_count(pool_) == 0);
    rte_mempool_free(pool_);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  rte_mempool* get() { return pool_; }

  // Bytes 0, 1, 2, ... in buffers of the given lengths.
  rte_mbuf* Frame(std::initializer_list<uint16_t> lengths) {
    rte_mbuf* head = nullptr;
    uint8_t next = 0;
    for (const uint16_t length : lengths) {
      rte_mbuf* const segment = rte_pktmbuf_alloc(pool_);
      char* const bytes = rte_pktmbuf_append(segment, length);
      for (uint16_t i = 0; i < length; ++i) {
        bytes[i] = static_cast<char>(next++);
      }
      if (head == nullptr) {
        head = segment;
      } else {
        rte_pktmbuf_chain(head, segment);
      }
    }
    return head;
  }

 private:
  rte_mempool* pool_ = nullptr;
};

}  // namespace

TEST_CASE("a packet is the mbuf's frame, and the mbuf follows the packet's new beginning") {
  Pool pool;
  rte_mbuf* const mbuf = pool.Frame({100});
  net::Packet packet = ToPacket(mbuf, 3);
  CHECK(IsPlain(mbuf));
  CHECK(packet.handle == mbuf);
  CHECK(packet.data[5] == 5);
  CHECK(packet.length == 100);
  CHECK(packet.contiguous == 100);
  CHECK(packet.headroom == RTE_PKTMBUF_HEADROOM);
  CHECK(packet.port == 3);
  // As when a VLAN tag comes in front.
  packet.data -= 4;
  packet.headroom = static_cast<uint16_t>(packet.headroom - 4);
  packet.length += 4;
  packet.contiguous += 4;
  mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  REQUIRE(FromPacket(packet) == mbuf);
  CHECK(rte_pktmbuf_mtod(mbuf, uint8_t*) == packet.data);
  CHECK(mbuf->pkt_len == 104);
  CHECK(mbuf->data_len == 104);
  CHECK(mbuf->ol_flags == 0);
  rte_pktmbuf_free(mbuf);
}

TEST_CASE("headers split over buffers are brought together when there is room") {
  Pool pool;
  rte_mbuf* const mbuf = MakeReadable(pool.Frame({20, 30, 40}));
  CHECK(mbuf->nb_segs == 1);
  const net::Packet packet = ToPacket(mbuf, 0);
  REQUIRE(packet.contiguous == 90);
  for (uint8_t i = 0; i < 90; ++i) {
    REQUIRE(packet.data[i] == i);
  }
  rte_pktmbuf_free(mbuf);
}

TEST_CASE("a chain whose headers are together stays one") {
  Pool pool;
  rte_mbuf* const mbuf = MakeReadable(pool.Frame({200, 30}));
  CHECK(mbuf->nb_segs == 2);
  const net::Packet packet = ToPacket(mbuf, 0);
  CHECK(packet.contiguous == 200);
  CHECK(packet.length == 230);
  CHECK(FromPacket(packet)->nb_segs == 2);
  rte_pktmbuf_free(mbuf);
}

TEST_CASE("a chain without room stays as it is") {
  Pool pool;
  rte_mbuf* const mbuf = MakeReadable(pool.Frame({20, 500}));
  CHECK(mbuf->nb_segs == 2);
  CHECK(ToPacket(mbuf, 0).contiguous == 20);
  CHECK_FALSE(MakeLinear(mbuf));
  rte_pktmbuf_free(mbuf);
}

TEST_CASE("a buffer that others read is copied before it is written to") {
  Pool pool;
  rte_mbuf* const shared = pool.Frame({60});
  rte_mbuf* const clone = rte_pktmbuf_clone(shared, pool.get());
  CHECK_FALSE(IsPlain(clone));
  rte_mbuf* const copy = MakeWritable(clone, pool.get());
  REQUIRE(copy != nullptr);
  CHECK(IsPlain(copy));
  CHECK(rte_pktmbuf_mtod(copy, uint8_t*) != rte_pktmbuf_mtod(shared, uint8_t*));
  CHECK(std::memcmp(rte_pktmbuf_mtod(copy, void*), rte_pktmbuf_mtod(shared, void*), 60) == 0);
  rte_pktmbuf_free(copy);

  rte_mbuf_refcnt_update(shared, 1);
  rte_mbuf* const second = MakeWritable(shared, pool.get());
  REQUIRE(second != shared);
  rte_pktmbuf_free(second);
  rte_pktmbuf_free(shared);
}

TEST_CASE("a stripped VLAN tag comes back into the frame") {
  Pool pool;
  rte_mbuf* mbuf = pool.Frame({60});
  mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
  mbuf->vlan_tci = 20;
  CHECK_FALSE(IsPlain(mbuf));
  mbuf = MakeReadable(MakeWritable(mbuf, pool.get()));
  const net::Packet packet = ToPacket(mbuf, 0);
  CHECK(packet.length == 64);
  CHECK(packet.data[12] == 0x81);
  CHECK(packet.data[13] == 0x00);
  CHECK(packet.data[15] == 20);
  CHECK(packet.data[16] == 12);
  rte_pktmbuf_free(mbuf);
}

}  // namespace tandem::io
