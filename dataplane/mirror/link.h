// SPDX-License-Identifier: Apache-2.0
//
// The mirroring port's end of Ethernet, IP and UDP: wraps payloads for the peers, unwraps what comes
// from them, resolves their MACs by ARP or neighbour discovery, and answers those for its own address.
// The port carries nothing else: no route, no other neighbour, no fragment. Received packets are
// hostile: parsed by net/parse, must have TTL 255 (RFC 5082), a peer's address, a port from 1028 to
// 1155, no tag, IP option or extension header; everything else is counted and dropped. UDP checksums
// are written and checked.
//
// A peer's MAC is taken from its ARP or ND questions for our address and its answers to ours, never
// from a datagram. It is good for 30 s, then asked for again while datagrams go on to the one that is
// known: to that MAC at first, then to all. It is never forgotten: a peer that is silent costs nothing.
//
// Pure. Thread safety: the mirror lcore.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/counter_list.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
#include "dataplane/config/ids.h"
#include "dataplane/net/frame.h"

namespace tandem::mirror {

// Where frames for the wire are written: a buffer of the device's, or of a test.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // Room for an Ethernet frame of `size` bytes, or an empty span: counted by the caller, tried again
  // later. The next Begin without Commit forgets the last.
  virtual std::span<uint8_t> Begin(size_t size) = 0;
  virtual void Commit(size_t size) = 0;  // at most what Begin was asked for
};

// X(name, help)
#define TANDEM_LINK_COUNTERS(X)                                            \
  X(received, "frames of the mirroring port, whatever becomes of them")    \
  X(received_bytes, "bytes of them")                                       \
  X(sent, "frames sent, ARP and neighbour discovery included")             \
  X(sent_bytes, "bytes of them")                                           \
  X(not_for_us, "dropped: another address, port or protocol, or tagged")   \
  X(malformed, "dropped: wrong length or checksum, a fragment, an option") \
  X(ttl, "dropped: TTL below 255, so it came through a router")            \
  X(no_neighbour, "not sent: a peer's MAC address is not known")           \
  X(no_buffer, "not sent: the port had no room")

struct LinkCounters {
  TANDEM_LINK_COUNTERS(TANDEM_COUNTER_MEMBER)
  TANDEM_FOR_EACH_COUNTER(TANDEM_LINK_COUNTERS)
};

class Link {
 public:
  struct Options {
    MacAddress mac{};
    IpPrefix address;
    std::vector<IpAddress> peers;  // of the same family, on the same network; kPeersMax at most
  };
  explicit Link(const Options& options);

  // The same peers by other addresses, or this device. Bit i: the way to peer i is another one.
  uint32_t SetAddresses(const IpPrefix& address, std::span<const IpAddress> peers) noexcept;

  struct Datagram {
    config::PeerIndex peer = 0;
    uint16_t destination_port = 0;  // host byte order
    uint16_t ip_length = 0;
    std::span<const uint8_t> payload;  // within the frame
  };
  // A datagram of a peer's; nothing when the frame was ARP or ND (answered into `sink`) or bad.
  std::optional<Datagram> Receive(std::span<const uint8_t> frame, Nanos now, FrameSink& sink);

  // Bytes in front of a payload: Ethernet, IP, UDP.
  size_t overhead() const noexcept;     // Ethernet included
  size_t ip_overhead() const noexcept;  // IP and UDP
  // Begins a datagram to `peer` with room for `size` bytes of payload, and finishes it when `used` of
  // them are written. Empty: no room, or the peer's MAC is not known (then it is asked for, three times a
  // second at most). `source_port` spreads streams over the peer's queues (RSS).
  std::span<uint8_t> BeginDatagram(config::PeerIndex peer, size_t size, Nanos now, FrameSink& sink);
  void CommitDatagram(uint16_t source_port, uint16_t destination_port, size_t used,
                      FrameSink& sink);

  bool IsKnown(config::PeerIndex peer) const noexcept { return neighbours_[peer].is_known; }
  const LinkCounters& counters() const noexcept { return counters_; }

 private:
  // A peer, as far as it is known.
  struct Neighbour {
    IpAddress address;
    MacAddress mac{};
    bool is_known = false;
    Nanos asked_at = 0;  // 0: never
    Nanos heard_at = 0;

    void Learn(const MacAddress& its, Nanos now) noexcept;
  };

  bool is_v4() const noexcept { return address_.address.is_v4(); }
  const Neighbour* SenderToUs(const net::Parsed& parsed) noexcept;
  std::optional<Datagram> ReceiveUdp(const net::Packet& packet, const net::Parsed& parsed);
  void ReceiveArp(const net::Packet& packet, const net::Parsed& parsed, Nanos now, FrameSink& sink);
  void ReceiveNd(const net::Packet& packet, const net::Parsed& parsed, Nanos now, FrameSink& sink);
  void AnswerSolicitation(const net::Packet& packet, const net::NdPacket& asked, FrameSink& sink);
  Neighbour* Find(const IpAddress& address) noexcept;
  void AskIfDue(Neighbour& neighbour, Nanos now, FrameSink& sink);
  void Ask(const Neighbour& neighbour, bool at_known, FrameSink& sink);
  template <class Build>
  void Send(FrameSink& sink, Build&& build);

  const MacAddress mac_;
  IpPrefix address_;
  std::vector<Neighbour> neighbours_;
  LinkCounters counters_;
  std::span<uint8_t> begun_;       // the frame of a datagram that was begun
  const Neighbour* to_ = nullptr;  // whom it is for
};

}  // namespace tandem::mirror
