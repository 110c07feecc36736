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

// One search: candidates in turn from a random start on, and what is left of the probes.
template <class Hot>
class Search {
 public:
  using Key = typename Hot::Key;

  Search(const SnatRequest& request, const Steering& steering, flow::FlowTable<Hot>& table,
         Prng& prng, const Key& key)
      : request_(request),
        steering_(steering),
        table_(table),
        prng_(prng),
        key_(key),
        start_(prng.Below(static_cast<uint32_t>(request.addresses.size()))) {}

  const Key& key() const { return key_; }
  bool found_address() const { return found_address_; }
  bool found_owned() const { return found_owned_; }

  // The same port with every address, `probes` lookups at most.
  bool TryPort(uint16_t port, int probes) noexcept {
    for (size_t i = 0; i < request_.addresses.size() && probes > 0; ++i) {
      if (!UseAddress(i) || !IsOwned(port)) continue;
      --probes;
      if (IsFree(port)) return true;
    }
    return false;
  }

  // Random ports, one address after the other.
  bool TryRandomPorts(int probes) noexcept {
    int draws = kDrawsMax;
    for (size_t i = 0; probes > 0 && draws > 0; ++i) {
      if (!UseAddress(i)) {
        --draws;
        continue;
      }
      uint16_t port = 0;
      if (!DrawOwnedPort(draws, port)) return false;
      --probes;
      if (IsFree(port)) return true;
    }
    return false;
  }

 private:
  // False when the candidate is of the other family.
  bool UseAddress(size_t turn) noexcept {
    const IpAddress& address = request_.addresses[(start_ + turn) % request_.addresses.size()];
    if (address.is_v4() == Hot::kIsIpv6) return false;
    found_address_ = true;
    SetDestination(key_, address);
    hashed_ = steering_.HashAddress(key_.destination);
    return true;
  }

  bool IsOwned(uint16_t port) noexcept {
    if (steering_.OwnerOf(hashed_, port) != request_.worker) return false;
    found_owned_ = true;
    return true;
  }

  bool DrawOwnedPort(int& draws, uint16_t& port) noexcept {
    while (draws-- > 0) {
      port = rte_cpu_to_be_16(DrawPort(prng_, request_.share));
      if (request_.policy == SourcePort::kChange && port == request_.client_port) continue;
      if (IsOwned(port)) return true;
    }
    return false;
  }

  bool IsFree(uint16_t port) noexcept {
    key_.destination_port = port;
    return !table_.FindOne(key_, request_.protocol);
  }

  const SnatRequest& request_;
  const Steering& steering_;
  flow::FlowTable<Hot>& table_;
  Prng& prng_;
  Key key_;
  Steering::AddressHash hashed_;
  size_t start_;
  bool found_address_ = false;
  bool found_owned_ = false;
};

template <class Hot>
bool Try(Search<Hot>& search, const SnatRequest& request) noexcept {
  if (!request.has_ports) return search.TryPort(0, kProbesMax);
  switch (request.policy) {
    case SourcePort::kPreserveStrict:
      return search.TryPort(request.client_port, kProbesMax);
    case SourcePort::kPreserve:
      return (request.share.Has(rte_be_to_cpu_16(request.client_port)) &&
              search.TryPort(request.client_port, kProbesMax / 2)) ||
             search.TryRandomPorts(kProbesMax / 2);
    case SourcePort::kChange:
      return search.TryRandomPorts(kProbesMax);
  }
  return false;
}

}  // namespace

template <class Hot>
DropReason ChooseSource(const SnatRequest& request, const Steering& steering,
                        flow::FlowTable<Hot>& table, Prng& prng,
                        typename Hot::Key& server_key) noexcept {
  if (request.addresses.empty()) return DropReason::kSnatNoAddress;
  Search<Hot> search(request, steering, table, prng, server_key);
  if (Try(search, request)) {
    server_key = search.key();
    return DropReason::kNone;
  }
  if (!search.found_address()) return DropReason::kSnatNoAddress;
  // Without ports the reply's owner is the address's alone.
  if (!request.has_ports && !search.found_owned()) return DropReason::kSnatNoAddress;
  return DropReason::kSnatPortExhausted;
}

template DropReason ChooseSource(const SnatRequest&, const Steering&,
                                 flow::FlowTable<flow::FlowHot4>&, Prng&, net::FlowKey4&) noexcept;
template DropReason ChooseSource(const SnatRequest&, const Steering&,
                                 flow::FlowTable<flow::FlowHot6>&, Prng&, net::FlowKey6&) noexcept;

}  // namespace tandem::nat
