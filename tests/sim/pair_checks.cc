// SPDX-License-Identifier: Apache-2.0
//
// What must hold in the whole world; checked from outside the devices.
#include <algorithm>
#include <set>
#include <utility>

#include "tests/sim/pair_world.h"

namespace tandem::sim {
namespace {

// What has not been acknowledged for so long is said to lag.
constexpr Nanos kLagMax = 3 * kSecond;

uint64_t ActivityOf(const pipeline::WorkerCounters& counters) {
  uint64_t sum = counters.received.Get() + counters.handed_in.Get() + counters.flows_created.Get();
  for (const Counter& end : counters.ends)
    sum += end.Get();
  return sum;
}

// What `born` was when it came to the value that `image` has.
FlowImage VersionOf(FlowImage born, const FlowImage& image) {
  born.value = image.value;
  born.state = image.state;
  born.flags = image.flags;
  return born;
}

}  // namespace

void PairWorld::Book::NewWriter() {
  constexpr size_t kKept = 8;  // as FlowBook does
  flows.NewWriter();
  births_before.push_back(std::exchange(births, {}));
  if (births_before.size() > kKept) births_before.erase(births_before.begin());
}

bool PairWorld::Book::IsOfEarlier(const FlowImage& image) const {
  return std::ranges::any_of(births_before, [&](const Births& earlier) {
    const auto birth = earlier.find(flow::BirthOf(image.value));
    return birth != earlier.end() && FlowBook::IsKnownAs(image, VersionOf(birth->second, image));
  });
}

bool PairWorld::Book::WasRenewed(const FlowImage& image) const {
  return std::ranges::any_of(births, [&](const auto& later) {
    return later.first > flow::BirthOf(image.value) && later.second.logical == image.logical &&
           FlowBook::IsKnownAs(image, VersionOf(later.second, image));
  });
}

unsigned PairWorld::NumberOf(const std::string& name) {
  if (name.empty()) return 0;
  return numbers_.emplace(name, static_cast<unsigned>(numbers_.size() + 1)).first->second;
}

std::vector<FlowImage> PairWorld::Images(unsigned device, unsigned worker, unsigned group,
                                         uint16_t flags) {
  PairDevice& one = *devices_[device];
  const config::TrafficGroupId id = one.GroupNamed(kGroupNames[group]);
  std::vector<FlowImage> images;
  CollectImages(one.tables(worker).flows4, id, flags, images);
  CollectImages(one.tables(worker).flows6, id, flags, images);
  const auto& interfaces = one.unit().snapshot().interfaces;
  for (FlowImage& image : images) {
    const auto v = static_cast<config::VirtualId>(image.virtual_server);
    const auto member = static_cast<config::MemberId>(image.member);
    image.virtual_server = NumberOf(v == 0 ? "" : "virtual " + one.rig().VirtualName(v));
    image.member = NumberOf(member == 0 ? "" : "member " + one.rig().MemberName(member));
    image.interface = image.interface == 0 || image.interface >= interfaces.size()
                          ? 0
                          : NumberOf("interface " + interfaces[image.interface].name);
  }
  return images;
}

// The books of the groups that the device writes, after a turn in which something happened.
void PairWorld::Remember(unsigned device, unsigned worker) {
  // A stream gives new births by itself, when an audit repairs something.
  const mirror::Tables tables = devices_[device]->tables(worker);
  const uint64_t activity = ActivityOf(devices_[device]->unit().counters(worker)) +
                            tables.flows4.last_birth() + tables.flows6.last_birth();
  if (activity == activity_[device][worker]) return;
  activity_[device][worker] = activity;
  for (unsigned group = 0; group < kPairGroups; ++group) {
    if (active_[group] != device) continue;
    for (const FlowImage& image : Images(device, worker, group, flow::kMirrored)) {
      Book& book = BookOf(group, worker, image.is_ipv6);
      if (book.flows.Find(image.value) != nullptr) continue;
      book.flows.Remember(image, now_);
      book.births[flow::BirthOf(image.value)] = image;
    }
  }
}

void PairWorld::RememberRecords(unsigned device) {
  if (!HasMirroredRecords()) return;
  for (unsigned group = 0; group < kPairGroups; ++group) {
    if (active_[group] == device) records_.Remember(group, *devices_[device], kGroupNames[group]);
  }
}

void PairWorld::CheckSteps() {
  if (steps_ % 64 == 0) CheckMismatches();
  if (steps_ % 16 == 0) CheckRegisters();
  if (steps_ % 64 == 33 && HasMirroredRecords()) {
    for (unsigned group = 0; group < kPairGroups; ++group)
      records_.Check(group, *devices_[1 - active_[group]], kGroupNames[group]);
  }
  if (PlatformsDiffer()) {
    if (steps_ % 64 == 1) CheckPlatforms();
  } else if (steps_ % 200 == 7) {
    for (unsigned group = 0; group < kPairGroups; ++group) {
      for (unsigned worker = 0; worker < options_.config.workers; ++worker)
        CheckShadow(group, worker);
    }
    CheckClaims();
    CheckSnat();
  }
}

void PairWorld::CheckMismatches() {
  if (mismatches_allowed_) return;
  for (unsigned device = 0; device < 2; ++device) {
    for (unsigned worker = 0; worker < devices_[device]->workers(); ++worker) {
      for (unsigned group = 0; group < kPairGroups; ++group) {
        const auto id = devices_[device]->GroupNamed(kGroupNames[group]);
        const auto* sender = devices_[device]->mirroring().worker(worker).FindSender(id);
        if (sender != nullptr && sender->counters().audit_mismatches.Get() != 0)
          Violate("audit found a difference: device %u worker %u group %u", device, worker, group);
      }
    }
  }
}

// Who knows of it says so; flows have no session then, whatever they had before.
void PairWorld::CheckPlatforms() {
  constexpr Nanos kPatience = 10 * kSecond;  // a pause may keep a device from acting on it
  bool is_refused = true;
  for (PairDevice* const device : {devices_[0].get(), devices_[1].get()}) {
    const auto status = device->unit().mirror_status();
    if (status->peer != mirror::PeerState::kUp || status->incompatible.empty()) continue;
    for (const auto& group : status->groups) {
      is_refused = is_refused && group.session == 0 && group.state != mirror::SyncState::kInSync;
    }
  }
  if (is_refused) refused_at_ = now_;
  if (now_ - refused_at_ > kPatience)
    Violate("row 16: platforms differ, and a group has a session");
}

// Empty: equal.
std::string PairWorld::CompareRecords() {
  for (unsigned group = 0; group < kPairGroups; ++group) {
    const unsigned active = active_[group];
    std::string difference =
        records_.Compare(*devices_[active], *devices_[1 - active], kGroupNames[group],
                         skipped_[1 - active] >> kTickShift);
    if (!difference.empty()) return std::string(kGroupNames[group]) + ": " + difference;
  }
  return "";
}

// I1. A version of a flow that came and went within one turn is known by its birth.
void PairWorld::CheckShadow(unsigned group, unsigned worker) {
  const unsigned standby = 1 - active_[group];
  const unsigned active = active_[group];
  const mirror::FlowReceiver* receiver = devices_[standby]->mirroring().worker(worker).FindReceiver(
      devices_[standby]->GroupNamed(kGroupNames[group]));
  const mirror::FlowSender* sender = devices_[active]->mirroring().worker(worker).FindSender(
      devices_[active]->GroupNamed(kGroupNames[group]));
  const uint64_t session = receiver->counters().session.Get();
  const uint32_t mark = flow::kMirrorSession | static_cast<uint32_t>(session);
  // Otherwise the births are those of another writer than the shadow's.
  const bool is_of_writer = sender->counters().session.Get() == session;
  for (const FlowImage& image : Images(standby, worker, group, flow::kShadow)) {
    // What is of an earlier session, or the device had itself before it became standby, is swept soon.
    if (image.link != mark) continue;
    Book& book = BookOf(group, worker, image.is_ipv6);
    if (!is_of_writer && book.IsOfEarlier(image)) continue;
    const auto birth = book.births.find(flow::BirthOf(image.value));
    if (is_of_writer && book.flows.Find(image.value) == nullptr && birth != book.births.end())
      book.flows.Remember(VersionOf(birth->second, image), now_);
    if (book.flows.Find(image.value) == nullptr) {
      activity_[active] = {};  // given a new birth by an audit: the book lacks it
      Remember(active, worker);
    }
    if (is_of_writer && book.flows.Find(image.value) == nullptr && book.WasRenewed(image))
      book.flows.Remember(image, now_);
    book.flows.CheckKnown(image, kGroupNames[group]);
  }
}

// I2.
void PairWorld::CheckRegisters() {
  for (unsigned group = 0; group < kPairGroups; ++group) {
    PairDevice& standby = *devices_[1 - active_[group]];
    const auto id = standby.GroupNamed(kGroupNames[group]);
    for (unsigned worker = 0; worker < standby.workers(); ++worker) {
      BookOf(group, worker, false)
          .flows.CheckRegisters(standby.tables(worker).flows4, id, kGroupNames[group]);
      BookOf(group, worker, true)
          .flows.CheckRegisters(standby.tables(worker).flows6, id, kGroupNames[group]);
    }
  }
}

// Who says "in sync" has all that did not change of late.
void PairWorld::CheckClaims() {
  for (unsigned group = 0; group < kPairGroups; ++group) {
    const unsigned active = active_[group];
    if (paused_[active].all > now_ || !IsInSync(group)) continue;
    for (unsigned worker = 0; worker < devices_[active]->workers(); ++worker) {
      if (paused_[active].worker[worker] > now_) continue;
      std::set<std::pair<bool, flow::Register>> there;
      for (const FlowImage& image : Images(1 - active, worker, group, flow::kShadow))
        there.insert({image.is_ipv6, image.value});
      for (const FlowImage& image : Images(active, worker, group, flow::kMirrored)) {
        if (there.contains({image.is_ipv6, image.value})) continue;
        const FlowBook::Past* past = BookOf(group, worker, image.is_ipv6).flows.Find(image.value);
        if (past != nullptr && now_ - past->when > kLagMax)
          Violate("I3: %s says in sync without %s", kGroupNames[group], image.ToText().c_str());
      }
    }
  }
}

// I9: over what both devices forward.
void PairWorld::CheckSnat() {
  std::set<std::tuple<bool, uint8_t, std::array<uint8_t, 36>>> taken;
  for (unsigned group = 0; group < kPairGroups; ++group) {
    for (unsigned device = 0; device < 2; ++device) {
      for (unsigned worker = 0; worker < devices_[device]->workers(); ++worker) {
        for (const FlowImage& image : Images(device, worker, group, flow::kTranslateSource)) {
          if (device != active_[group]) continue;
          if (!taken.insert({image.is_ipv6, image.protocol, image.server}).second)
            Violate("I9: two flows look the same to a server: %s", image.ToText().c_str());
        }
      }
    }
  }
}

// I3, and what the books need no more.
void PairWorld::Compare(const char* when) {
  for (unsigned group = 0; group < kPairGroups; ++group) {
    const unsigned active = active_[group];
    for (unsigned worker = 0; worker < devices_[active]->workers(); ++worker) {
      const auto here = Images(active, worker, group, flow::kMirrored);
      const auto there = Images(1 - active, worker, group, flow::kShadow);
      const std::string where =
          std::string(kGroupNames[group]) + " worker " + std::to_string(worker) + ", " + when;
      CheckEqual(here, there, false, where.c_str());
      PairDevice& standby = *devices_[1 - active];
      const auto id = standby.GroupNamed(kGroupNames[group]);
      for (const FlowImage& image : there) {
        if (image.is_ipv6) {
          CheckFound(standby.tables(worker).flows6, id, image, where.c_str());
        } else {
          CheckFound(standby.tables(worker).flows4, id, image, where.c_str());
        }
      }
    }
  }
}

}  // namespace tandem::sim
