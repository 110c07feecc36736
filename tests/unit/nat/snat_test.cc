// SPDX-License-Identifier: Apache-2.0
#include "dataplane/nat/snat.h"

#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "dataplane/flow/table.h"

using namespace tandem;
using config::SourcePort;
using config::Steering;
using nat::kPortMin;
using nat::SnatRequest;
using nat::SourceSearch;

namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kGre = 47;

std::vector<IpAddress> Addresses(std::initializer_list<const char*> texts) {
  std::vector<IpAddress> addresses;
  for (const char* text : texts)
    addresses.push_back(*IpAddress::Parse(text));
  return addresses;
}

void SetAddress(uint32_t& field, uint32_t value) {
  field = htonl(value);
}
void SetAddress(net::Ipv6Bytes& field, uint32_t value) {
  field.bytes[0] = 0x20;
  value = htonl(value);
  std::memcpy(field.bytes + 12, &value, 4);
}

IpAddress ToIpAddress(uint32_t address) {
  return IpAddress::V4(address);
}
IpAddress ToIpAddress(const net::Ipv6Bytes& address) {
  return IpAddress::V6(address.bytes);
}

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};

// A flow table and the SNAT of one worker.
template <class Hot>
struct Fixture {
  using Key = typename Hot::Key;

  size_t bytes;
  std::unique_ptr<std::byte, FreeMemory> memory;
  flow::FlowTable<Hot> table;
  Steering steering;
  Prng prng{1};
  SnatRequest request;
  uint8_t protocol = kTcp;
  uint32_t clients = 0;

  explicit Fixture(unsigned workers, uint32_t capacity = 4096)
      : bytes((flow::FlowTable<Hot>::BytesNeeded(capacity) + 63) / 64 * 64),
        memory(static_cast<std::byte*>(std::aligned_alloc(64, bytes))),
        table((std::memset(memory.get(), 0, bytes), std::span(memory.get(), bytes)), capacity, 7),
        steering(workers) {
    request.client_port = htons(40000);
  }

  // Towards member number `member`.
  DropReason Choose(Key& key, uint32_t member = 1) {
    key = Key{};
    SetAddress(key.source, 0x0a010000 + member);
    key.source_port = request.has_ports ? htons(80) : uint16_t{0};
    SourceSearch<Hot> search;
    search.request = request;
    search.Begin(steering, prng);
    while (search.Next(key)) {
      if (!table.FindOne(key, protocol)) return DropReason::kNone;
    }
    return search.reason();
  }
  void Insert(const Key& server) {
    Key client;
    SetAddress(client.source, 0xc0000000 + ++clients);
    SetAddress(client.destination, 0x0a020001);
    const auto result = table.Insert(0, client, server, protocol, false);
    REQUIRE(result.status == flow::InsertStatus::kInserted);
  }
  bool Add(uint32_t member = 1) {
    Key key;
    if (Choose(key, member) != DropReason::kNone) return false;
    Insert(key);
    return true;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("snat: choices are unique, owned, and go on until the ports run out", "[nat]",
                   flow::FlowHot4, flow::FlowHot6) {
  const auto policy = GENERATE(SourcePort::kPreserve, SourcePort::kChange);
  for (const unsigned workers : {1U, 2U, 3U, 8U}) {
    const std::vector<IpAddress> addresses = Addresses({"10.0.0.9", "2001:db8::9"});
    const unsigned worker = workers - 1;
    Fixture<TestType> fixture(workers, 70000);
    fixture.request.addresses = addresses;
    fixture.request.policy = policy;
    fixture.request.worker = worker;
    std::set<uint16_t> ports;
    typename TestType::Key key;
    DropReason reason = DropReason::kNone;
    while ((reason = fixture.Choose(key)) == DropReason::kNone) {
      REQUIRE(ports.insert(key.destination_port).second);
      REQUIRE(ntohs(key.destination_port) >= kPortMin);
      REQUIRE(fixture.steering.OwnerOf(key.destination, key.destination_port) == worker);
      REQUIRE(ToIpAddress(key.destination) == addresses[TestType::kIsIpv6 ? 1 : 0]);
      fixture.Insert(key);
    }
    CHECK(reason == DropReason::kSnatPortExhausted);
    CAPTURE(workers, ports.size());
    CHECK(ports.size() > 60000 / workers);
    // Another member has all ports to itself.
    CHECK(fixture.Choose(key, 2) == DropReason::kNone);
  }
}

TEMPLATE_TEST_CASE("snat: the devices of a group share the ports and never take the same", "[nat]",
                   flow::FlowHot4, flow::FlowHot6) {
  const auto policy = GENERATE(SourcePort::kPreserve, SourcePort::kChange);
  const uint8_t devices = GENERATE(uint8_t{2}, uint8_t{3}, uint8_t{8});
  const std::vector<IpAddress> addresses = Addresses({"10.0.0.9", "2001:db8::9"});
  std::set<uint16_t> all;
  size_t taken = 0;
  for (uint8_t index = 0; index < devices; ++index) {
    Fixture<TestType> fixture(1, 70000);
    fixture.request.addresses = addresses;
    fixture.request.policy = policy;
    fixture.request.share = {index, devices};
    fixture.request.client_port = 0;
    typename TestType::Key key;
    // Each time another client's port; the last are found at random, until the probes run out.
    size_t count = 0;
    while (fixture.Choose(key) == DropReason::kNone) {
      const uint16_t port = ntohs(key.destination_port);
      REQUIRE((port >> 6) % devices == index);
      all.insert(port);
      fixture.Insert(key);
      ++count;
      fixture.request.client_port = htons(static_cast<uint16_t>(count % 0x10000));
    }
    taken += count;
    CHECK(count > 58000U / devices);
    CHECK(count <= 65536U / devices + 64);
  }
  CHECK(all.size() == taken);
}

TEST_CASE("snat: beside any port a device has one of its own", "[nat]") {
  for (uint8_t count = 1; count <= 16; ++count) {
    for (uint8_t index = 0; index < count; ++index) {
      const nat::PortShare share{index, count};
      for (uint32_t number = 0; number < 0x10000; ++number) {
        const auto port = static_cast<uint16_t>(number);
        const uint16_t beside = share.Beside(port);
        if (!share.Has(beside) || beside % 64 != port % 64 ||
            std::abs(beside - port) >= 64 * count || (share.Has(port) && beside != port)) {
          CAPTURE(int{count}, int{index}, port, beside);
          FAIL("not beside it");
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("snat: a device's ports run out at its share of them exactly", "[nat]",
                   flow::FlowHot4, flow::FlowHot6) {
  const uint8_t devices = GENERATE(uint8_t{2}, uint8_t{5});
  const uint8_t index = GENERATE(uint8_t{0}, uint8_t{1});
  const nat::PortShare share{index, devices};
  const std::vector<IpAddress> addresses = Addresses({"10.0.0.9", "2001:db8::9"});
  Fixture<TestType> fixture(1, 70000);
  fixture.request.addresses = addresses;
  fixture.request.share = share;
  typename TestType::Key key;
  size_t own = 0;
  // Each port is preserved for the client that comes with it, if it is one of ours.
  for (uint32_t port = kPortMin; port < 0x10000; ++port) {
    if (!share.Has(static_cast<uint16_t>(port))) continue;
    fixture.request.client_port = htons(static_cast<uint16_t>(port));
    REQUIRE(fixture.Choose(key) == DropReason::kNone);
    REQUIRE(ntohs(key.destination_port) == port);
    fixture.Insert(key);
    ++own;
  }
  // Of 1008 blocks from number 16 on.
  CHECK(own == 64 * (devices == 2 ? 504U : index == 0 ? 201U : 202U));
  fixture.request.policy = GENERATE(SourcePort::kPreserve, SourcePort::kChange);
  for (uint32_t port = kPortMin; port < 0x10000; port += 97) {
    fixture.request.client_port = htons(static_cast<uint16_t>(port));
    REQUIRE(fixture.Choose(key) == DropReason::kSnatPortExhausted);
  }
  // Strictly preserved ports and protocols without ports are not shared out.
  fixture.request.policy = SourcePort::kPreserveStrict;
  const uint16_t others = share.Has(2048) ? 2048 + 64 : 2048;
  fixture.request.client_port = htons(others);
  REQUIRE(fixture.Choose(key) == DropReason::kNone);
  CHECK(key.destination_port == fixture.request.client_port);
  fixture.request.has_ports = false;
  fixture.protocol = kGre;
  fixture.request.client_port = 0;
  CHECK(fixture.Choose(key) == DropReason::kNone);
}

TEMPLATE_TEST_CASE("snat: preserve keeps the client's port while it can", "[nat]", flow::FlowHot4,
                   flow::FlowHot6) {
  Fixture<TestType> fixture(1);
  const auto addresses = Addresses({"10.0.0.8", "2001:db8::8", "10.0.0.9", "2001:db8::9"});
  fixture.request.addresses = addresses;
  for (const uint16_t port : {uint16_t{40000}, uint16_t{22}}) {
    fixture.request.client_port = htons(port);
    std::set<IpAddress> used;
    typename TestType::Key key;
    for (int i = 0; i < 2; ++i) {
      REQUIRE(fixture.Choose(key) == DropReason::kNone);
      CHECK(ntohs(key.destination_port) == port);
      used.insert(ToIpAddress(key.destination));
      fixture.Insert(key);
    }
    CHECK(used.size() == 2);
    REQUIRE(fixture.Choose(key) == DropReason::kNone);
    CHECK(ntohs(key.destination_port) != port);
    CHECK(ntohs(key.destination_port) >= kPortMin);
  }
}

TEST_CASE("snat: preserve gives way where another worker owns the client's port", "[nat]") {
  Fixture<flow::FlowHot4> fixture(4);
  const auto addresses = Addresses({"10.0.0.9"});
  fixture.request.addresses = addresses;
  fixture.request.worker = 2;
  int kept = 0;
  for (uint16_t port = 2000; port < 3000; ++port) {
    fixture.request.client_port = htons(port);
    net::FlowKey4 key;
    REQUIRE(fixture.Choose(key) == DropReason::kNone);
    REQUIRE(fixture.steering.OwnerOf(key.destination, key.destination_port) == 2);
    if (key.destination_port == htons(port)) ++kept;
  }
  CHECK(kept == Approx(250).margin(40));
}

TEST_CASE("snat: preserve-strict keeps the client's port or fails", "[nat]") {
  Fixture<flow::FlowHot4> fixture(2);
  const auto addresses = Addresses({"10.0.0.9"});
  fixture.request.addresses = addresses;
  fixture.request.policy = SourcePort::kPreserveStrict;
  int kept = 0;
  for (uint16_t port = 2000; port < 3000; ++port) {
    fixture.request.client_port = htons(port);
    const bool is_ours = fixture.steering.OwnerOf(addresses[0].v4(), htons(port)) == 0;
    net::FlowKey4 key;
    const DropReason reason = fixture.Choose(key);
    REQUIRE(reason == (is_ours ? DropReason::kNone : DropReason::kSnatPortExhausted));
    if (!is_ours) continue;
    ++kept;
    REQUIRE(key.destination_port == htons(port));
    fixture.Insert(key);
    REQUIRE(fixture.Choose(key) == DropReason::kSnatPortExhausted);
    REQUIRE(fixture.Choose(key, 2) == DropReason::kNone);
  }
  CHECK(kept > 400);
}

TEST_CASE("snat: change never keeps the client's port", "[nat]") {
  Fixture<flow::FlowHot4> fixture(1);
  const auto addresses = Addresses({"10.0.0.9"});
  fixture.request.addresses = addresses;
  fixture.request.policy = SourcePort::kChange;
  for (uint32_t i = 0; i < 200000; ++i) {
    net::FlowKey4 key;
    REQUIRE(fixture.Choose(key) == DropReason::kNone);
    REQUIRE(key.destination_port != fixture.request.client_port);
  }
}

TEST_CASE("snat: flows spread over the addresses", "[nat]") {
  Fixture<flow::FlowHot4> fixture(2);
  const auto addresses = Addresses({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"});
  fixture.request.addresses = addresses;
  fixture.request.policy = SourcePort::kChange;
  std::map<uint32_t, int> used;
  for (int i = 0; i < 4000; ++i) {
    net::FlowKey4 key;
    REQUIRE(fixture.Choose(key) == DropReason::kNone);
    ++used[key.destination];
  }
  REQUIRE(used.size() == 4);
  for (const auto& [address, flows] : used)
    CHECK(flows == Approx(1000).epsilon(0.2));
}

TEST_CASE("snat: without an address of the family there is none", "[nat]") {
  const auto v4 = Addresses({"10.0.0.9"});
  const auto v6 = Addresses({"2001:db8::9"});
  Fixture<flow::FlowHot4> fixture4(1);
  Fixture<flow::FlowHot6> fixture6(1);
  for (const SourcePort policy :
       {SourcePort::kPreserve, SourcePort::kPreserveStrict, SourcePort::kChange}) {
    net::FlowKey4 key4;
    net::FlowKey6 key6;
    fixture4.request.policy = policy;
    fixture6.request.policy = policy;
    fixture4.request.addresses = {};
    CHECK(fixture4.Choose(key4) == DropReason::kSnatNoAddress);
    fixture4.request.addresses = v6;
    CHECK(fixture4.Choose(key4) == DropReason::kSnatNoAddress);
    CHECK(key4.destination == 0);
    fixture6.request.addresses = v4;
    CHECK(fixture6.Choose(key6) == DropReason::kSnatNoAddress);
    CHECK(key6.destination == net::Ipv6Bytes{});
  }
}

TEST_CASE("snat: a protocol without ports gets an address whose replies come here", "[nat]") {
  Fixture<flow::FlowHot4> fixture(2);
  std::vector<IpAddress> addresses;
  for (uint32_t i = 1; i <= 20; ++i)
    addresses.push_back(IpAddress::V4(htonl(0x0a000000 + i)));
  fixture.request.addresses = addresses;
  fixture.protocol = kGre;
  fixture.request.has_ports = false;
  unsigned owned = 0;
  for (const IpAddress& address : addresses) {
    if (fixture.steering.OwnerOf(address.v4(), 0) == 0) ++owned;
  }
  REQUIRE(owned > 0);
  REQUIRE(owned < 20);
  net::FlowKey4 key;
  for (unsigned i = 0; i < owned; ++i) {
    REQUIRE(fixture.Choose(key) == DropReason::kNone);
    CHECK(key.destination_port == 0);
    CHECK(fixture.steering.OwnerOf(key.destination, 0) == 0);
    fixture.Insert(key);
  }
  CHECK(fixture.Choose(key) == DropReason::kSnatPortExhausted);
  CHECK(fixture.Choose(key, 2) == DropReason::kNone);

  std::vector<IpAddress> elsewhere;
  for (const IpAddress& address : addresses) {
    if (fixture.steering.OwnerOf(address.v4(), 0) != 0) elsewhere.push_back(address);
  }
  fixture.request.addresses = elsewhere;
  CHECK(fixture.Choose(key) == DropReason::kSnatNoAddress);
}
