// SPDX-License-Identifier: Apache-2.0
#include "dataplane/nat/snat.h"

#include <rte_byteorder.h>

#include <cstring>

namespace tandem::nat {
namespace {

using config::SourcePort;
using config::Steering;

// Ports drawn in search of those whose replies come to this worker: one in as many as there are
// workers does.
constexpr int kDrawsMax = kProbesMax * 64;

void SetDestination(net::FlowKey4& key, const IpAddress& address) {
  key.destination = address.v4();
}
void SetDestination(net::FlowKey6& key, const IpAddress& address) {
  std::memcpy(key.destination.bytes, address.bytes().data(), sizeof(key.destination.bytes));
}

// A port from kPortMin on; of the share's blocks, all equally likely.
uint16_t DrawPort(Prng& prng, const PortShare& share) {
  constexpr uint32_t kPorts = 0x10000 - kPortMin;
  constexpr uint32_t kBlockSize = 1U << kBlockShift;
  constexpr uint32_t kFirst = kPortMin / kBlockSize;
  constexpr uint32_t kBlocks = kPorts / kBlockSize;
  static_assert(kPortMin % kBlockSize == 0 && kPorts % kBlockSize == 0, "whole blocks");
  if (share.count == 1) return static_cast<uint16_t>(kPortMin + prng.Below(kPorts));
  // Blocks from kFirst on to the first of the share, and how many there are of it.
  const uint32_t skipped = (share.index + share.count - kFirst % share.count) % share.count;
  const uint32_t owned = (kBlocks - skipped + share.count - 1) / share.count;
  const uint32_t drawn = prng.Below(owned * kBlockSize);
  const uint32_t block = kFirst + skipped + drawn / kBlockSize * share.count;
  return static_cast<uint16_t>(block * kBlockSize + drawn % kBlockSize);
}

}  // namespace

template <class Hot>
void SourceSearch<Hot>::Begin(const Steering& steering, Prng& prng) noexcept {
  steering_ = &steering;
  prng_ = &prng;
  port_probes_ = random_probes_ = 0;
  draws_ = kDrawsMax;
  start_ = turn_ = 0;
  found_address_ = found_owned_ = false;
  port_ = 0;
  const size_t count = request.addresses.size();
  if (count == 0) return;
  if (count > 1) start_ = prng.Below(static_cast<uint32_t>(count));
  if (!request.has_ports) {
    port_probes_ = kProbesMax;
    return;
  }
  port_ = request.client_port;
  switch (request.policy) {
    case SourcePort::kPreserveStrict:
      port_probes_ = kProbesMax;
      return;
    case SourcePort::kPreserve: {
      const uint16_t wanted = rte_be_to_cpu_16(port_);
      const uint16_t port = request.share.Beside(wanted);
      port_ = rte_cpu_to_be_16(port);
      if (port == wanted || port >= kPortMin) port_probes_ = kProbesMax / 2;
      random_probes_ = kProbesMax / 2;
      return;
    }
    case SourcePort::kChange:
      random_probes_ = kProbesMax;
      return;
  }
}

template <class Hot>
bool SourceSearch<Hot>::Next(Key& key) noexcept {
  return NextOfPort(key) || NextRandom(key);
}

template <class Hot>
DropReason SourceSearch<Hot>::reason() const noexcept {
  if (!found_address_) return DropReason::kSnatNoAddress;
  // Without ports the reply's owner is the address's alone.
  if (!request.has_ports && !found_owned_) return DropReason::kSnatNoAddress;
  return DropReason::kSnatPortExhausted;
}

// The same port with every address.
template <class Hot>
inline bool SourceSearch<Hot>::NextOfPort(Key& key) noexcept {
  while (port_probes_ > 0) {
    if (turn_ == request.addresses.size()) {
      port_probes_ = 0;
      turn_ = 0;
      return false;
    }
    if (!UseAddress(turn_++, key) || !IsOwned(port_)) continue;
    --port_probes_;
    key.destination_port = port_;
    return true;
  }
  return false;
}

// Random ports, one address after the other.
template <class Hot>
bool SourceSearch<Hot>::NextRandom(Key& key) noexcept {
  while (random_probes_ > 0 && draws_ > 0) {
    if (!UseAddress(turn_++, key)) {
      --draws_;
      continue;
    }
    if (!DrawOwnedPort(key)) return false;
    --random_probes_;
    return true;
  }
  return false;
}

// False when the candidate is of the other family.
template <class Hot>
inline bool SourceSearch<Hot>::UseAddress(size_t turn, Key& key) noexcept {
  const size_t count = request.addresses.size();
  const IpAddress& address = request.addresses[count == 1 ? 0 : (start_ + turn) % count];
  if (address.is_v4() == Hot::kIsIpv6) return false;
  found_address_ = true;
  SetDestination(key, address);
  // One worker owns whatever the hash says.
  if (steering_->workers() > 1) hashed_ = steering_->HashAddress(key.destination);
  return true;
}

template <class Hot>
inline bool SourceSearch<Hot>::IsOwned(uint16_t port) noexcept {
  if (steering_->workers() > 1 && steering_->OwnerOf(hashed_, port) != request.worker) return false;
  found_owned_ = true;
  return true;
}

template <class Hot>
bool SourceSearch<Hot>::DrawOwnedPort(Key& key) noexcept {
  while (draws_-- > 0) {
    const uint16_t port = rte_cpu_to_be_16(DrawPort(*prng_, request.share));
    if (request.policy == SourcePort::kChange && port == request.client_port) continue;
    if (!IsOwned(port)) continue;
    key.destination_port = port;
    return true;
  }
  return false;
}

template class SourceSearch<flow::FlowHot4>;
template class SourceSearch<flow::FlowHot6>;

}  // namespace tandem::nat
