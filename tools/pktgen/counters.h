// SPDX-License-Identifier: Apache-2.0
//
// Everything the generator counts, in one list: enum, name in the results and meaning come from it. Every
// frame that arrives ends in exactly one of the counters of arrivals.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tandem::pktgen {

// X(symbol, name, meaning)
#define TANDEM_PKTGEN_COUNTERS(X)                                                                  \
  /* What was sent. */                                                                             \
  X(kRequestsSent, "requests_sent", "marked packets that clients sent, retransmissions included")  \
  X(kRepliesSent, "replies_sent", "marked packets that servers sent")                              \
  X(kSynSent, "syn_sent", "SYN, retransmissions included")                                         \
  X(kSynAckSent, "syn_ack_sent", "answers of servers to SYN")                                      \
  X(kAckSent, "ack_sent", "segments of clients without data, SYN or FIN")                          \
  X(kFinSent, "fin_sent", "FIN of clients, retransmissions included")                              \
  X(kFinAckSent, "fin_ack_sent", "answers of servers to FIN")                                      \
  X(kReplayed, "replayed", "frames of the pcap file")                                              \
  X(kNeighbourSent, "neighbour_sent", "ARP and neighbour discovery, both sides")                   \
  X(kClientBytesSent, "client_bytes_sent", "bytes of frames on the client side, without FCS")      \
  X(kServerBytesSent, "server_bytes_sent", "bytes of frames on the server side, without FCS")      \
  /* Arrivals of this run, as they should be. */                                                   \
  X(kRequestsReceived, "requests_received", "requests at servers, each counted once")              \
  X(kRepliesReceived, "replies_received", "replies at clients, each counted once")                 \
  X(kSynReceived, "syn_received", "SYN at servers")                                                \
  X(kSynAckReceived, "syn_ack_received", "answers to SYN at clients")                              \
  X(kAckReceived, "ack_received", "segments without data, SYN or FIN at servers")                  \
  X(kFinReceived, "fin_received", "FIN at servers")                                                \
  X(kFinAckReceived, "fin_ack_received", "answers to FIN at clients")                              \
  X(kNeighbourReceived, "neighbour_received", "ARP and neighbour discovery, both sides")           \
  X(kEchoReceived, "echo_received", "echo requests; those to an address of the side are answered") \
  /* Arrivals that show what the device or the network did wrong. */                               \
  X(kRequestsDuplicated, "requests_duplicated", "requests that came again")                        \
  X(kRepliesDuplicated, "replies_duplicated", "replies that came again")                           \
  X(kRequestsStale, "requests_stale", "requests 64 or more behind the flow's latest")              \
  X(kRepliesStale, "replies_stale", "replies 64 or more behind the flow's latest")                 \
  X(kRepliesMisdelivered, "replies_misdelivered",                                                  \
    "came to another client, or from another server")                                              \
  X(kWrongSide, "wrong_side", "requests at clients, or replies at servers")                        \
  X(kServerUnknown, "server_unknown", "marked packets to an address that no server has")           \
  X(kIpChecksumBad, "ip_checksum_bad", "IPv4 header checksum wrong")                               \
  X(kL4ChecksumBad, "l4_checksum_bad", "TCP or UDP checksum wrong")                                \
  X(kPayloadBad, "payload_bad", "checksum right, but mark or filler not as they were sent")        \
  X(kResetsReceived, "resets_received", "TCP RST")                                                 \
  X(kIcmpErrors, "icmp_errors", "ICMP errors")                                                     \
  /* Arrivals that say nothing. */                                                                 \
  X(kLate, "late", "marked packets of an earlier phase of this run")                               \
  X(kForeign, "foreign", "TCP or UDP that is not of this run")                                     \
  X(kFlowUnknown, "flow_unknown", "a flow number that this run does not have")                     \
  X(kUnexpected, "unexpected", "TCP segments that do not fit the state of their flow")             \
  X(kMalformed, "malformed", "frames that the parser refused")                                     \
  X(kOther, "other", "other protocols")                                                            \
  X(kUnusable, "unusable", "frames that did not fit into one buffer")                              \
  X(kReplayReceived, "replay_received", "frames that arrived during a replay")                     \
  X(kClientBytesReceived, "client_bytes_received", "bytes of frames that clients received")        \
  X(kServerBytesReceived, "server_bytes_received", "bytes of frames that servers received")        \
  /* More about arrivals that are counted above. */                                                \
  X(kRequestsReordered, "requests_reordered", "requests that came after a later one")              \
  X(kRepliesReordered, "replies_reordered", "replies that came after a later one")                 \
  X(kFlowsMoved, "flows_moved", "a flow went on at another server than before")                    \
  /* Connections and what became of them. */                                                       \
  X(kConnectionsStarted, "connections_started", "first SYN, or first request")                     \
  X(kConnectionsOpened, "connections_opened", "handshakes done, or first replies")                 \
  X(kConnectionsClosed, "connections_closed", "all requests answered, and closed")                 \
  X(kConnectionsReset, "connections_reset", "ended by a RST")                                      \
  X(kConnectionsTimedOut, "connections_timed_out", "given up after retransmissions")               \
  X(kSynRepeated, "syn_repeated", "SYN sent again")                                                \
  X(kRequestsRepeated, "requests_repeated", "TCP requests sent again")                             \
  X(kRequestsGivenUp, "requests_given_up", "UDP requests of connections that nobody waits for")    \
  X(kFinRepeated, "fin_repeated", "FIN sent again")                                                \
  /* The generator's own limits. */                                                                \
  X(kFlowBusy, "flow_busy", "requests not sent: too many of the flow's were under way")            \
  X(kTupleBusy, "tuple_busy", "connections not started: the next tuples were all in use")          \
  X(kQueueFull, "queue_full", "answers of clients not sent at once: left to the timer")            \
  X(kNoBuffer, "no_buffer", "no packet buffer")                                                    \
  X(kTransmitFull, "transmit_full", "times that the port took less than a burst")

enum class Counter : uint8_t {
#define TANDEM_PKTGEN_ENUM(symbol, name, meaning) symbol,
  TANDEM_PKTGEN_COUNTERS(TANDEM_PKTGEN_ENUM)
#undef TANDEM_PKTGEN_ENUM
      kNone
};
inline constexpr size_t kCounters = static_cast<size_t>(Counter::kNone);

const char* NameOf(Counter counter);
const char* MeaningOf(Counter counter);

class Counters {
 public:
  void Add(Counter counter, uint64_t count = 1) { values_[static_cast<size_t>(counter)] += count; }
  uint64_t operator[](Counter counter) const { return values_[static_cast<size_t>(counter)]; }
  void Clear() { values_.fill(0); }
  // How many frames arrived: each is counted in one of these.
  uint64_t Arrivals() const;

 private:
  std::array<uint64_t, kCounters + 1> values_{};  // kNone takes what is counted elsewhere
};

}  // namespace tandem::pktgen
