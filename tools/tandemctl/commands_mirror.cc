// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/commands_mirror.h"

#include <algorithm>

#include "control/text.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;
using Names = Completion::Names;

const std::vector<std::string_view> kRecordKeys = {"profile", "key",  "virtual",
                                                   "pool",    "mode", "member"};
const std::vector<std::string_view> kModes = {"source-address", "destination-address", "hash"};
const std::vector<std::string_view> kStates = {"enabled", "disabled"};

std::string* ValueOf(const std::string& key, v1::PersistenceFilter& filter) {
  if (key == "profile") return filter.mutable_profile();
  if (key == "key") return filter.mutable_key();
  if (key == "virtual") return filter.mutable_virtual_();
  if (key == "pool") return filter.mutable_pool();
  if (key == "member") return filter.mutable_member();
  return key == "mode" ? filter.mutable_mode() : nullptr;
}

// One KEY VALUE pair. REQUIRES: !words.empty(). `others` are words that would fit as well.
absl::Status ParseRecordPair(Words& words, const std::vector<std::string_view>& others,
                             v1::PersistenceFilter& filter) {
  const std::string key = words.Take();
  if (std::find(kRecordKeys.begin(), kRecordKeys.end(), key) == kRecordKeys.end()) {
    std::vector<std::string_view> known = kRecordKeys;
    known.insert(known.end(), others.begin(), others.end());
    return Unknown("filter", key, known);
  }
  auto value = words.Need(Cat("the value of ", key));
  if (!value.ok()) return value.status();
  if (key == "mode" && std::find(kModes.begin(), kModes.end(), *value) == kModes.end()) {
    return Unknown("mode", *value, kModes);
  }
  *ValueOf(key, filter) = *std::move(value);
  return absl::OkStatus();
}

absl::Status CheckMember(const v1::PersistenceFilter& filter) {
  if (filter.member().empty() || !filter.pool().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("member ADDRESS:PORT needs pool NAME beside it");
}

Completion CompleteRecords(const std::vector<std::string>& before,
                           const std::vector<std::string_view>& others) {
  const std::string last = before.empty() ? std::string() : before.back();
  if (before.size() % 2 == 1 && last == "profile") return {.names = Names::kPersistences};
  if (before.size() % 2 == 1 && last == "virtual") return {.names = Names::kVirtuals};
  if (before.size() % 2 == 1 && last == "pool") return {.names = Names::kPools};
  if (before.size() % 2 == 1 && last == "mode") return {.words = kModes};
  if (last == "member") {
    const auto pool = std::find(before.begin(), before.end(), "pool");
    if (before.end() - pool < 2) return {};
    return {.names = Names::kMembers, .pool = *(pool + 1)};
  }
  if (before.size() % 2 == 1 && (last == "key" || last == "limit")) return {};
  std::vector<std::string_view> words = kRecordKeys;
  words.insert(words.end(), others.begin(), others.end());
  return {.words = std::move(words)};
}

absl::Status ParseModifyMirror(Words& words, v1::ModifyMirror::Kind kind, const char* what,
                               Invocation& invocation) {
  auto name = words.Need(Cat("the name of the ", what));
  if (!name.ok()) return name.status();
  if (!words.TakeIf("mirror")) {
    return absl::InvalidArgumentError(
        Cat(what, " ", *name, " has to be followed by mirror enabled or disabled"));
  }
  return ParseMirrorState(words, kind, *name, invocation);
}

Completion CompleteModifyMirror(const std::vector<std::string>& before, Names names) {
  if (before.empty()) return {.names = names};
  if (before.size() == 1) return {.words = {"mirror"}};
  return before.size() == 2 ? Completion{.words = kStates} : Completion{};
}

}  // namespace

const std::string_view kRecordFilterHelp =
    "FILTER is one or more of these; a record has to match all of them:\n"
    "  profile NAME          of this persistence profile\n"
    "  key KEY               an address or prefix, or 16 hexadecimal digits of a hash\n"
    "  virtual NAME          made through the virtual server NAME\n"
    "  pool NAME             of a member of the pool NAME\n"
    "  member ADDRESS:PORT   of this member of the pool\n"
    "  mode MODE             source-address, destination-address or hash\n";

absl::Status ParseShowPersistence(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_show_persistence();
  while (!words.empty()) {
    if (words.TakeIf("count")) {
      request.set_count(true);
    } else if (words.TakeIf("limit")) {
      const auto limit = words.NeedNumber("limit", 1, UINT64_MAX);
      if (!limit.ok()) return limit.status();
      request.set_limit(*limit);
    } else {
      const absl::Status status =
          ParseRecordPair(words, {"limit", "count"}, *request.mutable_filter());
      if (!status.ok()) return status;
    }
  }
  return CheckMember(request.filter());
}

Completion CompleteShowPersistence(const std::vector<std::string>& before) {
  return CompleteRecords(before, {"limit", "count"});
}

absl::Status ParseDeletePersistence(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_delete_persistence();
  if (words.TakeIf("all")) {
    request.set_all(true);
    return absl::OkStatus();
  }
  if (words.empty()) {
    return absl::InvalidArgumentError("say which records to delete: a filter, or all");
  }
  while (!words.empty()) {
    const absl::Status status = ParseRecordPair(words, {"all"}, *request.mutable_filter());
    if (!status.ok()) return status;
  }
  return CheckMember(request.filter());
}

Completion CompleteDeletePersistence(const std::vector<std::string>& before) {
  if (before.empty()) return CompleteRecords(before, {"all"});
  return before[0] == "all" ? Completion{} : CompleteRecords(before, {});
}

absl::Status ParseShowMirror(Words&, Invocation& invocation) {
  invocation.request.mutable_show_mirror();
  return absl::OkStatus();
}

absl::Status ParseShowTrafficGroup(Words&, Invocation& invocation) {
  invocation.request.mutable_show_traffic_group();
  return absl::OkStatus();
}

absl::Status ParseMirrorState(Words& words, v1::ModifyMirror::Kind kind, const std::string& name,
                              Invocation& invocation) {
  const auto state = words.Need("enabled or disabled");
  if (!state.ok()) return state.status();
  if (*state != "enabled" && *state != "disabled") return Unknown("state", *state, kStates);
  auto& request = *invocation.request.mutable_modify_mirror();
  request.set_kind(kind);
  request.set_name(name);
  request.set_state(*state == "enabled" ? v1::ModifyMirror::ENABLED : v1::ModifyMirror::DISABLED);
  return absl::OkStatus();
}

absl::Status ParseModifySnatPool(Words& words, Invocation& invocation) {
  return ParseModifyMirror(words, v1::ModifyMirror::SNAT_POOL, "SNAT pool", invocation);
}

absl::Status ParseModifyPersistence(Words& words, Invocation& invocation) {
  return ParseModifyMirror(words, v1::ModifyMirror::PERSISTENCE, "persistence profile", invocation);
}

Completion CompleteModifySnatPool(const std::vector<std::string>& before) {
  return CompleteModifyMirror(before, Names::kSnatPools);
}

Completion CompleteModifyPersistence(const std::vector<std::string>& before) {
  return CompleteModifyMirror(before, Names::kPersistences);
}

}  // namespace tandem::tandemctl
