// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/commands.h"

#include <algorithm>

#include <absl/strings/str_join.h>

#include "control/config_endpoint.h"
#include "control/text.h"
#include "tools/tandemctl/commands_mirror.h"
#include "tools/tandemctl/commands_takeover.h"
#include "tools/tandemctl/filter.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;
using Names = Completion::Names;

const std::vector<std::string_view> kNoMore;

Completion NothingFits(const std::vector<std::string>&) {
  return {};
}

// One optional name.
template <Names kNames>
Completion OneName(const std::vector<std::string>& before) {
  return before.empty() ? Completion{.names = kNames} : Completion{};
}

absl::Status ParseShowVersion(Words&, Invocation& invocation) {
  invocation.request.mutable_show_version();
  return absl::OkStatus();
}

absl::Status ParseShowVirtual(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_show_virtual();
  if (!words.empty()) request.set_name(words.Take());
  return absl::OkStatus();
}

absl::Status ParseShowPool(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_show_pool();
  if (!words.empty()) request.set_name(words.Take());
  return absl::OkStatus();
}

absl::Status ParseShowConnection(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_show_connection();
  while (!words.empty()) {
    if (words.TakeIf("count")) {
      request.set_count(true);
    } else if (words.TakeIf("limit")) {
      const auto limit = words.NeedNumber("limit", 1, UINT64_MAX);
      if (!limit.ok()) return limit.status();
      request.set_limit(*limit);
    } else {
      const absl::Status status =
          ParseFilterPair(words, {"limit", "count"}, *request.mutable_filter());
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

Completion CompleteShowConnection(const std::vector<std::string>& before) {
  return CompleteFilter(before, {"limit", "count"});
}

absl::Status ParseShowArp(Words&, Invocation& invocation) {
  invocation.request.mutable_show_arp();
  return absl::OkStatus();
}

absl::Status ParseShowPort(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_show_port();
  if (!words.empty()) request.set_name(words.Take());
  return absl::OkStatus();
}

absl::Status ParseShowWorker(Words&, Invocation& invocation) {
  invocation.request.mutable_show_worker();
  return absl::OkStatus();
}

absl::Status ParseShowDrops(Words& words, Invocation& invocation) {
  invocation.request.mutable_show_drops()->set_all(words.TakeIf("all"));
  return absl::OkStatus();
}

Completion CompleteShowDrops(const std::vector<std::string>& before) {
  return before.empty() ? Completion{.words = {"all"}} : Completion{};
}

absl::Status ParseShowRoute(Words&, Invocation& invocation) {
  invocation.request.mutable_show_route();
  return absl::OkStatus();
}

absl::Status ParseShowConfig(Words&, Invocation& invocation) {
  invocation.request.mutable_show_config();
  return absl::OkStatus();
}

absl::Status ParseModifyPool(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_modify_member();
  auto pool = words.Need("the name of the pool");
  if (!pool.ok()) return pool.status();
  request.set_pool(*pool);
  if (!words.TakeIf("member")) {
    return absl::InvalidArgumentError(
        Cat("pool ", *pool, " has to be followed by member ADDRESS:PORT"));
  }
  auto member = words.Need("the member, ADDRESS:PORT,");
  if (!member.ok()) return member.status();
  if (const auto endpoint = control::ParseEndpoint(*member); !endpoint.ok()) {
    return absl::InvalidArgumentError(
        Cat("member \"", *member, "\": ", endpoint.status().message()));
  }
  request.set_member(*member);
  if (!words.TakeIf("state")) {
    return absl::InvalidArgumentError(
        "the member has to be followed by state enabled, disabled or forced-offline");
  }
  auto state = words.Need("the state");
  if (!state.ok()) return state.status();
  if (*state == "enabled") {
    request.set_state(v1::ModifyMember::ENABLED);
  } else if (*state == "disabled") {
    request.set_state(v1::ModifyMember::DISABLED);
  } else if (*state == "forced-offline") {
    request.set_state(v1::ModifyMember::FORCED_OFFLINE);
  } else {
    return Unknown("state", *state, {"enabled", "disabled", "forced-offline"});
  }
  return absl::OkStatus();
}

Completion CompleteModifyPool(const std::vector<std::string>& before) {
  switch (before.size()) {
    case 0:
      return {.names = Names::kPools};
    case 1:
      return {.words = {"member"}};
    case 2:
      return {.names = Names::kMembers, .pool = before[0]};
    case 3:
      return {.words = {"state"}};
    case 4:
      return {.words = {"enabled", "disabled", "forced-offline"}};
    default:
      return {};
  }
}

absl::Status ParseModifyVirtual(Words& words, Invocation& invocation) {
  auto name = words.Need("the name of the virtual");
  if (!name.ok()) return name.status();
  if (words.TakeIf("mirror")) {
    return ParseMirrorState(words, v1::ModifyMirror::VIRTUAL, *name, invocation);
  }
  auto& request = *invocation.request.mutable_modify_virtual();
  request.set_name(*name);
  auto state = words.Need("enabled or disabled");
  if (!state.ok()) return state.status();
  if (*state == "enabled") {
    request.set_state(v1::ModifyVirtual::ENABLED);
  } else if (*state == "disabled") {
    request.set_state(v1::ModifyVirtual::DISABLED);
  } else {
    return Unknown("state", *state, {"enabled", "disabled", "mirror"});
  }
  return absl::OkStatus();
}

Completion CompleteModifyVirtual(const std::vector<std::string>& before) {
  if (before.empty()) return {.names = Names::kVirtuals};
  if (before.size() == 1) return {.words = {"enabled", "disabled", "mirror"}};
  if (before.size() == 2 && before[1] == "mirror") return {.words = {"enabled", "disabled"}};
  return {};
}

absl::Status ParseDeleteConnection(Words& words, Invocation& invocation) {
  auto& request = *invocation.request.mutable_delete_connection();
  if (words.TakeIf("all")) {
    request.set_all(true);
    return absl::OkStatus();
  }
  if (words.empty()) {
    return absl::InvalidArgumentError("say which connections to delete: a filter, or all");
  }
  while (!words.empty()) {
    const absl::Status status = ParseFilterPair(words, {"all"}, *request.mutable_filter());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

Completion CompleteDeleteConnection(const std::vector<std::string>& before) {
  if (!before.empty() && before[0] == "all") return {};
  return CompleteFilter(before, before.empty() ? std::vector<std::string_view>{"all"} : kNoMore);
}

absl::Status ParseLoad(Words& words, Invocation& invocation) {
  invocation.request.mutable_load()->set_verify(words.TakeIf("verify"));
  if (words.empty()) return absl::OkStatus();
  invocation.action = Action::kLoadFile;
  invocation.file = words.Take();
  return absl::OkStatus();
}

Completion CompleteLoad(const std::vector<std::string>& before) {
  if (before.empty()) return {.words = {"verify"}, .names = Names::kFiles};
  if (before.size() == 1 && before[0] == "verify") {
    return {.names = Names::kFiles};
  }
  return {};
}

absl::Status ParseSave(Words& words, Invocation& invocation) {
  if (words.empty()) {
    invocation.request.mutable_save();
    return absl::OkStatus();
  }
  invocation.request.mutable_show_config();
  invocation.action = Action::kSaveFile;
  invocation.file = words.Take();
  return absl::OkStatus();
}

absl::Status ParseCheck(Words& words, Invocation& invocation) {
  auto file = words.Need("the file to check");
  if (!file.ok()) return file.status();
  invocation.action = Action::kCheckFile;
  invocation.file = *file;
  return absl::OkStatus();
}

absl::Status ParseResetStats(Words&, Invocation& invocation) {
  invocation.request.mutable_reset_stats();
  return absl::OkStatus();
}

}  // namespace

std::string Command::usage() const {
  std::string text =
      absl::StrJoin(words, " ", [](std::string* out, std::string_view word) { out->append(word); });
  return arguments.empty() ? text : Cat(text, " ", arguments);
}

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {
      {{"show", "version"},
       "",
       "the daemon, its DPDK, its configuration",
       "",
       ParseShowVersion,
       NothingFits},
      {{"show", "virtual"},
       "[NAME]",
       "virtual servers: state, connections, traffic",
       "Availability: available; unavailable (at its connection limit); offline (no member takes\n"
       "new connections); disabled (by the operator).\n",
       ParseShowVirtual,
       OneName<Names::kVirtuals>},
      {{"show", "pool"},
       "[NAME]",
       "pools and their members: state, connections, traffic",
       "",
       ParseShowPool,
       OneName<Names::kPools>},
      {{"show", "connection"},
       "[FILTER...] [limit N] [count]",
       "connections",
       "Columns: client, virtual server, source that the server sees, pool member, protocol, "
       "state,\n"
       "seconds idle, worker. With limit, N connections at most; with count, only how many.\n",
       ParseShowConnection,
       CompleteShowConnection},
      {{"show", "persistence"},
       "[FILTER...] [limit N] [count]",
       "persistence records",
       "Columns: mode, key, virtual server, pool member, time since it was last used and timeout,\n"
       "worker. With limit, N records at most; with count, only how many.\n",
       ParseShowPersistence,
       CompleteShowPersistence},
      {{"show", "mirror"},
       "",
       "the mirroring peer, and what the streams to it and from it do",
       "Each traffic group, as this device sees it and as the peer says: syncing (the first pass\n"
       "over all connections), auditing (comparing both devices' connections), in-sync, lagging,\n"
       "held (mirrored, but the devices are configured differently), or down; and why. Then the\n"
       "streams of connections and of persistence records, by worker, and what the mirroring port\n"
       "counted. --json has the counters that are zero, too.\n",
       ParseShowMirror,
       NothingFits},
      {{"show", "traffic-group"},
       "",
       "traffic groups: role and mirroring, here and at the peer",
       "",
       ParseShowTrafficGroup,
       NothingFits},
      {{"show", "device-group"},
       "",
       "the devices that take over from each other: who is heard, where, and what it does",
       "And which objects they have configured differently, and what the last config-sync came "
       "to.\n",
       ParseShowDeviceGroup,
       NothingFits},
      {{"show", "failover"},
       "",
       "the last transitions of this device's traffic groups, with time and reason",
       "They outlive the process.\n",
       ParseShowFailover,
       NothingFits},
      {{"show", "arp"}, "", "neighbours, IPv4 and IPv6", "", ParseShowArp, NothingFits},
      {{"show", "port"},
       "[NAME]",
       "ports: link and traffic",
       "",
       ParseShowPort,
       OneName<Names::kPorts>},
      {{"show", "worker"},
       "",
       "workers: load, packets, flows",
       "received + handed in + held before = forwarded + consumed + held + handed off + dropped,\n"
       "as soon as no packet is on its way.\n",
       ParseShowWorker,
       NothingFits},
      {{"show", "drops"},
       "[all]",
       "why packets were dropped and why connections ended",
       "With all, also the reasons that counted nothing.\n",
       ParseShowDrops,
       CompleteShowDrops},
      {{"show", "route"},
       "",
       "connected networks and static routes",
       "",
       ParseShowRoute,
       NothingFits},
      {{"show", "running-config"},
       "",
       "the configuration that runs, in text format",
       "",
       ParseShowConfig,
       NothingFits},
      {{"modify", "pool"},
       "POOL member ADDRESS:PORT state enabled|disabled|forced-offline",
       "let a member take new connections, or not",
       "disabled: connections that exist, and new ones that persistence sends to it.\n"
       "forced-offline: connections that exist, only.\n"
       "The change lasts until the daemon ends, unless saved.\n",
       ParseModifyPool,
       CompleteModifyPool},
      {{"modify", "virtual"},
       "NAME enabled|disabled|mirror enabled|mirror disabled",
       "let a virtual take new connections, or not; mirror its connections, or not",
       "Connections that exist go on; they are mirrored from now on, too, or no more.\n"
       "The change lasts until the daemon ends, unless saved.\n",
       ParseModifyVirtual,
       CompleteModifyVirtual},
      {{"modify", "snat-pool"},
       "NAME mirror enabled|disabled",
       "mirror the connections that a SNAT pool translates, or not",
       "The change lasts until the daemon ends, unless saved.\n",
       ParseModifySnatPool,
       CompleteModifySnatPool},
      {{"modify", "persistence"},
       "NAME mirror enabled|disabled",
       "mirror the records of a persistence profile, or not",
       "The change lasts until the daemon ends, unless saved.\n",
       ParseModifyPersistence,
       CompleteModifyPersistence},
      {{"delete", "persistence"},
       "all|FILTER...",
       "forget persistence records",
       "The clients' next connections are balanced anew.\n",
       ParseDeletePersistence,
       CompleteDeletePersistence},
      {{"delete", "connection"},
       "all|FILTER...",
       "end connections",
       "The flows are removed; neither side is told.\n",
       ParseDeleteConnection,
       CompleteDeleteConnection},
      {{"load"},
       "[verify] [FILE]",
       "replace the running configuration",
       "FILE is read here, - is standard input; without FILE the daemon reads its own file again.\n"
       "Applied as a whole or not at all. With verify, checked against the running device only.\n",
       ParseLoad,
       CompleteLoad},
      {{"save"},
       "[FILE]",
       "write the running configuration",
       "FILE is written here; without FILE the daemon writes its own file.\n",
       ParseSave,
       OneName<Names::kFiles>},
      {{"check"},
       "FILE",
       "check a configuration without the daemon",
       "Exit status 0: valid; 1: not valid, each error as FILE:LINE:COLUMN: object: reason.\n",
       ParseCheck,
       OneName<Names::kFiles>},
      {{"run", "failover"},
       "standby GROUP [device NAME] [at-once]|offline|online",
       "give a traffic group to another device; take this one out of the group, or back in",
       "standby: by a planned switchover to the device, or to the next-active, once that is in "
       "sync;\n"
       "with at-once, given up now, whoever takes over. offline: all groups are given up, and none "
       "is\n"
       "taken, through restarts, until online.\n",
       ParseRunFailover,
       CompleteRunFailover},
      {{"run", "config-sync"},
       "to-group|from-group DEVICE-GROUP",
       "give the other devices what is shared of this configuration; take theirs",
       "to-group: each other device makes a whole configuration of it and of what is its own, "
       "checks,\n"
       "applies and saves it, or refuses and stays as it is. from-group: the same here, with that "
       "of\n"
       "another device. What is shared: see tandem.textproto(5). Comments of the file are not "
       "kept.\n",
       ParseRunConfigSync,
       CompleteRunConfigSync},
      {{"reset", "stats"},
       "",
       "let all statistics count from zero",
       "",
       ParseResetStats,
       NothingFits},
  };
  return commands;
}

absl::StatusOr<const Command*> FindCommand(Words& words) {
  std::vector<const Command*> left;
  for (const Command& command : Commands()) {
    left.push_back(&command);
  }
  for (size_t depth = 0;; ++depth) {
    std::vector<std::string_view> fitting;
    for (const Command* command : left) {
      if (command->words.size() == depth) return command;
      if (std::find(fitting.begin(), fitting.end(), command->words[depth]) == fitting.end()) {
        fitting.push_back(command->words[depth]);
      }
    }
    const std::string word(words.Peek());
    const auto differs = [&](const Command* command) { return command->words[depth] != word; };
    if (words.empty()) {
      return absl::InvalidArgumentError(
          Cat(depth == 0 ? "a command is missing" : "a word is missing", "; it is one of ",
              absl::StrJoin(fitting, ", ",
                            [](std::string* out, std::string_view each) { out->append(each); })));
    }
    if (std::all_of(left.begin(), left.end(), differs)) return Unknown("word", word, fitting);
    left.erase(std::remove_if(left.begin(), left.end(), differs), left.end());
    words.Take();
  }
}

Completion Complete(const std::vector<std::string>& before) {
  Completion completion;
  for (const Command& command : Commands()) {
    const size_t common = std::min(command.words.size(), before.size());
    if (!std::equal(command.words.begin(),
                    command.words.begin() + static_cast<std::ptrdiff_t>(common), before.begin())) {
      continue;
    }
    if (command.words.size() <= before.size()) {
      return command.complete(
          {before.begin() + static_cast<std::ptrdiff_t>(command.words.size()), before.end()});
    }
    const std::string_view next = command.words[before.size()];
    if (std::find(completion.words.begin(), completion.words.end(), next) ==
        completion.words.end()) {
      completion.words.push_back(next);
    }
  }
  return completion;
}

}  // namespace tandem::tandemctl
