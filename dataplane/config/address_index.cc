// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/address_index.h"

namespace tandem::config {

void AddressIndex::Add(const LocalAddress& address) {
  const auto [position, is_new] = all_.try_emplace(address.address, address);
  if (is_new) return;
  LocalAddress& existing = position->second;
  existing.roles = static_cast<uint8_t>(existing.roles | address.roles);
  existing.arp = existing.arp || address.arp;
  existing.icmp_echo = existing.icmp_echo || address.icmp_echo;
}

const LocalAddress* AddressIndex::Find(const IpAddress& address) const noexcept {
  const auto position = all_.find(address);
  return position == all_.end() ? nullptr : &position->second;
}

}  // namespace tandem::config
