// SPDX-License-Identifier: Apache-2.0
//
// Networks by prefix, for questions that a configuration of maximum size must not answer by
// comparing all with all: which connected network holds this gateway, which networks overlap.
#pragma once

#include <bitset>
#include <cstddef>
#include <optional>
#include <unordered_map>

#include "dataplane/base/ip_address.h"

namespace tandem::control {

class Networks {
 public:
  // The first of equal networks stays. Host bits are ignored.
  void Add(const IpPrefix& network, int value);

  // The longest network that holds all of `prefix`.
  std::optional<int> Find(const IpPrefix& prefix) const;
  std::optional<int> Find(const IpAddress& address) const;

 private:
  struct Hash {
    size_t operator()(const IpPrefix& prefix) const noexcept;
  };
  std::unordered_map<IpPrefix, int, Hash> networks_;
  std::bitset<129> lengths_[2];  // that occur, by family (1: IPv4)
};

}  // namespace tandem::control
