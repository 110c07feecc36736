// SPDX-License-Identifier: Apache-2.0
//
// Chooses the source address and port of a flow's server side (RFC 5382, RFC 4787): candidates for which the
// reply's owner (config/steering.h) is the worker that asks, until it finds one that no other flow has. That
// is so per member endpoint: each SNAT address carries about 64 k flows to each member.
// Port policies are BIG-IP's: preserve keeps the client's port when it can, preserve-strict keeps it
// or fails, change never keeps it. Addresses are tried from a random start on; ports by random
// probes, kProbesMax at most over all addresses.
//
// Of devices that mirror to each other each takes ports of its own blocks only for new flows of addresses
// that float (PortShare), so that a device which took over never gives away the port of a flow that the
// mirror had not told it of yet. The lease is for good: nothing has to be acknowledged before a port is
// used. Instead of a preserved port of another's block the one at its place in the device's own block
// beside is tried. preserve-strict keeps it
// regardless: any other answer would refuse most of the clients; after a takeover such a flow can
// collide with one that was not mirrored yet. Protocols without ports have no share either.
//
// Thread safety: one worker's. No allocation.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/base/drop_reason.h"
#include "dataplane/base/prng.h"
#include "dataplane/config/objects.h"
#include "dataplane/config/steering.h"
#include "dataplane/flow/flow.h"

namespace tandem::nat {

inline constexpr int kProbesMax = 256;
inline constexpr uint16_t kPortMin = 1024;  // lowest port chosen; a preserved one may be lower

inline constexpr unsigned kBlockShift = 6;  // blocks of 64 ports

// A device's part of the ports: every count-th block, from the index-th on.
struct PortShare {
  uint8_t index = 0;
  uint8_t count = 1;  // 1: all ports

  // `port` in host byte order.
  constexpr bool Has(uint16_t port) const {
    return count == 1 || (port >> kBlockShift) % count == index;
  }
  // The port itself, or the one at its place in a block of the share nearby.
  constexpr uint16_t Beside(uint16_t port) const {
    if (count == 1) return port;
    constexpr uint32_t kBlocks = 0x10000 >> kBlockShift;
    const auto block = static_cast<uint32_t>(port >> kBlockShift);
    const uint32_t own = block - block % count + index;
    const uint32_t place = port % (1U << kBlockShift);
    return static_cast<uint16_t>((own < kBlocks ? own : own - count) << kBlockShift | place);
  }
};

struct SnatRequest {
  std::span<const IpAddress> addresses;  // candidates; those of the other family are passed over
  config::SourcePort policy = config::SourcePort::kPreserve;
  uint16_t client_port = 0;  // network byte order; 0 for protocols without ports
  unsigned worker = 0;       // that owns the flow
  bool has_ports = true;     // false: protocol without ports, only an address is chosen
  PortShare share;
};

// The candidates for the source of one flow, one after the other: what is looked for next can be fetched
// while something else is done. Its owner asks whether a candidate is free.
template <class Hot>
class SourceSearch {
 public:
  using Key = typename Hot::Key;

  // Before Begin. What it points to outlives the search, and so do `steering` and `prng`.
  SnatRequest request;
  void Begin(const config::Steering& steering, Prng& prng) noexcept;
  // The next candidate as destination of `key`, which has the member's address and port as source. False:
  // there are no more.
  bool Next(Key& key) noexcept;
  DropReason reason() const noexcept;  // why there are no more

 private:
  bool UseAddress(size_t turn, Key& key) noexcept;
  bool IsOwned(uint16_t port) noexcept;
  bool NextOfPort(Key& key) noexcept;
  bool NextRandom(Key& key) noexcept;
  bool DrawOwnedPort(Key& key) noexcept;

  const config::Steering* steering_ = nullptr;
  Prng* prng_ = nullptr;
  config::Steering::AddressHash hashed_;
  uint16_t port_ = 0;      // that is tried with every address first; network byte order
  int port_probes_ = 0;    // candidates left with that port,
  int random_probes_ = 0;  // with random ones,
  int draws_ = 0;          // and random numbers left to find them
  size_t start_ = 0;
  size_t turn_ = 0;
  bool found_address_ = false;
  bool found_owned_ = false;
};

extern template class SourceSearch<flow::FlowHot4>;
extern template class SourceSearch<flow::FlowHot6>;

}  // namespace tandem::nat
