// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/stream_device.h"

#include <netinet/in.h>

#include <cstdio>

namespace tandem::sim {
namespace {

IpAddress Address(bool is_ipv6, uint8_t net, unsigned host) {
  char text[64];
  std::snprintf(text, sizeof(text), is_ipv6 ? "2001:db8:%u::%u" : "10.0.%u.%u", net, host);
  return *IpAddress::Parse(text);
}

std::string Name(const char* kind, unsigned object) {
  return kind + std::to_string(object);
}

std::shared_ptr<const config::Dictionary> DictionaryOf(const config::Snapshot& snapshot) {
  using config::ObjectKind;
  auto dictionary = std::make_shared<config::Dictionary>();
  for (const config::Virtual& one : snapshot.virtuals) {
    if (one.id == 0) continue;
    dictionary->Add(
        ObjectKind::kVirtual, one.id,
        {config::NameHash(ObjectKind::kVirtual, one.name), one.destination.address, one.port});
  }
  for (const config::Member& one : snapshot.members) {
    if (one.id == 0) continue;
    dictionary->Add(ObjectKind::kMember, one.id,
                    {config::NameHash(ObjectKind::kMember, one.name), one.address, one.port});
  }
  for (const config::Interface& one : snapshot.interfaces) {
    if (one.id == 0) continue;
    dictionary->Add(ObjectKind::kInterface, one.id,
                    {.name_hash = config::NameHash(ObjectKind::kInterface, one.name)});
  }
  dictionary->Finish();
  return dictionary;
}

}  // namespace

IpAddress VirtualAddress(unsigned virtual_server, bool is_ipv6) {
  return Address(is_ipv6, 1, 100 + virtual_server);
}
uint16_t VirtualPort(unsigned virtual_server) {
  return virtual_server == 2 ? uint16_t{0} : uint16_t{80};
}
IpAddress MemberAddress(unsigned member, bool is_ipv6) {
  return Address(is_ipv6, 2, 10 + member);
}
uint16_t MemberPort(unsigned member) {
  return member % 4 == 1 ? uint16_t{0} : uint16_t{8080};
}

StreamDevice::StreamDevice(const DeviceOptions& given)
    : options(given),
      step_(given.unit),
      shift_(given.unit == 1 ? 0 : 3),
      memory4_(flow::FlowTable<flow::FlowHot4>::BytesNeeded(given.flows_ipv4)),
      memory6_(flow::FlowTable<flow::FlowHot6>::BytesNeeded(given.flows_ipv6)),
      flows4(memory4_, given.flows_ipv4, given.seed),
      flows6(memory6_, given.flows_ipv6, given.seed + 1) {
  flows4.RaiseBirth(given.first_birth);
  flows6.RaiseBirth(given.first_birth);
  std::array<bool, kVirtuals + 1> has_virtual;
  std::array<bool, kMembers + 1> has_member;
  has_virtual.fill(true);
  has_member.fill(true);
  Configure(has_virtual, has_member);
  for (unsigned group = 0; group < kGroups; ++group) {
    const mirror::Tables tables{flows4, flows6};
    senders[group] = std::make_unique<mirror::FlowSender>(Group(group), 0, tables, batch_writer);
    receivers[group] = std::make_unique<mirror::FlowReceiver>(Group(group), 0, tables, live, share);
  }
}

config::TrafficGroupId StreamDevice::Group(unsigned group) const {
  return static_cast<config::TrafficGroupId>(options.unit == 1 ? group + 1 : kGroups + 1 - group);
}

void StreamDevice::Configure(const std::array<bool, kVirtuals + 1>& has_virtual,
                             const std::array<bool, kMembers + 1>& has_member) {
  auto next = std::make_shared<config::Snapshot>();
  next->generation = ++generation;
  next->ports = {{.name = "1.1"}};
  next->interfaces.resize(Number(kInterfaces) + 1U);
  for (unsigned i = 1; i <= kInterfaces; ++i) {
    next->interfaces[Number(i)] = {
        .name = Name("vlan", i), .id = Number(i), .port = 0, .vlan = static_cast<uint16_t>(i)};
  }
  next->traffic_groups.resize(kGroups + 2);
  for (unsigned group = 0; group < kGroups; ++group) {
    const config::TrafficGroupId id = Group(group);
    next->traffic_groups[id] = {.name = Name("group", group), .id = id};
  }
  next->pools.resize(2);
  next->pools[1] = {.name = "pool", .id = 1};
  next->members.resize(Number(kMembers) + 1U);
  for (unsigned member = 1; member <= kMembers; ++member) {
    if (!has_member[member]) continue;
    const IpAddress address = MemberAddress(member, IsIpv6Member(member));
    next->members[Number(member)] = {.name = Name("member", member),
                                     .id = Number(member),
                                     .pool = 1,
                                     .address = address,
                                     .port = MemberPort(member)};
    next->pools[1].members.push_back(Number(member));
  }
  next->virtuals.resize(Number(kVirtuals) + 1U);
  for (unsigned v = 1; v <= kVirtuals; ++v) {
    if (!has_virtual[v]) continue;
    config::Virtual& one = next->virtuals[Number(v)];
    one.name = Name("virtual", v);
    one.id = Number(v);
    one.destination = {VirtualAddress(v, IsIpv6Virtual(v)),
                       static_cast<uint8_t>(IsIpv6Virtual(v) ? 128 : 32)};
    one.port = VirtualPort(v);
    one.source = *IpPrefix::Parse(IsIpv6Virtual(v) ? "::/0" : "0.0.0.0/0");
    one.pool = 1;
    one.traffic_group = Group(v % kGroups);
    one.mirror = true;
  }
  next->routes = std::make_shared<config::LinearRoutes>(std::vector<config::Route>{});
  next->steering = std::make_shared<config::Steering>(1U);
  next->Finish();
  next->dictionary = DictionaryOf(*next);
  snapshot = std::move(next);
}

// Made here rather than by the endpoint's MakeTranslation: the world has no endpoint.
void StreamDevice::Translate(const StreamDevice& peer) {
  const auto join = [&](config::ObjectKind kind) {
    std::vector<uint16_t> numbers;
    for (const config::DictionaryEntry& entry : peer.snapshot->dictionary->All(kind)) {
      numbers.push_back(entry.name_hash == 0
                            ? uint16_t{0}
                            : snapshot->dictionary->NumberOf(kind, entry.name_hash));
    }
    return numbers;
  };
  auto joined = std::make_unique<mirror::Translation>();
  joined->peer = peer.snapshot->dictionary;
  joined->version = static_cast<uint16_t>(peer.snapshot->generation);
  joined->snapshot_generation = snapshot->generation;
  joined->virtuals = join(config::ObjectKind::kVirtual);
  joined->members = join(config::ObjectKind::kMember);
  joined->interfaces = join(config::ObjectKind::kInterface);
  translation = std::move(joined);
}

FlowImage StreamDevice::Named(FlowImage image) const {
  image.virtual_server = ObjectOf(image.virtual_server);
  image.member = ObjectOf(image.member);
  image.interface = ObjectOf(image.interface);
  return image;
}

std::vector<FlowImage> StreamDevice::Images(unsigned group, uint16_t flag) {
  std::vector<FlowImage> images;
  CollectImages(flows4, Group(group), flag, images);
  CollectImages(flows6, Group(group), flag, images);
  for (FlowImage& image : images)
    image = Named(image);
  return images;
}

uint32_t StreamDevice::CountDirtySlots(unsigned group) {
  return CountDirty(flows4, Group(group)) + CountDirty(flows6, Group(group));
}

}  // namespace tandem::sim
