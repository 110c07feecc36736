// SPDX-License-Identifier: Apache-2.0
//
// Validate, what two devices of a pair share: mirroring, persistence profiles, and whether what is
// mirrored can be.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include "control/config_check_context.h"
#include "control/config_endpoint.h"
#include "control/config_mirroring_key.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using Profile = v1::PersistenceProfile;

void CheckKey(CheckContext& context, const Origin& origin, const v1::Mirroring& mirroring) {
  if (mirroring.authentication() == v1::Mirroring::NONE) {
    for (const auto& [field, given] :
         {std::pair{"key", mirroring.has_key()}, std::pair{"key_file", mirroring.has_key_file()}}) {
      if (given) context.Error(origin, field, "not allowed with authentication NONE");
    }
    return;
  }
  if (mirroring.has_key() && mirroring.has_key_file()) {
    context.Error(origin, "key", "not allowed together with key_file");
  } else if (mirroring.has_key_file()) {
    if (!absl::StartsWith(mirroring.key_file(), "/")) {
      context.Error(origin, "key_file",
                    Cat(Quote(mirroring.key_file()), " is not an absolute path"));
    }
  } else if (!mirroring.has_key()) {
    context.Error(origin, "key_file", "missing; authentication PSK needs it, or key");
  } else if (!ParseMirroringKey(mirroring.key())) {
    // What it is stays a secret even when it is wrong.
    context.Error(origin, "key", "not 64 hexadecimal digits");
  }
}

void CheckMirroringAddresses(CheckContext& context, const Origin& origin,
                             const v1::Mirroring& mirroring) {
  const bool has_peers = std::ranges::any_of(context.config.device_group().device(),
                                             &v1::GroupDevice::has_mirroring_address);
  if (has_peers && mirroring.has_peer()) {
    context.Error(origin, "peer", "not allowed: the device_group has mirroring addresses");
  }
  const bool given = context.Given(origin, "address", mirroring.address());
  if (!has_peers && !context.Given(origin, "peer", mirroring.peer())) return;
  if (!given) return;
  const auto address = ParseConfigPrefix(mirroring.address());
  if (!address || !absl::StrContains(mirroring.address(), "/")) {
    context.Error(origin, "address",
                  Cat(Quote(mirroring.address()),
                      " is no address with prefix length, as in \"10.255.0.1/24\""));
    return;
  }
  if (!CheckInterfaceAddress(context, origin, *address, mirroring.address())) return;
  const auto self_ip = context.self_addresses.find(address->address);
  if (self_ip != context.self_addresses.end()) {
    context.Error(origin, "address",
                  Cat(Quote(mirroring.address()), " is also the address of ",
                      context.document.Object("self_ip", self_ip->second).label()));
  }
  if (has_peers) return;
  const auto peer = context.HostAddress(origin, "peer", mirroring.peer());
  if (!peer) return;
  if (*peer == address->address) {
    context.Error(origin, "peer", Cat(Quote(mirroring.peer()), " is this device's own address"));
  } else if (!address->Contains(*peer)) {
    context.Error(origin, "peer",
                  Cat(Quote(mirroring.peer()), " is not on the network of ", mirroring.address()));
  }
}

void CheckMirroringDevice(CheckContext& context, const Origin& origin,
                          const v1::Mirroring& mirroring) {
  if (!context.Given(origin, "device", mirroring.device())) return;
  const std::string name = DeviceName(mirroring.device());
  if (name.empty()) {
    context.Error(
        origin, "device",
        Cat(Quote(mirroring.device()), " is neither a PCI address nor a DPDK virtual device"));
    return;
  }
  const auto port = context.devices.find(name);
  if (port == context.devices.end()) return;
  const Origin twin = context.document.Object("port", port->second);
  context.Error(origin, "device",
                Cat(Quote(name), " is also the device of ", twin.label(), AtLine(twin.location())));
}

// Both devices' tables consist of the same pages only when these are whole.
void CheckWholePages(CheckContext& context) {
  const v1::Device& device = context.config.device();
  for (const auto& [field, flows] :
       {std::pair{"ipv4_flows_per_worker", device.ipv4_flows_per_worker()},
        std::pair{"ipv6_flows_per_worker", device.ipv6_flows_per_worker()}}) {
    if (flows % kFlowsPerPage == 0) continue;
    context.Error(context.document.Object("device"), field,
                  Cat(flows, " is no multiple of ", kFlowsPerPage, ", as mirroring needs"));
  }
}

void CheckHash(CheckContext& context, const Origin& origin, const Profile& profile) {
  constexpr int64_t kOffsetMax = 255;  // of what the parser may look at, kHeadersMax
  constexpr int64_t kLengthMax = 64;
  if (profile.hash_fields_size() == 0) context.Error(origin, "hash_fields", "missing");
  unsigned seen = 0;
  for (int i = 0; i < profile.hash_fields_size(); ++i) {
    const unsigned bit = 1U << static_cast<unsigned>(profile.hash_fields(i));
    if ((seen & bit) != 0) {
      context.Error(origin, "hash_fields",
                    Cat(Profile::HashField_Name(profile.hash_fields(i)), " is there twice"), i);
    }
    seen |= bit;
  }
  if ((seen & (1U << Profile::HASH_PAYLOAD)) != 0) {
    context.InRange(origin, "hash_offset", profile.hash_offset(), 0, kOffsetMax);
    context.InRange(origin, "hash_length", profile.hash_length(), 1, kLengthMax);
    return;
  }
  for (const auto& [field, given] : {std::pair{"hash_offset", profile.has_hash_offset()},
                                     std::pair{"hash_length", profile.has_hash_length()}}) {
    if (given) context.Error(origin, field, "not allowed without HASH_PAYLOAD in hash_fields");
  }
}

void Refuse(CheckContext& context, const Origin& origin, std::string_view reason,
            std::initializer_list<std::pair<const char*, bool>> fields) {
  for (const auto& [field, given] : fields) {
    if (given) context.Error(origin, field, reason);
  }
}

void CheckPersistence(CheckContext& context, const Profile& profile, const Origin& origin) {
  constexpr int64_t kTimeoutMax = 1'814'400;  // seconds; below the 26 days that ticks can compare
  if (profile.timeout() != -1)
    context.InRange(origin, "timeout", profile.timeout(), 1, kTimeoutMax);
  context.InRange(origin, "mask", profile.mask(), 0, 32);
  context.InRange(origin, "mask_ipv6", profile.mask_ipv6(), 0, 128);
  if (profile.type() == Profile::HASH) {
    CheckHash(context, origin, profile);
    Refuse(context, origin, "not allowed for type HASH",
           {{"mask", profile.has_mask()}, {"mask_ipv6", profile.has_mask_ipv6()}});
  } else {
    Refuse(context, origin, "for type HASH only",
           {{"hash_fields", profile.hash_fields_size() > 0},
            {"hash_offset", profile.has_hash_offset()},
            {"hash_length", profile.has_hash_length()}});
  }
  if (profile.hash_algorithm() == Profile::CARP) {
    Refuse(context, origin, "not allowed with hash_algorithm CARP, which keeps no records",
           {{"timeout", profile.has_timeout()},
            {"match_across_services", profile.match_across_services()},
            {"match_across_virtuals", profile.match_across_virtuals()},
            {"match_across_pools", profile.match_across_pools()},
            {"override_connection_limit", profile.override_connection_limit()},
            {"mirror", profile.mirror()}});
  }
}

// Waiting for a connection to last, and telling of it before it is there, are no company.
void CheckMirrorAfter(CheckContext& context, const v1::Virtual& config, const Origin& origin) {
  constexpr int64_t kSecondsMax = 86'400;  // a day
  for (const auto& [field, given, value, max] :
       {std::tuple{"mirror_after_packets", config.has_mirror_after_packets(),
                   config.mirror_after_packets(), int64_t{UINT8_MAX}},
        std::tuple{"mirror_after_seconds", config.has_mirror_after_seconds(),
                   config.mirror_after_seconds(), kSecondsMax}}) {
    context.InRange(origin, field, value, 0, max);
    if (!given || value == 0) continue;
    if (config.mirror_at() == v1::Virtual::SYN) {
      context.Error(origin, field, "not allowed with mirror_at SYN");
    } else if (config.mirror_commit() != v1::Virtual::ASYNC) {
      context.Error(origin, field,
                    Cat("not allowed with mirror_commit ",
                        v1::Virtual::MirrorCommit_Name(config.mirror_commit()),
                        ", which mirrors from the SYN on"));
    }
  }
}

// A peer can go on with a connection only when all it uses goes over with it.
void CheckMirroredVirtual(CheckContext& context, int index,
                          const std::map<std::string_view, int>& first_user) {
  const v1::Virtual& config = context.config.virtual_(index);
  const Origin origin = context.document.Object("virtual", index);
  context.InRange(origin, "mirror_commit_timeout", config.mirror_commit_timeout(), 100, 20'000);
  CheckMirrorAfter(context, config, origin);
  if (config.mirror() && !config.has_traffic_group()) {
    return context.Error(origin, "mirror",
                         "needs a traffic_group: an address that stays on this device has no peer");
  }
  const auto found = context.snat_pools.find(config.source_address_translation().pool());
  if (found == context.snat_pools.end()) return;
  const v1::SnatPool& pool = context.config.snat_pool(found->second);
  if (!config.mirror() && !pool.mirror()) return;
  if (!config.has_traffic_group()) {
    return context.Error(origin, "source_address_translation",
                         Cat("snat_pool ", Quote(pool.name()),
                             " mirrors its connections, which needs a traffic_group"));
  }
  std::string_view group = pool.traffic_group();
  if (!pool.has_traffic_group()) {
    group = context.config.virtual_(first_user.at(pool.name())).traffic_group();
  }
  if (group == config.traffic_group()) return;
  context.Error(
      origin, "source_address_translation",
      Cat("snat_pool ", Quote(pool.name()), " floats with ",
          group.empty() ? std::string("no traffic group") : Cat("traffic_group ", Quote(group)),
          ", the mirrored connections of this virtual with ", Quote(config.traffic_group())));
}

}  // namespace

void CheckPersistences(CheckContext& context) {
  for (int i = 0; i < context.config.profile_persistence_size(); ++i) {
    CheckPersistence(context, context.config.profile_persistence(i),
                     context.document.Object("profile_persistence", i));
  }
}

void CheckMirroring(CheckContext& context) {
  constexpr int64_t kMtuMin = 1280;  // RFC 8200 section 5
  constexpr int64_t kFlushMax = 100'000;
  constexpr int64_t kRateMax = 400'000;
  constexpr int64_t kCpuMax = 1023;  // CPU_SETSIZE - 1
  if (!context.config.has_mirroring()) return;
  const v1::Mirroring& mirroring = context.config.mirroring();
  const Origin origin = context.document.Object("mirroring");
  CheckMirroringDevice(context, origin, mirroring);
  context.InRange(origin, "mtu", mirroring.mtu(), kMtuMin, int64_t{kMirrorMtuMax});
  CheckDescriptors(context, origin, "rx_descriptors", mirroring.rx_descriptors());
  CheckDescriptors(context, origin, "tx_descriptors", mirroring.tx_descriptors());
  CheckMirroringAddresses(context, origin, mirroring);
  if (!mirroring.has_unit_id()) {
    context.Error(origin, "unit_id", "missing");
  } else {
    context.InRange(origin, "unit_id", mirroring.unit_id(), 1,
                    context.config.has_device_group() ? int64_t{kDevicesMax} : 2);
  }
  CheckKey(context, origin, mirroring);
  context.InRange(origin, "flush_us", mirroring.flush_us(), 0, kFlushMax);
  context.InRange(origin, "bulk_rate_mbps", mirroring.bulk_rate_mbps(), 1, kRateMax);
  context.InRange(origin, "cpu", mirroring.cpu(), 0, kCpuMax);
  CheckWholePages(context);
}

void CheckMirrored(CheckContext& context) {
  std::map<std::string_view, int> first_user;  // of a SNAT pool, by its name
  for (int i = 0; i < context.config.virtual__size(); ++i) {
    first_user.emplace(context.config.virtual_(i).source_address_translation().pool(), i);
  }
  for (int i = 0; i < context.config.virtual__size(); ++i) {
    CheckMirroredVirtual(context, i, first_user);
  }
}

}  // namespace tandem::control
