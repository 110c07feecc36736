// SPDX-License-Identifier: Apache-2.0
//
// The addresses that are ours: self IPs, host virtual addresses, SNAT addresses. Says for each how
// it answers ARP, neighbour discovery and echo, and with which MAC.
//
// Immutable after Build; safe from any thread.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/ids.h"

namespace tandem::config {

enum LocalRole : uint8_t {
  kSelfIp = 1 << 0,
  kVirtualAddress = 1 << 1,
  kSnatAddress = 1 << 2,
};

struct LocalAddress {
  IpAddress address;
  uint8_t roles = 0;          // LocalRole
  InterfaceId interface = 0;  // of a self IP; 0: answers on every interface
  TrafficGroupId traffic_group = 0;
  bool arp = true;  // answers ARP and neighbour solicitations
  bool icmp_echo = true;
};

class AddressIndex {
 public:
  // Merges when the address is there already: the roles add up, it answers what either answers, and
  // interface and traffic group stay those of the first.
  void Add(const LocalAddress& address);
  const LocalAddress* Find(const IpAddress& address) const noexcept;
  const std::unordered_map<IpAddress, LocalAddress, IpAddressHash>& all() const { return all_; }

 private:
  std::unordered_map<IpAddress, LocalAddress, IpAddressHash> all_;
};

}  // namespace tandem::config
