// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/lan.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"
#include "tests/sim/journal.h"

namespace tandem::sim {
namespace {

using test::Bytes;
using test::Seen;
using Phase = Lan::Conversation::Phase;

constexpr uint8_t kNumberOption = 253;  // RFC 4727: for experiments
constexpr unsigned kTriesMax = 6;
constexpr Nanos kRetransmit = 200 * kMillisecond;

constexpr uint16_t kFirstPort = 2000;
constexpr uint16_t kFirstCallPort = 40'000;
constexpr uint16_t kCallPorts = 20'000;

// One in four wraps soon.
uint32_t FirstSequence(Chance& chance) {
  const auto any = static_cast<uint32_t>(chance.Next());
  return chance.OneIn(4) ? UINT32_MAX - any % 400 : any;
}

Bytes NumberBytes(uint32_t number) {
  return {static_cast<uint8_t>(number >> 24), static_cast<uint8_t>(number >> 16),
          static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
}

std::string ToText(const test::Endpoint& endpoint) {
  return endpoint.address.ToString() + "/" + std::to_string(endpoint.port);
}

}  // namespace

size_t SizeOf(const LanParcel& parcel) {
  return parcel.frame.size();
}

// Checksums are not what is put to the test here: a damaged packet is cut or has a bit turned, and
// whoever gets it drops it.
bool Damage(LanParcel& parcel, Chance& chance) {
  if (parcel.frame.size() < 60) return false;
  if (chance.OneIn(2)) {
    parcel.frame.resize(chance.Between(15, static_cast<uint32_t>(parcel.frame.size()) - 1));
  } else {
    parcel.frame[14 + chance.Below(static_cast<uint32_t>(parcel.frame.size()) - 14)] ^=
        static_cast<uint8_t>(1U << chance.Below(8));
  }
  return true;
}

Lan::Lan(Chance& chance, const LanOptions& options)
    : chance_(chance), options_(options), to_devices_(chance), from_devices_(chance) {}

void Lan::AddHost(const test::Host& host) {
  everybody_.push_back(host);
  for (test::Hosts& hosts : hosts_)
    hosts.Add(host);
}

void Lan::Meet(unsigned device, test::Rig& rig) {
  rigs_[device] = &rig;
  hosts_[device].Attach(rig);
  hosts_[device].Greet(rig);
}

std::string Lan::HostOf(const IpAddress& address) const {
  const std::string text = address.ToString();
  for (const test::Host& host : everybody_) {
    if (std::count(host.addresses.begin(), host.addresses.end(), text) != 0) return host.name;
  }
  return "";
}

// ---- conversations ------------------------------------------------------------------------------

void Lan::Step(Nanos now, bool may_open) {
  size_t living = due_.size();
  while (may_open && living < options_.conversations && !chance_.OneIn(4)) {
    Open(now);
    ++living;
  }
  while (!due_.empty() && due_.begin()->first <= now) {
    const uint32_t number = due_.begin()->second;
    due_.erase(due_.begin());
    Act(conversations_.at(number), now);
  }
  while (auto parcel = to_devices_.Receive(now)) {
    const unsigned device = [&] {
      const auto seen = test::See(parcel->frame);
      if (!seen) return 0U;
      const auto found = seen->number ? conversations_.find(*seen->number) : conversations_.end();
      return found == conversations_.end() ? 0U : active_[found->second.service->group];
    }();
    test::Rig& rig = *rigs_[device];
    const test::Host& host = *hosts_[device].Find(parcel->host);
    if (parcel->from_client) NoteInside(*parcel);
    if (on_inject) on_inject(device, *parcel);
    const test::TextLink link = test::Hosts::LinkOf(rig, host);
    std::copy(link.destination.begin(), link.destination.end(), parcel->frame.begin());
    rig.Inject(rig.PortNamed(host.port), chance_.Below(rig.unit().workers()), parcel->frame);
  }
  while (auto parcel = from_devices_.Receive(now))
    Arrive(*parcel, now);
  if (conversations_.size() > 4 * options_.conversations + 400) {
    for (auto it = conversations_.begin(); it != conversations_.end();)
      it = it->second.phase == Phase::kOver ? conversations_.erase(it) : std::next(it);
  }
}

void Lan::NoteInside(const LanParcel& parcel) {
  const auto seen = test::See(parcel.frame);
  const auto found =
      seen && seen->number ? conversations_.find(*seen->number) : conversations_.end();
  if (found != conversations_.end()) found->second.is_inside = true;
}

void Lan::Open(Nanos now) {
  const LanService& service =
      options_.services[chance_.Below(static_cast<uint32_t>(options_.services.size()))];
  std::vector<std::string> clients;
  for (const std::string& client : options_.clients) {
    if (test::Ip(client).is_v4() == service.endpoint.address.is_v4()) clients.push_back(client);
  }
  test::Endpoint client;
  client.address = test::Ip(clients[chance_.Below(static_cast<uint32_t>(clients.size()))]);
  client.port = static_cast<uint16_t>(kFirstPort + chance_.Below(options_.ports));
  if (at_client_.contains(std::tuple(service.protocol, client, service.endpoint))) return;
  Act(Begin(service, client), now);
}

Lan::Conversation& Lan::Begin(const LanService& service, const test::Endpoint& client) {
  Conversation one;
  one.service = &service;
  one.client = client;
  one.number = ++last_number_;
  one.client_next = FirstSequence(chance_);
  one.server_next = FirstSequence(chance_);
  at_client_[std::tuple(service.protocol, client, service.endpoint)] = one.number;
  ++totals_.opened;
  return conversations_.emplace(one.number, one).first->second;
}

uint32_t Lan::Call(const LanService& service, const IpAddress& client, Nanos now) {
  const auto port = static_cast<uint16_t>(kFirstCallPort + next_call_++ % kCallPorts);
  return Call(service, test::Endpoint{client, port}, now);
}

uint32_t Lan::Call(const LanService& service, const test::Endpoint& client, Nanos now) {
  if (at_client_.contains(std::tuple(service.protocol, client, service.endpoint))) return 0;
  Conversation& one = Begin(service, client);
  if (service.protocol == IPPROTO_TCP) {
    Act(one, now);
  } else {
    one.phase = Phase::kOpen;
    Say(one, true, 0, 20, now);
    Plan(one, now + options_.pace);
  }
  return one.number;
}

void Lan::Plan(Conversation& one, Nanos due) {
  due_.erase({one.due, one.number});
  one.due = due;
  due_.insert({due, one.number});
}

void Lan::Over(Conversation& one) {
  one.phase = Phase::kOver;
  due_.erase({one.due, one.number});
  at_client_.erase(std::tuple(one.service->protocol, one.client, one.service->endpoint));
  if (one.is_tuple_known && !one.has_lost_tuple)
    at_server_.erase(std::tuple(one.service->protocol, one.server, one.peer));
  one.is_probed = false;
}

void Lan::Act(Conversation& one, Nanos now) {
  const bool is_tcp = one.service->protocol == IPPROTO_TCP;
  if (one.phase == Phase::kOver) return;
  if (one.phase != Phase::kOpen && ++one.tries > kTriesMax) {
    ++totals_.given_up;
    ++totals_.unanswered;
    return Over(one);
  }
  if (one.phase == Phase::kOpening && is_tcp) {
    if (one.tries > 1) --one.client_next;  // the SYN again
    Say(one, true, test::kSyn, 0, now);
    return Plan(one, now + kRetransmit * one.tries);
  }
  if (one.phase == Phase::kClosing) {
    if (one.tries > 1) --one.client_next;
    Say(one, true, test::kFin | test::kAck, 0, now);
    return Plan(one, now + kRetransmit * one.tries);
  }
  one.phase = Phase::kOpen;
  const uint32_t what = chance_.Below(100);
  if (what < 8) {
    one.tries = 0;
    if (!is_tcp) {
      ++totals_.completed;
      return Over(one);
    }
    one.phase = Phase::kClosing;
    return Act(one, now);
  }
  if (what < 10 && is_tcp) {
    Say(one, true, test::kRst, 0, now);
    ++totals_.completed;
    return Over(one);
  }
  if (what < 11) {  // falls silent; the flow idles out
    ++totals_.given_up;
    return Over(one);
  }
  Say(one, true, is_tcp ? test::kAck | test::kPsh : 0, chance_.Below(200), now);
  Plan(one, now + chance_.Span(0, 2 * options_.pace));
}

void Lan::Say(Conversation& one, bool from_client, uint8_t flags, size_t length, Nanos now) {
  const test::Endpoint& from = from_client ? one.client : one.heard.first;
  const test::Endpoint& to = from_client ? one.service->endpoint : one.heard.second;
  test::PacketBuilder builder;
  builder.IpPair(from.address, to.address);
  uint32_t& next = from_client ? one.client_next : one.server_next;
  const uint32_t other = from_client ? one.server_next : one.client_next;
  const Bytes number = NumberBytes(one.number);
  if (one.service->protocol == IPPROTO_TCP) {
    if ((flags & (test::kSyn | test::kRst)) != 0) length = 0;
    Bytes option = {kNumberOption, 6};
    option.insert(option.end(), number.begin(), number.end());
    builder.Tcp(from.port, to.port, flags).Seq(next).TcpOptions(option);
    if ((flags & test::kAck) != 0) builder.Ack(other);
    builder.Payload(length);
    next += static_cast<uint32_t>(length) + ((flags & (test::kSyn | test::kFin)) != 0 ? 1 : 0);
  } else {
    Bytes payload = number;
    payload.resize(4 + length, 0x55);
    builder.Udp(from.port, to.port).Payload(payload);
  }
  const std::string host = HostOf(from.address);
  // Link addresses are filled in when it reaches a device; this sender is the host.
  for (const test::Host& somebody : everybody_) {
    if (somebody.name != host) continue;
    builder.Ethernet(somebody.mac, somebody.mac);
    if (somebody.vlan != 0) builder.Vlan(somebody.vlan);
  }
  to_devices_.Send({from_client, host, builder.Build()}, now);
}

void Lan::EndAll(Nanos now) {
  for (auto& [number, one] : conversations_) {
    if (one.phase == Phase::kOver) continue;
    if (one.service->protocol == IPPROTO_TCP) Say(one, true, test::kRst, 0, now);
    Over(one);
  }
}

void Lan::TakeOver(unsigned from, const std::function<Fate(const Conversation&)>& fate_of) {
  bereaved_.clear();
  bereaved_of_ = from;
  for (auto& [number, one] : conversations_) {
    if (one.phase == Phase::kOver || active_[one.service->group] != from) continue;
    const Fate fate = fate_of(one);
    if (fate == Fate::kGoesOn) continue;
    const bool is_translated = one.peer.address != one.client.address;
    if (fate == Fate::kCutOff && one.is_tuple_known && !one.has_lost_tuple && is_translated)
      bereaved_[{one.service->protocol, one.server, one.peer}] = {one.client,
                                                                  one.service->endpoint};
    ++totals_.given_up;
    Over(one);
  }
}

void Lan::SilenceAll() {
  for (auto& [number, one] : conversations_) {
    if (one.phase != Phase::kOver) Over(one);
  }
}

// ---- what leaves a device -----------------------------------------------------------------------

void Lan::FromDevice(unsigned device, const test::Sent& sent, Nanos now, bool is_lost) {
  const auto seen = test::See(sent.bytes);
  if (!seen) return;  // ARP and such is answered by the hosts at once
  const std::string host = hosts_[device].Recipient(*rigs_[device], sent);
  if (seen->number && !IsSpoiled(sent.bytes))
    host == "client" ? LeftForClient(*seen) : LeftForServer(device, *seen, is_lost);
  if (!is_lost) from_devices_.Send({false, host, sent.bytes, ++order_}, now);
}

void Lan::LeftForServer(unsigned device, const Seen& seen, bool is_lost) {
  const auto found = conversations_.find(*seen.number);
  if (found == conversations_.end()) return;  // an old one
  Conversation& one = found->second;
  one.is_inside = false;
  const Ends ends(seen.destination, seen.source);
  const Tuple key(one.service->protocol, seen.destination, seen.source);
  const Ends self(one.client, one.service->endpoint);
  Users& users = users_[key];
  if (!is_lost && std::exchange(users.takeovers, takeovers_) != takeovers_) users.who.clear();
  std::erase(users.who, self);
  users.who.push_back(self);
  if (std::count(one.had.begin(), one.had.end(), ends) == 0) one.had.push_back(ends);
  if (one.phase == Phase::kOver || is_lost) return;

  const bool is_tcp = seen.protocol == IPPROTO_TCP;
  const bool begins = !is_tcp || (seen.flags & test::kSyn) != 0;  // may do so
  const bool has_moved = one.is_tuple_known && Ends(one.server, one.peer) != ends;
  const bool is_opened = std::count(one.opened.begin(), one.opened.end(), ends) != 0;
  if (is_tcp && begins) {
    if (!is_opened) one.opened.push_back(ends);
  } else if (is_tcp && is_opened) {
    one.opened = {ends};
  } else if (has_moved && is_tcp) {
    Complain(
        ("was " + ToText(one.peer) + " > " + ToText(one.server) + ", changed in its life").c_str(),
        seen);
  }
  if (has_moved) {
    ++totals_.moved;
    if (one.is_probed) Complain("a probed conversation moved", seen);
    if (!one.has_lost_tuple) at_server_.erase(Tuple(one.service->protocol, one.server, one.peer));
  }
  one.is_tuple_known = true;
  std::tie(one.server, one.peer) = ends;
  if (one.has_lost_tuple && !has_moved && !begins)
    Complain("I9: two conversations look the same", seen);
  one.has_lost_tuple = false;
  const auto bereaved = bereaved_.find(key);
  if (device != bereaved_of_ && bereaved != bereaved_.end() && bereaved->second != self)
    Complain("I9: the port of a conversation that was cut off is another's", seen);
  const auto [other, is_new] = at_server_.emplace(key, one.number);
  if (is_new || other->second == one.number) return;
  const auto rival = conversations_.find(other->second);
  if (rival != conversations_.end()) rival->second.has_lost_tuple = true;
  other->second = one.number;
}

void Lan::LeftForClient(const Seen& seen) {
  const auto found = conversations_.find(*seen.number);
  if (found == conversations_.end()) return;
  const Conversation& one = found->second;
  const bool is_right = one.client == seen.destination && one.service->endpoint == seen.source;
  if (!is_right && !MayGoAstray(one, seen))
    Complain("a reply for another client, or of another service", seen);
}

// What a server says before it hears that its end of the conversation is another's reaches that other
// one; the first packet of which may still wait for the link address of its server.
bool Lan::MayGoAstray(const Conversation& one, const Seen& seen) const {
  const Ends heir(seen.destination, seen.source);
  for (const auto& [server, peer] : one.had) {
    const auto found = users_.find(Tuple(seen.protocol, server, peer));
    if (found == users_.end()) continue;
    const Users& users = found->second;
    const bool is_newest = users.who.back() == heir;
    const bool is_earlier = std::count(users.who.begin(), users.who.end(), heir) != 0;
    if (is_newest || (users.takeovers != takeovers_ && is_earlier)) return true;
  }
  const auto living = at_client_.find(Tuple(seen.protocol, heir.first, heir.second));
  return living != at_client_.end() && conversations_.at(living->second).is_inside;
}

// ---- what arrives -------------------------------------------------------------------------------

std::optional<Nanos> Lan::NextArrival() const {
  std::optional<Nanos> next = to_devices_.NextArrival();
  const auto earlier = [&next](std::optional<Nanos> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  earlier(from_devices_.NextArrival());
  if (!due_.empty()) earlier(due_.begin()->first);
  return next;
}

// A bit of the number itself may have turned; hosts check what they get.
bool Lan::IsSpoiled(const Bytes& frame) const {
  return from_devices_.totals().damaged + to_devices_.totals().damaged != 0 &&
         test::TextFromPacket(frame).find('!') != std::string::npos;
}

void Lan::Arrive(const LanParcel& parcel, Nanos now) {
  std::optional<Seen> seen;
  try {
    seen = test::See(parcel.frame);
  } catch (const std::out_of_range&) {  // was cut on its way
    return;
  }
  if (!seen) return;
  const test::Host* host = hosts_[0].Find(parcel.host);
  if (host == nullptr) {
    if (from_devices_.faults.damage_permille != 0) return;
    Complain("a packet went to a MAC that nobody has", *seen);
  }
  if (IsSpoiled(parcel.frame)) return;
  if (host->name == "client") {
    AtClient(*seen, now);
  } else {
    AtServer(*host, *seen, parcel.order, now);
  }
}

void Lan::AtServer(const test::Host& server, const Seen& seen, uint64_t order, Nanos now) {
  if (!seen.number) return AtReset(seen, false);
  const auto found = conversations_.find(*seen.number);
  if (found == conversations_.end()) return;  // an old one
  Conversation& one = found->second;
  ++totals_.to_servers;
  if (std::count(server.addresses.begin(), server.addresses.end(),
                 seen.destination.address.ToString()) == 0) {
    Complain("a server got a packet that is not addressed to it", seen);
  }
  if (one.phase == Phase::kOver) return;
  if (order > one.heard_order) {
    one.heard_order = order;
    one.heard = {seen.destination, seen.source};
  }
  const bool is_tcp = seen.protocol == IPPROTO_TCP;
  one.server_heard = true;
  if (!is_tcp) {
    if (!chance_.OneIn(4)) Say(one, false, 0, chance_.Below(100), now);
  } else if ((seen.flags & test::kRst) != 0) {
    return;
  } else if ((seen.flags & test::kSyn) != 0) {
    // A SYN that comes again gets the same answer.
    if (one.tries > 1) --one.server_next;
    Say(one, false, test::kSyn | test::kAck, 0, now);
    if ((options_.hasty >> IndexOf(*one.service) & 1) == 0) return;
    const uint32_t haste = chance_.Below(24);
    if (haste < 2) Say(one, false, test::kAck | test::kPsh, 1 + chance_.Below(100), now);
    if (haste == 1) Say(one, false, test::kFin | test::kAck, 0, now);
    if (haste == 2) Say(one, false, test::kRst | test::kAck, 0, now);
  } else if ((seen.flags & test::kFin) != 0) {
    Say(one, false, test::kFin | test::kAck, 0, now);
  } else if (!seen.payload.empty()) {
    Say(one, false, test::kAck | test::kPsh, chance_.OneIn(2) ? chance_.Below(100) : 0, now);
  }
}

void Lan::AtClient(const Seen& seen, Nanos now) {
  if (!seen.number) return AtReset(seen, true);
  const auto found = conversations_.find(*seen.number);
  if (found == conversations_.end()) return;
  Conversation& one = found->second;
  ++totals_.to_clients;
  if (one.client != seen.destination || one.service->endpoint != seen.source) return;  // astray
  if (one.phase == Phase::kOver) return;
  one.client_heard = true;
  if (seen.protocol != IPPROTO_TCP) return;
  if ((seen.flags & test::kRst) != 0) {  // its server refuses
    ++totals_.completed;
    Over(one);
  } else if ((seen.flags & test::kFin) != 0) {
    Say(one, true, test::kAck, 0, now);
    if (one.phase == Phase::kClosing) {
      ++totals_.completed;
      Over(one);
    }
  } else if ((seen.flags & test::kSyn) != 0 && one.phase == Phase::kOpening) {
    one.phase = Phase::kOpen;
    one.tries = 0;
    Say(one, true, test::kAck, 0, now);
    Plan(one, now + chance_.Span(0, options_.pace));
  }
}

// Of the device's own, or of a host that knows of no such conversation.
void Lan::AtReset(const Seen& seen, bool at_client) {
  if (seen.protocol != IPPROTO_TCP || (seen.flags & test::kRst) == 0) return;
  if (!at_client) return;
  const auto found = at_client_.find(std::tuple(seen.protocol, seen.destination, seen.source));
  if (found == at_client_.end()) return;
  Conversation& one = conversations_.at(found->second);
  // A FIN that was said again comes to a device that knows of the flow no more.
  const bool is_after_its_end = one.phase == Phase::kClosing && one.tries > 1;
  ++(is_after_its_end ? totals_.completed : totals_.reset);
  if (one.is_probed) Complain("a probed conversation was reset", seen);
  Over(one);
}

// ---- probes -------------------------------------------------------------------------------------

void Lan::Probe(const std::function<bool(const Conversation&)>& which, Nanos now) {
  for (auto& [number, one] : conversations_) {
    one.is_probed = one.phase == Phase::kOpen && one.heard_order != 0 && which(one);
    if (!one.is_probed) continue;
    one.client_heard = one.server_heard = false;
    const bool is_tcp = one.service->protocol == IPPROTO_TCP;
    Say(one, true, is_tcp ? test::kAck | test::kPsh : 0, 10, now);
    Say(one, false, is_tcp ? test::kAck | test::kPsh : 0, 10, now);
    Plan(one, now + 10 * kSecond);
  }
}

std::vector<const Lan::Conversation*> Lan::Unheard() const {
  std::vector<const Conversation*> unheard;
  for (const auto& [number, one] : conversations_) {
    if (one.is_probed && (!one.client_heard || !one.server_heard)) unheard.push_back(&one);
  }
  return unheard;
}

void Lan::Complain(const char* what, const Seen& seen) const {
  Violate("%s: conversation %u, %s > %s protocol %u flags %u", what, seen.number ? *seen.number : 0,
          ToText(seen.source).c_str(), ToText(seen.destination).c_str(), seen.protocol, seen.flags);
}

}  // namespace tandem::sim
