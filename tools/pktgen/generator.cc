// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/generator.h"

#include <algorithm>
#include <bit>

#include <absl/strings/str_cat.h>

#include "dataplane/base/hash.h"
#include "tools/pktgen/tcp.h"

namespace tandem::pktgen {
namespace {

RunKey RunKeyOf(const Options& options, uint64_t run_id) {
  return {HashPair(options.seed, options.flows, run_id), options.flows};
}

ClientOptions ClientOptionsOf(const Options& options) {
  ClientOptions result;
  result.is_tcp = options.is_tcp;
  result.target = options.virtual_server;
  result.zipf_exponent = options.zipf_exponent;
  result.sizes = options.sizes;
  result.requests_per_connection = options.has_connections() ? options.requests_per_connection : 0;
  result.retransmit_after = options.retransmit_after;
  result.seed = options.seed;
  return result;
}

uint64_t BurstOf(uint64_t per_second, Nanos catch_up) {
  return std::max<uint64_t>(2 * Generator::kBurst, per_second * (catch_up / kMillisecond) / 1000);
}

// What was sent and has not come; nothing when more has come than was sent.
uint64_t Missing(uint64_t sent, uint64_t received) {
  return sent > received ? sent - received : 0;
}

}  // namespace

const char* NameOf(Phase phase) {
  switch (phase) {
    case Phase::kResolve:
      return "resolve";
    case Phase::kOpen:
      return "open";
    case Phase::kWarmUp:
      return "warm up";
    case Phase::kMeasure:
      return "measure";
    case Phase::kSettle:
      return "settle";
    case Phase::kClose:
      return "close";
    case Phase::kDone:
      return "done";
  }
  return "";
}

Generator::Generator(const Options& options, uint64_t run_id, const MacAddress& client_mac,
                     const MacAddress& server_mac, std::vector<std::vector<uint8_t>> replay)
    : options_(options),
      client_mac_(client_mac),
      server_mac_(server_mac),
      replay_(std::move(replay)),
      run_(RunKeyOf(options, run_id)),
      map_(options.clients, options.client_port_first, options.client_port_last),
      clients_(ClientOptionsOf(options), map_, run_),
      servers_(options.servers, run_),
      client_side_(client_mac,
                   [this](const IpAddress& address) { return map_.clients().Contains(address); }),
      server_side_(
          server_mac,
          [this](const IpAddress& address) { return servers_.addresses().Contains(address); }),
      pacer_(0, 0) {}

uint64_t Generator::MemoryNeeded(const Options& options) {
  constexpr uint64_t kTimer = 4;
  constexpr uint64_t kZipf = 16;  // the table, and what it is made of
  const uint64_t each = sizeof(ClientFlow) + Servers::kBytesPerFlow + kTimer +
                        (options.zipf_exponent > 0 ? kZipf : 0);
  return each * options.flows;
}

// ---- Phases.

void Generator::Start(Nanos now) {
  const bool asks = replay_.empty() && !options_.device_mac && !options_.loopback;
  if (asks) {
    client_side_.LookFor(options_.client_gateway, map_.clients().At(0));
    if (!options_.server_gateway.is_unset()) {
      server_side_.LookFor(options_.server_gateway, servers_.addresses().sorted()[0]);
    }
  }
  Enter(Phase::kResolve, now);
  deadline_ = now + options_.resolve_within;
}

void Generator::Enter(Phase phase, Nanos now) {
  phase_ = phase;
  entered_ = now;
}

void Generator::EnterWork(Phase phase, uint64_t per_second, Nanos now) {
  ++phase_number_;
  clients_.StartPhase(phase_number_);
  servers_.StartPhase(phase_number_);
  clients_.Rewind();
  pacer_ = Pacer(per_second, BurstOf(per_second, options_.catch_up));
  granted_ = 0;
  begins_ = true;  // what was done here took its time, which is none of the phase's
  Enter(phase, now);
}

void Generator::Settle(Phase next, Nanos now) {
  next_ = next;
  quiet_since_ = 0;
  came_at_ = now;
  deadline_ = now + (options_.is_tcp ? kSettleTcp : kSettleUdp);
  Enter(Phase::kSettle, now);
}

void Generator::Fail(const std::string& why) {
  failure_ = why;
  phase_ = Phase::kDone;
}

void Generator::Stop(Nanos now) {
  if (is_stopped_ || phase_ == Phase::kResolve) {
    if (failure_.empty() && phase_ != Phase::kClose) Fail("stopped before there was a result");
    phase_ = Phase::kDone;
    return;
  }
  is_stopped_ = true;
  if (phase_ == Phase::kMeasure) {
    result_.measured = now - entered_;
    Settle(Phase::kClose, now);
  } else if (phase_ == Phase::kOpen || phase_ == Phase::kWarmUp) {
    Fail("stopped before there was a result");
  }
}

void Generator::Step(Nanos now) {
  if (begins_) {
    begins_ = false;
    pacer_.Start(now);
    entered_ = now;
    return;
  }
  const Nanos since = now - entered_;
  switch (phase_) {
    case Phase::kResolve:
      StepResolve(now);
      return;
    case Phase::kOpen:
      if (clients_.is_done_once()) Settle(Phase::kWarmUp, now);
      return;
    case Phase::kWarmUp:
      if (since >= options_.warm_up) Settle(Phase::kMeasure, now);
      return;
    case Phase::kMeasure:
      if (since < options_.duration) return;
      result_.measured = since;
      Settle(Phase::kClose, now);
      return;
    case Phase::kSettle:
      StepSettle(now);
      return;
    case Phase::kClose:
      if (clients_.is_done_once()) Settle(Phase::kDone, now);
      return;
    case Phase::kDone:
      return;
  }
}

void Generator::StepResolve(Nanos now) {
  if (!client_side_.is_looking() && !server_side_.is_looking()) {
    AfterResolve(now);
    return;
  }
  if (now < deadline_) return;
  const bool is_client = client_side_.is_looking();
  const Neighbours& side = is_client ? client_side_ : server_side_;
  Fail(absl::StrCat("nobody answers for ", side.target().ToString(), " (",
                    side.target().is_v4() ? "ARP" : "neighbour discovery", ") on --",
                    is_client ? "client" : "server", "_port within ",
                    options_.resolve_within / kMillisecond, " ms; --",
                    is_client ? "client" : "server", "_gateway says who is asked for"));
}

void Generator::AfterResolve(Nanos now) {
  device_mac_ = options_.device_mac.value_or(client_side_.found().value_or(server_mac_));
  clients_.set_link({device_mac_, client_mac_});
  const bool opens =
      replay_.empty() && !options_.has_connections() && options_.open_per_second != 0;
  if (opens) {
    opening_began_ = now;
    EnterWork(Phase::kOpen, options_.open_per_second, now);
  } else {
    Settle(Phase::kWarmUp, now);
  }
}

void Generator::AfterOpening(Nanos now) {
  result_.opening = clients_.counters();
  result_.opening_took = opening_began_ == 0 ? 0 : now - opening_began_;
  result_.open_flows = clients_.open_flows();
  const bool needs_flows = options_.is_tcp && !options_.has_connections() && replay_.empty();
  if (needs_flows && clients_.open_flows() == 0) {
    Fail(absl::StrCat("no connection could be opened: ", result_.opening[Counter::kSynSent],
                      " SYN sent, ", result_.opening[Counter::kSynAckReceived], " answered, ",
                      result_.opening[Counter::kResetsReceived], " RST received, ",
                      servers_.counters()[Counter::kSynReceived], " SYN seen by servers"));
    return;
  }
  EnterWork(Phase::kWarmUp,
            options_.has_connections() ? options_.new_per_second : options_.rate_pps, now);
}

void Generator::StepSettle(Nanos now) {
  const bool is_quiet = !replay_.empty() || clients_.is_quiet();
  if (!is_quiet) quiet_since_ = 0;
  if (is_quiet && quiet_since_ == 0) quiet_since_ = now;
  const uint64_t bytes_came = clients_.counters()[Counter::kClientBytesReceived] +
                              servers_.counters()[Counter::kServerBytesReceived];
  if (bytes_came != bytes_came_) came_at_ = now;
  bytes_came_ = bytes_came;
  const bool is_silent = !options_.is_tcp && now - came_at_ >= kSilentFor;
  const bool is_over = is_silent || (is_quiet && now - quiet_since_ >= kQuietFor);
  if (!is_over && now < deadline_) return;
  switch (next_) {
    case Phase::kWarmUp:
      AfterOpening(now);
      return;
    case Phase::kMeasure:
      if (is_stopped_) {
        Fail("stopped before there was a result");
        return;
      }
      loop_gaps_.Clear();
      busy_ = 0;
      EnterWork(Phase::kMeasure,
                options_.has_connections() ? options_.new_per_second : options_.rate_pps, now);
      return;
    case Phase::kClose:
      AfterMeasurement(now);
      return;
    case Phase::kDone:
      result_.flows_left_open = clients_.open_flows();
      Enter(Phase::kDone, now);
      return;
    case Phase::kResolve:
    case Phase::kOpen:
    case Phase::kSettle:
      return;
  }
}

void Generator::AfterMeasurement(Nanos now) {
  TakeResult();
  // What stays open in the device would meet the next run's SYN.
  const bool closes = options_.is_tcp && replay_.empty() && clients_.open_flows() > 0;
  closes ? EnterWork(Phase::kClose, options_.open_per_second, now) : Enter(Phase::kDone, now);
}

void Generator::TakeResult() {
  result_.options = options_;
  result_.was_stopped = is_stopped_;
  result_.offered = pacer_.due();
  result_.started = pacer_.granted();
  result_.clients = clients_.counters();
  result_.servers = servers_.counters();
  const Counters& clients = result_.clients;
  const Counters& servers = result_.servers;
  for (uint32_t flow = 0; flow < run_.flows; ++flow) {
    const uint32_t sent = clients_.sent_of(flow);
    const uint32_t came = servers_.requests_of(flow);
    const uint32_t answered = clients_.received_of(flow);
    if (sent == 0) continue;
    ++result_.flows_used;
    result_.lost_to_server += Missing(sent, came);
    result_.lost_to_client += Missing(came, answered);
    const auto lost = static_cast<uint32_t>(Missing(sent, answered));
    if (lost > 0) ++result_.flows_with_loss;
    result_.lost_by_one_flow_max = std::max(result_.lost_by_one_flow_max, lost);
  }
  result_.control_lost_to_server =
      Missing(clients[Counter::kSynSent] + clients[Counter::kAckSent] + clients[Counter::kFinSent],
              servers[Counter::kSynReceived] + servers[Counter::kAckReceived] +
                  servers[Counter::kFinReceived]);
  result_.control_lost_to_client =
      Missing(servers[Counter::kSynAckSent] + servers[Counter::kFinAckSent],
              clients[Counter::kSynAckReceived] + clients[Counter::kFinAckReceived]);
  result_.round_trip = clients_.round_trip();
  result_.to_server = servers_.to_server();
  result_.to_client = clients_.to_client();
  result_.loop_gaps = loop_gaps_;
  result_.busy = busy_;
}

// ---- Arrivals.

// When another device takes over it announces the addresses at its own MAC.
void Generator::FollowDevice() {
  if (phase_ == Phase::kResolve || !client_side_.found()) return;
  if (*client_side_.found() == device_mac_) return;
  device_mac_ = *client_side_.found();
  clients_.set_link({device_mac_, client_mac_});
}

bool Generator::AnswerNeighbour(Neighbours& side, Counters& counters, net::Packet& packet,
                                const Arrival& arrival) {
  counters.Add(Counter::kNeighbourReceived);
  const size_t length =
      side.Answer(packet, arrival.parsed, net::FrameBuffer(packet.data, kOriginatedFrameMax));
  if (length == 0) return false;
  packet.length = packet.contiguous = static_cast<uint32_t>(length);
  counters.Add(Counter::kNeighbourSent);
  return true;
}

// Devices ask so whether their neighbours live.
bool Generator::AnswerEcho(const Neighbours& side, const MacAddress& mac, Counters& counters,
                           net::Packet& packet, const Arrival& arrival) {
  counters.Add(Counter::kEchoReceived);
  if (!side.owns(net::DestinationOf(arrival.parsed))) return false;
  net::EchoReplyInPlace(packet, arrival.parsed, net::DestinationOf(arrival.parsed));
  std::copy_n(packet.data + 6, 6, packet.data);
  std::copy_n(mac.data(), 6, packet.data + 6);
  return true;
}

void Generator::CountReplayed(std::span<const net::Packet> packets, Counters& counters,
                              Counter bytes) {
  for (const net::Packet& packet : packets) {
    counters.Add(Counter::kReplayReceived);
    counters.Add(bytes, packet.length);
  }
}

uint32_t Generator::AtServer(std::span<net::Packet> packets, Nanos now) noexcept {
  if (!replay_.empty()) {
    CountReplayed(packets, servers_.counters(), Counter::kServerBytesReceived);
    return 0;
  }
  for (size_t i = 0; i < packets.size(); ++i) {
    verdicts_[i] = Inspect(packets[i], Side::kServer, run_, arrivals_[i]);
    if (verdicts_[i] == Counter::kNone) servers_.Prefetch(arrivals_[i].flow);
  }
  uint32_t answers = 0;
  uint32_t returned = 0;
  for (size_t i = 0; i < packets.size(); ++i) {
    if (verdicts_[i] != Counter::kNone) {
      servers_.counters().Add(verdicts_[i]);
    } else if (OneAtServer(packets[i], arrivals_[i], now)) {
      const bool is_direct = options_.direct_return && arrivals_[i].kind != Arrival::Kind::kEcho &&
                             arrivals_[i].kind != Arrival::Kind::kNeighbour;
      (is_direct ? returned : answers) |= uint32_t{1} << i;
    }
  }
  // Replies, so never answered themselves. Behind the others: arrivals_ are theirs now.
  for (; returned != 0; returned &= returned - 1)
    AtClient(packets.subspan(static_cast<size_t>(std::countr_zero(returned)), 1), now);
  return answers;
}

bool Generator::OneAtServer(net::Packet& packet, const Arrival& arrival, Nanos now) noexcept {
  if (arrival.kind == Arrival::Kind::kEcho) {
    return AnswerEcho(server_side_, server_mac_, servers_.counters(), packet, arrival);
  }
  if (arrival.kind == Arrival::Kind::kNeighbour) {
    return AnswerNeighbour(server_side_, servers_.counters(), packet, arrival);
  }
  if (!servers_.Answer(packet, arrival, now)) return false;
  if (options_.direct_return) return true;
  if (server_side_.found()) std::copy_n(server_side_.found()->data(), 6, packet.data);
  std::copy_n(server_mac_.data(), 6, packet.data + 6);
  return true;
}

uint32_t Generator::AtClient(std::span<net::Packet> packets, Nanos now) noexcept {
  if (!replay_.empty()) {
    CountReplayed(packets, clients_.counters(), Counter::kClientBytesReceived);
    return 0;
  }
  for (size_t i = 0; i < packets.size(); ++i) {
    verdicts_[i] = Inspect(packets[i], Side::kClient, run_, arrivals_[i]);
    if (verdicts_[i] == Counter::kNone) clients_.Prefetch(arrivals_[i].flow);
  }
  uint32_t answers = 0;
  for (size_t i = 0; i < packets.size(); ++i) {
    if (verdicts_[i] != Counter::kNone) {
      clients_.counters().Add(verdicts_[i]);
    } else if (OneAtClient(packets[i], arrivals_[i], now)) {
      answers |= uint32_t{1} << i;
    }
  }
  return answers;
}

bool Generator::OneAtClient(net::Packet& packet, const Arrival& arrival, Nanos now) noexcept {
  if (arrival.kind == Arrival::Kind::kEcho) {
    return AnswerEcho(client_side_, client_mac_, clients_.counters(), packet, arrival);
  }
  if (arrival.kind == Arrival::Kind::kNeighbour) {
    const bool is_answer = AnswerNeighbour(client_side_, clients_.counters(), packet, arrival);
    FollowDevice();
    return is_answer;
  }
  clients_.Receive(arrival, packet.length, now);
  return false;
}

// ---- What is to be sent.

Work Generator::WorkOf() const {
  if (phase_ == Phase::kOpen) return Work::kOpen;
  if (phase_ == Phase::kClose) return Work::kClose;
  return options_.has_connections() ? Work::kConnections : Work::kRequests;
}

size_t Generator::Want(Nanos now) noexcept {
  if (phase_ == Phase::kResolve) return client_side_.is_looking() ? 1 : 0;
  clients_.Advance(now);
  const size_t errands = std::min(clients_.errands(), kBurst);
  const bool works = !begins_ && phase_ != Phase::kSettle && phase_ != Phase::kDone;
  granted_ = works ? pacer_.Take(now, kBurst - errands) : 0;
  return errands + granted_;
}

size_t Generator::Replay(std::span<FrameSlot> slots) noexcept {
  for (FrameSlot& slot : slots) {
    const std::vector<uint8_t>& frame = replay_[replay_at_];
    replay_at_ = replay_at_ + 1 == replay_.size() ? 0 : replay_at_ + 1;
    slot.length = std::min(frame.size(), slot.room.size());
    std::copy_n(frame.data(), slot.length, slot.room.data());
    clients_.counters().Add(Counter::kReplayed);
    clients_.counters().Add(Counter::kClientBytesSent, slot.length);
  }
  return slots.size();
}

size_t Generator::Fill(std::span<FrameSlot> slots, Nanos now) noexcept {
  if (phase_ == Phase::kResolve) {
    if (slots.empty()) return 0;
    slots[0].length =
        client_side_.Ask(now, net::FrameBuffer(slots[0].room.data(), kOriginatedFrameMax));
    if (slots[0].length == 0) return 0;
    clients_.counters().Add(Counter::kNeighbourSent);
    return 1;
  }
  const size_t errands = slots.size() - std::min<size_t>(granted_, slots.size());
  size_t filled = clients_.SendErrands(slots.first(errands), now);
  const auto rest = slots.subspan(filled, std::min<size_t>(granted_, slots.size() - filled));
  const size_t worked = replay_.empty() ? clients_.SendWork(WorkOf(), rest, now) : Replay(rest);
  pacer_.GiveBack(granted_ - worked);
  granted_ = 0;
  return filled + worked;
}

bool Generator::FillServer(FrameSlot& slot, Nanos now) noexcept {
  slot.length = server_side_.Ask(now, net::FrameBuffer(slot.room.data(), kOriginatedFrameMax));
  if (slot.length == 0) return false;
  servers_.counters().Add(Counter::kNeighbourSent);
  return true;
}

}  // namespace tandem::pktgen
