// SPDX-License-Identifier: Apache-2.0
//
// Validate, the client side: virtual servers, and how they fit with pools and with each other.
#include <bitset>
#include <map>
#include <tuple>

#include "control/config_check_context.h"
#include "control/config_endpoint.h"
#include "control/config_lcores.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

using VlanSet = std::bitset<kInterfacesMax>;

// One virtual while it is checked.
struct Subject {
  const v1::Virtual& config;
  Origin origin;
  int index;
  std::optional<Endpoint> destination;  // when valid
  std::optional<IpPrefix> source;       // when valid; everyone when it was not given
  VlanSet vlans;                        // listens on, by index of the VLAN
};

std::string_view FamilyName(bool v4) {
  return v4 ? "IPv4" : "IPv6";
}

void CheckDestination(CheckContext& context, Subject& subject) {
  const std::string& text = subject.config.destination();
  const Origin& origin = subject.origin;
  if (!context.Given(origin, "destination", text)) return;
  const auto endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) {
    context.Error(origin, "destination", Cat(Quote(text), ": ", endpoint.status().message()));
    return;
  }
  const IpPrefix& prefix = endpoint->prefix;
  if (prefix != prefix.Network()) {
    context.Error(origin, "destination",
                  Cat(Quote(text), " has host bits; the network is ", prefix.Network().ToString()));
    return;
  }
  const std::string_view why_not = prefix.is_host() ? WhyNotHost(prefix.address) : "";
  if (!why_not.empty()) {
    context.Error(origin, "destination", Cat(Quote(text), " is ", why_not));
    return;
  }
  subject.destination = *endpoint;
}

void CheckSource(CheckContext& context, Subject& subject) {
  if (!subject.destination) return;
  const bool v4 = subject.destination->prefix.address.is_v4();
  if (!subject.config.has_source()) {
    subject.source = Everything(v4);
    return;
  }
  const std::string& text = subject.config.source();
  const auto prefix = ParseConfigPrefix(text);
  if (!prefix) {
    context.Error(subject.origin, "source", Cat(Quote(text), " is no prefix"));
  } else if (*prefix != prefix->Network()) {
    context.Error(
        subject.origin, "source",
        Cat(Quote(text), " has host bits; the network is ", prefix->Network().ToString()));
  } else if (prefix->address.is_v4() != v4) {
    context.Error(subject.origin, "source",
                  Cat(Quote(text), " is not ", FamilyName(v4), " as the destination is"));
  } else {
    subject.source = *prefix;
  }
}

void CheckListening(CheckContext& context, Subject& subject) {
  VlanSet named;
  for (int i = 0; i < subject.config.vlans_size(); ++i) {
    const std::string& name = subject.config.vlans(i);
    const auto vlan = context.Resolve(subject.origin, "vlans", name, context.vlans, i);
    if (!vlan) continue;
    if (named.test(static_cast<size_t>(*vlan))) {
      context.Error(subject.origin, "vlans", Cat(Quote(name), " is there twice"), i);
    }
    named.set(static_cast<size_t>(*vlan));
  }
  const bool everywhere = subject.config.vlans_size() == 0;
  subject.vlans = everywhere ? ~VlanSet() : subject.config.vlans_disabled() ? ~named : named;
}

void CheckPoolFits(CheckContext& context, const Subject& subject, int pool_index) {
  const PoolFacts& facts = context.pool_facts[static_cast<size_t>(pool_index)];
  const v1::Pool& pool = context.config.pool(pool_index);
  const auto member = [&](int index) {
    return Cat("member ", Quote(pool.member(index).address()), " of pool ", Quote(pool.name()));
  };
  if (subject.destination) {
    const bool v4 = subject.destination->prefix.address.is_v4();
    if (facts.families.Has(!v4)) {
      context.Error(subject.origin, "pool",
                    Cat(member(v4 ? facts.first_v6 : facts.first_v4), " is ", FamilyName(!v4),
                        ", but the destination is ", FamilyName(v4)));
    }
  }
  // By default any port of a member means that the client's is kept; who asks for translation in
  // so many words expects another one.
  if (subject.config.has_translate_port() && subject.config.translate_port() && facts.any_port) {
    context.Error(subject.origin, "translate_port",
                  Cat(member(*facts.any_port), " has no port to translate to"));
  }
  if (!subject.config.translate_address() && facts.not_adjacent) {
    context.Error(subject.origin, "translate_address",
                  Cat(member(*facts.not_adjacent),
                      " is on no network of a self IP, where its MAC could be found"));
  }
}

void CheckTranslation(CheckContext& context, const Subject& subject) {
  const v1::Virtual& config = subject.config;
  const v1::SourceAddressTranslation& snat = config.source_address_translation();
  const auto error = [&](std::string_view reason) {
    context.Error(subject.origin, "source_address_translation", reason);
  };
  const bool by_pool = snat.type() == v1::SourceAddressTranslation::SNAT;
  if (!by_pool && snat.has_pool()) error("pool is for type SNAT only");
  if (snat.type() != v1::SourceAddressTranslation::NONE && !config.translate_address() &&
      config.type() == v1::Virtual::FASTL4) {
    error(
        "not allowed with translate_address off: the member answers the client directly, which "
        "would see an address it never asked");
  }
  const bool v4 = !subject.destination || subject.destination->prefix.address.is_v4();
  if (snat.type() == v1::SourceAddressTranslation::AUTOMAP && subject.destination &&
      !context.self_families.Has(v4)) {
    error(Cat("AUTOMAP needs an ", FamilyName(v4), " self IP, and there is none"));
  }
  if (!by_pool) return;
  if (snat.pool().empty()) return error("pool: missing");
  const auto pool = context.snat_pools.find(snat.pool());
  if (pool == context.snat_pools.end()) {
    return error(Cat("pool: ", Quote(snat.pool()), " does not exist"));
  }
  const Families& families = context.snat_families[static_cast<size_t>(pool->second)];
  if (subject.destination && !families.Has(v4)) {
    error(Cat("snat_pool ", Quote(snat.pool()), " has no ", FamilyName(v4), " address"));
  }
}

void CheckPersistence(CheckContext& context, const Subject& subject) {
  const v1::Virtual& config = subject.config;
  if (!config.has_persistence()) return;
  const auto index =
      context.Resolve(subject.origin, "persistence", config.persistence(), context.persistences);
  if (!index || config.ip_protocol() == v1::Virtual::UDP) return;
  const v1::PersistenceProfile& profile = context.config.profile_persistence(*index);
  for (const int field : profile.hash_fields()) {
    if (field != v1::PersistenceProfile::HASH_PAYLOAD) continue;
    context.Error(subject.origin, "persistence",
                  Cat("profile_persistence ", Quote(profile.name()),
                      " hashes payload, which needs ip_protocol UDP"));
    break;
  }
}

void CheckFastL4(CheckContext& context, const Subject& subject) {
  const v1::Virtual& config = subject.config;
  if (context.Given(subject.origin, "pool", config.pool())) {
    const auto pool = context.Resolve(subject.origin, "pool", config.pool(), context.pools);
    if (pool) CheckPoolFits(context, subject, *pool);
  }
  CheckPersistence(context, subject);
  if (!config.translate_address() && config.has_translate_port() && config.translate_port()) {
    context.Error(subject.origin, "translate_port", "not possible with translate_address off");
  }
}

void CheckWithoutPool(CheckContext& context, const Subject& subject) {
  const v1::Virtual& config = subject.config;
  const std::string reason = Cat("not allowed for type ", v1::Virtual::Type_Name(config.type()));
  if (config.has_pool()) context.Error(subject.origin, "pool", reason);
  if (config.has_persistence()) context.Error(subject.origin, "persistence", reason);
  if (config.type() == v1::Virtual::REJECT && config.mirror()) {
    context.Error(subject.origin, "mirror", reason);
  }
  if (config.has_translate_address() && config.translate_address()) {
    context.Error(subject.origin, "translate_address", reason);
  }
  if (config.has_translate_port() && config.translate_port()) {
    context.Error(subject.origin, "translate_port", reason);
  }
}

void NoteSourcePort(CheckContext& context, const Subject& subject) {
  if (!subject.config.has_source_port()) return;
  const auto snat = subject.config.source_address_translation().type();
  if (snat == v1::SourceAddressTranslation::NONE) {
    context.Note(subject.origin, "source_port", "no effect without source_address_translation");
  } else if (subject.config.source_port() == v1::Virtual::PRESERVE_STRICT &&
             WorkerCount(context.config.device()) > 1) {
    context.Note(subject.origin, "source_port",
                 "PRESERVE_STRICT refuses a client whose port is taken, or would bring the reply "
                 "to another worker");
  }
}

Subject CheckVirtual(CheckContext& context, int index) {
  Subject subject{context.config.virtual_(index),
                  context.document.Object("virtual", index),
                  index,
                  std::nullopt,
                  std::nullopt,
                  VlanSet()};
  CheckDestination(context, subject);
  CheckSource(context, subject);
  CheckListening(context, subject);
  if (subject.config.type() == v1::Virtual::FASTL4) {
    CheckFastL4(context, subject);
  } else {
    CheckWithoutPool(context, subject);
  }
  CheckTranslation(context, subject);
  if (subject.config.has_profile()) {
    context.Resolve(subject.origin, "profile", subject.config.profile(), context.profiles);
  }
  if (subject.config.has_traffic_group()) {
    context.Resolve(subject.origin, "traffic_group", subject.config.traffic_group(),
                    context.traffic_groups);
  }
  context.Description(subject.origin, subject.config.description());
  NoteSourcePort(context, subject);
  return subject;
}

struct Listener {
  int index;
  VlanSet vlans;
};

using ListenerKey = std::tuple<Endpoint, IpPrefix, int>;

void CheckDuplicate(CheckContext& context, const Subject& subject,
                    std::map<ListenerKey, std::vector<Listener>>& listeners) {
  if (!subject.destination || !subject.source) return;
  auto& others = listeners[{*subject.destination, *subject.source,
                            static_cast<int>(subject.config.ip_protocol())}];
  for (const Listener& other : others) {
    if ((other.vlans & subject.vlans).none()) continue;
    const Origin twin = context.document.Object("virtual", other.index);
    context.Error(
        subject.origin, "destination",
        Cat(Quote(subject.config.destination()), " is taken by ", twin.label(),
            AtLine(twin.location()), " for the same protocol and source on the same VLAN"));
    break;
  }
  others.push_back({subject.index, subject.vlans});
}

// An address answers with one MAC, so it floats with one traffic group.
void CheckAddressGroup(CheckContext& context, const Subject& subject,
                       std::map<IpAddress, int>& addresses) {
  if (!subject.destination || !subject.destination->prefix.is_host()) return;
  const auto [other, inserted] =
      addresses.emplace(subject.destination->prefix.address, subject.index);
  if (inserted) return;
  const Origin twin = context.document.Object("virtual", other->second);
  if (context.config.virtual_(other->second).traffic_group() == subject.config.traffic_group()) {
    return;
  }
  context.Error(
      subject.origin, "traffic_group",
      Cat("not that of ", twin.label(), AtLine(twin.location()), ", which has the same address"));
}

}  // namespace

void CheckVirtuals(CheckContext& context) {
  std::map<ListenerKey, std::vector<Listener>> listeners;
  std::map<IpAddress, int> addresses;
  for (int i = 0; i < context.config.virtual__size(); ++i) {
    const Subject subject = CheckVirtual(context, i);
    CheckDuplicate(context, subject, listeners);
    CheckAddressGroup(context, subject, addresses);
  }
  const size_t count = context.address_count + addresses.size();
  if (count > kLocalAddressesMax) {
    context.report.Error({}, "",
                         Cat("self IPs, SNAT addresses and virtual addresses are ", count,
                             " together, more than the maximum of ", kLocalAddressesMax));
  }
}

}  // namespace tandem::control
