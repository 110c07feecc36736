// SPDX-License-Identifier: Apache-2.0
//
// Persistence records, mirroring.
#include <algorithm>
#include <array>

#include "control/text.h"
#include "tools/tandemctl/print.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;
using Stream = v1::MirrorResult::Stream;
using RecordStream = v1::MirrorResult::RecordStream;
using Peer = v1::MirrorResult::Peer;

// "bulk 12.3%" while the first pass is under way.
std::string StateOf(const Stream& stream, const Numbers& numbers) {
  if (stream.state() != "syncing" || stream.bulk_total() == 0) return stream.state();
  const double share =
      static_cast<double>(stream.bulk_done()) / static_cast<double>(stream.bulk_total());
  return Cat(stream.state(), " ", numbers.Percent(std::min(share, 1.0)));
}

std::string LagOf(const Stream& stream) {
  const uint64_t lag = stream.lag_us();
  return lag < 10'000 ? Cat(lag, "us") : Cat(lag / 1000, "ms");
}

uint64_t Rounded(double number) {
  return number <= 0 ? 0 : static_cast<uint64_t>(number + 0.5);
}

Table SendersOf(const v1::MirrorResult& result, const Numbers& numbers) {
  Table table({{"TRAFFIC GROUP"},
               {"WORKER", Align::kRight},
               {"STATE"},
               {"LAG", Align::kRight},
               {"SLOTS", Align::kRight},
               {"DELTAS/S", Align::kRight},
               {"BYTES/S", Align::kRight},
               {"DELTAS", Align::kRight},
               {"RETRANSMITTED", Align::kRight},
               {"MISMATCHES", Align::kRight},
               {"AUDITED"},
               {"REASON"}});
  for (const Stream& stream : result.stream()) {
    if (stream.role() != "active") continue;
    const uint64_t deltas =
        stream.creates() + stream.updates() + stream.closes() + stream.touches();
    table.Add({stream.traffic_group(), std::to_string(stream.worker()), StateOf(stream, numbers),
               LagOf(stream), numbers.Count(stream.lag_slots()),
               numbers.Count(Rounded(stream.deltas_per_second())),
               numbers.Count(Rounded(stream.bytes_per_second())), numbers.Count(deltas),
               numbers.Count(stream.retransmissions()), numbers.Count(stream.audit_mismatches()),
               stream.audited() ? Cat(numbers.Seconds(stream.last_audit_seconds()), " ago")
                                : std::string("never"),
               stream.reason()});
  }
  return table;
}

Table ReceiversOf(const v1::MirrorResult& result, const Numbers& numbers) {
  Table table({{"TRAFFIC GROUP"},
               {"WORKER", Align::kRight},
               {"STATE"},
               {"FLOWS", Align::kRight},
               {"UNBOUND", Align::kRight},
               {"DELTAS/S", Align::kRight},
               {"DELTAS", Align::kRight},
               {"NOT APPLIED", Align::kRight},
               {"MALFORMED", Align::kRight},
               {"MISMATCHES", Align::kRight},
               {"REASON"}});
  for (const Stream& stream : result.stream()) {
    if (stream.role() != "standby") continue;
    const uint64_t deltas =
        stream.creates() + stream.updates() + stream.closes() + stream.touches();
    table.Add({stream.traffic_group(), std::to_string(stream.worker()), stream.state(),
               numbers.Count(stream.flows()), numbers.Count(stream.unbound()),
               numbers.Count(Rounded(stream.deltas_per_second())), numbers.Count(deltas),
               numbers.Count(stream.not_applied()), numbers.Count(stream.malformed()),
               numbers.Count(stream.audit_mismatches()), stream.reason()});
  }
  return table;
}

Table GroupsOf(const v1::MirrorResult& result) {
  Table table({{"TRAFFIC GROUP"},
               {"ROLE"},
               {"STATE"},
               {"PEER"},
               {"PEER ROLE"},
               {"PEER STATE"},
               {"EPOCH", Align::kRight},
               {"SESSION", Align::kRight},
               {"REASON"}});
  for (const auto& group : result.group()) {
    table.Add({group.traffic_group(), group.role(), group.state(), OrDash(group.peer()),
               OrDash(group.peer_role()), OrDash(group.peer_state()), std::to_string(group.epoch()),
               std::to_string(group.session()), group.reason()});
  }
  return table;
}

Table RecordStreamsOf(const v1::MirrorResult& result, const Numbers& numbers) {
  Table table({{"PERSISTENCE"},
               {"PEER"},
               {"WORKER", Align::kRight},
               {"STATE"},
               {"FRAMES", Align::kRight},
               {"RECORDS", Align::kRight},
               {"REMOVALS", Align::kRight},
               {"LOST", Align::kRight},
               {"PENDING", Align::kRight},
               {"NOT APPLIED", Align::kRight},
               {"SKIPPED", Align::kRight},
               {"MALFORMED", Align::kRight}});
  for (const RecordStream& stream : result.record_stream()) {
    const bool sends = stream.direction() == "sending";
    const auto of = [&](bool applies, uint64_t number) {
      return applies ? numbers.Count(number) : std::string("-");
    };
    table.Add({stream.direction(), OrDash(stream.peer()), std::to_string(stream.worker()),
               stream.state(), numbers.Count(stream.frames()), numbers.Count(stream.records()),
               numbers.Count(stream.removals()), of(sends, stream.lost_frames()),
               of(sends, stream.pending()), of(!sends, stream.not_applied()),
               of(!sends, stream.skipped()), of(!sends, stream.malformed())});
  }
  return table;
}

// What counted something.
Table CountersOf(const v1::MirrorResult& result, const Numbers& numbers) {
  Table table({{"PART"}, {"COUNTER"}, {"TOTAL", Align::kRight}, {"WHAT"}});
  for (const auto& counter : result.counter()) {
    if (counter.value() == 0) continue;
    table.Add({counter.part(), counter.name(), numbers.Count(counter.value()), counter.help()});
  }
  return table;
}

void PrintPeer(std::ostream& out, const Peer& peer, const Numbers& numbers) {
  out << "peer           " << OrDash(peer.device()) << ", unit " << peer.unit_id() << ", "
      << peer.address() << ", " << peer.state();
  if (peer.state() == "up") out << " for " << numbers.Seconds(peer.up_seconds());
  out << (peer.key_pending() ? "; the new key waits for it\n" : "\n");
  if (peer.incarnation() != 0) out << "  incarnation    " << peer.incarnation() << '\n';
  out << "  last heard     "
      << (peer.heard() ? Cat(peer.last_heard_ms(), " ms ago") : std::string("never")) << '\n';
  if (peer.mtu() != 0) out << "  path MTU       " << peer.mtu() << '\n';
  if (peer.state() == "up") {
    out << "  configuration  "
        << (peer.config_equal() ? "alike on both devices" : "differs between the devices")
        << (peer.dictionary_current() ? "" : "; the peer's names are being read") << '\n';
  }
  if (!peer.incompatible().empty()) {
    out << "  devices        differ, connections are not mirrored: " << peer.incompatible() << '\n';
  }
}

}  // namespace

void Printer::Print(const v1::PersistenceResult& result, bool last) {
  std::vector<std::array<std::string, 5>> lines;
  for (const auto& record : result.record()) {
    const std::string timeout =
        record.indefinite() ? "indefinite" : numbers_.Seconds(record.timeout_seconds());
    lines.push_back({OrDash(record.mode()), record.key(), OrDash(record.virtual_()),
                     record.member().empty() ? "-" : Cat(record.pool(), "/", record.member()),
                     Cat(numbers_.Seconds(record.idle_seconds()), " of ", timeout)});
    for (size_t i = 0; i < lines.back().size(); ++i) {
      widths_[i] = std::max(widths_[i], lines.back()[i].size());
    }
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string line;
    for (size_t cell = 0; cell < lines[i].size(); ++cell) {
      line += lines[i][cell] + std::string(widths_[cell] - lines[i][cell].size() + 2, ' ');
    }
    const auto& record = result.record(static_cast<int>(i));
    out_ << line << "(worker: " << record.worker() << (record.from_peer() ? ", from the peer" : "")
         << (record.mirrored() ? ", mirrored" : "") << ")\n";
  }
  if (last) out_ << "Total records returned: " << result.matched() << '\n';
}

void Printer::Print(const v1::MirrorResult& result) {
  if (!result.configured()) {
    out_ << "mirroring is not configured\n";
    return;
  }
  out_ << "authenticated  " << (result.authenticated() ? "yes" : "NO: laboratories only") << '\n';
  for (const Peer& peer : result.peer())
    PrintPeer(out_, peer, numbers_);
  for (const Table& table :
       {GroupsOf(result), SendersOf(result, numbers_), ReceiversOf(result, numbers_),
        RecordStreamsOf(result, numbers_), CountersOf(result, numbers_)}) {
    if (table.empty()) continue;
    out_ << '\n';
    table.Print(out_);
  }
}

}  // namespace tandem::tandemctl
