// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/case.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include "control/admin_words.h"

namespace tandem::test {
namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kIndent = "    ";

std::string EndpointText(const IpAddress& address, uint16_t port) {
  return address.is_v4() ? absl::StrCat(address.ToString(), ":", port)
                         : absl::StrCat("[", address.ToString(), "]:", port);
}

std::string FlowText(const Rig& rig, const unit::FlowInfo& flow) {
  std::string text = absl::StrCat("protocol ", flow.protocol, " ",
                                  EndpointText(flow.cs_client, flow.cs_client_port), " > ",
                                  EndpointText(flow.cs_server, flow.cs_server_port), " | ",
                                  EndpointText(flow.ss_client, flow.ss_client_port), " > ",
                                  EndpointText(flow.ss_server, flow.ss_server_port), " ",
                                  std::string(control::WordOf(flow.state)));
  absl::StrAppend(&text, " virtual=", rig.VirtualName(flow.virtual_id));
  if (flow.member_id != 0) absl::StrAppend(&text, " member=", rig.MemberName(flow.member_id));
  if (rig.unit().workers() > 1) absl::StrAppend(&text, " @", flow.worker);
  return text;
}

// "{1000+}" becomes 1000 + index.
std::string Numbered(std::string line, int index) {
  for (size_t begin = line.find('{'); begin != std::string::npos; begin = line.find('{', begin)) {
    const size_t end = line.find("+}", begin);
    if (end == std::string::npos) break;
    const int base = std::atoi(line.substr(begin + 1, end - begin - 1).c_str());
    line.replace(begin, end + 2 - begin, std::to_string(base + index));
  }
  return line;
}

}  // namespace

std::string Case::Run(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (const std::string& line : lines) {
    if (line.compare(0, kIndent.size(), kIndent) == 0) continue;  // of an earlier run
    out_ += line + "\n";
    if (!line.empty() && line[0] != '#') Execute(line);
  }
  claim_.reset();
  rig_.reset();
  return out_;
}

void Case::Execute(const std::string& line) {
  const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words[0] == "|") {
    config_ += line.substr(1) + "\n";
    return;
  }
  if (words[0] == "silent" || words[0] == "answer") return SetAnswers(words, words[0] == "answer");
  if (rig_ == nullptr && Prepare(words, line)) return;
  if (rig_ == nullptr) Begin();
  if (rig_ != nullptr) Act(words, line);
}

// What is said before the device starts.
bool Case::Prepare(const Words& words, const std::string&) {
  if (words[0] == "use" && words.size() == 2) {
    Use(words[1]);
  } else if (words[0] == "host" && words.size() >= 4) {
    AddHost(words);
  } else if (words[0] == "flows" && words.size() == 2) {
    options_.flows_ipv4 = options_.flows_ipv6 = static_cast<uint32_t>(std::stoul(words[1]));
  } else if (words[0] == "records" && words.size() == 2) {
    options_.persistence_records = static_cast<uint32_t>(std::stoul(words[1]));
  } else {
    return false;
  }
  return true;
}

void Case::Use(const std::string& name) {
  std::ifstream file(setups_ + "/" + name + ".txt");
  if (!file) return Refuse("no setup " + name);
  for (std::string line; std::getline(file, line);) {
    const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty() || words[0] == "#") continue;
    if (words[0] == "|") {
      setup_config_ += line.substr(1) + "\n";
    } else if (!Prepare(words, line)) {
      Refuse("in setup " + name + ": " + line);
    }
  }
}

// host NAME PORT[/VLAN] MAC ADDRESS…
void Case::AddHost(const Words& words) {
  const std::pair<std::string, std::string> port = absl::StrSplit(words[2], '/');
  Host host;
  host.name = words[1];
  host.port = port.first;
  if (!port.second.empty()) host.vlan = static_cast<uint16_t>(std::stoul(port.second));
  host.mac = Mac(words[3]);
  host.addresses.assign(words.begin() + 4, words.end());
  hosts_.Add(std::move(host));
}

void Case::Begin() {
  rig_ = std::make_unique<Rig>(setup_config_ + config_, options_);
  config_.clear();
  hosts_.Attach(*rig_);
  hosts_.Greet(*rig_);
  at_start_ = last_ = ReadCounters(*rig_);
}

void Case::Act(const Words& words, const std::string& line) {
  if (words[0] == "start") return;
  if (words[0] == "advance" && words.size() == 2) return Advance(words[1]);
  if (words[0] == "reload") return Reload();
  if (words[0] == "go") {
    mark_ = rig_->now();
    return Report(rig_->Run(), false);
  }
  if (words[0] == "connections") return ListConnections();
  if (words[0] == "records") return ListRecords();
  if (words[0] == "claim" || words[0] == "unclaim") return SetClaim(words[0] == "claim");
  if (words[0] == "counters") return PrintCounters();
  if (words[0] == "hex") {
    with_hex_ = words.size() < 2 || words[1] != "off";
    return;
  }
  if ((words[0] == "down" || words[0] == "up") && words.size() == 2) {
    return rig_->SetMemberUp(words[1], words[0] == "up");
  }
  if (words[0] == "delete") {
    if (words.size() > 1 && words[1] == "records") {
      Print("records " + std::to_string(rig_->DeleteRecords()));
    } else {
      rig_->DeleteFlows();
    }
    return ReportChanges();
  }
  if (words[0] == "unsent" && words.size() == 3) return SetUnsent(words);
  if (words[0] == "role" && words.size() == 3) {
    return rig_->unit().SetRole(rig_->GroupNamed(words[1]), words[2] == "standby"
                                                                ? config::Role::kStandby
                                                                : config::Role::kActive);
  }
  if (words[0] == "fence" && words.size() == 2) {
    return rig_->unit().SetFence(words[1] == "on" ? Nanos{0} : config::Roles::kNoFence);
  }
  if (words[0] == "freeze" && words.size() == 3) {
    return rig_->unit().SetFrozen(rig_->GroupNamed(words[1]), words[2] == "on");
  }
  if (words[0] == "strays" && words.size() == 2) {
    return rig_->unit().SendStraysOn(rig_->GroupNamed(words[1]), rig_->now() + 2 * kSecond);
  }
  if (words[0] == "announce" && words.size() == 2) return rig_->Announce(words[1]);
  if (words[0] == "quietly" && words.size() > 1) return Repeat(1, line.substr(line.find(' ') + 1));
  if (words[0] == "turns" && words.size() == 3) {
    for (int i = std::atoi(words[1].c_str()); i > 0; --i)
      rig_->Turn(static_cast<unsigned>(std::stoul(words[2])));
    return ReportChanges();
  }
  if (words[0] == "stop") {
    rig_->Stop();
    return ReportChanges();
  }
  if (words[0] == "repeat" && words.size() > 2) {
    const size_t rest = line.find(words[1]) + words[1].size() + 1;
    return Repeat(std::atoi(words[1].c_str()), line.substr(rest));
  }
  Send(line);
}

// HOST[@WORKER]> PACKET, or >> to leave it in the queue.
void Case::Send(const std::string& line) {
  const size_t end = line.find('>');
  if (end == std::string::npos) return Refuse("not understood");
  const bool only_queue = line.compare(end, 2, ">>") == 0;
  const std::pair<std::string, std::string> from =
      absl::StrSplit(line.substr(0, end), absl::MaxSplits('@', 1));
  const unsigned worker = from.second.empty() ? 0 : static_cast<unsigned>(std::stoul(from.second));
  const Host* host = hosts_.Find(from.first);
  if (host == nullptr) return Refuse("no host " + from.first);
  if (worker >= rig_->unit().workers()) return Refuse("no such worker");
  const auto packet =
      PacketFromText(line.substr(end + (only_queue ? 2 : 1)), Hosts::LinkOf(*rig_, *host));
  if (!packet.ok()) return Refuse(std::string(packet.status().message()));
  rig_->Inject(rig_->PortNamed(host->port), worker, packet->frame, packet->arrival);
  if (only_queue) return;
  mark_ = rig_->now();
  Report(rig_->Run(), false);
}

void Case::Repeat(int count, const std::string& line) {
  const Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  is_quiet_ = true;
  for (int i = 0; i < count; ++i)
    Act(words, Numbered(line, i));
  is_quiet_ = false;
  ReportChanges();
}

void Case::Reload() {
  const absl::Status status = rig_->Reload(setup_config_ + config_);
  config_.clear();
  if (!status.ok()) Print("refused: " + std::string(status.message()));
  ReportChanges();
}

void Case::Advance(const std::string& span) {
  const bool is_milli = span.ends_with("ms");
  const double number = std::strtod(span.c_str(), nullptr);
  mark_ = rig_->now();
  Report(rig_->Advance(
             static_cast<Nanos>(number * static_cast<double>(is_milli ? kMillisecond : kSecond))),
         true);
}

void Case::SetAnswers(const Words& words, bool answers) {
  for (size_t i = 1; i < words.size(); ++i) {
    Host* host = hosts_.Find(words[i]);
    if (host == nullptr) return Refuse("no host " + words[i]);
    host->answers = answers;
  }
}

// unsent PORT REASON
void Case::SetUnsent(const Words& words) {
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    if (kDropReasons[i].name == words[2]) {
      return rig_->SetUnsent(rig_->PortNamed(words[1]), static_cast<DropReason>(i));
    }
  }
  Refuse("no drop reason " + words[2]);
}

// While it is held, no other worker gets at the record: persist_busy.
void Case::SetClaim(bool held) {
  claim_.reset();
  if (!held) return;
  persist::Table& records = rig_->unit().records();
  claim_.reset(
      new persist::Table::Claim(records.Open(claimed_, records.workers(), TickOf(rig_->now()))));
}

// KEY of VIRTUAL -> MEMBER, after how many seconds without use
void Case::ListRecords() {
  std::vector<std::string> lines;
  for (const unit::RecordInfo& record : rig_->Records()) {
    lines.push_back(absl::StrCat(
        record.key_hash != 0 ? absl::StrCat(absl::Hex(record.key_hash)) : record.key.ToString(),
        " of ",
        record.scope >= persist::kScopeHash
            ? "its address"
            : rig_->VirtualName(static_cast<config::VirtualId>(record.scope)),
        record.scope == 0 ? "all" : "", " -> ", rig_->MemberName(record.member_id), ", idle ",
        NanosIn(record.idle_ticks) / kSecond, "s"));
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines)
    Print(line);
}

void Case::ListConnections() {
  std::vector<std::string> lines;
  for (const unit::FlowInfo& flow : rig_->Flows())
    lines.push_back(FlowText(*rig_, flow));
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines)
    Print(line);
}

void Case::PrintCounters() {
  for (const std::string& line : CounterLines(at_start_, ReadCounters(*rig_)))
    Print(line);
}

void Case::Report(const std::vector<Sent>& sent, bool with_time) {
  for (const Sent& one : sent) {
    if (is_quiet_) break;
    std::string line;
    if (with_time) {
      line = absl::StrFormat("+%.2fs ", static_cast<double>(one.when - mark_) / kSecond);
    }
    absl::StrAppend(&line, hosts_.Recipient(*rig_, one), " < ", TextFromPacket(one.bytes));
    if (rig_->unit().workers() > 1) absl::StrAppend(&line, " @", one.worker);
    Print(line);
    if (with_hex_) Print("  " + HexText(one.bytes));
  }
  if (!is_quiet_) ReportChanges();
}

// What the counters tell besides: packets that went nowhere, and flows that ended.
void Case::ReportChanges() {
  const CounterValues now = ReadCounters(*rig_);
  const auto tell = [&](const char* group, const char* word) {
    for (const auto& [name, value] : now.at(group)) {
      const auto change = static_cast<int64_t>(value - last_[group][name]);
      if (change == 0) continue;
      Print(absl::StrCat(word, name, change == 1 ? "" : absl::StrCat(" ", change)));
    }
  };
  tell("drops", "drop ");
  tell("ends", "end ");
  for (const char* name : {"consumed", "held", "handed_off", "resets_suppressed"}) {
    const auto change = static_cast<int64_t>(now.at("packets").at(name) - last_["packets"][name]);
    if (change != 0) Print(absl::StrCat(name, change == 1 ? "" : absl::StrCat(" ", change)));
  }
  last_ = now;
}

void Case::Print(const std::string& line) {
  absl::StrAppend(&out_, std::string(kIndent), line, "\n");
}

}  // namespace tandem::test
