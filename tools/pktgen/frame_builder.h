// SPDX-License-Identifier: Apache-2.0
//
// Frames from a client to the virtual server, with checksums that are right. The payload is a mark and a
// filler of zeros, which adds nothing to a checksum, so that the cost of it does not grow with the frame.
//
// Headers of UDP are copied from a template whose sums are known: what differs from frame to frame is written
// into the copy, and added to the sums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/net/frame.h"
#include "tools/pktgen/flow_map.h"
#include "tools/pktgen/signature.h"

namespace tandem::pktgen {

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host byte order

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Segment {
  uint8_t flags = 0;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  uint32_t timestamp = 0;  // TSval
};

class FrameBuilder {
 public:
  FrameBuilder(const net::LinkHeader& link, const Endpoint& target, uint64_t key)
      : link_(link), target_(target), key_(key) {
    MakeTemplate();
  }

  // Bytes of the payload in a frame of `frame_size` bytes (with FCS): at least a mark.
  size_t PayloadSize(bool is_tcp, uint32_t frame_size) const noexcept;
  // Bytes of a frame (without FCS) around a payload.
  size_t FrameSize(bool is_tcp, size_t payload_size) const noexcept;

  // Each returns the frame's length. REQUIRES: `out` has room for it, and for net::kFrameMin.
  size_t Udp(std::span<uint8_t> out, const EndpointWords& client, const Signature& signature,
             size_t payload_size) const noexcept;
  // A segment without payload when `payload_size` is 0; with the MSS option when it is a SYN.
  size_t Tcp(std::span<uint8_t> out, const ClientTuple& client, const Segment& segment,
             const Signature& signature, size_t payload_size) const noexcept;

  void set_link(const net::LinkHeader& link) {
    link_ = link;
    MakeTemplate();
  }
  const Endpoint& target() const { return target_; }

 private:
  // Ethernet with a tag, IPv6, UDP, and as much more as makes a multiple of 16.
  static constexpr size_t kTemplateSize = 80;

  void MakeTemplate();
  // Completes the copied IP header; returns what its addresses add to the L4 checksum.
  uint64_t WriteIpv4(uint8_t* ip, const AddressWords& client, uint16_t l4_length) const noexcept;
  uint64_t WriteIpv6(uint8_t* ip, const AddressWords& client, uint16_t l4_length) const noexcept;

  net::LinkHeader link_;
  Endpoint target_;
  uint64_t key_;
  bool is_v4_ = true;
  size_t ip_at_ = 0;
  size_t udp_at_ = 0;
  std::array<uint8_t, kTemplateSize> template_{};  // lengths, client and checksums are zero
  uint64_t ip_sum_ = 0;                            // of its IPv4 header
  uint64_t udp_sum_ = 0;                           // of its UDP header, target address and protocol
};

}  // namespace tandem::pktgen
