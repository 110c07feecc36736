// SPDX-License-Identifier: Apache-2.0
//
// Flow number <-> client address and port, by computation: millions of flows take no memory here. The
// address runs fastest, so that the most popular flows come from different clients.
#pragma once

#include <cstdint>
#include <optional>

#include "tools/pktgen/address_range.h"
#include "tools/pktgen/address_words.h"

namespace tandem::pktgen {

struct ClientTuple {
  IpAddress address;
  uint16_t port = 0;  // host byte order

  friend bool operator==(const ClientTuple&, const ClientTuple&) = default;
};

// The same as it stands in a packet.
struct EndpointWords {
  AddressWords address;
  uint16_t port = 0;  // network byte order

  friend bool operator==(const EndpointWords&, const EndpointWords&) = default;
};

inline EndpointWords WordsOf(const ClientTuple& tuple) {
  return {WordsOf(tuple.address), __builtin_bswap16(tuple.port)};
}

class FlowMap {
 public:
  // REQUIRES: clients.count() > 0; 0 < first_port <= last_port.
  FlowMap(const AddressRange& clients, uint16_t first_port, uint16_t last_port)
      : clients_(clients), first_port_(first_port), ports_(last_port - first_port + uint32_t{1}) {}

  uint64_t flows_max() const { return clients_.count() * ports_; }
  const AddressRange& clients() const { return clients_; }

  // REQUIRES: flow < flows_max().
  ClientTuple TupleOf(uint32_t flow) const noexcept {
    const uint64_t port = flow / clients_.count();
    return {clients_.At(flow % clients_.count()), static_cast<uint16_t>(first_port_ + port)};
  }
  // REQUIRES: flow < flows_max().
  EndpointWords WordsAt(uint32_t flow) const noexcept {
    const uint64_t port = flow / clients_.count();
    return {clients_.WordsAt(flow % clients_.count()),
            __builtin_bswap16(static_cast<uint16_t>(first_port_ + port))};
  }
  std::optional<uint64_t> FlowOf(const ClientTuple& tuple) const noexcept {
    const auto index = clients_.IndexOf(tuple.address);
    const uint32_t port = uint32_t{tuple.port} - first_port_;
    if (!index || port >= ports_) return std::nullopt;
    return uint64_t{port} * clients_.count() + *index;
  }

 private:
  AddressRange clients_;
  uint16_t first_port_;
  uint32_t ports_;
};

}  // namespace tandem::pktgen
