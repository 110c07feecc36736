// SPDX-License-Identifier: Apache-2.0
//
// Real threads on one table: however many workers ask for a client's member at once, they get one.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/unit/persist/table_memory.h"

using namespace tandem;
using namespace tandem::persist;

namespace {

constexpr unsigned kWorkers = 3;
constexpr uint32_t kClients = 64;
constexpr int kRounds = 20000;

Key KeyOf(uint32_t number) {
  Key key{.profile = 1, .size = 4, .scope = 2};
  std::memcpy(key.bytes.data(), &number, 4);
  return key;
}

}  // namespace

TEST_CASE("persist: one choice for each client, whoever asks", "[persist]") {
  test::TableMemory memory(kClients * 2, kWorkers);
  Table& table = memory.table;
  config::Persistence profile;
  profile.id = 1;
  profile.mirror = true;
  profile.timeout = 1U << 30;
  // The member that the first of all chose; every later answer has to be the same.
  std::vector<std::atomic<uint32_t>> chosen(kClients);
  std::atomic<uint64_t> disagreements{0};
  std::atomic<uint64_t> busy{0};
  std::atomic<unsigned> running{kWorkers};
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < kWorkers; ++w) {
    threads.emplace_back([&, w] {
      Prng prng(w + 1);
      for (int round = 0; round < kRounds; ++round) {
        const uint32_t client = prng.Below(kClients);
        const Key key = KeyOf(client);
        {
          Table::Claim claim = table.Open(key, w, 0);
          if (claim.busy()) {
            busy.fetch_add(1);
            continue;
          }
          if (claim.found() == nullptr) {
            Record* record = claim.Create();
            if (record == nullptr) continue;
            record->member = static_cast<config::MemberId>(1 + prng.Below(1000));
          }
          claim.Use(profile);
          const uint32_t member = claim.found()->member;
          uint32_t nobody = 0;
          if (!chosen[client].compare_exchange_strong(nobody, member) && nobody != member) {
            disagreements.fetch_add(1);
          }
        }
        if (round % 64 == 0) table.Sweep(w, 0, 4);
        if (round % 16 == 0) {
          const uint32_t bucket = table.PopChanged(w);
          if (bucket != kNoBucket && !table.VisitBucket(bucket, w, [](Record& record) {
                record.flags = static_cast<uint8_t>(record.flags & ~kDirty);
                return Verdict::kKeep;
              })) {
            table.MarkBucketChanged(bucket);
          }
        }
      }
      --running;
    });
  }
  // Control looks meanwhile, as a holder of its own.
  uint64_t seen = 0;
  bool is_last = false;  // begun when the workers are done, however little CPU there was before
  while (!is_last) {
    is_last = running.load() == 0;
    for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
      static_cast<void>(table.VisitBucket(bucket, kWorkers, [&seen](const Record& record) {
        seen += record.is_live();
        return Verdict::kKeep;
      }));
    }
    static_cast<void>(table.size());
    std::this_thread::yield();
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(disagreements == 0);
  CHECK(seen > 0);
  CHECK(busy < kRounds);
  // Nothing that was marked is lost: what is dirty is in a bucket that is listed.
  std::vector<bool> listed(table.buckets());
  for (unsigned w = 0; w < kWorkers; ++w) {
    for (uint32_t bucket = 0; (bucket = table.PopChanged(w)) != kNoBucket;)
      listed[bucket] = true;
  }
  for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
    REQUIRE(table.VisitBucket(bucket, 0, [&](const Record& record) {
      CHECK((listed[bucket] || (record.flags & kDirty) == 0));
      return Verdict::kKeep;
    }));
  }
}
