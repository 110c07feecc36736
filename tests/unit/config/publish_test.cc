// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/publish.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "dataplane/base/limits.h"

using tandem::config::Publisher;
using tandem::config::RouteTable;
using tandem::config::Snapshot;

namespace {

// Stands in for everything a snapshot owns: says when it was freed.
class Canary : public RouteTable {
 public:
  explicit Canary(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~Canary() override { --alive_; }
  const tandem::config::Route* Lookup(const tandem::IpAddress&) const noexcept override {
    return nullptr;
  }
  const std::vector<tandem::config::Route>& routes() const noexcept override { return routes_; }

 private:
  std::atomic<int>& alive_;
  std::vector<tandem::config::Route> routes_;
};

std::unique_ptr<const Snapshot> Make(uint64_t generation, std::atomic<int>& alive) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->generation = generation;
  snapshot->route_generation = static_cast<uint32_t>(generation);
  snapshot->routes = std::make_shared<Canary>(alive);
  return snapshot;
}

}  // namespace

TEST_CASE("publish: a snapshot lives until its reader asks again", "[config]") {
  std::atomic<int> alive = 0;
  {
    Publisher publisher(2);
    publisher.Online(0);
    CHECK(publisher.Current(0) == nullptr);
    CHECK_FALSE(publisher.HasSnapshot());
    publisher.Publish(Make(1, alive));
    CHECK(publisher.Latest().generation == 1);
    const Snapshot* held = publisher.Current(0);
    REQUIRE(held->generation == 1);

    publisher.Publish(Make(2, alive));
    CHECK(publisher.Reclaim() == 1);
    CHECK(held->generation == 1);
    CHECK(publisher.Current(0)->generation == 2);
    CHECK(publisher.Reclaim() == 0);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("publish: workers that are offline keep nothing alive", "[config]") {
  std::atomic<int> alive = 0;
  Publisher publisher(tandem::kWorkersMax);
  publisher.Publish(Make(1, alive));
  publisher.Publish(Make(2, alive));
  CHECK(publisher.Reclaim() == 0);
  CHECK(alive == 1);
  publisher.Online(63);
  CHECK(publisher.Current(63)->generation == 2);
  publisher.Publish(Make(3, alive));
  CHECK(publisher.Reclaim() == 1);
  publisher.Offline(63);
  CHECK(publisher.Reclaim() == 0);
  CHECK(alive == 1);
}

TEST_CASE("publish: several retired snapshots wait for the same reader", "[config]") {
  std::atomic<int> alive = 0;
  Publisher publisher(1);
  publisher.Publish(Make(1, alive));
  publisher.Online(0);
  publisher.Current(0);
  for (uint64_t generation = 2; generation <= 5; ++generation) {
    publisher.Publish(Make(generation, alive));
  }
  CHECK(publisher.Reclaim() == 4);
  CHECK(alive == 5);
  CHECK(publisher.Current(0)->generation == 5);
  CHECK(publisher.Reclaim() == 0);
  CHECK(alive == 1);
}

TEST_CASE("publish: a grace period ends when every online worker has moved on", "[config]") {
  Publisher publisher(3);
  publisher.Online(0);
  publisher.Online(1);
  const uint64_t token = publisher.StartGrace();
  CHECK_FALSE(publisher.GraceOver(token));
  publisher.Current(0);
  CHECK_FALSE(publisher.GraceOver(token));
  publisher.Current(1);
  CHECK(publisher.GraceOver(token));
}

TEST_CASE("publish: readers in threads never see a freed or an older snapshot", "[config]") {
  constexpr unsigned kReaders = 3;
  constexpr uint64_t kGenerations = 300;
  std::atomic<int> alive = 0;
  std::atomic<int> wrong = 0;
  std::atomic<unsigned> finished = 0;
  {
    Publisher publisher(kReaders);
    publisher.Publish(Make(1, alive));
    std::vector<std::thread> readers;
    for (unsigned worker = 0; worker < kReaders; ++worker) {
      readers.emplace_back([&, worker] {
        uint64_t last = 0;
        publisher.Online(worker);
        for (unsigned burst = 0; last < kGenerations; ++burst) {
          const Snapshot* snapshot = publisher.Current(worker);
          if (snapshot->generation < last) ++wrong;
          if (snapshot->route_generation != snapshot->generation) ++wrong;
          last = snapshot->generation;
          if (burst % 64 == worker) {
            publisher.Offline(worker);
            std::this_thread::yield();
            publisher.Online(worker);
          }
        }
        publisher.Offline(worker);
        ++finished;
      });
    }
    for (uint64_t generation = 2; generation <= kGenerations; ++generation) {
      publisher.Publish(Make(generation, alive));
      std::this_thread::yield();
    }
    for (std::thread& reader : readers)
      reader.join();
    CHECK(publisher.Reclaim() == 0);
    CHECK(alive == 1);
  }
  CHECK(finished == kReaders);
  CHECK(wrong == 0);
  CHECK(alive == 0);
}
