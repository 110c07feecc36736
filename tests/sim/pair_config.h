// SPDX-License-Identifier: Apache-2.0
//
// What both devices of a pair are configured with, in its variants, and who is around them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/lan.h"
#include "tests/support/hosts.h"

namespace tandem::sim {

inline constexpr unsigned kPairGroups = 2;

// The names of both traffic groups.
inline constexpr std::array<const char*, kPairGroups> kGroupNames = {"blue", "green"};

struct PairConfig {
  unsigned workers = 1;
  // The virtuals that are there, and those that are mirrored: one bit each, in the order of
  // PairServices. By default everything is there, and all but the last are mirrored.
  uint32_t virtuals = 0xff;
  uint32_t mirrored = 0x7f;
  // Those with a persistence profile; most of the profiles are mirrored.
  uint32_t persistent = 0;
  uint32_t strict = 0, bounded = 0;  // those with output commit
  bool at_syn = false;
  bool has_third_member = true;
  bool second_disabled = false;
  std::array<unsigned, kPairGroups> active = {0, 0};  // device that is active for the group
  uint16_t mtu = 1500;                                // of the mirroring port
  bool authenticated = true;
  // Seconds.
  unsigned idle_timeout = 30;
  unsigned source_timeout = 20, hash_timeout = 8;  // of records
  bool across_services = false;
  bool hash_mirrored = true;
};

// Of a profile's records the peer is told.
inline constexpr const char* kUnmirroredProfile = "local";

// Of device 0 or 1; the same but for its own addresses, the order in which objects come, and roles.
std::string TextOf(const PairConfig& config, unsigned device);

// Whether a conversation with this service, led to this server, can go on: its virtual and its member
// are there.
bool Serves(const PairConfig& config, const LanService& service, const IpAddress& server);

// By index, in the order of the bits above.
std::vector<LanService> PairServices();
std::vector<test::Host> PairHosts();
std::vector<std::string> PairClients();

}  // namespace tandem::sim
