// SPDX-License-Identifier: Apache-2.0
//
// What the devices say to each other: Hellos, dictionaries, probes.
#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/mirror/endpoint_impl.h"

namespace tandem::mirror {

void Endpoint::Impl::OnControl(const FrameHeader& header, std::span<const uint8_t> frame,
                               const Arrival& arrival, Nanos now, FrameSink& sink) {
  const bool is_beside = arrival.path != 0;
  const auto opened = association.Open(frame, header, scratch, is_beside, now);
  if (!opened) return;
  const ControlMessage message = DecodeControl({scratch.data(), opened->size});
  if (const auto* hello = std::get_if<Hello>(&message)) {
    OnHello(*hello, header, now);
    return;
  }
  if (std::holds_alternative<std::monostate>(message)) {
    counters.control_bad.Add(1);
    return;
  }
  if (!opened->is_of_peer) return;
  if (const auto* heartbeat = std::get_if<HeartbeatBytes>(&message)) {
    if (ports.heartbeat) ports.heartbeat(heartbeat->bytes, arrival.path);
    return;
  }
  if (is_beside) return;
  if (const auto* request = std::get_if<DictionaryRequest>(&message)) {
    if (answers++ >= kAnswersMax) return;
    if (auto page = pages.Answer(*request)) Send(*std::move(page), now, sink);
  } else if (const auto* page = std::get_if<DictionaryPage>(&message)) {
    if (fetch.OnPage(*page)) Translate();
  } else if (const auto answer = OnConfig(message)) {
    Send(*answer, now, sink);
  } else if (const auto* probe = std::get_if<Probe>(&message)) {
    OnProbe(*probe, arrival.ip_length, now, sink);
  }
}

// What is to be said to a message of the configuration exchange, if it is one.
std::optional<ControlMessage> Endpoint::Impl::OnConfig(const ControlMessage& message) {
  if (const auto* part = std::get_if<ConfigPart>(&message)) {
    exchange.OnPart(*part);
  } else if (const auto* decision = std::get_if<ConfigSyncAnswer>(&message)) {
    exchange.OnAnswer(*decision);
  } else if (const auto* request = std::get_if<ConfigRequest>(&message)) {
    if (answers++ < kAnswersMax) return exchange.OnRequest(*request, body_max());
  } else if (const auto* question = std::get_if<ConfigSyncQuestion>(&message)) {
    if (answers++ < kAnswersMax) return exchange.OnQuestion(*question);
  }
  return std::nullopt;
}

void Endpoint::Impl::ReceiveBeside(unsigned number, std::span<const uint8_t> frame, Nanos now,
                                   FrameSink& sink) {
  counters.beside_received.Add(1);
  FrameHeader header;
  if (frame.size() < kHeaderSize + kTagSize ||
      frame.size() > kHeaderSize + kControlBodyMax + kTagSize || !ReadHeader(frame, header) ||
      header.type != FrameType::kControl) {
    counters.header_bad.Add(1);
    return;
  }
  OnControl(header, frame, {.path = number}, now, sink);
}

void Endpoint::Impl::OnHello(const Hello& hello, const FrameHeader& header, Nanos now) {
  const uint16_t mtu_before = mtu();
  switch (association.OnHello(hello, header, now)) {
    case Association::News::kNothing:
      status_changed = true;
      return;
    case Association::News::kNewPeer:
      sessions.NewPeer(hello);
      fetch.Forget();
      path.Restart(now);
      break;
    case Association::News::kNews:
      break;
  }
  sessions.OnHello(hello.groups);
  fetch.Want(hello.dictionary_version);
  exchange.OnHello(hello);
  evaluate = judge = true;
  status_changed = true;
  if (mtu() != mtu_before) evaluate = true;
}

void Endpoint::Impl::OnProbe(const Probe& probe, uint16_t ip_length, Nanos now, FrameSink& sink) {
  if (!probe.is_answer) {
    if (answers++ >= kAnswersMax) return;
    Send(Probe{.size = ip_length, .is_answer = true}, now, sink);
    return;
  }
  const uint16_t before = path.mtu();
  path.OnAnswer(probe.size, now);
  if (path.mtu() == before) return;
  association.HelloSoon();
  evaluate = true;
}

// ---- sending ------------------------------------------------------------------------------------

bool Endpoint::Impl::Send(const ControlMessage& message, unsigned key, Nanos now, FrameSink& sink) {
  const size_t body = EncodeControl(message, scratch);
  if (body == 0) return false;
  const size_t size = kHeaderSize + body + kTagSize;
  const std::span<uint8_t> frame = link.BeginDatagram(options.peer, size, now, sink);
  if (frame.size() < size) return false;
  if (!association.Seal(frame.first(size), {scratch.data(), body}, key, now)) {
    counters.not_sealed.Add(1);
    return false;
  }
  link.CommitDatagram(kSourcePorts, kControlPort, size, sink);
  counters.control_sent.Add(1);
  busy = true;
  return true;
}

// Over every way, sealed anew for each.
void Endpoint::Impl::SendBeside(const ControlMessage& message, unsigned key, Nanos now) {
  if (ports.beside.empty()) return;
  const size_t body = EncodeControl(message, std::span(scratch).first(kControlBodyMax));
  for (SidePath* const way : ports.beside) {
    if (body != 0 && SendBeside(*way, body, key, now)) counters.control_sent.Add(1);
  }
}

// The first `body` bytes of scratch.
bool Endpoint::Impl::SendBeside(SidePath& way, size_t body, unsigned key, Nanos now) {
  std::array<uint8_t, kHeaderSize + kControlBodyMax + kTagSize> frame;
  const size_t size = kHeaderSize + body + kTagSize;
  if (!association.Seal(std::span(frame).first(size), {scratch.data(), body}, key, now)) {
    counters.not_sealed.Add(1);
    return false;
  }
  way.Send(options.peer, std::span(frame).first(size));
  return true;
}

void Endpoint::Impl::SendHeartbeat(std::string_view bytes, Nanos now, FrameSink& sink) {
  if (!association.is_established()) return;
  const HeartbeatBytes heartbeat{std::string(bytes)};
  if (Send(heartbeat, now, sink)) counters.heartbeats_sent.Add(1);
  SendBeside(heartbeat, association.keys().in_use(), now);
  counters.heartbeats_sent.Add(ports.beside.size());
}

void Endpoint::Impl::SendDue(Nanos now, FrameSink& sink) {
  if (association.HasAnswer()) {
    Hello answer = MakeHello();
    const unsigned key = association.SignAnswer(answer);
    if (Send(answer, key, now, sink)) counters.hellos_sent.Add(1);
    SendBeside(answer, key, now);
  }
  const Association::Due due = association.HelloDue(now);
  if (due != Association::Due::kNo) SendHellos(due, now, sink);
  if (association.state(now) != PeerState::kUp) return;
  if (const auto request = fetch.Due(now)) Send(*request, now, sink);
  while (const auto next = exchange.Due(now))
    Send(*next, now, sink);
  // Nothing is learnt about the path from a peer that does not speak at all.
  if (now - association.control_heard_at() > Association::kSilence) return;
  const uint16_t before = path.mtu();
  if (const uint16_t size = path.Due(now, association.heard_at()); size != 0)
    SendProbe(size, now, sink);
  if (path.mtu() != before) {
    association.HelloSoon();
    evaluate = true;
  }
}

Hello Endpoint::Impl::MakeHello() const {
  Hello hello;
  association.Sign(hello);
  hello.dictionary_version = static_cast<uint32_t>(snapshot->generation);
  hello.config_hash = snapshot->config_hash;
  hello.mtu = path.mtu();
  hello.record_streams = sessions.record_streams();
  hello.features = kFeatureConfigExchange;
  return hello;
}

std::vector<GroupSays> Endpoint::Impl::MakeGroups() const {
  std::vector<GroupSays> says;
  if (!association.is_established()) return says;
  says.push_back(
      {.session = sessions.group(0).reader.is_open ? sessions.group(0).reader.terms.session : 0});
  for (const config::TrafficGroup& configured : snapshot->traffic_groups) {
    if (configured.id == 0) continue;
    const Group& group = sessions.group(configured.id);
    if (group.name_hash == 0) continue;
    const bool is_active = group.role == config::Role::kActive;
    says.push_back({.name_hash = group.name_hash,
                    .number = configured.id,
                    .role = group.role,
                    .epoch = is_active ? group.epoch : group.highest,
                    .session = SessionToSay(group),
                    .state = StateToSay(configured.id),
                    .is_elsewhere = group.is_elsewhere});
  }
  return says;
}

// A standby's wish; an active's, that one is over: nobody would know by its silence alone.
uint32_t Endpoint::Impl::SessionToSay(const Group& group) {
  if (group.role == config::Role::kActive) return group.writer.is_open ? 0 : group.written;
  return group.reader.is_open ? group.reader.terms.session : 0;
}

SyncState Endpoint::Impl::StateToSay(config::TrafficGroupId id) const {
  if (sessions.group(id).is_elsewhere)
    return ports.state_elsewhere ? ports.state_elsewhere(id) : SyncState::kDown;
  // Of a peer that is not heard nothing is known; it may hear this.
  return shown == PeerState::kUp ? judged[id].state : SyncState::kDown;
}

// What the port does not take is tried again each turn; beside it, all went.
void Endpoint::Impl::SendHellos(Association::Due due, Nanos now, FrameSink& sink) {
  const std::vector<GroupSays> groups = MakeGroups();
  bool is_taken = true;
  size_t done = 0;
  do {
    Hello hello = MakeHello();
    const size_t end = std::min(groups.size(), done + kHelloGroupsMax);
    hello.groups.assign(groups.begin() + static_cast<ptrdiff_t>(done),
                        groups.begin() + static_cast<ptrdiff_t>(end));
    const KeyRing& keys = association.keys();
    if (due == Association::Due::kNow) SendBeside(hello, keys.in_use(), now);
    is_taken = is_taken && Send(hello, now, sink);
    if (is_taken) counters.hellos_sent.Add(1);
    if (is_taken && keys.is_changing() && Send(hello, keys.wanted(), now, sink))
      counters.hellos_sent.Add(1);
    done = end;
  } while (done < groups.size());
  if (!is_taken) association.HelloNotSent();
}

// Padded to the byte.
void Endpoint::Impl::SendProbe(uint16_t size, Nanos now, FrameSink& sink) {
  const size_t around = link.ip_overhead() + kHeaderSize + kTagSize;
  if (size < around + 2 * kProbeOverheadMax) return;
  const size_t body = size - around;
  Probe probe{.size = size, .padding = body - kProbeOverheadMax};
  const size_t encoded = EncodeControl(probe, scratch);
  if (encoded == 0 || encoded > body) return;
  probe.padding += body - encoded;
  Send(probe, now, sink);
}

}  // namespace tandem::mirror
