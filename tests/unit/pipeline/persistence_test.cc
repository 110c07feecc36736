// SPDX-License-Identifier: Apache-2.0
//
// Persistence in a whole device: which member a client's next flow gets.
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "dataplane/lb/maglev.h"
#include "tests/support/packet_builder.h"
#include "tests/support/rig.h"

namespace tandem {
namespace {

using config::MemberId;
using config::MemberState;
using config::Persistence;
using config::PersistenceType;
using config::Snapshot;
using test::Ip;
using test::PacketBuilder;
using test::Rig;

constexpr Nanos kTimeout = 60 * kSecond;

// Two virtuals on 10.0.0.100 (:80 to pool 1, :443 to pool 2) and one on 10.0.0.101:80 (pool 3).
// Pools 1 and 2 have the same eight nodes, members 1-8 and 9-16; pool 3 has other nodes, 17-24.
std::unique_ptr<Snapshot> Device(const std::function<void(Snapshot&)>& change, unsigned workers) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->ports = {{.name = "client"}, {.name = "server"}};
  snapshot->interfaces.resize(3);
  const auto interface = [&](config::InterfaceId id, const char* self, config::Facing facing) {
    snapshot->interfaces[id] = {.name = "interface",
                                .id = id,
                                .port = static_cast<uint16_t>(id - 1),
                                .mac = test::Mac(test::kDeviceMac),
                                .facing = facing,
                                .self_ips = {*IpPrefix::Parse(self)}};
  };
  interface(1, "10.0.0.1/16", config::Facing::kClient);
  interface(2, "10.1.0.1/16", config::Facing::kServer);
  snapshot->traffic_groups.resize(1);
  snapshot->members.resize(25);
  snapshot->pools.resize(4);
  snapshot->virtuals.resize(4);
  for (uint16_t pool = 1; pool <= 3; ++pool) {
    snapshot->pools[pool].id = pool;
    for (uint16_t i = 1; i <= 8; ++i) {
      const auto id = static_cast<MemberId>((pool - 1) * 8 + i);
      const std::string node = (pool == 3 ? "10.1.1." : "10.1.0.") + std::to_string(i + 1);
      snapshot->members[id] = {.name = node,
                               .id = id,
                               .pool = pool,
                               .address = Ip(node),
                               .port = pool == 2 ? uint16_t{443} : uint16_t{80}};
      snapshot->pools[pool].members.push_back(id);
    }
    snapshot->virtuals[pool] = {
        .name = "virtual",
        .id = pool,
        .destination = *IpPrefix::Parse(pool == 3 ? "10.0.0.101" : "10.0.0.100"),
        .port = pool == 2 ? uint16_t{443} : uint16_t{80},
        .protocol = 0,
        .source = *IpPrefix::Parse("0.0.0.0/0"),
        .pool = pool,
        .persistence = 1};
  }
  snapshot->persistences.resize(2);
  snapshot->persistences[1] = {.name = "source", .id = 1, .timeout = TicksIn(kTimeout)};
  snapshot->routes = std::make_shared<config::LinearRoutes>(
      std::vector<config::Route>{{.network = *IpPrefix::Parse("10.0.0.0/16"), .interface = 1},
                                 {.network = *IpPrefix::Parse("10.1.0.0/16"), .interface = 2}});
  snapshot->steering = std::make_shared<config::Steering>(workers);
  change(*snapshot);
  for (config::Pool& pool : snapshot->pools)
    lb::FillMaglev(pool, snapshot->members);
  snapshot->Finish();
  return snapshot;
}

class Fixture {
 public:
  explicit Fixture(
      std::function<void(Snapshot&)> change = [](Snapshot&) {}, unsigned workers = 1,
      uint32_t records = 4096)
      : change_(std::move(change)),
        workers_(workers),
        rig_(Device(change_, workers), {.persistence_records = records}) {}

  Rig& rig() { return rig_; }
  const persist::TableCounters& counters(unsigned worker = 0) {
    return rig_.unit().records().counters(worker);
  }
  // From now on the configuration is changed like that, too.
  void Change(std::function<void(Snapshot&)> more) {
    change_ = [before = change_, more](Snapshot& snapshot) {
      before(snapshot);
      more(snapshot);
    };
    rig_.Publish(Device(change_, workers_));
  }
  // The member of a new flow; 0: refused.
  MemberId Tcp(const char* client, const char* virtual_address = "10.0.0.100", uint16_t port = 80,
               unsigned worker = 0) {
    const uint16_t source_port = next_port_++;
    return Send(
        source_port, worker,
        PacketBuilder().Ipv4(client, virtual_address).Tcp(source_port, port, test::kSyn).Build());
  }
  MemberId Udp(const char* client, const test::Bytes& payload, size_t contiguous = SIZE_MAX) {
    const uint16_t source_port = next_port_++;
    return Send(
        source_port, 0,
        PacketBuilder().Ipv4(client, "10.0.0.100").Udp(source_port, 80).Payload(payload).Build(),
        contiguous);
  }

 private:
  MemberId Send(uint16_t source_port, unsigned worker, const test::Bytes& frame,
                size_t contiguous = SIZE_MAX) {
    rig_.Inject(0, worker, frame, {.contiguous = contiguous});
    rig_.Run();
    const auto flows = rig_.Flows({.cs_client_port = source_port});
    return flows.size() == 1 ? flows[0].member_id : MemberId{0};
  }

  std::function<void(Snapshot&)> change_;
  unsigned workers_;
  Rig rig_;
  uint16_t next_port_ = 1024;
};

void Set(Snapshot& snapshot, MemberId id, MemberState state) {
  snapshot.members[id].state = state;
}

}  // namespace

TEST_CASE("persistence: a client keeps its member, on every worker", "[pipeline]") {
  Fixture device([](Snapshot&) {}, 3);
  std::set<MemberId> used;
  for (int i = 0; i < 32; ++i) {
    const std::string client = "10.0.9." + std::to_string(i);
    const MemberId first = device.Tcp(client.c_str());
    REQUIRE(first != 0);
    for (unsigned again = 0; again < 6; ++again)
      REQUIRE(device.Tcp(client.c_str(), "10.0.0.100", 80, again % 3) == first);
    used.insert(first);
  }
  CHECK(used.size() > 1);
  CHECK(device.rig().Records().size() == 32);
}

TEST_CASE("persistence: the mask decides who is one client", "[pipeline]") {
  Fixture device([](Snapshot& snapshot) { snapshot.persistences[1].mask_ipv4 = 24; });
  const MemberId first = device.Tcp("10.0.9.1");
  for (int i = 2; i < 20; ++i)
    CHECK(device.Tcp(("10.0.9." + std::to_string(i)).c_str()) == first);
  CHECK(device.Tcp("10.0.8.1") != first);
  CHECK(device.rig().Records().size() == 2);
  CHECK(device.rig().Records({.key = *IpPrefix::Parse("10.0.9.0/24")}).size() == 1);
}

TEST_CASE("persistence: disabled members serve who knows them, others do not", "[pipeline]") {
  Fixture device;
  const MemberId first = device.Tcp("10.0.9.1");
  device.Change([first](Snapshot& s) { Set(s, first, MemberState::kDisabled); });
  CHECK(device.Tcp("10.0.9.1") == first);
  for (int i = 0; i < 16; ++i)
    CHECK(device.Tcp(("10.0.7." + std::to_string(i)).c_str()) != first);
  device.Change([first](Snapshot& s) { Set(s, first, MemberState::kForcedOffline); });
  const MemberId second = device.Tcp("10.0.9.1");
  CHECK(second != 0);
  CHECK(second != first);
  CHECK(device.counters().replaced.Get() == 1);
  device.Change([first](Snapshot& s) { Set(s, first, MemberState::kEnabled); });
  CHECK(device.Tcp("10.0.9.1") == second);
  device.Change([second](Snapshot& s) { s.members[second].up = false; });
  CHECK(device.Tcp("10.0.9.1") != second);
}

TEST_CASE("persistence: without any member the record goes", "[pipeline]") {
  Fixture device;
  CHECK(device.Tcp("10.0.9.1") != 0);
  device.Change([](Snapshot& snapshot) {
    for (config::Member& member : snapshot.members)
      member.up = false;
  });
  CHECK(device.Tcp("10.0.9.1") == 0);
  CHECK(device.rig().Records().empty());
}

TEST_CASE("persistence: across services the node counts, not its port", "[pipeline]") {
  Fixture device([](Snapshot& s) { s.persistences[1].match_across_services = true; });
  for (int i = 0; i < 8; ++i) {
    const std::string client = "10.0.9." + std::to_string(i);
    const MemberId first = device.Tcp(client.c_str());
    CHECK(device.Tcp(client.c_str(), "10.0.0.100", 443) == first + 8);
    CHECK(device.Tcp(client.c_str()) == first);
  }
  CHECK(device.rig().Records().size() == 8);
  CHECK(device.Tcp("10.0.9.1", "10.0.0.101") >= 17);
  CHECK(device.rig().Records().size() == 9);
}

TEST_CASE("persistence: of several members on a node the same port is taken", "[pipeline]") {
  Fixture device([](Snapshot& s) {
    s.persistences[1].match_across_services = true;
    for (MemberId id = 9; id <= 16; ++id) {
      s.members[id].address = Ip("10.1.0." + std::to_string(2 + (id - 9) / 2));
      s.members[id].port = id % 2 == 0 ? uint16_t{80} : uint16_t{443};
    }
  });
  const MemberId first = device.Tcp("10.0.9.1");  // the first of a round, at nodes 2 to 5
  const MemberId second = device.Tcp("10.0.9.1", "10.0.0.100", 443);
  if (first <= 4) CHECK(second == 8 + 2 * first);
  CHECK(second >= 9);
}

TEST_CASE("persistence: across virtuals, and into pools of others", "[pipeline]") {
  Fixture own([](Snapshot& s) { s.persistences[1].match_across_virtuals = true; });
  const MemberId first = own.Tcp("10.0.9.1");
  CHECK(own.Tcp("10.0.9.1", "10.0.0.100", 443) == first + 8);
  CHECK(own.Tcp("10.0.9.1", "10.0.0.101") >= 17);  // pool 3 has not that node

  Fixture any([](Snapshot& s) {
    s.persistences[1].match_across_virtuals = true;
    s.persistences[1].match_across_pools = true;
  });
  const MemberId chosen = any.Tcp("10.0.9.1");
  CHECK(any.Tcp("10.0.9.1", "10.0.0.101") == chosen);
  CHECK(any.Tcp("10.0.9.1", "10.0.0.100", 443) == chosen + 8);
}

TEST_CASE("persistence: a member's limit holds unless it is overridden", "[pipeline]") {
  for (const bool overrides : {false, true}) {
    Fixture device([overrides](Snapshot& s) {
      s.persistences[1].override_connection_limit = overrides;
      for (config::Member& member : s.members)
        member.connection_limit = 2;
      s.virtuals[1].connection_limit = 5;
    });
    const MemberId first = device.Tcp("10.0.9.1");
    CHECK(device.Tcp("10.0.9.1") == first);
    CHECK((device.Tcp("10.0.9.1") == first) == overrides);
    CHECK(device.counters().over_limit.Get() == (overrides ? 0U : 1U));
    // The record stays; the virtual's limit is hard.
    CHECK(device.rig().Records({.member_id = first}).size() == 1);
    CHECK(device.Tcp("10.0.9.1") != 0);
    CHECK(device.Tcp("10.0.9.1") != 0);
    CHECK(device.Tcp("10.0.9.1") == 0);
    CHECK(device.rig().Dropped(DropReason::kVirtualLimit) == 1);
  }
}

TEST_CASE("persistence: a full bucket balances without a record", "[pipeline]") {
  Fixture device([](Snapshot&) {}, 1, 1);
  for (int i = 0; i < 7; ++i)
    CHECK(device.Tcp(("10.0.9." + std::to_string(i)).c_str()) != 0);
  const MemberId first = device.Tcp("10.0.8.1");
  CHECK(first != 0);
  CHECK(device.Tcp("10.0.8.1") != first);
  CHECK(device.counters().full.Get() == 2);
}

TEST_CASE("persistence: a record that is held elsewhere costs the packet", "[pipeline]") {
  Fixture device([](Snapshot&) {}, 1, 1);
  persist::Table& records = device.rig().unit().records();
  {
    const persist::Key key;
    const persist::Table::Claim claim = records.Open(key, records.workers(), 0);
    CHECK(device.Tcp("10.0.9.1") == 0);
  }
  CHECK(device.rig().Dropped(DropReason::kPersistBusy) == 1);
  CHECK(device.rig().IsEmpty());
  CHECK(device.Tcp("10.0.9.1") != 0);
}

TEST_CASE("persistence: bytes of the first datagram", "[pipeline]") {
  Fixture device([](Snapshot& s) {
    s.persistences[1].type = PersistenceType::kHash;
    s.persistences[1].hash_fields = config::kHashPayload;
    s.persistences[1].payload_offset = 2;
    s.persistences[1].payload_length = 4;
    s.virtuals[1].profile.udp_idle_timeout = TicksIn(600 * kSecond);
  });
  const MemberId first = device.Udp("10.0.9.1", {0, 0, 'a', 'b', 'c', 'd', 1});
  CHECK(device.Udp("10.0.9.2", {7, 7, 'a', 'b', 'c', 'd'}) == first);
  CHECK(device.Udp("10.0.9.1", {0, 0, 'a', 'b', 'c', 'e', 1}) != first);
  CHECK(device.rig().Records().size() == 2);
  CHECK(device.Udp("10.0.9.1", {0, 0, 'a', 'b', 'c'}) != 0);
  CHECK(device.Udp("10.0.9.1", {0, 0, 'a', 'b', 'c', 'd'}, 14 + 20 + 8 + 5) != 0);  // two buffers
  CHECK(device.Tcp("10.0.9.1") != 0);
  CHECK(device.counters().no_key.Get() == 3);
  // Both records are in use for as long as their flows are.
  device.rig().Advance(3 * kTimeout);
  CHECK(device.rig().Records().size() == 2);
}

TEST_CASE("persistence: a record lives while a flow uses it, and its timeout longer",
          "[pipeline]") {
  for (const bool ends : {false, true}) {
    Fixture device([](Snapshot& s) {
      s.virtuals[1].protocol = IPPROTO_UDP;
      s.virtuals[1].profile.udp_idle_timeout = TicksIn(3 * kTimeout);
    });
    const MemberId first = device.Udp("10.0.9.1", {1});
    device.rig().Advance(2 * kTimeout);
    REQUIRE(device.rig().Flows().size() == 1);
    CHECK(device.rig().Records().size() == 1);
    if (ends) {
      CHECK(device.rig().DeleteFlows() == 1);
    } else {
      device.rig().Advance(kTimeout + kSecond);
      REQUIRE(device.rig().Flows().empty());
    }
    device.rig().Advance(kTimeout - 3 * kSecond);
    CHECK(device.rig().Records({.member_id = first}).size() == 1);
    device.rig().Advance(4 * kSecond);
    CHECK(device.rig().Records().empty());
  }
}

TEST_CASE("persistence: stateless is a consistent hash without records", "[pipeline]") {
  Fixture device([](Snapshot& s) { s.persistences[1].stateless = true; }, 2);
  std::map<std::string, MemberId> chosen;
  std::set<MemberId> used;
  for (int i = 0; i < 64; ++i) {
    const std::string client = "10.0.9." + std::to_string(i);
    chosen[client] = device.Tcp(client.c_str());
    used.insert(chosen[client]);
    CHECK(device.Tcp(client.c_str(), "10.0.0.100", 80, 1) == chosen[client]);
  }
  CHECK(used.size() == 8);
  CHECK(device.rig().Records().empty());
  device.Change([](Snapshot& s) { s.members[3].up = false; });
  for (const auto& [client, member] : chosen)
    CHECK((device.Tcp(client.c_str()) == member) == (member != 3));
}

TEST_CASE("persistence: control shows and deletes records", "[pipeline]") {
  Fixture device;
  std::map<MemberId, size_t> by_member;
  for (int i = 0; i < 40; ++i)
    ++by_member[device.Tcp(("10.0.9." + std::to_string(i)).c_str())];
  CHECK(device.Tcp("10.0.9.1", "10.0.0.101") != 0);
  Rig& rig = device.rig();
  CHECK(rig.Records().size() == 41);
  CHECK(rig.Records({.virtual_id = 3}).size() == 1);
  CHECK(rig.Records({.virtual_id = 3})[0].key == *IpPrefix::Parse("10.0.9.1"));
  CHECK(rig.Records({.pool = 1}).size() == 40);
  CHECK(rig.Records({.node_addr = Ip("10.1.0.3")}).size() == by_member[2]);
  CHECK(rig.Records({.node_port = 443}).empty());
  CHECK(rig.Records({.mode = PersistenceType::kHash}).empty());
  CHECK(rig.Records({.orphaned = true}).empty());
  unit::RecordQuery pieces;
  pieces.results_max = 3;
  size_t shown = 0;
  do {
    rig.unit().Run(pieces, rig.now());
    CHECK(pieces.results.size() <= persist::kRecordsPerBucket);
    shown += pieces.results.size();
  } while (pieces.next != 0);
  CHECK(shown == 41);
  CHECK(pieces.matched == 41);

  device.Change([](Snapshot& s) { s.members[2].id = 0; });
  CHECK(rig.DeleteRecords({.orphaned = true}) == by_member[2]);
  const size_t of_client = rig.Records({.key = *IpPrefix::Parse("10.0.9.1")}).size();
  CHECK(rig.DeleteRecords({.key = *IpPrefix::Parse("10.0.9.1")}) == of_client);
  CHECK(rig.Records({.key = *IpPrefix::Parse("10.0.9.1")}).empty());
  CHECK(rig.DeleteRecords() == 41 - by_member[2] - of_client);
  CHECK(rig.unit().records().size() == 0);
}

}  // namespace tandem
