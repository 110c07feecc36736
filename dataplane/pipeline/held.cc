// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/held.h"

namespace tandem::pipeline {

bool HeldPackets::Add(const net::Packet& packet, config::InterfaceId interface,
                      const IpAddress& address, Tick now) noexcept {
  uint16_t& waiting = per_neighbour_[SlotOf(interface, address)];
  if (count_ == entries_.size() || waiting >= kHeldPacketsPerNeighbourMax) return false;
  ++waiting;
  entries_[count_++] = {packet, address, interface, now};
  return true;
}

HeldPackets::Fate HeldPackets::FateOf(const Entry& entry, const neighbour::Table& neighbours,
                                      Tick now) noexcept {
  const neighbour::View view = neighbours.Read(neighbours.Find(entry.interface, entry.address));
  if (view.usable()) return Fate::kReady;
  if (view.state == neighbour::State::kFailed) return Fate::kLost;
  const bool patient = TicksBetween(entry.since, now) < static_cast<int32_t>(kPatienceTicks);
  return patient ? Fate::kWait : Fate::kLost;
}

size_t HeldPackets::SlotOf(config::InterfaceId interface, const IpAddress& address) noexcept {
  return (IpAddressHash()(address) ^ interface) % std::tuple_size_v<decltype(per_neighbour_)>;
}

}  // namespace tandem::pipeline
