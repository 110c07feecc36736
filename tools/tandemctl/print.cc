// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/print.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <google/protobuf/util/json_util.h>

#include "control/config_edit.h"
#include "control/text.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;

std::string WordOf(v1::Availability availability) {
  return absl::AsciiStrToLower(v1::Availability_Name(availability));
}

std::string TextOf(const v1::ConnectionResult::Endpoint& endpoint) {
  if (endpoint.address().empty()) return "-";
  const bool v6 = endpoint.address().find(':') != std::string::npos;
  return v6 ? Cat("[", endpoint.address(), "]:", endpoint.port())
            : Cat(endpoint.address(), ":", endpoint.port());
}

// Two words that pluralise as English does.
std::string Some(uint64_t count, std::string_view word) {
  return Cat(count, " ", word, count == 1 ? "" : "s");
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails only for types of google.protobuf.* that no message of ours holds.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}\n";
  return json;
}

const google::protobuf::Message& ResultOf(const v1::Response& response) {
  const auto* reflection = response.GetReflection();
  const auto* field = reflection->GetOneofFieldDescriptor(
      response, response.GetDescriptor()->FindOneofByName("response"));
  return field == nullptr ? v1::ResetResult::default_instance()
                          : reflection->GetMessage(response, field);
}

void Printer::Print(const v1::Response& response) {
  switch (response.response_case()) {
    case v1::Response::kVersion:
      return Print(response.version());
    case v1::Response::kVirtuals:
      return Print(response.virtuals());
    case v1::Response::kPools:
      return Print(response.pools());
    case v1::Response::kConnections:
      return Print(response.connections(), !response.more());
    case v1::Response::kArp:
      return Print(response.arp());
    case v1::Response::kPorts:
      return Print(response.ports());
    case v1::Response::kWorkers:
      return Print(response.workers());
    case v1::Response::kDrops:
      return Print(response.drops());
    case v1::Response::kRoutes:
      return Print(response.routes());
    case v1::Response::kConfig:
      return Print(response.config());
    case v1::Response::kPersistence:
      return Print(response.persistence(), !response.more());
    case v1::Response::kMirror:
      return Print(response.mirror());
    case v1::Response::kTrafficGroups:
      return Print(response.traffic_groups());
    case v1::Response::kDeviceGroup:
      return Print(response.device_group());
    case v1::Response::kFailover:
      return Print(response.failover());
    case v1::Response::kFailoverDone:
      out_ << response.failover_done().what() << '\n';
      return;
    case v1::Response::kConfigSync:
      return Print(response.config_sync());
    case v1::Response::kPersistenceDeleted:
      out_ << Some(response.persistence_deleted().deleted(), "record") << " deleted\n";
      return;
    case v1::Response::kDeleted:
      out_ << Some(response.deleted().deleted(), "connection") << " deleted\n";
      return;
    case v1::Response::kSaved:
      out_ << "saved to " << response.saved().path() << '\n';
      return;
    case v1::Response::kApplied:
    case v1::Response::kReset:
    case v1::Response::RESPONSE_NOT_SET:
      return;
  }
}

void Printer::Print(const v1::VersionResult& result) {
  out_ << "tandemd " << result.version() << ", " << result.dpdk_version() << '\n'
       << "device         " << result.device() << '\n'
       << "process        " << result.pid() << '\n'
       << "up for         " << numbers_.Seconds(result.uptime_seconds()) << '\n'
       << "workers        " << result.workers() << '\n'
       << "configuration  " << result.config_path() << ", generation " << result.config_generation()
       << '\n';
}

void Printer::Print(const v1::VirtualResult& result) {
  Table table({{"NAME"},
               {"DESTINATION"},
               {"PROTOCOL"},
               {"TYPE"},
               {"POOL"},
               {"AVAILABILITY"},
               {"CONNECTIONS", Align::kRight},
               {"TOTAL", Align::kRight},
               {"PACKETS IN", Align::kRight},
               {"BYTES IN", Align::kRight},
               {"PACKETS OUT", Align::kRight},
               {"BYTES OUT", Align::kRight}});
  std::string reasons;
  for (const auto& object : result.virtual_()) {
    table.Add(
        {object.name(), object.destination(), object.ip_protocol(), object.type(), object.pool(),
         WordOf(object.availability()), numbers_.Count(object.connections().current()),
         numbers_.Count(object.connections().total()),
         numbers_.Count(object.traffic().packets_in()), numbers_.Count(object.traffic().bytes_in()),
         numbers_.Count(object.traffic().packets_out()),
         numbers_.Count(object.traffic().bytes_out())});
    if (object.availability() != v1::AVAILABLE) {
      reasons += Cat(object.name(), ": ", object.reason(), "\n");
    }
  }
  if (table.empty()) {
    out_ << "no virtual servers\n";
    return;
  }
  table.Print(out_);
  if (!reasons.empty()) out_ << '\n' << reasons;
}

void Printer::Print(const v1::PoolResult& result) {
  if (result.pool().empty()) out_ << "no pools\n";
  bool first = true;
  for (const auto& pool : result.pool()) {
    if (!first) out_ << '\n';
    first = false;
    out_ << "pool " << pool.name() << ": " << WordOf(pool.availability()) << " ("
         << pool.members_available() << " of "
         << Some(static_cast<uint64_t>(pool.member_size()), "member") << "), "
         << pool.load_balancing_mode() << '\n';
    Table table({{"MEMBER"},
                 {"STATE"},
                 {"SESSION"},
                 {"AVAILABILITY"},
                 {"RATIO", Align::kRight},
                 {"CONNECTIONS", Align::kRight},
                 {"TOTAL", Align::kRight},
                 {"PACKETS IN", Align::kRight},
                 {"BYTES IN", Align::kRight},
                 {"PACKETS OUT", Align::kRight},
                 {"BYTES OUT", Align::kRight}});
    for (const auto& member : pool.member()) {
      table.Add({member.name(), member.state(), member.session(), WordOf(member.availability()),
                 std::to_string(member.ratio()), numbers_.Count(member.connections().current()),
                 numbers_.Count(member.connections().total()),
                 numbers_.Count(member.traffic().packets_in()),
                 numbers_.Count(member.traffic().bytes_in()),
                 numbers_.Count(member.traffic().packets_out()),
                 numbers_.Count(member.traffic().bytes_out())});
    }
    table.Print(out_);
  }
}

void Printer::Print(const v1::ConnectionResult& result, bool last) {
  std::vector<std::array<std::string, 7>> lines;
  for (const auto& connection : result.connection()) {
    lines.push_back({TextOf(connection.cs_client()), TextOf(connection.cs_server()),
                     TextOf(connection.ss_client()), TextOf(connection.ss_server()),
                     connection.protocol(), connection.state(),
                     std::to_string(connection.idle_seconds())});
    for (size_t i = 0; i < widths_.size(); ++i) {
      widths_[i] = std::max(widths_[i], lines.back()[i].size());
    }
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string line;
    for (size_t cell = 0; cell < widths_.size(); ++cell) {
      line += lines[i][cell] + std::string(widths_[cell] - lines[i][cell].size() + 2, ' ');
    }
    const auto& connection = result.connection(static_cast<int>(i));
    out_ << line << "(worker: " << connection.worker() << (connection.mirror().empty() ? "" : ", ")
         << connection.mirror() << ")\n";
  }
  if (last) out_ << Some(result.matched(), "connection") << '\n';
}

void Printer::Print(const v1::ArpResult& result) {
  Table table({{"ADDRESS"}, {"MAC"}, {"VLAN"}, {"STATE"}, {"AGE", Align::kRight}});
  for (const auto& neighbour : result.neighbour()) {
    table.Add({neighbour.address(), neighbour.mac().empty() ? "-" : neighbour.mac(),
               neighbour.vlan(), neighbour.state(), numbers_.Seconds(neighbour.age_seconds())});
  }
  if (table.empty()) {
    out_ << "no neighbours\n";
  } else {
    table.Print(out_);
  }
}

void Printer::Print(const v1::RouteResult& result) {
  Table table({{"NETWORK"}, {"GATEWAY"}, {"VLAN"}, {"NAME"}});
  for (const auto& route : result.route()) {
    table.Add({route.network(), route.gateway().empty() ? "connected" : route.gateway(),
               route.vlan(), route.name()});
  }
  if (table.empty()) {
    out_ << "no routes\n";
  } else {
    table.Print(out_);
  }
}

void Printer::Print(const v1::ConfigResult& result) {
  out_ << control::PrintConfig(result.config(), "The configuration that runs.");
}

}  // namespace tandem::tandemctl
