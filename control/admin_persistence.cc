// SPDX-License-Identifier: Apache-2.0
#include "control/admin_persistence.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include <absl/strings/str_cat.h>

#include "control/admin_find.h"
#include "control/admin_words.h"
#include "control/config_endpoint.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;
using unit::RecordInfo;
using unit::RecordQuery;

constexpr int kCallsPerStep = 4;  // about two milliseconds of control's time
constexpr size_t kHashDigits = 16;

std::string TextOf(const IpPrefix& key) {
  return key.is_host() ? key.address.ToString() : key.ToString();
}

std::string HashText(uint64_t hash) {
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
}

std::optional<uint64_t> ParseHash(const std::string& text) {
  uint64_t hash = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, hash, 16);
  if (text.size() != kHashDigits || error != std::errc() || stop != end) return std::nullopt;
  return hash;
}

void Fill(const RecordInfo& info, const config::Snapshot& snapshot,
          v1::PersistenceResult::Record& out) {
  if (const auto* profile = snapshot.FindPersistence(info.profile)) {
    out.set_profile(profile->name);
    out.set_mode(std::string(WordOf(profile->type)));
  }
  out.set_key(info.key.address.is_unset() && info.key_hash != 0 ? HashText(info.key_hash)
                                                                : TextOf(info.key));
  if (const auto* object = snapshot.FindVirtual(info.virtual_id)) out.set_virtual_(object->name);
  if (const auto* member = snapshot.FindMember(info.member_id)) {
    out.set_member(member->name);
    if (const auto* pool = snapshot.FindPool(member->pool)) out.set_pool(pool->name);
  }
  if (info.traffic_group != 0 && info.traffic_group < snapshot.traffic_groups.size()) {
    out.set_traffic_group(snapshot.traffic_groups[info.traffic_group].name);
  }
  out.set_worker(info.worker);
  out.set_idle_seconds(NanosIn(info.idle_ticks) / kSecond);
  out.set_indefinite(info.timeout_ticks == config::kIndefinite);
  if (!out.indefinite()) out.set_timeout_seconds(NanosIn(info.timeout_ticks) / kSecond);
  out.set_mirrored(info.mirrored);
  out.set_from_peer(info.from_peer);
}

class RecordExchange : public AdminExchange {
 public:
  RecordExchange(Operations& operations, RecordQuery::Action action,
                 const unit::RecordFilter& filter, uint64_t limit)
      : operations_(operations), limit_(limit) {
    query_.action = action;
    query_.filter = filter;
  }

  Step Next(v1::Response& response) override {
    for (int call = 0; call < kCallsPerStep && !done_; ++call) {
      query_.results_max =
          limit_ == 0 ? kRecordChunk : std::min<uint64_t>(kRecordChunk, limit_ - shown_);
      operations_.unit().Run(query_, operations_.Now());
      Take(response);
      done_ = query_.next == 0 || (limit_ != 0 && shown_ == limit_);
      if (response.persistence().record().empty()) continue;
      response.set_more(true);
      return Step::kResponse;
    }
    if (!done_) return Step::kWait;
    Finish(response);
    return Step::kResponse;
  }

 private:
  void Take(v1::Response& response) {
    if (query_.action != RecordQuery::Action::kShow) return;
    for (const RecordInfo& info : query_.results) {
      if (limit_ != 0 && shown_ == limit_) return;
      Fill(info, operations_.unit().snapshot(), *response.mutable_persistence()->add_record());
      ++shown_;
    }
  }

  void Finish(v1::Response& response) const {
    if (query_.action == RecordQuery::Action::kDelete) {
      response.mutable_persistence_deleted()->set_deleted(query_.matched);
    } else {
      response.mutable_persistence()->set_matched(
          query_.action == RecordQuery::Action::kShow ? shown_ : query_.matched);
    }
  }

  Operations& operations_;
  const uint64_t limit_;
  RecordQuery query_;
  uint64_t shown_ = 0;
  bool done_ = false;
};

absl::Status SetKey(const std::string& text, unit::RecordFilter& filter) {
  if (text.empty()) return absl::OkStatus();
  if (const auto hash = ParseHash(text)) {
    filter.key_hash = *hash;
    return absl::OkStatus();
  }
  const auto prefix = ParseConfigPrefix(text);
  if (!prefix) {
    return absl::InvalidArgumentError(
        Cat("key \"", text, "\": not an address or prefix, nor 16 hexadecimal digits"));
  }
  filter.key = *prefix;
  return absl::OkStatus();
}

absl::Status SetMode(const std::string& text, unit::RecordFilter& filter) {
  if (text.empty()) return absl::OkStatus();
  for (const auto type :
       {config::PersistenceType::kSourceAddress, config::PersistenceType::kDestinationAddress,
        config::PersistenceType::kHash}) {
    if (WordOf(type) != text) continue;
    filter.mode = type;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      Cat("mode \"", text, "\": not source-address, destination-address or hash"));
}

// An id into `to`, when a name is given.
template <class Id, class Find>
absl::Status SetId(const std::string& name, const Find& find, Id& to) {
  if (name.empty()) return absl::OkStatus();
  const auto found = find();
  if (!found.ok()) return found.status();
  to = *found;
  return absl::OkStatus();
}

}  // namespace

bool IsEmpty(const v1::PersistenceFilter& filter) {
  return filter.ByteSizeLong() == 0;
}

absl::StatusOr<unit::RecordFilter> CompileFilter(const v1::PersistenceFilter& words,
                                                 const config::Snapshot& snapshot) {
  // A condition that is skipped would match, and delete, more than was asked for.
  if (!words.GetReflection()->GetUnknownFields(words).empty()) {
    return absl::InvalidArgumentError("a filter that this tandemd does not know");
  }
  if (!words.member().empty() && words.pool().empty()) {
    return absl::InvalidArgumentError("a member needs its pool");
  }
  unit::RecordFilter filter;
  absl::Status status = SetKey(words.key(), filter);
  status.Update(SetMode(words.mode(), filter));
  status.Update(SetId(
      words.profile(), [&] { return FindPersistence(snapshot, words.profile()); }, filter.profile));
  status.Update(SetId(
      words.virtual_(), [&] { return FindVirtual(snapshot, words.virtual_()); },
      filter.virtual_id));
  status.Update(SetId(
      words.pool(), [&] { return FindPool(snapshot, words.pool()); }, filter.pool));
  if (!status.ok()) return status;
  status.Update(SetId(
      words.member(), [&] { return FindMember(snapshot, words.pool(), words.member()); },
      filter.member_id));
  if (!status.ok()) return status;
  return filter;
}

std::unique_ptr<AdminExchange> ShowRecords(Operations& operations, const unit::RecordFilter& filter,
                                           uint64_t limit) {
  return std::make_unique<RecordExchange>(operations, RecordQuery::Action::kShow, filter, limit);
}

std::unique_ptr<AdminExchange> CountRecords(Operations& operations,
                                            const unit::RecordFilter& filter) {
  return std::make_unique<RecordExchange>(operations, RecordQuery::Action::kCount, filter, 0);
}

std::unique_ptr<AdminExchange> DeleteRecords(Operations& operations,
                                             const unit::RecordFilter& filter) {
  return std::make_unique<RecordExchange>(operations, RecordQuery::Action::kDelete, filter, 0);
}

}  // namespace tandem::control
