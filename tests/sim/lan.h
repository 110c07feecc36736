// SPDX-License-Identifier: Apache-2.0
//
// The clients and members around a pair of devices, and the switch between: TCP conversations from
// handshake to FIN, RST or silence, UDP requests and replies, ports that are used again soon. Frames
// to and from the devices go over bad wires; hosts retransmit.
//
// Hosts know what hosts know: the addresses they talk to. Every packet carries the number of its
// conversation (a TCP option, or the front of the UDP payload), so that whoever gets it can tell:
//  - a conversation keeps its server, and its source as the server sees it, until a new SYN; of several
//    that are on their way at once, any may win;
//  - no two living conversations look the same to a server (I9, from outside);
//  - replies reach their client, from the service that it asked; or whom a device gave the replies' end
//    since, which their server may not know yet.
// A violation of these is thrown. They are looked at as packets leave a device, in that order, for on
// their way to a host they overtake each other. What a client sends goes to the device that is active for
// the service's traffic group.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/chance.h"
#include "tests/sim/wire.h"
#include "tests/support/hosts.h"
#include "tests/unit/pipeline/traffic.h"

namespace tandem::sim {

struct LanService {
  std::string name;  // of the virtual
  test::Endpoint endpoint;
  uint8_t protocol = 0;
  unsigned group = 0;
};

struct LanOptions {
  std::vector<LanService> services;
  std::vector<std::string> clients;  // addresses of the host "client"
  unsigned conversations = 100;      // about so many at a time
  unsigned ports = 200;              // that clients use, each
  Nanos pace = 200 * kMillisecond;   // between two words of a conversation, on average
  // Services, by bit, whose servers close or refuse at times as soon as they have answered.
  uint32_t hasty = 0;
};

struct LanTotals {
  uint64_t opened = 0, completed = 0, reset = 0, moved = 0;
  uint64_t given_up = 0;    // fell silent, or:
  uint64_t unanswered = 0;  // had no answer, however often it asked
  uint64_t to_servers = 0, to_clients = 0;
};

// A frame for a device's port.
struct LanParcel {
  bool from_client = false;
  std::string host;
  test::Bytes frame;
  uint64_t order = 0;  // in which devices sent it
};
size_t SizeOf(const LanParcel& parcel);
bool Damage(LanParcel& parcel, Chance& chance);

class Lan {
 public:
  using Ends = std::pair<test::Endpoint, test::Endpoint>;  // server, peer
  struct Conversation {
    enum class Phase : uint8_t { kOpening, kOpen, kClosing, kOver };
    uint32_t number = 0;
    const LanService* service = nullptr;
    test::Endpoint client;
    Phase phase = Phase::kOpening;
    uint32_t client_next = 0, server_next = 0;
    // Server and client, as the server sees them; by what a device sent last.
    bool is_tuple_known = false;
    test::Endpoint server, peer;
    std::vector<Ends> had;     // all that it had
    std::vector<Ends> opened;  // of its SYNs: a flow that was given up for lack of room begins anew
    bool has_lost_tuple = false;  // another one has it: its flow must be gone
    bool is_inside = false;    // a packet of its client went into a device, and none came out since
    uint64_t heard_order = 0;  // the newest that its server heard; 0: none
    Ends heard;
    Nanos due = 0;  // says its next word then
    unsigned tries = 0;
    bool is_probed = false, client_heard = false, server_heard = false;  // since Probe
  };

  Lan(Chance& chance, const LanOptions& options);

  // Who they are; the same names, ports and addresses towards both devices.
  void AddHost(const test::Host& host);
  // A device came (again): it is told who everybody is.
  void Meet(unsigned device, test::Rig& rig);
  void SetActive(unsigned group, unsigned device) {
    active_[group] = device;
    ++takeovers_;
  }

  // Everything that is due.
  void Step(Nanos now, bool may_open);
  // A frame that `device` sent. is_lost: it reaches nobody.
  void FromDevice(unsigned device, const test::Sent& sent, Nanos now, bool is_lost);
  std::optional<Nanos> NextArrival() const;

  // Each of these conversations says a word in both directions, apart from its usual course.
  void Probe(const std::function<bool(const Conversation&)>& which, Nanos now);
  // Those probed of which a direction was not heard since.
  std::vector<const Conversation*> Unheard() const;
  void EndAll(Nanos now);  // by RST
  // Another device takes over from this one. Conversations that do not go on fall silent. Of those that
  // are cut off the new one knows nothing, and their servers do not know yet: as long as it is active,
  // nobody else's conversation may look like one of them. (One of the same client, port and service may:
  // what the new one was told last it may not have done yet.) The others it ends, or nobody speaks for
  // them.
  enum class Fate { kGoesOn, kEnds, kCutOff };
  void TakeOver(unsigned from, const std::function<Fate(const Conversation&)>& fate_of);
  void SilenceAll();  // nobody says another word; flows idle out
  // A new conversation of this client, from a port of its own or a given one; its number, or 0 when
  // there is one already.
  uint32_t Call(const LanService& service, const IpAddress& client, Nanos now);
  uint32_t Call(const LanService& service, const test::Endpoint& client, Nanos now);

  // Sees what hosts send, right before a device takes it in.
  std::function<void(unsigned device, const LanParcel&)> on_inject;

  const std::map<uint32_t, Conversation>& conversations() const { return conversations_; }
  const std::vector<LanService>& services() const { return options_.services; }
  unsigned IndexOf(const LanService& service) const {
    return static_cast<unsigned>(&service - options_.services.data());
  }
  const LanTotals& totals() const { return totals_; }
  Wire<LanParcel>& to_devices() { return to_devices_; }
  Wire<LanParcel>& from_devices() { return from_devices_; }

 private:
  void NoteInside(const LanParcel& parcel);
  void Open(Nanos now);
  Conversation& Begin(const LanService& service, const test::Endpoint& client);
  void Act(Conversation& one, Nanos now);
  void Plan(Conversation& one, Nanos due);
  void Over(Conversation& one);
  void Say(Conversation& one, bool from_client, uint8_t flags, size_t length, Nanos now);
  void LeftForServer(unsigned device, const test::Seen& seen, bool is_lost);
  void LeftForClient(const test::Seen& seen);
  bool MayGoAstray(const Conversation& one, const test::Seen& seen) const;
  bool IsSpoiled(const test::Bytes& frame) const;
  void Arrive(const LanParcel& parcel, Nanos now);
  void AtServer(const test::Host& server, const test::Seen& seen, uint64_t order, Nanos now);
  void AtClient(const test::Seen& seen, Nanos now);
  void AtReset(const test::Seen& seen, bool at_client);
  std::string HostOf(const IpAddress& address) const;
  [[noreturn]] void Complain(const char* what, const test::Seen& seen) const;

  Chance& chance_;
  LanOptions options_;
  std::array<test::Hosts, 2> hosts_;  // as each device meets them
  std::vector<test::Host> everybody_;
  std::array<test::Rig*, 2> rigs_{};
  std::array<unsigned, 8> active_{};
  Wire<LanParcel> to_devices_, from_devices_;
  std::map<uint32_t, Conversation> conversations_;
  std::set<std::pair<Nanos, uint32_t>> due_;
  using Tuple = std::tuple<uint8_t, test::Endpoint, test::Endpoint>;  // protocol first
  // Who has which address and port at a server, and which port a client uses.
  std::map<Tuple, uint32_t> at_server_;
  std::map<Tuple, uint32_t> at_client_;
  // For whom devices sent something with these ends, client and service; who takes over may know of
  // earlier ones only.
  struct Users {
    uint64_t takeovers = 0;
    std::vector<Ends> who;  // the last one is the newest
  };
  std::map<Tuple, Users> users_;
  uint64_t takeovers_ = 0;
  uint64_t order_ = 0;
  // Translated ends of conversations that the last takeover cut off, whose they were, and from whom it
  // took.
  std::map<Tuple, Ends> bereaved_;
  unsigned bereaved_of_ = 0;
  uint32_t last_number_ = 0;
  uint16_t next_call_ = 0;
  LanTotals totals_;
};

}  // namespace tandem::sim
