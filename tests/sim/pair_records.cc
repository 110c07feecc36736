// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/pair_records.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>

#include "tests/sim/journal.h"

namespace tandem::sim {
namespace {

using persist::Record;
using persist::Table;
using persist::Verdict;

// A record that runs out within the next of these promises nothing.
constexpr uint32_t kPromisedFor = TicksIn(2 * kSecond);

template <class Visit>
void ForEachRecord(PairDevice& device, Visit&& visit) {
  Table& table = device.unit().records();
  for (uint32_t bucket = 0; bucket < table.buckets(); ++bucket) {
    const bool is_got = table.VisitBucket(bucket, table.workers(), [&visit](const Record& record) {
      visit(record);
      return Verdict::kKeep;
    });
    if (!is_got) Violate("I5: a bucket of records is claimed by nobody that is running");
  }
}

template <class Count>
uint64_t OverHolders(PairDevice& device, Count&& count) {
  const Table& table = device.unit().records();
  uint64_t sum = 0;
  for (unsigned holder = 0; holder <= table.workers(); ++holder)
    sum += count(table.counters(holder));
  return sum;
}

uint64_t ActivityOf(PairDevice& device) {
  return OverHolders(device, [](const persist::TableCounters& counters) {
    return counters.created.Get() + counters.replaced.Get() + counters.expired.Get() +
           counters.deleted.Get() + counters.forgotten.Get();
  });
}

// Copies that went although nobody said so: more than rows that said so.
uint64_t OwnLossesOf(PairDevice& device) {
  uint64_t said = 0;
  uint64_t unconfirmed = 0;
  for (unsigned worker = 0; worker < device.workers(); ++worker) {
    const auto& counters = device.mirroring().worker(worker).persist_receiver().counters();
    said += counters.expires.Get();
    unconfirmed += counters.unconfirmed.Get() + counters.refused.Get();
  }
  return OverHolders(device,
                     [](const persist::TableCounters& counters) {
                       return counters.expired.Get() + counters.deleted.Get() +
                              counters.forgotten.Get();
                     }) -
         said + unconfirmed;
}

bool IsOver(const RecordImage& image) {
  return image.timeout != config::kIndefinite && image.idle >= image.timeout;
}

std::string Difference(const char* what, const RecordName& name, unsigned here, unsigned there) {
  return std::string(what) + " " + name.ToText() + ": member " + std::to_string(here) + " here, " +
         std::to_string(there) + " there";
}

}  // namespace

std::string RecordName::ToText() const {
  std::string text = "profile " + std::to_string(profile) + " scope " + std::to_string(scope) + " ";
  for (size_t i = 0; i < size; ++i) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", bytes[i]);
    text += two;
  }
  return text;
}

RecordImages RecordWatch::ImagesOf(PairDevice& device, const char* group, RunOut run_out) const {
  const config::Snapshot& snapshot = device.unit().snapshot();
  const config::TrafficGroupId id = device.GroupNamed(group);
  const Tick now = TickOf(device.rig().now());
  const auto virtual_named = [&](unsigned number) {
    return number_of_("virtual " +
                      device.rig().VirtualName(static_cast<config::VirtualId>(number)));
  };
  RecordImages images;
  ForEachRecord(device, [&](const Record& record) {
    if (!record.is_live() || record.group != id) return;
    if (run_out == RunOut::kNot && persist::HasRunOut(record, now)) return;
    const config::Persistence* profile = snapshot.FindPersistence(record.key.profile);
    if (profile == nullptr) return;
    const bool is_virtual = record.key.scope != 0 && record.key.scope < persist::kScopeHash;
    const RecordName name{
        .profile = number_of_("profile " + profile->name),
        .scope = is_virtual ? virtual_named(record.key.scope) : record.key.scope,
        .size = record.key.size,
        .bytes = record.key.bytes,
    };
    images[name] = {
        .member = number_of_("member " + device.rig().MemberName(record.member)),
        .virtual_server = virtual_named(record.virtual_id),
        .idle = static_cast<uint32_t>(std::max(0, TicksBetween(record.last_used, now))),
        .timeout = record.timeout,
        .session = record.session,
        .flags = record.flags,
        .is_mirrored = profile->mirror,
    };
  });
  return images;
}

uint64_t RecordWatch::SessionOf(PairDevice& device) {
  return device.mirroring().worker(0).persist_receiver().counters().session.Get();
}

void RecordWatch::NewWriter(unsigned group, uint64_t session) {
  groups_[group] = {};
  groups_[group].session_before = session;
}

// It is told of what there is from now on, no sooner.
void RecordWatch::NewShadow(unsigned group) {
  for (auto& [name, history] : groups_[group].histories) {
    history.seen = history.members.size() - 1;
    history.is_there = false;
  }
}

void RecordWatch::Remember(unsigned group, PairDevice& active, const char* name) {
  Group& book = groups_[group];
  const uint64_t activity = ActivityOf(active);
  if (activity == book.activity) return;
  book.activity = activity;
  const RecordImages images = ImagesOf(active, name);
  for (const auto& [key, image] : images) {
    History& history = book.histories[key];
    if (!history.members.empty() && history.members.back() == image.member) continue;
    history.members.push_back(image.member);
    ever_.insert({key, image.member});
  }
  for (auto& [key, history] : book.histories) {
    if (history.members.back() != 0 && !images.contains(key)) history.members.push_back(0);
  }
}

void RecordWatch::CheckCopy(const RecordName& name, const RecordImage& copy, Group& group,
                            const char* where, uint64_t session) {
  if (!ever_.contains({name, copy.member})) {
    Violate("I1: %s: a copy that no record was ever like: %s", where,
            Difference("", name, 0, copy.member).c_str());
  }
  // Of an earlier session, or maybe of the writer before: to be swept.
  if (copy.session != static_cast<uint8_t>(session) || session == group.session_before) return;
  const auto found = group.histories.find(name);
  if (found == group.histories.end()) return;
  History& history = found->second;
  const auto begin = history.members.begin() + static_cast<ptrdiff_t>(history.seen);
  const auto like = std::find(begin, history.members.end(), copy.member);
  if (like == history.members.end()) {
    Violate("I2: %s: an older copy came back: %s", where,
            Difference("", name, history.members.back(), copy.member).c_str());
  }
  history.seen = static_cast<size_t>(like - history.members.begin());
}

void RecordWatch::Check(unsigned group, PairDevice& standby, const char* name) {
  Group& book = groups_[group];
  // A copy that runs out here is not gone, to the peer: it may be told of again.
  const RecordImages images = ImagesOf(standby, name, RunOut::kToo);
  const uint64_t own_losses = OwnLossesOf(standby);
  const bool was_told = own_losses == book.own_losses;
  book.own_losses = own_losses;
  const uint64_t session = SessionOf(standby);
  for (auto& [key, history] : book.histories) {
    const auto found = images.find(key);
    const bool is_there = found != images.end() && found->second.is_copy();
    if (history.is_there && !is_there && was_told) {
      const auto begin = history.members.begin() + static_cast<ptrdiff_t>(history.seen);
      const auto gone = std::find(begin, history.members.end(), 0U);
      if (gone != history.members.end())
        history.seen = static_cast<size_t>(gone - history.members.begin());
    }
    history.is_there = is_there;
  }
  for (const auto& [key, image] : images) {
    if (image.is_copy()) CheckCopy(key, image, book, name, session);
  }
}

std::string RecordWatch::Compare(PairDevice& active, PairDevice& standby, const char* name,
                                 uint64_t skipped) const {
  const RecordImages here = ImagesOf(active, name);
  const RecordImages there = ImagesOf(standby, name);
  for (const auto& [key, image] : here) {
    if (!image.is_mirrored) continue;
    const auto found = there.find(key);
    if (found == there.end()) {
      if (IsOver(image) || HasRefused(standby) || skipped + skipped / 4 > image.timeout) continue;
      return Difference("the standby lacks", key, image.member, 0) + ", flags " +
             std::to_string(image.flags) + ", idle " + std::to_string(image.idle) + " of " +
             std::to_string(image.timeout) + " ticks";
    }
    if (found->second.member != image.member)
      return Difference("another member:", key, image.member, found->second.member);
    if (found->second.virtual_server != image.virtual_server)
      return Difference("another virtual:", key, image.virtual_server,
                        found->second.virtual_server);
  }
  for (const auto& [key, image] : there) {
    if (!image.is_copy() && !image.is_mirrored) continue;
    const auto found = here.find(key);
    if ((found == here.end() || !found->second.is_mirrored) && !IsOver(image))
      return Difference("only the standby has", key, 0, image.member);
  }
  return "";
}

bool RecordWatch::HasRefused(PairDevice& device) {
  uint64_t refused = 0;
  for (unsigned worker = 0; worker < device.workers(); ++worker)
    refused += device.mirroring().worker(worker).persist_receiver().counters().refused.Get();
  return refused != 0;
}

bool RecordWatch::IsInSync(PairDevice& writer, PairDevice& reader) {
  const unsigned streams = std::min(writer.workers(), reader.workers());
  for (unsigned worker = 0; worker < streams; ++worker) {
    const mirror::PersistSender& sender = writer.mirroring().worker(worker).persist_sender();
    if (!sender.is_open() || sender.state() != mirror::StreamState::kInSync ||
        sender.counters().pending.Get() != 0) {
      return false;
    }
  }
  return true;
}

std::vector<Promise> RecordWatch::PromisesOf(PairDevice& device, unsigned group,
                                             const std::vector<LanService>& services) const {
  const config::Snapshot& snapshot = device.unit().snapshot();
  const Tick now = TickOf(device.rig().now());
  std::vector<Promise> promises;
  for (const config::Virtual& virtual_server : snapshot.virtuals) {
    const config::Persistence* profile = snapshot.FindPersistence(virtual_server.persistence);
    if (virtual_server.id == 0 || profile == nullptr || !profile->mirror) continue;
    if (persist::NeedsPayload(*profile)) continue;
    const auto service = std::ranges::find(services, virtual_server.name, &LanService::name);
    if (service->group != group) continue;
    for (const std::string& text : PairClients()) {
      const IpAddress client = test::Ip(text);
      if (client.is_v4() != service->endpoint.address.is_v4()) continue;
      persist::Key key;
      if (!persist::MakeKey(*profile, virtual_server,
                            {.source = client,
                             .destination = service->endpoint.address,
                             .destination_port = htons(service->endpoint.port),
                             .protocol = service->protocol},
                            key)) {
        continue;
      }
      const Table::Claim claim = device.unit().records().Open(key, device.workers(), now);
      if (claim.busy() || claim.found() == nullptr) continue;
      const Record& record = *claim.found();
      const config::Member* member = snapshot.FindMember(record.member);
      if (member == nullptr || member->pool != virtual_server.pool || !member->up) continue;
      const int64_t left = int64_t{record.timeout} - TicksBetween(record.last_used, now);
      if (record.timeout != config::kIndefinite && left < int64_t{kPromisedFor}) continue;
      promises.push_back({&*service, client, member->address});
    }
  }
  return promises;
}

}  // namespace tandem::sim
