// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/pipeline/traffic.h"

#include <netinet/in.h>

#include <algorithm>

#include "dataplane/base/assert.h"

namespace tandem::test {
namespace {

constexpr uint8_t kNumberOption = 253;  // RFC 4727: for experiments

uint16_t Get16(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}
uint32_t Get32(const Bytes& bytes, size_t at) {
  return static_cast<uint32_t>(Get16(bytes, at)) << 16 | Get16(bytes, at + 2);
}

Bytes NumberBytes(uint32_t number) {
  return {static_cast<uint8_t>(number >> 24), static_cast<uint8_t>(number >> 16),
          static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)};
}

// What a side says: told by whose it is, how long, and which side says it.
Bytes Speech(uint32_t number, size_t length, bool from_client) {
  Prng prng(number * 2 + (from_client ? 1 : 0) + length * 1000003);
  Bytes bytes(length);
  for (uint8_t& byte : bytes)
    byte = static_cast<uint8_t>(prng.Next());
  return bytes;
}

void SeeTcp(const Bytes& l4, Seen& seen) {
  seen.sequence = Get32(l4, 4);
  seen.acknowledgement = Get32(l4, 8);
  seen.flags = l4.at(13);
  const size_t header = (l4.at(12) >> 4) * size_t{4};
  if (header >= 28 && l4.at(20) == kNumberOption) seen.number = Get32(l4, 22);
  seen.payload.assign(l4.begin() + static_cast<ptrdiff_t>(header), l4.end());
}

void SeeUdp(const Bytes& l4, Seen& seen) {
  if (l4.size() < 12) return;
  seen.number = Get32(l4, 8);
  seen.payload.assign(l4.begin() + 12, l4.end());
}

std::string ToText(const Endpoint& endpoint) {
  return endpoint.address.ToString() + "/" + std::to_string(endpoint.port);
}

}  // namespace

std::optional<Seen> See(const Bytes& frame) {
  const size_t ip = Get16(frame, 12) == 0x8100 ? 18 : 14;
  Seen seen;
  size_t l4_begin = 0;
  size_t end = 0;
  if (Get16(frame, ip - 2) == 0x0800) {
    uint32_t source = htonl(Get32(frame, ip + 12));
    uint32_t destination = htonl(Get32(frame, ip + 16));
    seen.source.address = IpAddress::V4(source);
    seen.destination.address = IpAddress::V4(destination);
    seen.protocol = frame.at(ip + 9);
    l4_begin = ip + (frame.at(ip) & 0x0fU) * size_t{4};
    end = ip + Get16(frame, ip + 2);
  } else if (Get16(frame, ip - 2) == 0x86dd) {
    seen.source.address = IpAddress::V6(&frame.at(ip + 8));
    seen.destination.address = IpAddress::V6(&frame.at(ip + 24));
    seen.protocol = frame.at(ip + 6);
    l4_begin = ip + 40;
    end = l4_begin + Get16(frame, ip + 4);
  }
  if (seen.protocol != IPPROTO_TCP && seen.protocol != IPPROTO_UDP) return std::nullopt;
  const Bytes l4(frame.begin() + static_cast<ptrdiff_t>(l4_begin),
                 frame.begin() + static_cast<ptrdiff_t>(end));
  seen.source.port = Get16(l4, 0);
  seen.destination.port = Get16(l4, 2);
  seen.protocol == IPPROTO_TCP ? SeeTcp(l4, seen) : SeeUdp(l4, seen);
  return seen;
}

Traffic::Traffic(Rig& rig, Hosts& hosts, const TrafficOptions& options)
    : rig_(rig), hosts_(hosts), options_(options), prng_(options.seed) {}

void Traffic::Step() {
  std::vector<Conversation*> open;
  for (auto& [number, conversation] : conversations_) {
    if (conversation.is_open) open.push_back(&conversation);
  }
  if (open.empty() || prng_.Below(4) == 0) {
    Open();
  } else {
    Conversation& one = *open[prng_.Below(static_cast<uint32_t>(open.size()))];
    const uint32_t what =
        one.service->protocol == IPPROTO_UDP ? 0 : prng_.Below(options_.with_resets ? 12 : 11);
    if (one.service->protocol == IPPROTO_TCP && !one.is_established) {
      --one.client_next;  // the SYN again
      FromClient(one, kSyn, 0);
    } else if (what == 10) {
      FromClient(one, kFin | kAck, 0);
      one.is_open = false;
    } else if (what == 11) {
      FromClient(one, kRst, 0);
      one.is_open = false;
    } else {
      FromClient(one, kAck | kPsh, prng_.Below(300));
    }
  }
  // Now and then several things happen in one burst.
  if (prng_.Below(3) != 0) Settle();
}

void Traffic::Settle() {
  for (std::vector<Sent> sent = rig_.Run(); !sent.empty(); sent = rig_.Run())
    Receive(sent);
}

void Traffic::Restart(const std::function<bool(const Conversation&)>& is_ended) {
  for (auto& [number, conversation] : conversations_) {
    if (is_ended(conversation)) conversation.is_tuple_known = false;
  }
}

void Traffic::Open() {
  const Service& service =
      options_.services[prng_.Below(static_cast<uint32_t>(options_.services.size()))];
  Conversation one;
  one.service = &service;
  std::vector<std::string> clients;
  for (const std::string& client : options_.clients) {
    if (Ip(client).is_v4() == service.endpoint.address.is_v4()) clients.push_back(client);
  }
  one.client.address = Ip(clients[prng_.Below(static_cast<uint32_t>(clients.size()))]);
  // Few ports, so that clients share them; each conversation has its own towards any service.
  one.client.port = static_cast<uint16_t>(2000 + prng_.Below(300));
  for (const auto& [number, other] : conversations_) {
    if (other.client == one.client && other.service->protocol == service.protocol) return;
  }
  one.number = ++last_number_;
  one.client_next = static_cast<uint32_t>(prng_.Next());
  one.server_next = static_cast<uint32_t>(prng_.Next());
  FromClient(conversations_.emplace(one.number, one).first->second, kSyn, prng_.Below(100));
}

void Traffic::FromClient(Conversation& one, uint8_t flags, size_t length) {
  const Endpoint& to = one.service->endpoint;
  PacketBuilder builder;
  builder.IpPair(one.client.address, to.address);
  if (one.service->protocol == IPPROTO_TCP) {
    if (flags & kSyn) length = 0;
    Bytes option = {kNumberOption, 6};
    const Bytes number = NumberBytes(one.number);
    option.insert(option.end(), number.begin(), number.end());
    builder.Tcp(one.client.port, to.port, flags).Seq(one.client_next).TcpOptions(option);
    if (flags & kAck) builder.Ack(one.server_next);
    builder.Payload(Speech(one.number, length, true));
    one.client_next += static_cast<uint32_t>(length) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
  } else {
    Bytes payload = NumberBytes(one.number);
    const Bytes speech = Speech(one.number, length, true);
    payload.insert(payload.end(), speech.begin(), speech.end());
    builder.Udp(one.client.port, to.port).Payload(payload);
  }
  ++sent_by_clients_;
  Inject(*hosts_.Find("client"), builder);
}

void Traffic::FromServer(Conversation& one, const Host& server, uint8_t flags, size_t length) {
  PacketBuilder builder;
  builder.IpPair(one.server.address, one.peer.address);
  if (one.service->protocol == IPPROTO_TCP) {
    Bytes option = {kNumberOption, 6};
    const Bytes number = NumberBytes(one.number);
    option.insert(option.end(), number.begin(), number.end());
    builder.Tcp(one.server.port, one.peer.port, flags).Seq(one.server_next).TcpOptions(option);
    builder.Ack(one.client_next).Payload(Speech(one.number, length, false));
    one.server_next += static_cast<uint32_t>(length) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
  } else {
    Bytes payload = NumberBytes(one.number);
    const Bytes speech = Speech(one.number, length, false);
    payload.insert(payload.end(), speech.begin(), speech.end());
    builder.Udp(one.server.port, one.peer.port).Payload(payload);
  }
  ++sent_by_servers_;
  Inject(server, builder);
}

void Traffic::Inject(const Host& host, const PacketBuilder& builder) {
  const TextLink link = Hosts::LinkOf(rig_, host);
  PacketBuilder whole = builder;
  whole.Ethernet(link.source, link.destination);
  if (link.vlan != 0) whole.Vlan(link.vlan);
  rig_.Inject(rig_.PortNamed(host.port), prng_.Below(rig_.unit().workers()), whole.Build());
}

void Traffic::Receive(const std::vector<Sent>& sent) {
  for (const Sent& one : sent) {
    const std::optional<Seen> seen = See(one.bytes);
    if (!seen || prng_.Below(100) < options_.loss_percent) continue;
    const Host* host = hosts_.Find(hosts_.Recipient(rig_, one));
    if (host == nullptr) {
      Complain("a packet went to a MAC that nobody has", *seen);
    } else if (host->name == "client") {
      AtClient(*seen);
    } else {
      AtServer(*host, *seen);
    }
  }
}

void Traffic::AtServer(const Host& server, const Seen& seen) {
  if (!seen.number) return;  // a reset of the device's own
  Conversation* one = Find(seen);
  if (one == nullptr) return Complain("a server got a packet of no conversation", seen);
  ++seen_by_servers_;
  if (std::count(server.addresses.begin(), server.addresses.end(),
                 seen.destination.address.ToString()) == 0) {
    return Complain("a server got a packet that is not addressed to it", seen);
  }
  if (seen.protocol != one->service->protocol) return Complain("another protocol", seen);
  if (seen.payload != Speech(one->number, seen.payload.size(), true)) {
    return Complain("a server got another payload", seen);
  }
  if (one->is_tuple_known && (one->server != seen.destination || one->peer != seen.source)) {
    return Complain(
        "was " + ToText(one->peer) + " > " + ToText(one->server) + ", changed in its life", seen);
  }
  one->is_tuple_known = true;
  one->server = seen.destination;
  one->peer = seen.source;
  if (IsTupleOfAnother(*one)) return Complain("two conversations look the same", seen);
  AnswerAsServer(*one, server, seen);
}

void Traffic::AtClient(const Seen& seen) {
  if (!seen.number) {  // a reset of the device's own
    for (auto& [number, one] : conversations_) {
      if (one.client == seen.destination && one.service->endpoint == seen.source &&
          one.service->protocol == IPPROTO_TCP) {
        one.is_open = false;
        return;
      }
    }
    return Complain("a reset for no conversation", seen);
  }
  Conversation* one = Find(seen);
  if (one == nullptr) return Complain("a client got a packet of no conversation", seen);
  ++seen_by_clients_;
  if (one->client != seen.destination) return Complain("a reply for another client", seen);
  if (one->service->endpoint != seen.source) return Complain("a reply of another service", seen);
  if (seen.payload != Speech(one->number, seen.payload.size(), false)) {
    return Complain("a client got another payload", seen);
  }
  AnswerAsClient(*one, seen);
}

void Traffic::AnswerAsServer(Conversation& one, const Host& server, const Seen& seen) {
  if (seen.protocol == IPPROTO_UDP) {
    if (prng_.Below(2) == 0) FromServer(one, server, 0, prng_.Below(300));
    return;
  }
  if (seen.flags & kRst) return;
  if (seen.flags & kSyn) return FromServer(one, server, kSyn | kAck, 0);
  if (seen.flags & kFin) return FromServer(one, server, kFin | kAck, 0);
  if (!seen.payload.empty()) FromServer(one, server, kAck | kPsh, prng_.Below(300));
}

void Traffic::AnswerAsClient(Conversation& one, const Seen& seen) {
  if (seen.protocol == IPPROTO_UDP) return;
  one.is_established = true;
  if ((seen.flags & (kSyn | kFin)) != 0) FromClient(one, kAck, 0);
}

bool Traffic::IsTupleOfAnother(const Conversation& one) const {
  return std::any_of(conversations_.begin(), conversations_.end(), [&](const auto& entry) {
    const Conversation& other = entry.second;
    return other.number != one.number && other.is_open && one.is_open && other.is_tuple_known &&
           other.service->protocol == one.service->protocol && other.server == one.server &&
           other.peer == one.peer;
  });
}

Traffic::Conversation* Traffic::Find(const Seen& seen) {
  const auto found = conversations_.find(*seen.number);
  return found == conversations_.end() ? nullptr : &found->second;
}

void Traffic::Complain(const std::string& what, const Seen& seen) {
  if (!complaint_.empty()) return;
  complaint_ = what + ": conversation " +
               (seen.number ? std::to_string(*seen.number) : std::string("unknown")) + ", " +
               ToText(seen.source) + " > " + ToText(seen.destination) + " protocol " +
               std::to_string(seen.protocol) + " flags " + std::to_string(seen.flags);
}

}  // namespace tandem::test
