// SPDX-License-Identifier: Apache-2.0
//
// Traffic groups, the device group, transitions, config-sync.
#include <array>
#include <cstdio>
#include <ctime>

#include "control/text.h"
#include "tools/tandemctl/print.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;

// Local time, to the millisecond.
std::string TimeOf(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(unix_ms % 1000));
  return Cat(text.data(), fraction.data());
}

// "mirroring, management (deaf)": where it is heard, and where it does not hear this device.
std::string PathsOf(const v1::DeviceGroupResult::Device& device) {
  std::string text;
  for (const auto& path : device.path()) {
    text += Cat(text.empty() ? "" : ", ", path.name(), path.heard() ? "" : " (silent)",
                path.heard() && !path.hears_us() ? " (deaf)" : "");
  }
  return OrDash(text);
}

std::string GroupsOf(const v1::DeviceGroupResult::Device& device) {
  std::string text;
  for (const auto& group : device.group()) {
    text += Cat(text.empty() ? "" : ", ", group.traffic_group(), " ", group.state());
  }
  return OrDash(text);
}

// Of what decides forwarding, by hashes; and of all that is shared, by name.
std::string ConfigurationsOf(const v1::DeviceGroupResult& result) {
  uint32_t differences = 0;
  for (const auto& device : result.device())
    differences += device.config().differences();
  if (differences > 0) {
    const bool is_one = differences == 1;
    return Cat("differ in ", differences, is_one ? " object" : " objects",
               !result.config_equal() ? ""
               : is_one               ? ", which decides nothing about connections"
                                      : ", which decide nothing about connections");
  }
  return result.config_equal() ? "equal" : "differ, or not compared yet";
}

}  // namespace

void Printer::PrintScores(const v1::TrafficGroupResult& result) {
  out_ << '\n';
  Table table({{"TRAFFIC GROUP"},
               {"SCORE", Align::kRight},
               {"OF"},
               {"WEIGHT", Align::kRight},
               {"UP", Align::kRight},
               {"TOTAL", Align::kRight},
               {"MINIMUM", Align::kRight}});
  for (const auto& group : result.traffic_group()) {
    for (const auto& part : group.score_part()) {
      table.Add({group.name(), std::to_string(group.score()), part.name(),
                 std::to_string(part.weight()), std::to_string(part.up()),
                 std::to_string(part.total()), std::to_string(part.minimum())});
    }
  }
  table.Print(out_);
}

void Printer::Print(const v1::TrafficGroupResult& result) {
  bool has_states = false;
  bool has_scores = false;
  for (const auto& group : result.traffic_group()) {
    has_states |= !group.state().empty();
    has_scores |= group.has_score();
  }
  if (result.traffic_group().empty()) {
    out_ << "no traffic groups\n";
    return;
  }
  if (has_states) {
    Table table({{"NAME"},
                 {"ROLE"},
                 {"STATE"},
                 {"SINCE", Align::kRight},
                 {"EPOCH"},
                 {"ACTIVE DEVICE"},
                 {"NEXT ACTIVE"},
                 {"MIRROR"},
                 {"PEER MIRROR"},
                 {"MAC"},
                 {"REASON"}});
    for (const auto& group : result.traffic_group()) {
      table.Add({group.name(), group.role(), group.state(), numbers_.Seconds(group.state_seconds()),
                 group.epoch(), OrDash(group.active_device()), OrDash(group.next_active()),
                 group.mirror(), group.peer_mirror(), group.mac(),
                 group.fault().empty() ? group.state_reason() : group.fault()});
    }
    table.Print(out_);
    if (has_scores) PrintScores(result);
    return;
  }
  Table table(
      {{"NAME"}, {"ROLE"}, {"MIRROR"}, {"PEER ROLE"}, {"PEER MIRROR"}, {"MAC"}, {"REASON"}});
  for (const auto& group : result.traffic_group()) {
    table.Add({group.name(), group.role(), group.mirror(), group.peer_role(), group.peer_mirror(),
               group.mac(), group.reason()});
  }
  table.Print(out_);
}

void Printer::Print(const v1::DeviceGroupResult& result) {
  if (!result.configured()) {
    out_ << "no device group\n";
    return;
  }
  out_ << "device group   " << result.name() << '\n'
       << "heartbeats     every " << result.heartbeat_interval_us() << " us, "
       << result.heartbeat_multiplier() << " silent ones are a death\n"
       << "configurations " << ConfigurationsOf(result) << '\n';
  if (result.has_last_config_sync()) {
    const auto& last = result.last_config_sync();
    out_ << "config-sync    " << TimeOf(last.unix_ms()) << ' ' << last.what() << '\n';
    for (const auto& device : last.result().device())
      out_ << "               " << device.name() << ": " << device.message() << '\n';
  }
  out_ << '\n';
  Table table({{"DEVICE"},
               {"UNIT", Align::kRight},
               {"STATE"},
               {"HEARD"},
               {"ROUND TRIP", Align::kRight},
               {"PATHS"},
               {"TRAFFIC GROUPS"}});
  for (const auto& device : result.device()) {
    const std::string heard = device.is_self() ? "-"
                              : device.heard() ? Cat(device.last_heard_ms(), " ms ago")
                                               : "never";
    table.Add({Cat(device.name(), device.is_self() ? " (this one)" : ""),
               std::to_string(device.unit_id()), device.state(), heard,
               device.is_self() ? "-" : Cat(device.round_trip_us(), "us"), PathsOf(device),
               GroupsOf(device)});
  }
  table.Print(out_);
  PrintComparisons(result);
}

void Printer::PrintComparisons(const v1::DeviceGroupResult& result) {
  for (const auto& device : result.device()) {
    const v1::ConfigComparison& config = device.config();
    if (!config.error().empty()) {
      out_ << "\nnot compared with " << device.name() << ": " << config.error() << '\n';
    }
    if (config.difference().empty()) continue;
    out_ << '\n';
    Table table({{"OBJECT"}, {"DIFFERENCE"}});
    for (const auto& one : config.difference())
      table.Add({one.object(), one.text()});
    table.Print(out_);
    const auto shown = static_cast<uint32_t>(config.difference_size());
    if (config.differences() > shown) out_ << "and " << config.differences() - shown << " more\n";
  }
}

void Printer::Print(const v1::ConfigSyncResult& result) {
  for (const auto& device : result.device())
    out_ << device.name() << ": " << device.message() << '\n';
}

void Printer::PrintWitness(const v1::FailoverResult& result) {
  const auto& witness = result.witness();
  out_ << "witness        " << witness.address() << " port " << witness.port() << ", "
       << (witness.answers() ? "answers" : "does not answer") << ", "
       << (witness.answered() ? Cat("last ", witness.last_answer_ms(), " ms ago") : "never has");
  if (witness.lease_too_long()) {
    out_ << "; grants none: its leases last " << witness.witness_lease_ms() << " ms, not "
         << witness.lease_ms();
  }
  out_ << "\n\n";
  Table table({{"TRAFFIC GROUP"}, {"LEASE"}, {"ENDS IN", Align::kRight}});
  for (const auto& lease : result.lease()) {
    table.Add({lease.traffic_group(), lease.held() ? "held" : "not held",
               lease.held() ? Cat(lease.remaining_ms(), " ms") : "-"});
  }
  table.Print(out_);
}

void Printer::Print(const v1::FailoverResult& result) {
  if (!result.configured()) {
    out_ << "no device group\n";
    return;
  }
  out_ << "device         " << result.device() << '\n'
       << "forced offline " << (result.forced_offline() ? "yes" : "no") << '\n'
       << "stalls         " << numbers_.Count(result.stalls()) << "\n";
  if (result.has_witness()) PrintWitness(result);
  if (result.fault_size() > 0) {
    out_ << '\n';
    Table table({{"FAULT"}, {"OF"}, {"TRAFFIC GROUP"}, {"SINCE", Align::kRight}, {"STATE"}});
    for (const auto& one : result.fault()) {
      table.Add({one.what(), one.object(),
                 one.traffic_group().empty() ? "all" : one.traffic_group(),
                 numbers_.Seconds(one.seconds()), one.is_over() ? "over" : "present"});
    }
    table.Print(out_);
  }
  if (result.transition().empty()) return;
  out_ << '\n';
  Table table({{"TIME"}, {"TRAFFIC GROUP"}, {"FROM"}, {"TO"}, {"EPOCH"}, {"REASON"}});
  for (const auto& one : result.transition()) {
    table.Add({TimeOf(one.unix_ms()), one.traffic_group(), one.from(), one.to(), one.epoch(),
               one.reason()});
  }
  table.Print(out_);
}

}  // namespace tandem::tandemctl
