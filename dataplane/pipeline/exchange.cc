// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/exchange.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <cstdlib>

#include "dataplane/base/assert.h"
#include "dataplane/base/limits.h"

#ifndef RTE_USE_C11_MEM_MODEL
#error "other headers may bring the rings before this file could ask for it: meson.build does"
#endif

namespace tandem::pipeline {

// An rte_ring on memory of our own, so that it needs no EAL.
struct Exchange::Ring {
  Ring(size_t element_size, size_t count) {
    const ssize_t bytes = rte_ring_get_memsize_elem(static_cast<unsigned>(element_size),
                                                    static_cast<unsigned>(count));
    TANDEM_ASSERT(bytes > 0);
    const size_t rounded = (static_cast<size_t>(bytes) + 63) / 64 * 64;
    memory.reset(static_cast<rte_ring*>(std::aligned_alloc(64, rounded)));
    TANDEM_ASSERT(memory != nullptr);
    TANDEM_ASSERT(rte_ring_init(memory.get(), "exchange", static_cast<unsigned>(count),
                                RING_F_SP_ENQ | RING_F_SC_DEQ) == 0);
  }

  struct Free {
    void operator()(rte_ring* ring) const { std::free(ring); }
  };
  std::unique_ptr<rte_ring, Free> memory;
};

Exchange::Exchange(unsigned workers) : workers_(workers), next_source_(workers) {
  packet_rings_.resize(size_t{workers} * workers);
  message_rings_.resize(size_t{workers} + 1);
  for (unsigned from = 1; from <= workers; ++from)
    message_rings_[from] = std::make_unique<Ring>(sizeof(neighbour::Message), kMessageRingSize);
  for (unsigned from = 0; from < workers; ++from) {
    for (unsigned to = 0; to < workers; ++to) {
      if (from == to) continue;
      packet_rings_[from * workers + to] =
          std::make_unique<Ring>(sizeof(net::Packet), kHandoffRingSize);
    }
  }
}

Exchange::~Exchange() = default;

bool Exchange::HandOff(unsigned from, unsigned to, const net::Packet& packet) noexcept {
  return rte_ring_sp_enqueue_elem(PacketRing(from, to).memory.get(),
                                  const_cast<net::Packet*>(&packet), sizeof(packet)) == 0;
}

size_t Exchange::Collect(unsigned to, std::span<net::Packet> packets) noexcept {
  size_t count = 0;
  const unsigned first = next_source_[to].from;
  for (unsigned i = 0; i < workers_ && count < packets.size(); ++i) {
    const unsigned from = (first + i) % workers_;
    if (from == to) continue;
    count += rte_ring_sc_dequeue_burst_elem(PacketRing(from, to).memory.get(), &packets[count],
                                            sizeof(net::Packet),
                                            static_cast<unsigned>(packets.size() - count), nullptr);
  }
  next_source_[to].from = first + 1 < workers_ ? first + 1 : 0;
  return count;
}

bool Exchange::Tell(unsigned from, const neighbour::Message& message) noexcept {
  return rte_ring_sp_enqueue_elem(message_rings_[from]->memory.get(),
                                  const_cast<neighbour::Message*>(&message), sizeof(message)) == 0;
}

size_t Exchange::Hear(std::span<neighbour::Message> messages) noexcept {
  size_t count = 0;
  for (unsigned from = 1; from <= workers_ && count < messages.size(); ++from) {
    count += rte_ring_sc_dequeue_burst_elem(
        message_rings_[from]->memory.get(), &messages[count], sizeof(neighbour::Message),
        static_cast<unsigned>(messages.size() - count), nullptr);
  }
  return count;
}

}  // namespace tandem::pipeline
