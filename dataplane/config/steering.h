// SPDX-License-Identifier: Apache-2.0
//
// Which worker owns a flow. The owner is a function of one endpoint that both legs share: the
// client's address and port without SNAT, the SNAT address and port with it. A packet from the
// client side shows that endpoint as its source (the client), a packet from the server side as its
// destination (the client again, or the SNAT endpoint). The source port of SNAT is chosen so that
// both endpoints have one owner (nat/snat.h).
//
// The function is the Toeplitz hash that NICs compute (RSS over source only or destination only),
// through the redirection table, so that where the NIC can hash that way, packets arrive on their
// owner's queue; elsewhere the receiving worker hands them over. Established flows never ask: a hit
// in the worker's own table settles ownership; only a miss computes it.
//
// Immutable; safe from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/net/flow_key.h"

namespace tandem::config {

inline constexpr size_t kRssKeySize = 52;  // longest key any DPDK driver takes (i40e)
inline constexpr size_t kRetaSize = 512;

// The key that every device of a group shares; random bytes chosen once, not a secret.
extern const std::array<uint8_t, kRssKeySize> kDefaultRssKey;

class Steering {
 public:
  // `reta_size` is that of the smallest redirection table among the ports: what a larger one repeats.
  // REQUIRES: 1 <= workers <= kWorkersMax; reta_size a power of two in 1..kRetaSize.
  explicit Steering(unsigned workers, std::span<const uint8_t, kRssKeySize> key = kDefaultRssKey,
                    size_t reta_size = kRetaSize);

  unsigned workers() const { return workers_; }

  // `port` in network byte order; `address` too.
  unsigned OwnerOf(uint32_t address, uint16_t port) const noexcept;
  unsigned OwnerOf(const net::Ipv6Bytes& address, uint16_t port) const noexcept;

  // The Toeplitz hash behind OwnerOf, as rte_softrss_be computes it over address and port.
  uint32_t HashOf(uint32_t address, uint16_t port) const noexcept;
  uint32_t HashOf(const net::Ipv6Bytes& address, uint16_t port) const noexcept;

  // For those who try many ports of one address: the address's share of the hash, computed once.
  struct AddressHash {
    uint32_t hash = 0;
    uint32_t port_offset = 0;  // where the port follows in the hashed bytes
  };
  AddressHash HashAddress(uint32_t address) const noexcept { return {HashOf(address, 0), 4}; }
  AddressHash HashAddress(const net::Ipv6Bytes& address) const noexcept {
    return {HashOf(address, 0), 16};
  }
  unsigned OwnerOf(AddressHash address, uint16_t port) const noexcept {
    const uint32_t port_hash =
        partial_[address.port_offset][port & 0xff] ^ partial_[address.port_offset + 1][port >> 8];
    return Owner(address.hash ^ port_hash);
  }

  // What io writes into entry `index` of a NIC's table of at least reta_size() entries.
  uint16_t RetaEntry(size_t index) const {
    return static_cast<uint16_t>((index & reta_mask_) % workers_);
  }
  size_t reta_size() const { return reta_mask_ + 1; }
  std::span<const uint8_t, kRssKeySize> key() const { return key_; }

 private:
  unsigned Owner(uint32_t hash) const noexcept { return (hash & reta_mask_) % workers_; }

  unsigned workers_;
  uint32_t reta_mask_;
  std::array<uint8_t, kRssKeySize> key_ = {};
  // Toeplitz is linear: one table of 256 partial hashes for each input byte, 18 bytes at most.
  std::vector<std::array<uint32_t, 256>> partial_;
};

}  // namespace tandem::config
