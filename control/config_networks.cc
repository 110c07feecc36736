// SPDX-License-Identifier: Apache-2.0
#include "control/config_networks.h"

#include "dataplane/base/hash.h"

namespace tandem::control {

size_t Networks::Hash::operator()(const IpPrefix& prefix) const noexcept {
  return HashPair(IpAddressHash()(prefix.address), prefix.length, 0);
}

void Networks::Add(const IpPrefix& network, int value) {
  networks_.emplace(network.Network(), value);
  lengths_[network.address.is_v4() ? 1 : 0].set(network.length);
}

std::optional<int> Networks::Find(const IpPrefix& prefix) const {
  const auto& lengths = lengths_[prefix.address.is_v4() ? 1 : 0];
  for (unsigned length = prefix.length + 1U; length-- > 0;) {
    if (!lengths.test(length)) continue;
    const IpPrefix network = IpPrefix{prefix.address, static_cast<uint8_t>(length)}.Network();
    const auto found = networks_.find(network);
    if (found != networks_.end()) return found->second;
  }
  return std::nullopt;
}

std::optional<int> Networks::Find(const IpAddress& address) const {
  return Find(IpPrefix{address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)});
}

}  // namespace tandem::control
