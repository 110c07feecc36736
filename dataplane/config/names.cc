// SPDX-License-Identifier: Apache-2.0
#include "dataplane/config/names.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/hash.h"
#include "dataplane/config/snapshot.h"

namespace tandem::config {
namespace {

// One object's values, one after the other.
class Digest {
 public:
  explicit Digest(std::string_view kind) { Text(kind); }

  Digest& Number(uint64_t value) {
    state_ = HashPair(state_, value, kSeed);
    return *this;
  }
  Digest& Text(std::string_view text) {
    Number(text.size());
    uint64_t word = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      word = word << 8 | static_cast<uint8_t>(text[i]);
      if (i % 8 == 7 || i + 1 == text.size()) Number(word);
    }
    return *this;
  }
  Digest& Address(const IpAddress& address) {
    const auto& bytes = address.bytes();
    for (size_t half = 0; half < 16; half += 8) {
      uint64_t word = 0;
      for (size_t i = 0; i < 8; ++i)
        word = word << 8 | bytes[half + i];
      Number(word);
    }
    return *this;
  }
  Digest& Prefix(const IpPrefix& prefix) { return Address(prefix.address).Number(prefix.length); }

  uint64_t value() const { return state_; }

 private:
  static constexpr uint64_t kSeed = 0x2d358dccaa6c78a5;
  uint64_t state_ = 0x8bb84b93962eacc9;
};

template <class Objects>
std::string_view NameOf(const Objects& objects, size_t id) {
  return id < objects.size() ? std::string_view(objects[id].name) : std::string_view();
}

// A set of things, in any order.
template <class Range, class F>
uint64_t SumOf(const Range& range, F&& digest_of) {
  uint64_t sum = 0;
  for (const auto& one : range)
    sum += digest_of(one);
  return sum;
}

uint64_t DigestOf(const Snapshot& snapshot, const Virtual& from) {
  Digest digest("virtual");
  digest.Text(from.name).Number(static_cast<uint64_t>(from.type)).Number(from.enabled);
  digest.Prefix(from.destination.Network()).Number(from.port).Number(from.protocol);
  digest.Prefix(from.source.Network());
  uint64_t listens_on = 0;
  for (size_t id = 0; id < from.interfaces.size(); ++id) {
    if (!from.interfaces[id]) continue;
    listens_on += Digest("vlan").Text(NameOf(snapshot.interfaces, id)).value();
  }
  digest.Number(from.interfaces.empty()).Number(listens_on);
  digest.Text(from.pool != 0 ? NameOf(snapshot.pools, from.pool) : "");
  digest.Number(from.translate_address).Number(from.translate_port);
  digest.Number(static_cast<uint64_t>(from.snat));
  if (from.snat == SnatKind::kPool) digest.Text(NameOf(snapshot.snat_pools, from.snat_pool));
  digest.Number(static_cast<uint64_t>(from.source_port)).Number(from.auto_last_hop);
  digest.Number(static_cast<uint64_t>(from.no_flow)).Number(from.connection_limit);
  digest.Text(NameOf(snapshot.traffic_groups, from.traffic_group));
  digest.Text(from.persistence != 0 ? NameOf(snapshot.persistences, from.persistence) : "");
  digest.Number(from.mirror).Number(static_cast<uint64_t>(from.mirror_at));
  digest.Number(from.mirror_after_packets).Number(from.mirror_after);
  const FastL4& profile = from.profile;
  digest.Number(profile.idle_timeout).Number(profile.udp_idle_timeout);
  digest.Number(profile.tcp_handshake_timeout).Number(profile.tcp_close_timeout);
  digest.Number(profile.tcp_time_wait_timeout).Number(profile.reset_on_timeout);
  digest.Number(profile.loose_close);
  return digest.value();
}

// Without what the monitors say: it is not configured.
uint64_t DigestOf(const Member& from) {
  Digest digest("member");
  digest.Text(from.name).Address(from.address).Number(from.port).Number(from.ratio);
  digest.Number(from.connection_limit).Number(static_cast<uint64_t>(from.state));
  return digest.value();
}

uint64_t DigestOf(const Snapshot& snapshot, const Pool& from) {
  Digest digest("pool");
  digest.Text(from.name).Number(static_cast<uint64_t>(from.balancing));
  digest.Number(SumOf(from.members, [&](MemberId id) { return DigestOf(snapshot.members[id]); }));
  return digest.value();
}

uint64_t DigestOf(const Snapshot& snapshot, const SnatPool& from) {
  Digest digest("snat pool");
  digest.Text(from.name).Text(NameOf(snapshot.traffic_groups, from.traffic_group));
  digest.Number(from.mirror);
  digest.Number(SumOf(from.addresses, [](const IpAddress& address) {
    return Digest("address").Address(address).value();
  }));
  return digest.value();
}

uint64_t DigestOf(const Persistence& from) {
  Digest digest("persistence");
  digest.Text(from.name).Number(static_cast<uint64_t>(from.type)).Number(from.timeout);
  digest.Number(from.mask_ipv4).Number(from.mask_ipv6).Number(from.hash_fields);
  digest.Number(from.payload_offset).Number(from.payload_length).Number(from.stateless);
  digest.Number(from.match_across_services).Number(from.match_across_virtuals);
  digest.Number(from.match_across_pools).Number(from.override_connection_limit);
  digest.Number(from.mirror);
  return digest.value();
}

// The addresses that follow the active device.
uint64_t DigestOf(const Interface& from) {
  uint64_t sum = 0;
  for (const IpPrefix& self_ip : from.floating_self_ips())
    sum += Digest("floating self IP").Text(from.name).Prefix(self_ip).value();
  return sum;
}

}  // namespace

std::shared_ptr<const Dictionary> MakeDictionary(const Snapshot& snapshot) {
  auto dictionary = std::make_shared<Dictionary>();
  const auto add = [&](ObjectKind kind, uint16_t number, std::string_view name,
                       const IpAddress& address = {}, uint16_t port = 0) {
    if (number == 0) return;
    dictionary->Add(kind, number,
                    {.name_hash = NameHash(kind, name), .address = address, .port = port});
  };
  for (const Virtual& from : snapshot.virtuals) {
    const bool is_one = from.destination.is_host() && from.port != 0;
    add(ObjectKind::kVirtual, from.id, from.name, is_one ? from.destination.address : IpAddress(),
        is_one ? from.port : uint16_t{0});
  }
  for (const Member& from : snapshot.members) {
    const std::string name = std::string(NameOf(snapshot.pools, from.pool)) + "/" + from.name;
    add(ObjectKind::kMember, from.id, name, from.address, from.port);
  }
  for (const Interface& from : snapshot.interfaces)
    add(ObjectKind::kInterface, from.id, from.name);
  for (const TrafficGroup& from : snapshot.traffic_groups)
    add(ObjectKind::kTrafficGroup, from.id, from.name);
  for (const Persistence& from : snapshot.persistences)
    add(ObjectKind::kPersistence, from.id, from.name);
  dictionary->Finish();
  return dictionary;
}

uint64_t ConfigHash(const Snapshot& snapshot) {
  uint64_t sum = 0;
  for (const Virtual& from : snapshot.virtuals) {
    if (from.id != 0) sum += DigestOf(snapshot, from);
  }
  for (const Pool& from : snapshot.pools) {
    if (from.id != 0) sum += DigestOf(snapshot, from);
  }
  for (const SnatPool& from : snapshot.snat_pools)
    sum += DigestOf(snapshot, from);
  for (const Persistence& from : snapshot.persistences) {
    if (from.id != 0) sum += DigestOf(from);
  }
  for (const TrafficGroup& from : snapshot.traffic_groups) {
    if (from.id != 0) sum += Digest("traffic group").Text(from.name).value();
  }
  for (const Interface& from : snapshot.interfaces) {
    if (from.id != 0) sum += DigestOf(from);
  }
  return Digest("tandem").Number(sum).value();
}

}  // namespace tandem::config
