// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/flow_image.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>

#include "dataplane/mirror/flow_batch.h"
#include "tests/sim/journal.h"

namespace tandem::sim {
namespace {

template <class Key>
std::array<uint8_t, 36> BytesOf(const Key& key) {
  std::array<uint8_t, 36> bytes{};
  std::memcpy(bytes.data(), &key, sizeof(key));
  return bytes;
}

unsigned long long Number(uint64_t value) {
  return value;
}

bool IsUnbound(const FlowImage& image) {
  return image.virtual_server == 0;
}

FlowImage WithoutObjects(FlowImage image) {
  image.virtual_server = image.member = image.interface = 0;
  return image;
}

// By family, then by logical slot.
std::pair<bool, uint32_t> PlaceOf(const FlowImage& image) {
  return {image.is_ipv6, image.logical};
}

}  // namespace

bool FlowImage::operator==(const FlowImage& other) const {
  const auto all = [](const FlowImage& one) {
    return std::tie(one.is_ipv6, one.logical, one.value, one.state, one.flags, one.protocol,
                    one.virtual_server, one.member, one.interface, one.client_mac, one.client,
                    one.server);
  };
  return all(*this) == all(other);
}

std::string FlowImage::ToText() const {
  char text[320];
  int length = std::snprintf(
      text, sizeof(text),
      "%s slot %u birth %llu version %u state %u flags %04x protocol %u virtual %u "
      "member %u interface %u keys ",
      is_ipv6 ? "ipv6" : "ipv4", logical, Number(flow::BirthOf(value)), flow::VersionOf(value),
      static_cast<unsigned>(state), flags, protocol, virtual_server, member, interface);
  std::string all(text, static_cast<size_t>(length));
  const size_t size = is_ipv6 ? sizeof(net::FlowKey6) : sizeof(net::FlowKey4);
  for (const auto& key : {client, server}) {
    for (size_t i = 0; i < size; ++i) {
      length = std::snprintf(text, sizeof(text), "%02x", key[i]);
      all.append(text, static_cast<size_t>(length));
    }
    all += ' ';
  }
  return all;
}

template <class Hot>
FlowImage ImageOf(const flow::FlowTable<Hot>& table, uint32_t slot) {
  const Hot& hot = table.hot(slot);
  FlowImage image;
  image.is_ipv6 = Hot::kIsIpv6;
  image.logical = table.pages().LogicalSlot(slot);
  image.value = table.register_of(slot);
  image.state = hot.common.state;
  image.flags = hot.common.flags & mirror::kMirroredFlags;
  image.protocol = hot.common.protocol;
  if ((hot.common.flags & flow::kUnbound) == 0) {
    image.virtual_server = hot.common.virtual_id;
    image.member = hot.common.member_id;
    image.interface = hot.common.client_interface;
  }
  image.client_mac = hot.common.client_mac;
  image.link = table.cold(slot).mirror_link;
  image.client = BytesOf(hot.client);
  image.server = BytesOf(hot.server);
  return image;
}

template <class Hot>
void CollectImages(const flow::FlowTable<Hot>& table, config::TrafficGroupId group, uint16_t flags,
                   std::vector<FlowImage>& images) {
  ForEachPage(table, group, [&](uint32_t, uint32_t first, uint32_t count) {
    uint32_t left = table.pages().UsedOfPage(first);  // the lowest slots are used first
    for (uint32_t slot = first; slot < first + count && left > 0; ++slot) {
      if (!table.IsLive(slot)) continue;
      --left;
      if ((table.hot(slot).common.flags & flags) == flags) images.push_back(ImageOf(table, slot));
    }
  });
}

template <class Hot>
uint32_t CountDirty(const flow::FlowTable<Hot>& table, config::TrafficGroupId group) {
  uint32_t count = 0;
  ForEachSlot(table, group, [&](uint32_t, uint32_t slot) {
    if (flow::IsMirrorDirty(table.cold(slot).mirror_link)) ++count;
  });
  return count;
}

void FlowBook::RememberFree(const FlowImage& image, Nanos now) {
  past_[image.value] = {
      FlowImage{.is_ipv6 = image.is_ipv6, .logical = image.logical, .value = image.value}, now};
}

const FlowBook::Past* FlowBook::Find(flow::Register value) const {
  const auto found = past_.find(value);
  return found == past_.end() ? nullptr : &found->second;
}

void FlowBook::Prune(Nanos oldest, const std::vector<FlowImage>& kept) {
  Pasts left;
  for (const FlowImage& image : kept) {
    if (const Past* past = Find(image.value); past != nullptr) left.emplace(image.value, *past);
  }
  for (const auto& [value, past] : past_) {
    if (past.when >= oldest) left.emplace(value, past);
  }
  past_ = std::move(left);
}

bool FlowBook::IsKnownAs(const FlowImage& shadow, const FlowImage& had) {
  return shadow == (IsUnbound(shadow) ? WithoutObjects(had) : had);
}

void FlowBook::CheckKnown(const FlowImage& shadow, const char* where) const {
  const FlowImage* last = nullptr;
  const auto had_it = [&](const Pasts& pasts) {
    const auto found = pasts.find(shadow.value);
    if (found == pasts.end()) return false;
    last = &found->second.image;
    return IsKnownAs(shadow, *last);
  };
  if (had_it(past_) || std::any_of(before_.begin(), before_.end(), had_it)) return;
  Violate("I1: %s: the shadow has %s, the writer had %s", where, shadow.ToText().c_str(),
          last == nullptr ? "no such" : last->ToText().c_str());
}

template <class Hot>
void FlowBook::CheckRegisters(const flow::FlowTable<Hot>& table, config::TrafficGroupId group,
                              const char* where) {
  const uint32_t end = table.pages().LogicalEnd(group);
  if (seen_.size() < end) seen_.resize(end);
  ForEachSlot(table, group, [&](uint32_t logical, uint32_t slot) {
    const uint32_t link = table.cold(slot).mirror_link;
    if ((link & flow::kMirrorSession) == 0) return;
    const flow::Register value = table.register_of(slot);
    Seen& last = seen_[logical];
    if (last.link == link && value < last.value) {
      Violate("I2: %s: slot %u went back from %llx to %llx", where, logical, Number(last.value),
              Number(value));
    }
    last = {link, value};
  });
}

void CheckEqual(const std::vector<FlowImage>& here, const std::vector<FlowImage>& there,
                bool unbound_allowed, const char* where) {
  for (size_t i = 0; i < std::max(here.size(), there.size()); ++i) {
    if (i >= there.size() || (i < here.size() && PlaceOf(here[i]) < PlaceOf(there[i])))
      Violate("I3: %s: the shadow lacks %s", where, here[i].ToText().c_str());
    if (i >= here.size() || PlaceOf(there[i]) < PlaceOf(here[i]))
      Violate("I3: %s: only the shadow has %s", where, there[i].ToText().c_str());
    if (here[i] == there[i]) continue;
    if (unbound_allowed && IsUnbound(there[i]) && WithoutObjects(here[i]) == there[i]) continue;
    Violate("I3: %s: %s here, %s there", where, here[i].ToText().c_str(),
            there[i].ToText().c_str());
  }
}

template <class Hot>
void CheckFound(flow::FlowTable<Hot>& table, config::TrafficGroupId group, const FlowImage& image,
                const char* where) {
  const uint32_t slot = table.pages().SlotAt(group, image.logical);
  const Hot& hot = table.hot(slot);
  const bool has_one_leg = (hot.common.flags & flow::kOneLegged) != 0;
  if (table.FindOne(hot.client, hot.common.protocol).slot != slot ||
      (!has_one_leg && table.FindOne(hot.server, hot.common.protocol).slot != slot)) {
    Violate("I3: %s: not found by its keys: %s", where, image.ToText().c_str());
  }
}

#define TANDEM_SIM_INSTANTIATE(Hot)                                                           \
  template FlowImage ImageOf(const flow::FlowTable<Hot>&, uint32_t);                          \
  template void CollectImages(const flow::FlowTable<Hot>&, config::TrafficGroupId, uint16_t,  \
                              std::vector<FlowImage>&);                                       \
  template uint32_t CountDirty(const flow::FlowTable<Hot>&, config::TrafficGroupId);          \
  template void FlowBook::CheckRegisters(const flow::FlowTable<Hot>&, config::TrafficGroupId, \
                                         const char*);                                        \
  template void CheckFound(flow::FlowTable<Hot>&, config::TrafficGroupId, const FlowImage&,   \
                           const char*);
TANDEM_SIM_INSTANTIATE(flow::FlowHot4)
TANDEM_SIM_INSTANTIATE(flow::FlowHot6)
#undef TANDEM_SIM_INSTANTIATE

}  // namespace tandem::sim
