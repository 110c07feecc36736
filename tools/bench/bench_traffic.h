// SPDX-License-Identifier: Apache-2.0
//
// What benchmarks send through a device: full NAT from one virtual server to 128 members behind one
// SNAT address, clients on port 0, servers on port 1. Flow n has a tuple that can be computed from n on
// both sides, so that the benchmark reads no table of its own beside Tandem's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/flow/flow.h"
#include "dataplane/net/packet.h"

namespace tandem::bench {

inline constexpr uint32_t kMembers = 128;
// Each member sees half the ports of one address: those that unit 1 of a pair gives away.
inline constexpr uint32_t kFlowsMax = kMembers * 32'000;
inline constexpr config::InterfaceId kServerSide = 2;

// Clients' ports: kInTurn are all preserved, so that what servers see of a flow can be computed from its number
// too. kRandom are as clients have them: some are taken, and where devices share the ports out, half are not
// theirs to give; servers' packets cannot be computed then.
enum class ClientPorts : uint8_t { kInTurn, kRandom };

// Not finished: the caller adds what it wants and calls Finish.
std::unique_ptr<config::Snapshot> MakeSnapshot(uint8_t protocol);
IpAddress MemberAddress(uint32_t member);  // from 0 on
inline constexpr MacAddress kServerMac = {2, 0, 0, 0, 0, 0x05};

// A frame's buffer, aligned to a cache line.
inline constexpr size_t kFrameStride = 256;
// A packet in `buffer`, as a driver would have it: 60 bytes, headroom, checksum verified by the NIC.
net::Packet PacketIn(uint8_t* buffer, uint16_t port);

class FrameRing {
 public:
  static constexpr size_t kFrames = 512;

  FrameRing();
  std::span<net::Packet> packets() { return packets_; }
  uint8_t* Reset(size_t index, uint16_t port);  // the frame's first byte; packets()[index] shows it

 private:
  // Begins with a cache line, as the buffers of a NIC do.
  struct alignas(64) Buffer {
    uint8_t bytes[kFrameStride];
  };

  std::vector<Buffer> buffers_;
  std::vector<net::Packet> packets_;
};

// What a flow's packets show on the server side, in host byte order.
struct ServerEnd {
  uint16_t member = 0;
  uint16_t port = 0;  // of the SNAT address
};

// The packets of flows that begin in turn, 0, 1, 2 ..., each with the member behind the last one's.
class Traffic {
 public:
  explicit Traffic(uint8_t protocol, ClientPorts ports = ClientPorts::kInTurn)
      : protocol_(protocol), ports_(ports) {}

  // Flow 0's member, as the device chose it.
  void SetFirstMember(uint32_t member) { first_member_ = member % kMembers; }
  uint32_t first_member() const { return first_member_; }
  // From what the device sent to a server.
  static ServerEnd ServerEndOf(const net::Packet& packet);
  static uint32_t MemberOf(const net::Packet& packet) { return ServerEndOf(packet).member; }

  // Packet number `index` of `ring` becomes one of flow `flow` from `side`; `tcp_flags` for TCP, whose
  // numbers are those of an empty stream, with so many more sent and acknowledged (FINs).
  void MakePacket(FrameRing& ring, size_t index, uint32_t flow, flow::Side side, uint8_t tcp_flags,
                  uint32_t sent = 0, uint32_t acknowledged = 0) const;
  // The bytes of one, where flows have other server ends than those that can be computed.
  void WriteFrame(uint8_t* frame, uint32_t flow, ServerEnd server, flow::Side side,
                  uint8_t tcp_flags, uint32_t sent = 0, uint32_t acknowledged = 0) const;
  flow::FlowHot4::Key ClientKey(uint32_t flow) const;
  // An ARP request of a member's for the device's address.
  static void MakeArp(FrameRing& ring, size_t index, uint32_t member);

 private:
  uint16_t ClientPortOf(uint32_t flow) const;

  uint8_t protocol_;
  ClientPorts ports_;
  uint32_t first_member_ = 0;
};

}  // namespace tandem::bench
