// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/table.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dataplane/base/prng.h"
#include "dataplane/flow/timers.h"
#include "tests/unit/flow/aligned_memory.h"

using tandem::kBurstMax;
using tandem::Prng;
using tandem::flow::AlignedMemory;
using tandem::flow::Birth;
using tandem::flow::BirthOf;
using tandem::flow::FlowHot4;
using tandem::flow::FlowHot6;
using tandem::flow::FlowRef;
using tandem::flow::FlowTable;
using tandem::flow::InsertResult;
using tandem::flow::InsertStatus;
using tandem::flow::kNoSlot;
using tandem::flow::kOneLegged;
using tandem::flow::Lookup;
using tandem::flow::MakeRegister;
using tandem::flow::Side;
using tandem::flow::State;
using tandem::flow::Timers;
using tandem::net::FlowKey4;
using tandem::net::FlowKey6;

namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;

// The `number`-th key of a family; different numbers make different keys.
template <class Key>
Key MakeKey(uint64_t number);

template <>
FlowKey4 MakeKey(uint64_t number) {
  return {static_cast<uint32_t>(number >> 16), 0x0a000001, static_cast<uint16_t>(number), 80};
}

template <>
FlowKey6 MakeKey(uint64_t number) {
  FlowKey6 key;
  std::memcpy(key.source.bytes + 8, &number, sizeof(number));
  key.destination.bytes[15] = 1;
  key.destination_port = 80;
  return key;
}

template <class Hot>
struct Table {
  explicit Table(uint32_t capacity, uint64_t seed = 1)
      : memory(FlowTable<Hot>::BytesNeeded(capacity)), flows(memory, capacity, seed) {}

  AlignedMemory memory;
  FlowTable<Hot> flows;
};

struct Expected {
  uint32_t slot = 0;
  Side side = Side::kClient;
};

// Keys are named by their number and protocol, as the model's map needs.
uint64_t NameOf(uint64_t number, uint8_t protocol) {
  return number << 8 | protocol;
}

// Random operations on the table and on a plain map. The keys are few, so that they collide.
template <class Hot>
class Comparison {
 public:
  Comparison(uint32_t capacity, Prng& prng)
      : table_(capacity, prng.Next()), prng_(prng), numbers_(capacity * 3 + 4) {}

  void InsertSome() {
    const uint64_t client = prng_.Below(numbers_);
    const uint64_t server = prng_.Below(numbers_);
    const uint8_t protocol = prng_.Below(2) == 0 ? kTcp : kUdp;
    const bool one_legged = prng_.Below(4) == 0;
    const InsertResult result =
        table_.flows.Insert(1, MakeKey<Key>(client), MakeKey<Key>(server), protocol, one_legged);
    const auto by_client = model_.find(NameOf(client, protocol));
    const auto by_server = model_.find(NameOf(server, protocol));
    if (by_client != model_.end()) {
      REQUIRE(result.status == InsertStatus::kClientKeyTaken);
      REQUIRE(result.slot == by_client->second.slot);
    } else if (!one_legged && by_server != model_.end()) {
      REQUIRE(result.status == InsertStatus::kServerKeyTaken);
      REQUIRE(result.slot == by_server->second.slot);
    } else if (!one_legged && client == server) {
      REQUIRE(result.status == InsertStatus::kServerKeyTaken);
      REQUIRE(result.slot == kNoSlot);
    } else if (flows_.size() == table_.flows.capacity()) {
      REQUIRE(result.status == InsertStatus::kFull);
    } else {
      REQUIRE(result.status == InsertStatus::kInserted);
      CheckNew(result.slot, protocol, one_legged);
      flows_.push_back({result.slot, client, server, protocol, one_legged});
      model_[NameOf(client, protocol)] = {result.slot, Side::kClient};
      if (!one_legged) model_[NameOf(server, protocol)] = {result.slot, Side::kServer};
    }
    REQUIRE(table_.flows.size() == flows_.size());
  }

  void EraseSome() {
    if (flows_.empty()) return;
    std::swap(flows_[prng_.Below(static_cast<uint32_t>(flows_.size()))], flows_.back());
    const Flow gone = flows_.back();
    flows_.pop_back();
    table_.flows.Erase(gone.slot);
    REQUIRE_FALSE(table_.flows.IsLive(gone.slot));
    model_.erase(NameOf(gone.client, gone.protocol));
    if (!gone.one_legged) model_.erase(NameOf(gone.server, gone.protocol));
    REQUIRE(table_.flows.size() == flows_.size());
  }

  // A burst of keys, found and missed mixed.
  void FindSome() {
    std::array<Key, kBurstMax> keys;
    std::array<Lookup<Hot>, kBurstMax> lookups;
    std::array<uint64_t, kBurstMax> names;
    const size_t count = prng_.Below(kBurstMax + 1);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t number = prng_.Below(numbers_);
      const uint8_t protocol = prng_.Below(2) == 0 ? kTcp : kUdp;
      keys[i] = MakeKey<Key>(number);
      lookups[i] = {.key = &keys[i], .protocol = protocol};
      lookups[i].found = {12345, Side::kServer};  // must be overwritten
      names[i] = NameOf(number, protocol);
    }
    table_.flows.Find({lookups.data(), count});
    for (size_t i = 0; i < count; ++i) {
      Check(names[i], lookups[i].found);
      REQUIRE(lookups[i].hash == table_.flows.Hash(keys[i], lookups[i].protocol));
      Check(names[i], table_.flows.FindOne(keys[i], lookups[i].protocol));
    }
  }

  void FindAll() {
    for (const auto& [name, expected] : model_) {
      Check(name, table_.flows.FindOne(MakeKey<Key>(name >> 8), static_cast<uint8_t>(name)));
    }
  }

  bool IsFull() const { return flows_.size() == table_.flows.capacity(); }

 private:
  using Key = typename Hot::Key;
  struct Flow {
    uint32_t slot;
    uint64_t client;
    uint64_t server;
    uint8_t protocol;
    bool one_legged;
  };

  void Check(uint64_t name, FlowRef found) {
    const auto expected = model_.find(name);
    if (expected == model_.end()) {
      REQUIRE_FALSE(found);
      return;
    }
    REQUIRE(found.slot == expected->second.slot);
    REQUIRE(found.side == expected->second.side);
  }

  void CheckNew(uint32_t slot, uint8_t protocol, bool one_legged) {
    const Hot& flow = table_.flows.hot(slot);
    REQUIRE(flow.common.state == State::kFree);
    REQUIRE(flow.common.protocol == protocol);
    REQUIRE(flow.common.flags == (one_legged ? kOneLegged : 0));
    REQUIRE(flow.common.last_seen == 0);
    REQUIRE(table_.flows.register_of(slot) == MakeRegister(++births_, 0));
    // Traces that a later owner of the slot must not see.
    table_.flows.hot(slot).common.last_seen = 77;
    table_.flows.hot(slot).common.virtual_id = 77;
    table_.flows.cold(slot).client_fin = 77;
  }

  Table<Hot> table_;
  Prng& prng_;
  uint32_t numbers_;
  std::unordered_map<uint64_t, Expected> model_;
  std::vector<Flow> flows_;
  Birth births_ = 0;
};

template <class Hot>
void Compare(uint32_t capacity, int operations, Prng& prng) {
  INFO("capacity " << capacity);
  Comparison<Hot> comparison(capacity, prng);
  bool was_full = false;
  // Long enough at one mix to run full, and to run empty again.
  uint32_t insert_percent = 90;
  for (int i = 0; i < operations; ++i) {
    if (i % (operations / 5) == 0) insert_percent = insert_percent == 90 ? 30 : 90;
    if (prng.Below(100) < insert_percent) {
      comparison.InsertSome();
    } else {
      comparison.EraseSome();
    }
    if (prng.Below(8) == 0) comparison.FindSome();
    was_full = was_full || comparison.IsFull();
  }
  comparison.FindAll();
  REQUIRE(was_full);
}

}  // namespace

TEMPLATE_TEST_CASE("flow table: agrees with a map under random operations", "[flow]", FlowHot4,
                   FlowHot6) {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  Compare<TestType>(1, 2000, prng);
  Compare<TestType>(7, 5000, prng);
  Compare<TestType>(100, 20000, prng);
  Compare<TestType>(4096, 100000, prng);
  Compare<TestType>(5000, 100000, prng);
}

TEMPLATE_TEST_CASE("flow table: every key is found after long churn at full occupancy", "[flow]",
                   FlowHot4, FlowHot6) {
  using Key = typename TestType::Key;
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  Prng prng(seed);
  constexpr uint32_t kCapacity = 50000;
  Table<TestType> table(kCapacity, prng.Next());
  // Flow n has the keys 2n and 2n + 1.
  std::vector<uint64_t> flow_in(kCapacity);
  uint64_t next_flow = 0;
  const auto insert = [&] {
    const InsertResult result = table.flows.Insert(1, MakeKey<Key>(2 * next_flow),
                                                   MakeKey<Key>(2 * next_flow + 1), kTcp, false);
    REQUIRE(result.status == InsertStatus::kInserted);
    flow_in[result.slot] = next_flow++;
  };
  while (next_flow < kCapacity)
    insert();
  for (int i = 0; i < 200000; ++i) {
    table.flows.Erase(prng.Below(kCapacity));
    insert();
  }
  REQUIRE(table.flows.size() == kCapacity);
  for (uint32_t slot = 0; slot < kCapacity; ++slot) {
    for (const Side side : {Side::kClient, Side::kServer}) {
      const uint64_t number = 2 * flow_in[slot] + static_cast<uint64_t>(side);
      const FlowRef found = table.flows.FindOne(MakeKey<Key>(number), kTcp);
      REQUIRE(found.slot == slot);
      REQUIRE(found.side == side);
    }
  }
}

TEST_CASE("flow table: a full table says so and changes nothing", "[flow]") {
  Table<FlowHot4> table(5);
  for (uint64_t flow = 0; flow < 5; ++flow) {
    const InsertResult result = table.flows.Insert(1, MakeKey<FlowKey4>(2 * flow),
                                                   MakeKey<FlowKey4>(2 * flow + 1), kTcp, false);
    REQUIRE(result.status == InsertStatus::kInserted);
  }
  const auto insert_another = [&] {
    return table.flows.Insert(1, MakeKey<FlowKey4>(100), MakeKey<FlowKey4>(101), kTcp, false);
  };
  CHECK(insert_another().status == InsertStatus::kFull);
  CHECK(table.flows.size() == 5);
  CHECK_FALSE(table.flows.FindOne(MakeKey<FlowKey4>(100), kTcp));
  CHECK_FALSE(table.flows.FindOne(MakeKey<FlowKey4>(101), kTcp));
  table.flows.Erase(3);
  const InsertResult result = insert_another();
  CHECK(result.status == InsertStatus::kInserted);
  CHECK(result.slot == 3);
  CHECK(BirthOf(table.flows.register_of(3)) == 6);
}

TEST_CASE("flow table: the protocol tells flows with equal keys apart", "[flow]") {
  Table<FlowHot4> table(5);
  const auto client = MakeKey<FlowKey4>(1);
  const auto server = MakeKey<FlowKey4>(2);
  const uint32_t tcp = table.flows.Insert(1, client, server, kTcp, false).slot;
  const uint32_t udp = table.flows.Insert(1, client, server, kUdp, false).slot;
  CHECK(table.flows.FindOne(client, kTcp).slot == tcp);
  CHECK(table.flows.FindOne(server, kUdp).slot == udp);
  CHECK_FALSE(table.flows.FindOne(server, 1));
}

// Keys that differ in everything the index does not look at: same bucket, same tag.
TEST_CASE("flow table: keys with equal tags in one bucket are told apart", "[flow]") {
  const uint64_t seed = tandem::flow::FreshSeed();
  INFO("seed " << seed);
  // Up to 32 buckets, so that equal upper five bits mean the same one.
  Table<FlowHot4> table(30, seed);
  std::vector<FlowKey4> keys;
  const uint64_t wanted = table.flows.Hash(MakeKey<FlowKey4>(0), kTcp);
  for (uint64_t number = 0; keys.size() < 23; ++number) {
    const auto key = MakeKey<FlowKey4>(number);
    const uint64_t difference = table.flows.Hash(key, kTcp) ^ wanted;
    if (difference >> 59 == 0 && static_cast<uint16_t>(difference) == 0) keys.push_back(key);
  }
  std::vector<FlowKey4> inserted;
  for (const FlowKey4& key : keys) {
    const InsertResult result = table.flows.Insert(1, key, FlowKey4{}, kTcp, true);
    if (result.status == InsertStatus::kInserted) inserted.push_back(key);
  }
  // Two buckets have twenty places; should the boundary of a bucket run through the range of upper
  // bits, there are more.
  CHECK(inserted.size() >= 10);
  CHECK(table.flows.size() == inserted.size());
  for (size_t i = 0; i < inserted.size(); ++i) {
    for (size_t k = 0; k < inserted.size(); ++k) {
      REQUIRE(bool{table.flows.FindOne(inserted[k], kTcp)} == (k >= i));
    }
    std::array<Lookup<FlowHot4>, kBurstMax> lookups;
    for (size_t k = 0; k < inserted.size(); ++k) {
      lookups[k] = {.key = &inserted[k], .protocol = kTcp};
    }
    table.flows.Find({lookups.data(), inserted.size()});
    for (size_t k = 0; k < inserted.size(); ++k)
      REQUIRE(bool{lookups[k].found} == (k >= i));
    table.flows.Erase(table.flows.FindOne(inserted[i], kTcp).slot);
  }
  CHECK(table.flows.size() == 0);
}

TEST_CASE("flow table: a flow costs at most 128 bytes for IPv4, 192 for IPv6", "[flow]") {
  constexpr uint32_t kFlows = 1'000'000;
  // The timer wheel's fixed part included.
  CHECK(FlowTable<FlowHot4>::BytesNeeded(kFlows) + Timers::BytesNeeded() <= uint64_t{128} * kFlows);
  CHECK(FlowTable<FlowHot6>::BytesNeeded(kFlows) + Timers::BytesNeeded() <= uint64_t{192} * kFlows);
}

TEST_CASE("flow table: ten million flows cost no memory before they exist", "[flow]") {
  constexpr uint32_t kFlows = 10'000'000;
  const size_t bytes = FlowTable<FlowHot4>::BytesNeeded(kFlows);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  madvise(memory, bytes, MADV_NOHUGEPAGE);  // so that residency is counted finely
  FlowTable<FlowHot4> table({static_cast<std::byte*>(memory), bytes}, kFlows, 1);
  for (uint64_t flow = 0; flow < 10; ++flow) {
    const auto result =
        table.Insert(1, MakeKey<FlowKey4>(2 * flow), MakeKey<FlowKey4>(2 * flow + 1), kTcp, false);
    REQUIRE(result.status == InsertStatus::kInserted);
  }
  constexpr size_t kPageSize = 4096;
  std::vector<unsigned char> resident((bytes + kPageSize - 1) / kPageSize);
  REQUIRE(mincore(memory, bytes, resident.data()) == 0);
  CHECK(std::count(resident.begin(), resident.end(), 1) < 100);
  munmap(memory, bytes);
}
