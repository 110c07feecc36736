// SPDX-License-Identifier: Apache-2.0
//
// Clients and servers around a device, driven by chance, and what they expect of it. They know only
// what hosts know: the addresses they talk to, and the bytes they sent.
//
// A conversation is one client's use of a port towards a service. Every packet carries its number, in
// a TCP option or in front of the UDP payload, so that whoever receives it can tell whose it is,
// whatever its addresses have become. What is checked:
//  - a conversation has one server and one source, as its server sees it, for all its life;
//  - no two conversations look the same to a server;
//  - replies reach their client, from the service that it asked; nobody gets another's packets;
//  - payloads arrive as they were sent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/prng.h"
#include "tests/support/hosts.h"
#include "tests/support/rig.h"

namespace tandem::test {

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

// A packet as its receiver sees it.
struct Seen {
  Endpoint source, destination;
  uint8_t protocol = 0;
  uint8_t flags = 0;  // of TCP
  uint32_t sequence = 0, acknowledgement = 0;
  std::optional<uint32_t> number;
  Bytes payload;
};

// Nothing when the frame is neither TCP nor UDP.
std::optional<Seen> See(const Bytes& frame);

struct Service {
  std::string name;
  Endpoint endpoint;
  uint8_t protocol = 0;
};

struct TrafficOptions {
  uint64_t seed = 1;
  unsigned loss_percent = 0;  // of what the device sends
  bool with_resets = true;    // clients may end with a RST
  std::vector<Service> services;
  std::vector<std::string> clients;  // addresses of the host called "client"
};

class Traffic {
 public:
  struct Conversation {
    uint32_t number = 0;
    const Service* service = nullptr;
    Endpoint client;
    bool is_open = true;          // the client goes on with it
    bool is_established = false;  // TCP: the client has heard from the server
    uint32_t client_next = 0;
    uint32_t server_next = 0;
    bool is_tuple_known = false;
    Endpoint server, peer;  // as the server sees itself and the client
  };

  Traffic(Rig& rig, Hosts& hosts, const TrafficOptions& options);

  // Something happens: a conversation opens, speaks, closes or is reset; most often all react to it
  // before the next.
  void Step();
  // All react until it is quiet.
  void Settle();
  // The device has ended the flows of these conversations.
  void Restart(const std::function<bool(const Conversation&)>& is_ended);
  // All conversations are over.
  void Forget() { conversations_.clear(); }

  unsigned sent_by_clients() const { return sent_by_clients_; }
  unsigned seen_by_servers() const { return seen_by_servers_; }
  unsigned sent_by_servers() const { return sent_by_servers_; }
  unsigned seen_by_clients() const { return seen_by_clients_; }
  // The first thing that went wrong, or empty.
  const std::string& complaint() const { return complaint_; }

 private:
  void Open();
  void FromClient(Conversation& conversation, uint8_t flags, size_t length);
  void FromServer(Conversation& conversation, const Host& server, uint8_t flags, size_t length);
  void Receive(const std::vector<Sent>& sent);
  void AtServer(const Host& server, const Seen& seen);
  void AtClient(const Seen& seen);
  void AnswerAsServer(Conversation& conversation, const Host& server, const Seen& seen);
  void AnswerAsClient(Conversation& conversation, const Seen& seen);
  bool IsTupleOfAnother(const Conversation& conversation) const;
  Conversation* Find(const Seen& seen);
  void Inject(const Host& host, const PacketBuilder& builder);
  void Complain(const std::string& what, const Seen& seen);

  Rig& rig_;
  Hosts& hosts_;
  TrafficOptions options_;
  Prng prng_;
  std::map<uint32_t, Conversation> conversations_;
  uint32_t last_number_ = 0;
  unsigned sent_by_clients_ = 0;
  unsigned seen_by_servers_ = 0;
  unsigned sent_by_servers_ = 0;
  unsigned seen_by_clients_ = 0;
  std::string complaint_;
};

}  // namespace tandem::test
