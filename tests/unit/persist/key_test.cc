// SPDX-License-Identifier: Apache-2.0
#include "dataplane/persist/key.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <set>
#include <vector>

using namespace tandem;
using namespace tandem::config;
using persist::Key;
using persist::MakeKey;
using persist::Packet;

namespace {

Persistence Profile(PersistenceType type) {
  Persistence profile;
  profile.id = 7;
  profile.type = type;
  return profile;
}

Virtual VirtualAt(VirtualId id, const char* destination) {
  Virtual made;
  made.id = id;
  made.destination = *IpPrefix::Parse(destination);
  return made;
}

Packet From(const char* source, const char* destination = "10.0.0.100") {
  Packet packet;
  packet.source = *IpAddress::Parse(source);
  packet.destination = *IpAddress::Parse(destination);
  packet.source_port = htons(1000);
  packet.destination_port = htons(80);
  packet.protocol = IPPROTO_TCP;
  return packet;
}

Key Make(const Persistence& profile, const Virtual& virtual_server, const Packet& packet) {
  Key key;
  REQUIRE(MakeKey(profile, virtual_server, packet, key));
  return key;
}

const Virtual kVirtual = VirtualAt(3, "10.0.0.100");

}  // namespace

TEST_CASE("key: an address below the mask", "[persist]") {
  Persistence profile = Profile(PersistenceType::kSourceAddress);
  const Key whole = Make(profile, kVirtual, From("192.0.2.77"));
  CHECK(whole.profile == 7);
  CHECK(whole.size == 4);
  CHECK(whole.bytes[3] == 77);
  CHECK_FALSE(whole == Make(profile, kVirtual, From("192.0.2.78")));
  profile.mask_ipv4 = 26;
  const Key masked = Make(profile, kVirtual, From("192.0.2.77"));
  CHECK(masked.bytes[3] == 64);
  CHECK(masked == Make(profile, kVirtual, From("192.0.2.127")));
  CHECK_FALSE(masked == Make(profile, kVirtual, From("192.0.2.128")));
  profile.mask_ipv4 = 0;
  CHECK(Make(profile, kVirtual, From("1.2.3.4")) == Make(profile, kVirtual, From("9.8.7.6")));

  profile.mask_ipv6 = 61;
  const Key six = Make(profile, kVirtual, From("2001:db8:0:f::1"));
  CHECK(six.size == 16);
  CHECK(six == Make(profile, kVirtual, From("2001:db8:0:8::2")));
  CHECK_FALSE(six == Make(profile, kVirtual, From("2001:db8:0:10::1")));
}

TEST_CASE("key: a destination address", "[persist]") {
  const Persistence profile = Profile(PersistenceType::kDestinationAddress);
  CHECK(Make(profile, kVirtual, From("192.0.2.1", "10.0.0.1")) ==
        Make(profile, kVirtual, From("192.0.2.2", "10.0.0.1")));
  CHECK_FALSE(Make(profile, kVirtual, From("192.0.2.1", "10.0.0.1")) ==
              Make(profile, kVirtual, From("192.0.2.1", "10.0.0.2")));
}

TEST_CASE("key: how far a record reaches", "[persist]") {
  Persistence profile = Profile(PersistenceType::kSourceAddress);
  const Virtual same_address = VirtualAt(4, "10.0.0.100");
  const Virtual elsewhere = VirtualAt(5, "10.0.0.101");
  const Virtual network = VirtualAt(6, "10.0.0.100/30");
  const Packet packet = From("192.0.2.1");
  const auto scope = [&](const Virtual& in) { return Make(profile, in, packet).scope; };
  CHECK(scope(kVirtual) == 3);
  CHECK(scope(same_address) == 4);
  profile.match_across_services = true;
  CHECK(scope(kVirtual) >= persist::kScopeHash);
  CHECK(scope(kVirtual) == scope(same_address));
  CHECK(scope(kVirtual) != scope(elsewhere));
  CHECK(scope(kVirtual) != scope(network));
  profile.match_across_virtuals = true;
  CHECK(scope(kVirtual) == 0);
  CHECK(scope(elsewhere) == 0);
}

TEST_CASE("key: every hashed field counts, and no other", "[persist]") {
  for (unsigned fields = 1; fields < kHashPayload; ++fields) {
    CAPTURE(fields);
    Persistence profile = Profile(PersistenceType::kHash);
    profile.hash_fields = static_cast<uint8_t>(fields);
    const Packet packet = From("192.0.2.1");
    const Key key = Make(profile, kVirtual, packet);
    CHECK(key.size == 8);
    const auto changes = [&](uint8_t field, const Packet& other) {
      CHECK((Make(profile, kVirtual, other) == key) == ((fields & field) == 0));
    };
    Packet other = packet;
    other.source = *IpAddress::Parse("192.0.2.2");
    changes(kHashSourceAddress, other);
    other = packet;
    other.destination = *IpAddress::Parse("192.0.2.2");
    changes(kHashDestinationAddress, other);
    other = packet;
    other.source_port = htons(1001);
    changes(kHashSourcePort, other);
    other = packet;
    other.destination_port = htons(81);
    changes(kHashDestinationPort, other);
    other = packet;
    other.protocol = IPPROTO_UDP;
    changes(kHashProtocol, other);
  }
}

TEST_CASE("key: bytes of the first UDP datagram", "[persist]") {
  Persistence profile = Profile(PersistenceType::kHash);
  profile.hash_fields = kHashPayload;
  profile.payload_offset = 3;
  profile.payload_length = 11;
  Packet packet = From("192.0.2.1");
  packet.protocol = IPPROTO_UDP;
  std::vector<uint8_t> payload(20);
  packet.payload = payload;
  const Key key = Make(profile, kVirtual, packet);
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] ^= 1;
    CHECK((Make(profile, kVirtual, packet) == key) == (i < 3 || i >= 14));
    payload[i] ^= 1;
  }
  CHECK(persist::KeyOfWord(profile, kVirtual, persist::WordOf(key)) == key);
  CHECK(persist::WordOf(key) != 0);

  Key refused;
  packet.payload = std::span(payload).first(14);
  CHECK(MakeKey(profile, kVirtual, packet, refused));
  packet.payload = std::span(payload).first(13);
  CHECK_FALSE(MakeKey(profile, kVirtual, packet, refused));
  packet.payload = {};
  CHECK_FALSE(MakeKey(profile, kVirtual, packet, refused));
  packet.payload = payload;
  packet.protocol = IPPROTO_TCP;
  CHECK_FALSE(MakeKey(profile, kVirtual, packet, refused));
}

TEST_CASE("key: the stable hash knows no numbers of this device", "[persist]") {
  Persistence here = Profile(PersistenceType::kSourceAddress);
  Persistence there = here;
  there.id = 99;
  CHECK(persist::StableHash(Make(here, kVirtual, From("192.0.2.1"))) ==
        persist::StableHash(Make(there, VirtualAt(44, "10.0.0.100"), From("192.0.2.1"))));
  std::set<uint64_t> hashes;
  for (int i = 0; i < 200; ++i) {
    const std::string source = "192.0.2." + std::to_string(i);
    hashes.insert(persist::StableHash(Make(here, kVirtual, From(source.c_str()))));
  }
  CHECK(hashes.size() == 200);
}
