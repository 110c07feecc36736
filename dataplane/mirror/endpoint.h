// SPDX-License-Identifier: Apache-2.0
//
// A device's end of the mirroring association with one peer: finds the peer, agrees with it on keys,
// platform, dictionary, path MTU and sessions, and carries the workers' frames, sealed, over the link.
// The workers' streams know nothing of it but what comes through their rings (exchange.h).
//
// States, per device: Down -> Hello (seen each other) -> Up (nonces echoed both ways). Up, streams of
// persistence always run; those of flows only when the platforms' fingerprints are equal. A mismatch
// is found once, said once (`incompatible` of Status), and Hellos slow down to one a minute; nothing
// else happens until one side changes. Each group's session is chosen by its standby: a new one when
// the standby is new, when the writer's epoch changed, or when either device's incarnation did; that of
// persistence also when a new configuration may have what records named in vain. A peer
// that is silent keeps its sessions: when it speaks again with the same incarnation, streams go on
// with what is dirty.
//
// Whether a group is in sync is decided here and nowhere else (`Judge`): by the workers' claims, by
// whether both devices are configured alike, and, at the active, by what the standby says. Under
// configurations that differ a group is *held*: its streams run, flows of objects that only one device
// has wait unbound, and nobody claims that the shadow would do.
//
// Everything is bounded by time and size: Hellos and answers one a second, dictionary pages one
// request at a time, probes one at a time. A hostile or broken peer costs counters.
//
// Heartbeats of the takeover machine (dataplane/ha) are control messages like others: whose sender is the
// associated peer, alive now, by its seal. They and Hellos go over other ways, too, where there are some.
//
// Pure: time, randomness and frames come in. Thread safety: the mirror lcore, except status(), which
// any thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/counter_list.h"
#include "dataplane/base/prng.h"
#include "dataplane/config/publish.h"
#include "dataplane/config/roles.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/frame.h"
#include "dataplane/mirror/link.h"
#include "dataplane/mirror/seal.h"
#include "dataplane/mirror/side_path.h"
#include "dataplane/mirror/sync_state.h"
#include "dataplane/mirror/translation.h"

namespace tandem::mirror {

struct Fingerprint {
  std::string driver;
  uint32_t workers = 0;
  uint64_t rss_key_hash = 0;
  uint32_t reta_size = 0;
  uint64_t reta_hash = 0;
  uint32_t flows_ipv4_per_worker = 0;
  uint32_t flows_ipv6_per_worker = 0;
  uint32_t schema = 1;

  bool operator==(const Fingerprint&) const = default;
  // Whether each slot of the other's tables is also one of this device's: the other's flows can be
  // mirrored to it.
  bool HoldsFlowsOf(const Fingerprint& other) const noexcept {
    return flows_ipv4_per_worker >= other.flows_ipv4_per_worker &&
           flows_ipv6_per_worker >= other.flows_ipv6_per_worker;
  }
};
// "workers 4 here, 2 at the peer; …"; empty when equal but for the sizes of the flow tables, which matter
// to one of the two directions only.
std::string DifferenceOf(const Fingerprint& ours, const Fingerprint& peers);

struct EndpointOptions {
  MacAddress mac{};  // of the mirroring port
  config::Mirroring mirroring;
  config::PeerIndex peer = 0;  // whose endpoint it is
  Fingerprint fingerprint;
  uint32_t stream_version = kStreamVersion;
  uint64_t incarnation = 0;    // random, not 0
  Nonce nonce{};               // random
  uint32_t first_session = 1;  // random; sessions of this run count up from it, never 0
  RekeyLimits rekey;

  config::UnitId unit() const noexcept { return mirroring.unit_id; }
  config::UnitId peer_unit() const noexcept { return mirroring.peers[peer].unit_id; }
};

enum class PeerState : uint8_t { kDown, kHello, kUp };

// Why a group or stream in this state is not in sync, in general.
const char* ReasonOf(SyncState state) noexcept;

// For people; strings are for control alone. A copy, taken under no lock: see Endpoint::status.
struct EndpointStatus {
  PeerState peer = PeerState::kDown;
  std::string peer_device;
  std::string incompatible;   // why flows are not mirrored; empty: they may be
  bool config_equal = false;  // hashes of what decides forwarding
  bool dictionary_current = false;
  bool key_pending =
      false;  // the configuration has another key, which the peer has not shown to have
  uint64_t peer_incarnation = 0;
  uint16_t mtu = 0;  // largest IP packet known to pass both ways
  Nanos up_since = 0;
  Nanos last_heard = 0;
  struct Group {
    config::TrafficGroupId id = 0;
    config::Role role = config::Role::kActive;
    bool is_elsewhere = false;  // active: mirrored to another peer, or to none
    bool peer_known = false;    // it has the group, and has spoken of it
    config::Role peer_role = config::Role::kStandby;
    uint32_t epoch = 0;
    uint32_t session = 0;
    SyncState state = SyncState::kDown;       // kDown, too, while the peer is silent
    SyncState peer_state = SyncState::kDown;  // as the peer says
    // Why it is not in sync: "peer is down", "peer lacks the group", "both are active", "platforms
    // differ", "versions differ", "the configurations of the two devices differ", … Empty: it is.
    const char* reason = "";
  };
  std::vector<Group> groups;
};

// X(name, help)
#define TANDEM_ENDPOINT_COUNTERS(X)                                     \
  X(control_received, "control frames that opened")                     \
  X(control_sent, "control frames sent")                                \
  X(heartbeats_sent, "of them, heartbeats, one for each path")          \
  X(beside_received, "frames that came beside the mirroring port")      \
  X(hellos_sent, "of them, Hellos")                                     \
  X(forged, "frames whose seal does not open: another key, or damaged") \
  X(replayed, "frames that came before")                                \
  X(header_bad, "frames whose header makes no sense")                   \
  X(control_bad, "control frames that opened and make no sense")        \
  X(session_unknown, "frames of a stream or session that is not open")  \
  X(epoch_old, "frames of a writer that another one took over from")    \
  X(ring_full, "frames for a worker that is behind")                    \
  X(incompatible, "Hellos of a peer that this device cannot work with") \
  X(reflected, "control frames of this device that came back")          \
  X(rekeys, "keys of this device that were used up, and replaced")      \
  X(key_changes, "changes of the pre-shared key")                       \
  X(not_sealed, "frames of this device that were not sent: the seal refused, or used before")

struct EndpointCounters {
  TANDEM_ENDPOINT_COUNTERS(TANDEM_COUNTER_MEMBER)
  TANDEM_FOR_EACH_COUNTER(TANDEM_ENDPOINT_COUNTERS)
};

// What the endpoint asks of and hands to the device around it.
struct EndpointPorts {
  std::vector<FrameRing*> to_worker;  // by worker; the endpoint produces
  // Gives workers a new translation; the old one is freed by the callee when nobody uses it.
  std::function<void(std::unique_ptr<const Translation>)> publish_translation;
  // How far this device's end of the group's streams is, over all workers: of that session, under the
  // configuration of that generation.
  std::function<SyncState(config::TrafficGroupId, uint32_t session, uint64_t generation)> state;
  // Of a group that is mirrored to another peer: how far that one is. Not set: nothing is known of it.
  std::function<SyncState(config::TrafficGroupId)> state_elsewhere;
  // How many copies of records this device did not keep because its configuration lacked something
  // that they name; counts up. Not set: none ever.
  std::function<uint64_t()> records_missed;
  // Whether every worker acts by the roles as they are: it is told of sessions only then. Not set: they
  // always do.
  std::function<bool()> are_roles_taken;
  // A heartbeat of the peer came, within Receive: on path 0, the mirroring port, or one beside it.
  std::function<void(std::string_view bytes, unsigned path)> heartbeat;
  std::vector<SidePath*> beside;  // path 1 and on; outlive the endpoint
};

class ConfigExchange;

class Endpoint {
 public:
  // `link` is shared by the endpoints of all peers, and outlives them.
  Endpoint(const EndpointOptions& options, Link& link, const config::Roles& roles,
           EndpointPorts ports);
  ~Endpoint();

  // A turn. `snapshot` is good until its end.
  void BeginTurn(const config::Snapshot& snapshot, Nanos now);
  // What came of the peer.
  void Receive(const Link::Datagram& datagram, Nanos now, FrameSink& sink);
  void ReceiveBeside(unsigned path, std::span<const uint8_t> frame, Nanos now, FrameSink& sink);
  // What time demands, and what the roles and sessions do. Returns whether there was anything to do.
  bool EndTurn(Nanos now, FrameSink& sink);
  // A frame of a worker's, to the peer; then. False: the port has no room now.
  bool SendFrame(size_t worker, FrameSlot& slot, Nanos now, FrameSink& sink);
  // The peer has another address, or this device has: what is known of the way is void.
  void PathChanged(Nanos now);

  // Of a group that the machine decides on: the epoch to write in, or to read. Idempotent.
  void SetDuty(config::TrafficGroupId group, uint32_t epoch);
  // The epoch that is read of the group in `session`; 0: it is another one, or none.
  uint32_t epoch_read(config::TrafficGroupId group, uint32_t session) const noexcept;
  // To the peer, on all paths; nothing when none is associated.
  void SendHeartbeat(std::string_view bytes, Nanos now, FrameSink& sink);

  // Any thread; a consistent copy (the endpoint publishes a new immutable one when something
  // changed).
  std::shared_ptr<const EndpointStatus> status() const;
  // Any thread: what was decided of the group last. Silence of the peer changes nothing.
  SyncClaim claim(config::TrafficGroupId group) const noexcept;
  // The mirror lcore: how far the group is, by what the peer says, too.
  SyncState seen(config::TrafficGroupId group) const;
  const EndpointCounters& counters() const;
  // For control.
  ConfigExchange& config_exchange() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::mirror
