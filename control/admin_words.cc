// SPDX-License-Identifier: Apache-2.0
#include "control/admin_words.h"

#include <netinet/in.h>

#include <charconv>

namespace tandem::control {

std::string_view WordOf(config::VirtualType type) {
  switch (type) {
    case config::VirtualType::kFastL4:
      return "fastl4";
    case config::VirtualType::kForwardIp:
      return "forwarding-ip";
    case config::VirtualType::kReject:
      return "reject";
  }
  return "";
}

std::string_view WordOf(config::Balancing balancing) {
  switch (balancing) {
    case config::Balancing::kRoundRobin:
      return "round-robin";
    case config::Balancing::kRatio:
      return "ratio-member";
    case config::Balancing::kLeastConnections:
      return "least-connections-member";
    case config::Balancing::kMaglevSource:
      return "maglev-source";
    case config::Balancing::kMaglevFiveTuple:
      return "maglev-five-tuple";
  }
  return "";
}

std::string_view WordOf(config::Role role) {
  return role == config::Role::kActive ? "active" : "standby";
}

std::string_view WordOf(config::PersistenceType type) {
  switch (type) {
    case config::PersistenceType::kSourceAddress:
      return "source-address";
    case config::PersistenceType::kDestinationAddress:
      return "destination-address";
    case config::PersistenceType::kHash:
      return "hash";
  }
  return "";
}

std::string_view WordOf(flow::State state) {
  switch (state) {
    case flow::State::kFree:
      return "free";
    case flow::State::kOpening:
      return "opening";
    case flow::State::kSynAcked:
      return "syn-acked";
    case flow::State::kEstablished:
      return "established";
    case flow::State::kFinClient:
      return "fin-client";
    case flow::State::kFinServer:
      return "fin-server";
    case flow::State::kClosing:
      return "closing";
    case flow::State::kTimeWait:
      return "time-wait";
  }
  return "";
}

std::string_view WordOf(neighbour::State state) {
  switch (state) {
    case neighbour::State::kFree:
      return "free";
    case neighbour::State::kIncomplete:
      return "incomplete";
    case neighbour::State::kReachable:
      return "reachable";
    case neighbour::State::kStale:
      return "stale";
    case neighbour::State::kFailed:
      return "failed";
  }
  return "";
}

std::string_view WordOf(mirror::SyncState state) {
  switch (state) {
    case mirror::SyncState::kDown:
      return "down";
    case mirror::SyncState::kSyncing:
      return "syncing";
    case mirror::SyncState::kAuditing:
      return "auditing";
    case mirror::SyncState::kInSync:
      return "in-sync";
    case mirror::SyncState::kLagging:
      return "lagging";
    case mirror::SyncState::kHeld:
      return "held";
  }
  return "";
}

std::string ProtocolWord(uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmp6";
    default:
      return std::to_string(protocol);
  }
}

std::optional<uint8_t> ParseProtocol(std::string_view word) {
  if (word == "tcp") return IPPROTO_TCP;
  if (word == "udp") return IPPROTO_UDP;
  if (word == "icmp") return IPPROTO_ICMP;
  if (word == "icmp6") return IPPROTO_ICMPV6;
  uint8_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || number == 0) return std::nullopt;
  return number;
}

}  // namespace tandem::control
