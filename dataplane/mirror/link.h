// SPDX-License-Identifier: Apache-2.0
//
// The mirroring port's end of Ethernet, IP and UDP: wraps payloads for the peer, unwraps what comes
// from it, resolves its MAC by ARP or neighbour discovery, and answers those for its own address.
// The port carries nothing else: no route, no other neighbour, no fragment. Received packets are
// hostile: parsed by net/parse, must have TTL 255 (RFC 5082), the peer's address, a port from 1028 to
// 1155, no tag, IP option or extension header; everything else is counted and dropped. UDP checksums
// are written and checked.
//
// The peer's MAC is taken from its ARP or ND questions for our address and its answers to ours, never
// from a datagram. It is good for 30 s, then asked for again while datagrams go on to the one that is
// known: to that MAC at first, then to all. It is never forgotten: a peer that is silent costs nothing.
//
// Pure. Thread safety: the mirror lcore.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/counter_list.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/base/limits.h"
#include "dataplane/base/time.h"
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
  X(no_neighbour, "not sent: the peer's MAC address is not known")         \
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
    IpAddress peer;  // of the same family, on the same network
  };
  explicit Link(const Options& options);

  // The same peer by another address, or this device. False: they are as they were.
  bool SetAddresses(const IpPrefix& address, const IpAddress& peer) noexcept;

  struct Datagram {
    uint16_t destination_port = 0;  // host byte order
    uint16_t ip_length = 0;
    std::span<const uint8_t> payload;  // within the frame
  };
  // A datagram of the peer's; nothing when the frame was ARP or ND (answered into `sink`) or bad.
  std::optional<Datagram> Receive(std::span<const uint8_t> frame, Nanos now, FrameSink& sink);

  // Bytes in front of a payload: Ethernet, IP, UDP.
  size_t overhead() const noexcept;     // Ethernet included
  size_t ip_overhead() const noexcept;  // IP and UDP
  // Begins a datagram with room for `size` bytes of payload, and finishes it when `used` of them are
  // written. Empty: no room, or the peer's MAC is not known (then it is asked for, three times a
  // second at most). `source_port` spreads streams over the peer's queues (RSS).
  std::span<uint8_t> BeginDatagram(size_t size, Nanos now, FrameSink& sink);
  void CommitDatagram(uint16_t source_port, uint16_t destination_port, size_t used,
                      FrameSink& sink);

  bool peer_known() const noexcept { return peer_known_; }
  const LinkCounters& counters() const noexcept { return counters_; }

 private:
  bool is_v4() const noexcept { return options_.address.address.is_v4(); }
  bool IsForUs(const net::Parsed& parsed) const noexcept;
  std::optional<Datagram> ReceiveUdp(const net::Packet& packet, const net::Parsed& parsed);
  void ReceiveArp(const net::Packet& packet, const net::Parsed& parsed, Nanos now, FrameSink& sink);
  void ReceiveNd(const net::Packet& packet, const net::Parsed& parsed, Nanos now, FrameSink& sink);
  void AnswerSolicitation(const net::Packet& packet, const net::NdPacket& asked, FrameSink& sink);
  void Learn(const MacAddress& mac, Nanos now) noexcept;
  void AskIfDue(Nanos now, FrameSink& sink);
  void Ask(const MacAddress* known, FrameSink& sink);
  template <class Build>
  void Send(FrameSink& sink, Build&& build);

  Options options_;
  LinkCounters counters_;
  MacAddress peer_mac_{};
  bool peer_known_ = false;
  Nanos asked_at_ = 0;  // 0: never
  Nanos heard_at_ = 0;
  std::span<uint8_t> begun_;  // the frame of a datagram that was begun
};

}  // namespace tandem::mirror
