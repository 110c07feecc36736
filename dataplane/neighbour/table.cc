// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour/table.h"

#include <cstring>

#include "dataplane/base/hash.h"

namespace tandem::neighbour {
namespace {

uint64_t Pack(State state, const MacAddress& mac) {
  return std::bit_cast<uint64_t>(View{.mac = mac, .state = state});
}

}  // namespace

Table::Table()
    : entries_(std::make_unique<Entry[]>(kNeighboursMax)),
      buckets_(std::make_unique<std::atomic<uint16_t>[]>(kBuckets)) {
  free_.reserve(kNeighboursMax);
}

IpAddress Table::AddressOf(const Entry& entry) const noexcept {
  std::array<uint64_t, 2> halves = {entry.address[0].load(std::memory_order_relaxed),
                                    entry.address[1].load(std::memory_order_relaxed)};
  uint8_t bytes[16];
  std::memcpy(bytes, halves.data(), 16);
  return IpAddress::V6(bytes);
}

size_t Table::BucketOf(config::InterfaceId interface, const IpAddress& address) const noexcept {
  const IpAddress::Halves halves = address.halves();
  return HashPair(halves[0] ^ interface, halves[1], 0x7461626c65) % kBuckets;
}

flow::NeighbourRef Table::Find(config::InterfaceId interface,
                               const IpAddress& address) const noexcept {
  const IpAddress::Halves halves = address.halves();
  uint16_t index = buckets_[BucketOf(interface, address)].load(std::memory_order_acquire);
  while (index != 0) {
    const Entry& entry = entries_[index];
    if (entry.interface.load(std::memory_order_relaxed) == interface &&
        entry.address[0].load(std::memory_order_relaxed) == halves[0] &&
        entry.address[1].load(std::memory_order_relaxed) == halves[1]) {
      return {index, entry.generation.load(std::memory_order_acquire)};
    }
    index = entry.next.load(std::memory_order_acquire);
  }
  return {};
}

Table::Entry* Table::Add(config::InterfaceId interface, const IpAddress& address) noexcept {
  uint16_t index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else if (high_water_.load(std::memory_order_relaxed) < kNeighboursMax) {
    index = static_cast<uint16_t>(high_water_.load(std::memory_order_relaxed));
    high_water_.store(index + 1U, std::memory_order_release);
  } else {
    return nullptr;
  }
  Entry& entry = entries_[index];
  const IpAddress::Halves halves = address.halves();
  entry.address[0].store(halves[0], std::memory_order_relaxed);
  entry.address[1].store(halves[1], std::memory_order_relaxed);
  entry.interface.store(interface, std::memory_order_relaxed);
  entry.used.store(false, std::memory_order_relaxed);
  entry.confirmed.store(0, std::memory_order_relaxed);
  entry.probes = 0;
  Set(entry, State::kIncomplete, {});
  std::atomic<uint16_t>& head = buckets_[BucketOf(interface, address)];
  entry.next.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
  head.store(index, std::memory_order_release);  // publishes all of the above
  return &entry;
}

void Table::Remove(uint16_t index) noexcept {
  Entry& entry = entries_[index];
  std::atomic<uint16_t>* link =
      &buckets_[BucketOf(entry.interface.load(std::memory_order_relaxed), AddressOf(entry))];
  while (link->load(std::memory_order_relaxed) != index) {
    link = &entries_[link->load(std::memory_order_relaxed)].next;
  }
  // `entry.next` stays: a reader standing on the entry still finds the rest of its chain.
  link->store(entry.next.load(std::memory_order_relaxed), std::memory_order_release);
  Set(entry, State::kFree, {});
}

void Table::Recycle(uint16_t index) noexcept {
  Entry& entry = entries_[index];
  uint16_t generation = entry.generation.load(std::memory_order_relaxed);
  if (++generation == 0) generation = 1;
  entry.generation.store(generation, std::memory_order_release);
  free_.push_back(index);
}

void Table::Set(Entry& entry, State state, const MacAddress& mac) noexcept {
  entry.word.store(Pack(state, mac), std::memory_order_release);
}

std::vector<Info> Table::List(Tick now) const {
  std::vector<Info> list;
  const uint32_t end = high_water();
  for (uint32_t index = 1; index < end; ++index) {
    const Entry& entry = entries_[index];
    const uint16_t generation = entry.generation.load(std::memory_order_acquire);
    const View view = Unpack(entry.word.load(std::memory_order_acquire));
    Info info{AddressOf(entry), entry.interface.load(std::memory_order_relaxed), view.state,
              view.mac, now - entry.confirmed.load(std::memory_order_relaxed)};
    // Changed under our hands: leave it out rather than show two halves.
    if (entry.generation.load(std::memory_order_acquire) != generation) continue;
    if (info.state != State::kFree) list.push_back(info);
  }
  return list;
}

}  // namespace tandem::neighbour
