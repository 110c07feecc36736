// SPDX-License-Identifier: Apache-2.0
//
// A frame as the pure code sees it: bytes, the port they came in on (or leave by), and the owner's
// handle. `io` makes one of an rte_mbuf, tests make one of a buffer.
//
// Ownership: whoever holds a Packet owns its handle; it ends as transmitted, freed, held or handed
// off exactly once, and only `io` (or the test) frees.
#pragma once

#include <cstdint>
#include <type_traits>

namespace tandem::net {

enum PacketFlag : uint16_t {
  kIpChecksumGood = 1 << 0,  // the NIC verified the IPv4 header checksum
  kIpChecksumBad = 1 << 1,
  kL4ChecksumBad = 1 << 2,
  kHandedOff = 1 << 3,   // came from another worker, which named this one the owner
  kOriginated = 1 << 4,  // turned into an answer of our own; not counted as forwarded
};

struct Packet {
  uint8_t* data = nullptr;  // first byte of the Ethernet header
  void* handle = nullptr;   // the owner's reference: rte_mbuf*, test buffer
  uint32_t length = 0;      // bytes of the whole frame, without FCS
  uint32_t contiguous = 0;  // bytes readable at `data`, up to `length`; fewer of a chained mbuf
  uint16_t headroom = 0;    // writable bytes in front of `data`
  uint16_t port = 0;        // index into Snapshot::ports; of arrival, then of departure
  uint16_t flags = 0;       // PacketFlag
  uint16_t reserved = 0;
};
static_assert(std::is_trivially_copyable_v<Packet> && sizeof(Packet) == 32,
              "copied through rings of 4-byte multiples");

}  // namespace tandem::net
