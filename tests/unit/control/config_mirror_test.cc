// SPDX-License-Identifier: Apache-2.0
//
// Mirroring and persistence in the configuration: what Validate refuses, by its whole message, and
// what becomes of the rest in the snapshot.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/config_compile.h"
#include "control/config_load.h"
#include "control/config_mirroring_key.h"
#include "control/text.h"

namespace tandem::control {
namespace {

constexpr char kKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

// On one line, so that what a test adds begins at line 2.
constexpr char kMirrorBase[] =
    R"(port { name: "p0" device: "net_null0" } vlan { name: "out" port: "p0" } )"
    R"(traffic_group { name: "tg1" } traffic_group { name: "tg2" role: STANDBY } )"
    R"(self_ip { name: "a" address: "192.0.2.2/24" vlan: "out" } )"
    R"(pool { name: "web" member { address: "192.0.2.11" } } )"
    "\n";

std::string Mirroring(const std::string& more) {
  return Cat(
      "mirroring { device: \"net_null1\" address: \"10.255.0.1/24\" peer: \"10.255.0.2\" "
      "unit_id: 1 key: \"",
      kKey, "\"\n", more, " }");
}

std::string MirrorErrors(const std::string& added) {
  return std::string(LoadConfigText(Cat(kMirrorBase, added), "f").status().message());
}

struct MirrorCase {
  std::string text;
  std::string errors;
};

void CheckMirrorCases(const std::vector<MirrorCase>& cases) {
  for (const MirrorCase& each : cases) {
    INFO(each.text);
    CHECK(MirrorErrors(each.text) == each.errors);
  }
}

TEST_CASE("config mirroring: what can change while it runs", "[config]") {
  const auto running = LoadConfigText(Cat(kMirrorBase, Mirroring("")), "f")->config();
  const auto error = [&](const std::string& text) {
    return std::string(CheckReloadable(running, *LoadConfigText(text, "f")).message());
  };
  CHECK(error(Cat(kMirrorBase,
                  "mirroring { device: \"net_null1\" address: \"10.255.9.1/24\" "
                  "peer: \"10.255.9.2\" unit_id: 1 key_file: \"/k\" flush_us: 1 "
                  "bulk_rate_mbps: 1 }")) == "");
  CHECK(error(Cat(kMirrorBase, Mirroring("mtu: 9000\ncpu: 1"))) ==
        "f:3:1: mirroring: mtu: 1500 cannot become 9000 while running; restart required\n"
        "f:4:1: mirroring: cpu: 0 cannot become 1 while running; restart required");
  CHECK(
      error(Cat(kMirrorBase,
                "mirroring { device: \"net_null1\" address: \"10.255.0.1/24\" "
                "peer: \"10.255.0.2\"\nunit_id: 2 authentication: NONE }")) ==
      "f:3:1: mirroring: unit_id: 1 cannot become 2 while running; restart required\n"
      "f:3:12: mirroring: authentication: PSK cannot become NONE while running; restart required");
  CHECK(error(kMirrorBase) == "f: mirroring: cannot be removed while running; restart required");
}

TEST_CASE("config mirroring: what a peer needs", "[config]") {
  CheckMirrorCases({
      {Mirroring(""), ""},
      {Mirroring("mtu: 9216 flush_us: 0 bulk_rate_mbps: 400000 rx_descriptors: 64"), ""},
      {"mirroring { }",
       "f:2:1: mirroring: device: missing\nf:2:1: mirroring: address: missing\n"
       "f:2:1: mirroring: peer: missing\nf:2:1: mirroring: unit_id: missing\n"
       "f:2:1: mirroring: key_file: missing; authentication PSK needs it, or key"},
      {Mirroring("mtu: 1279 tx_descriptors: 65 flush_us: 100001 bulk_rate_mbps: 0"),
       "f:3:1: mirroring: mtu: 1279 is not in 1280..9216\n"
       "f:3:11: mirroring: tx_descriptors: 65 is no power of two in 64..32768\n"
       "f:3:30: mirroring: flush_us: 100001 is not in 0..100000\n"
       "f:3:47: mirroring: bulk_rate_mbps: 0 is not in 1..400000"},
      {Mirroring("key_file: \"/etc/tandem/mirror.key\""),
       "f:2:88: mirroring: key: not allowed together with key_file"},
      {Mirroring("authentication: NONE"),
       "f:2:88: mirroring: key: not allowed with authentication NONE"},
  });
  const auto with = [](const char* device, const char* address, const char* peer, int unit) {
    return Cat("mirroring {\ndevice: \"", device, "\"\naddress: \"", address, "\"\npeer: \"", peer,
               "\"\nunit_id: ", unit, "\nkey_file: \"/k\" }");
  };
  CheckMirrorCases({
      {with("0000:03:00.0", "2001:db8::1/64", "2001:db8::2", 2), ""},
      {with("net_null0,x=1", "10.0.0.1/24", "10.0.0.2", 0),
       "f:3:1: mirroring: device: 'net_null0' is also the device of port 'p0' at line 1\n"
       "f:6:1: mirroring: unit_id: 0 is not in 1..2"},
      {with("no device", "10.0.0.1", "10.0.0.2", 3),
       "f:3:1: mirroring: device: 'no device' is neither a PCI address nor a DPDK virtual device\n"
       "f:4:1: mirroring: address: '10.0.0.1' is no address with prefix length, as in "
       "\"10.255.0.1/24\"\n"
       "f:6:1: mirroring: unit_id: 3 is not in 1..2"},
      {with("net_null1", "10.0.0.0/24", "10.0.0.2", 1),
       "f:4:1: mirroring: address: '10.0.0.0/24' is the address of the network itself"},
      {with("net_null1", "192.0.2.2/24", "192.0.2.3", 1),
       "f:4:1: mirroring: address: '192.0.2.2/24' is also the address of self_ip 'a'"},
      {with("net_null1", "10.0.0.1/24", "10.0.0.1", 1),
       "f:5:1: mirroring: peer: '10.0.0.1' is this device's own address"},
      {with("net_null1", "10.0.0.1/24", "10.0.1.2", 1),
       "f:5:1: mirroring: peer: '10.0.1.2' is not on the network of 10.0.0.1/24"},
      {with("net_null1", "10.0.0.1/24", "2001:db8::2", 1),
       "f:5:1: mirroring: peer: '2001:db8::2' is not on the network of 10.0.0.1/24"},
      {"device { ipv4_flows_per_worker: 100000 }\n" + Mirroring(""),
       "f:2:10: device: ipv4_flows_per_worker: 100000 is no multiple of 4096, as mirroring needs"},
      {"device { persistence_records: 1023 }",
       "f:2:10: device: persistence_records: 1023 is not in 1024..16777216"},
  });
}

TEST_CASE("config mirroring: a bad key is not shown", "[config]") {
  CHECK(MirrorErrors(
            "mirroring { device: \"net_null1\" address: \"10.0.0.1/24\" peer: \"10.0.0.2\" "
            "unit_id: 1 key: \"secret\" }") == "f:2:84: mirroring: key: not 64 hexadecimal digits");
  auto config = LoadConfigText(Cat(kMirrorBase, Mirroring("")), "f")->config();
  HideMirroringKey(config);
  CHECK(config.DebugString().find("0001020304") == std::string::npos);
  config.clear_mirroring();
  HideMirroringKey(config);
  CHECK_FALSE(config.has_mirroring());
}

TEST_CASE("config mirroring: persistence profiles", "[config]") {
  const auto profile = [](const std::string& fields) {
    return Cat("profile_persistence { name: \"p\"\n", fields, " }");
  };
  CheckMirrorCases({
      {profile(""), ""},
      {profile("type: DESTINATION_ADDRESS timeout: -1 mask: 0 mask_ipv6: 0"), ""},
      {profile("timeout: 0 mask: 33 mask_ipv6: 129"),
       "f:3:1: profile_persistence 'p': timeout: 0 is not in 1..1814400\n"
       "f:3:12: profile_persistence 'p': mask: 33 is not in 0..32\n"
       "f:3:21: profile_persistence 'p': mask_ipv6: 129 is not in 0..128"},
      {profile("timeout: -2"), "f:3:1: profile_persistence 'p': timeout: -2 is not in 1..1814400"},
      {profile("hash_fields: HASH_PROTOCOL hash_length: 1"),
       "f:3:1: profile_persistence 'p': hash_fields: for type HASH only\n"
       "f:3:28: profile_persistence 'p': hash_length: for type HASH only"},
      {profile("type: HASH mask: 32"),
       "f:2:1: profile_persistence 'p': hash_fields: missing\n"
       "f:3:12: profile_persistence 'p': mask: not allowed for type HASH"},
      {profile("type: HASH hash_fields: HASH_PROTOCOL hash_fields: HASH_PROTOCOL hash_offset: 1"),
       "f:3:39: profile_persistence 'p': hash_fields: HASH_PROTOCOL is there twice\n"
       "f:3:66: profile_persistence 'p': hash_offset: not allowed without HASH_PAYLOAD in "
       "hash_fields"},
      {profile("type: HASH hash_fields: HASH_PAYLOAD"),
       "f:2:1: profile_persistence 'p': hash_length: 0 is not in 1..64"},
      {profile("type: HASH hash_fields: HASH_PAYLOAD hash_offset: 256 hash_length: 65"),
       "f:3:38: profile_persistence 'p': hash_offset: 256 is not in 0..255\n"
       "f:3:55: profile_persistence 'p': hash_length: 65 is not in 1..64"},
      {profile("hash_algorithm: CARP timeout: 180 mirror: true match_across_pools: false"),
       "f:3:22: profile_persistence 'p': timeout: not allowed with hash_algorithm CARP, which "
       "keeps "
       "no records\n"
       "f:3:35: profile_persistence 'p': mirror: not allowed with hash_algorithm CARP, which keeps "
       "no records"},
      {profile("") + "\nprofile_persistence { name: \"p\" }",
       "f:4:23: profile_persistence 'p': name: already used at line 2"},
      {"virtual { name: \"v\" destination: \"192.0.2.9:80\" pool: \"web\" persistence: \"q\" }",
       "f:2:61: virtual 'v': persistence: 'q' does not exist"},
      {"profile_persistence { name: \"p\" }\n"
       "virtual { name: \"v\" destination: \"any:80\" type: FORWARDING_IP persistence: \"p\" }",
       "f:3:63: virtual 'v': persistence: not allowed for type FORWARDING_IP"},
  });
  const std::string payload =
      "profile_persistence { name: \"p\" type: HASH hash_fields: HASH_PAYLOAD hash_length: 8 }\n"
      "virtual { name: \"v\" destination: \"192.0.2.9:80\" pool: \"web\" persistence: \"p\"";
  CHECK(MirrorErrors(payload + " ip_protocol: UDP }") == "");
  CHECK(MirrorErrors(payload + " }") ==
        "f:3:61: virtual 'v': persistence: profile_persistence 'p' hashes payload, which needs "
        "ip_protocol UDP");
}

TEST_CASE("config mirroring: what a mirrored virtual needs", "[config]") {
  const auto snat = [](const char* pool, const char* user) {
    return Cat("snat_pool { name: \"s\" members: \"192.0.2.80\" ", pool, " }\n",
               "virtual { name: \"v\" destination: \"192.0.2.9:80\" pool: \"web\" ", user,
               " source_address_translation { type: SNAT pool: \"s\" } }");
  };
  const std::string second =
      "\nvirtual { name: \"w\" destination: \"192.0.2.9:81\" pool: \"web\" mirror: true "
      "traffic_group: \"tg1\" source_address_translation { type: SNAT pool: \"s\" } }";
  CheckMirrorCases({
      {"virtual { name: \"v\" destination: \"any:80\" type: FORWARDING_IP mirror: true }",
       "f:2:63: virtual 'v': mirror: needs a traffic_group: an address that stays on this device "
       "has no peer"},
      {"virtual { name: \"v\" destination: \"192.0.2.9:80\" type: REJECT mirror: true "
       "traffic_group: \"tg1\" }",
       "f:2:62: virtual 'v': mirror: not allowed for type REJECT"},
      {snat("traffic_group: \"tg3\"", ""),
       "f:2:45: snat_pool 's': traffic_group: 'tg3' does not exist"},
      {snat("", "mirror: true traffic_group: \"tg1\""), ""},
      {snat("traffic_group: \"tg1\"", "mirror: true traffic_group: \"tg1\""), ""},
      {snat("traffic_group: \"tg2\"", "traffic_group: \"tg1\""), ""},
      {snat("traffic_group: \"tg2\"", "mirror: true traffic_group: \"tg1\""),
       "f:3:95: virtual 'v': source_address_translation: snat_pool 's' floats with traffic_group "
       "'tg2', the mirrored connections of this virtual with 'tg1'"},
      {snat("mirror: true", "traffic_group: \"tg1\""), ""},
      {snat("mirror: true", ""),
       "f:3:62: virtual 'v': source_address_translation: snat_pool 's' mirrors its connections, "
       "which needs a traffic_group"},
      {snat("mirror: true traffic_group: \"tg2\"", "traffic_group: \"tg1\""),
       "f:3:82: virtual 'v': source_address_translation: snat_pool 's' floats with traffic_group "
       "'tg2', the mirrored connections of this virtual with 'tg1'"},
      // Two virtuals of one address would be refused for another reason.
      {snat("", "traffic_group: \"tg1\"") + second, ""},
      {"snat_pool { name: \"s\" members: \"192.0.2.80\" }\n"
       "virtual { name: \"v\" destination: \"192.0.2.8:80\" pool: \"web\" "
       "source_address_translation { type: SNAT pool: \"s\" } }" +
           second,
       "f:4:95: virtual 'w': source_address_translation: snat_pool 's' floats with no traffic "
       "group, the mirrored connections of this virtual with 'tg1'"},
  });
}

const RouteTableFactory kLinearCase = [](std::vector<config::Route> routes)
    -> absl::StatusOr<std::shared_ptr<const config::RouteTable>> {
  return std::make_shared<const config::LinearRoutes>(std::move(routes));
};

struct ReloadedDevice {
  ConfigIds ids;
  std::unique_ptr<config::Snapshot> snapshot;

  const config::Snapshot& Apply(const std::string& text) {
    const auto document = LoadConfigText(Cat(kMirrorBase, text), "t");
    INFO(document.status().ToString());
    REQUIRE(document.ok());
    const auto key = MirroringKeyOf(document->config());
    REQUIRE(key.ok());
    auto compiled = Compile({.config = document->config(),
                             .ids = ids,
                             .ports = {{"p0", {}, 0}},
                             .make_routes = kLinearCase,
                             .previous = snapshot.get(),
                             .mirroring_key = *key});
    REQUIRE(compiled.ok());
    snapshot = std::move(compiled->snapshot);
    ids = std::move(compiled->ids);
    return *snapshot;
  }
};

TEST_CASE("config mirroring: the peer in the snapshot", "[config]") {
  ReloadedDevice device;
  CHECK_FALSE(device.Apply("device { name: \"lb1\" }").mirroring.enabled);
  CHECK(device.snapshot->mirroring.device_name == "lb1");
  const config::Mirroring& to =
      device.Apply(Mirroring("mtu: 9000 flush_us: 100 bulk_rate_mbps: 8")).mirroring;
  CHECK(to.enabled);
  CHECK(to.unit_id == 1);
  CHECK(to.device_name == "tandem");
  CHECK(to.address.ToString() == "10.255.0.1/24");
  REQUIRE(to.peers.size() == 1);
  CHECK(to.peers[0].unit_id == 2);
  CHECK(to.peers[0].address.ToString() == "10.255.0.2");
  CHECK(to.port_share == 0);
  CHECK(to.port_shares == 2);
  CHECK(to.mtu == 9000);
  CHECK(to.authenticated);
  for (size_t i = 0; i < to.key.size(); ++i) {
    CHECK(to.key[i] == i);
  }
  CHECK(to.bulk_rate == 1'000'000);
  CHECK(to.flush == 100'000);
  const config::Mirroring defaults = device.Apply(Mirroring("")).mirroring;
  CHECK(defaults.bulk_rate == config::Mirroring().bulk_rate);
  CHECK(defaults.flush == config::Mirroring().flush);
  CHECK(defaults.mtu == config::Mirroring().mtu);
  const auto groups = device.snapshot->traffic_groups;
  CHECK(groups[device.ids.traffic_groups.Find("tg1")].role == config::Role::kActive);
  CHECK(groups[device.ids.traffic_groups.Find("tg2")].role == config::Role::kStandby);
}

TEST_CASE("config mirroring: persistence profiles in the snapshot", "[config]") {
  ReloadedDevice device;
  device.Apply(R"(
      profile_persistence { name: "plain" }
      profile_persistence {
        name: "all" type: HASH timeout: -1 hash_fields: HASH_DESTINATION_PORT
        hash_fields: HASH_PAYLOAD hash_offset: 3 hash_length: 8 match_across_services: true
        match_across_virtuals: true match_across_pools: true override_connection_limit: true
        mirror: true
      }
      profile_persistence {
        name: "carp" type: DESTINATION_ADDRESS mask: 24 mask_ipv6: 64 hash_algorithm: CARP
      }
      virtual {
        name: "v" destination: "192.0.2.9:53" ip_protocol: UDP pool: "web" persistence: "all"
        traffic_group: "tg1" mirror_at: SYN
      })");
  const auto find = [&](const char* name) {
    const auto* found = device.snapshot->FindPersistence(device.ids.persistences.Find(name));
    REQUIRE(found != nullptr);
    CHECK(found->name == name);
    return *found;
  };
  const config::Persistence plain = find("plain");
  CHECK(plain.type == config::PersistenceType::kSourceAddress);
  CHECK(plain.timeout == TicksIn(180 * kSecond));
  CHECK(plain.mask_ipv4 == 32);
  CHECK(plain.mask_ipv6 == 128);
  CHECK_FALSE((plain.stateless || plain.mirror || plain.match_across_services ||
               plain.match_across_virtuals || plain.match_across_pools ||
               plain.override_connection_limit));
  const config::Persistence all = find("all");
  CHECK(all.type == config::PersistenceType::kHash);
  CHECK(all.timeout == config::kIndefinite);
  CHECK(all.hash_fields == (config::kHashDestinationPort | config::kHashPayload));
  CHECK(all.payload_offset == 3);
  CHECK(all.payload_length == 8);
  CHECK((all.mirror && all.match_across_services && all.match_across_virtuals &&
         all.match_across_pools && all.override_connection_limit));
  const config::Persistence carp = find("carp");
  CHECK(carp.type == config::PersistenceType::kDestinationAddress);
  CHECK(carp.stateless);
  CHECK(carp.mask_ipv4 == 24);
  CHECK(carp.mask_ipv6 == 64);
  const config::Virtual& v = *device.snapshot->FindVirtual(device.ids.virtuals.Find("v"));
  CHECK(v.persistence == all.id);
  CHECK(v.mirror_at == config::MirrorAt::kSyn);
  CHECK_FALSE(v.mirror);

  // A profile keeps its id, and a new one does not get that of one that is gone.
  device.Apply("profile_persistence { name: \"carp\" } profile_persistence { name: \"new\" }");
  CHECK(find("carp").id == carp.id);
  CHECK(find("new").id != plain.id);
  CHECK(find("new").id != all.id);
}

TEST_CASE("config mirroring: SNAT addresses float with their pool's group", "[config]") {
  const auto with = [](const char* group) {
    return Cat("snat_pool { name: \"s\" members: \"192.0.2.80\" ", group,
               " }\nvirtual { name: \"v\" destination: \"192.0.2.9:80\" pool: \"web\" "
               "traffic_group: \"tg1\" source_address_translation { type: SNAT pool: \"s\" } }");
  };
  ReloadedDevice device;
  const auto check = [&](const char* text, const char* group) {
    const config::Snapshot& snapshot = device.Apply(with(text));
    const uint16_t id = device.ids.traffic_groups.Find(group);
    CHECK(snapshot.snat_pools.at(0).traffic_group == id);
    CHECK(snapshot.addresses.Find(*IpAddress::Parse("192.0.2.80"))->traffic_group == id);
  };
  check("", "tg1");
  check("traffic_group: \"tg2\"", "tg2");
}

TEST_CASE("config mirroring: what lasts is told of later, not at the SYN", "[config]") {
  const auto with = [](const char* fields) {
    return Cat("virtual { name: \"v\" destination: \"192.0.2.9:80\" pool: \"web\" ",
               "traffic_group: \"tg1\"\n", fields, " }");
  };
  CheckMirrorCases({
      {with("mirror: true mirror_after_packets: 255 mirror_after_seconds: 86400"), ""},
      {with("mirror_at: SYN mirror_after_packets: 0"), ""},
      {with("mirror_after_packets: 256\nmirror_after_seconds: 86401"),
       "f:3:1: virtual 'v': mirror_after_packets: 256 is not in 0..255\n"
       "f:4:1: virtual 'v': mirror_after_seconds: 86401 is not in 0..86400"},
      {with("mirror_at: SYN mirror_after_packets: 10"),
       "f:3:16: virtual 'v': mirror_after_packets: not allowed with mirror_at SYN"},
      {with("mirror_commit: BOUNDED mirror_after_seconds: 1"),
       "f:3:24: virtual 'v': mirror_after_seconds: not allowed with mirror_commit BOUNDED, which "
       "mirrors from the SYN on"},
  });
}

TEST_CASE("config mirroring: flows are looked through when what is mirrored changed", "[config]") {
  const auto with = [](const char* pool, const char* user) {
    return Cat("snat_pool { name: \"s\" members: \"192.0.2.80\" ", pool, " }\n",
               "virtual { name: \"v\" destination: \"192.0.2.9:80\" pool: \"web\" ", user,
               " traffic_group: \"tg1\" source_address_translation { type: SNAT pool: \"s\" } }");
  };
  ReloadedDevice device;
  CHECK(device.Apply(with("", "")).mirror_generation == 1);
  CHECK(device.Apply(with("", "connection_limit: 1")).mirror_generation == 1);
  CHECK(device.Apply(with("", "mirror: true")).mirror_generation == 2);
  CHECK(device.Apply(with("", "mirror: true mirror_at: SYN")).mirror_generation == 3);
  CHECK(device.Apply(with("mirror: true", "mirror: true mirror_at: SYN")).mirror_generation == 4);
  CHECK(device.Apply(with("mirror: true", "")).mirror_generation == 5);
  CHECK(device.Apply(with("", "")).mirror_generation == 6);
  // Nothing is mirrored, so it does not matter when.
  CHECK(device.Apply(with("", "mirror_at: SYN")).mirror_generation == 6);
  CHECK(device.Apply(with("", "mirror_after_packets: 9")).mirror_generation == 6);
  CHECK(device.Apply(with("", "mirror: true mirror_after_packets: 9")).mirror_generation == 7);
  CHECK(device.Apply(with("", "mirror: true mirror_after_packets: 8")).mirror_generation == 8);
  CHECK(device.Apply(with("", "mirror: true mirror_after_seconds: 8")).mirror_generation == 9);
  const config::Virtual& v = *device.snapshot->FindVirtual(device.ids.virtuals.Find("v"));
  CHECK(v.mirror_after == TicksIn(8 * kSecond));
  CHECK(v.mirror_after_packets == 0);
}

// A file of the process's own user in a directory of its own.
class KeyFile {
 public:
  KeyFile() {
    std::string pattern = "/tmp/tandem_key_XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  ~KeyFile() {
    unlink(path().c_str());
    rmdir(directory_.c_str());
  }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;

  std::string path() const { return directory_ + "/key"; }
  std::string ErrorOf(const std::string& contents, mode_t mode) const {
    std::ofstream(path()) << contents;
    REQUIRE(chmod(path().c_str(), mode) == 0);
    const auto key = ReadMirroringKey("mirroring: key_file", path());
    if (key.ok()) return (*key)[31] == 0x1f ? "" : "wrong key";
    const std::string message(key.status().message());
    const std::string prefix = Cat("mirroring: key_file: '", path(), "': ");
    return message.rfind(prefix, 0) == 0 ? message.substr(prefix.size()) : message;
  }

 private:
  std::string directory_;
};

TEST_CASE("config mirroring: the key's file is its owner's alone", "[config]") {
  const KeyFile file;
  CHECK(ReadMirroringKey("--key_file", file.path()).status().code() == absl::StatusCode::kNotFound);
  CHECK(file.ErrorOf(kKey, 0600) == "");
  CHECK(file.ErrorOf(Cat(kKey, "\n"), 0400) == "");
  CHECK(file.ErrorOf(kKey, 0640) == "others than its owner may read or write it; chmod 600");
  CHECK(file.ErrorOf(kKey, 0602) == "others than its owner may read or write it; chmod 600");
  CHECK(file.ErrorOf(Cat(kKey, "00"), 0600) == "not 64 hexadecimal digits");
  CHECK(file.ErrorOf(std::string(5000, '0'), 0600) == "not 64 hexadecimal digits");
  CHECK(file.ErrorOf("", 0600) == "not 64 hexadecimal digits");
  CHECK(file.ErrorOf(Cat(std::string(kKey).substr(1), "g"), 0600) == "not 64 hexadecimal digits");
  CHECK(ReadMirroringKey("--key_file", "/").status().message() ==
        "--key_file: '/': not a regular file");
}

}  // namespace
}  // namespace tandem::control
