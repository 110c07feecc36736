// SPDX-License-Identifier: Apache-2.0
//
// The fixed header of every mirroring frame; behind it comes the body, protobuf, sealed. The header
// is authenticated with it but can be read before (README.md has the layout byte by byte and an
// example). All integers are in network byte order on the wire.
//
// A stream is (traffic group, kind, worker) in one direction of one session. Its frames are numbered
// from 1 on; a number is never used twice under one key, so it is the nonce.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem::mirror {

inline constexpr uint16_t kFrameMagic = 0x7a4d;
// Of the header and of the messages of control frames, heartbeats among them: devices whose software
// differs have to understand each other about who is active, so these only ever gain fields.
inline constexpr uint8_t kFrameVersion = 1;
// Of the streams of flows and records: lowest and highest that this build speaks.
inline constexpr uint32_t kStreamVersion = 1;
inline constexpr size_t kHeaderSize = 48;
inline constexpr size_t kTagSize = 16;  // of the AEAD, behind the body
inline constexpr uint16_t kControlPort = 1028;
inline constexpr uint16_t kFirstChannelPort = 1029;  // of traffic group 1, by the active's numbers

enum class FrameType : uint8_t {
  kControl = 1,     // body: Control
  kFlows = 2,       // body: FlowBatch
  kFlowsAck = 3,    // no body
  kPersist = 4,     // body: PersistBatch
  kPersistAck = 5,  // no body
};
inline constexpr uint8_t kFrameTypeMax = 5;

// What the writer of a stream knows of its peer's copy; in every frame that it sends.
enum class StreamState : uint8_t {
  kSyncing = 1,   // the first pass over all slots is not acknowledged to its end
  kAuditing = 2,  // it is; digests are being compared
  kInSync = 3,    // all ranges compared equal, and the lag is within bounds
  kLagging = 4,   // was in sync; what is not acknowledged is too old
};

// The generation of the key that sealed a frame has the upper bits of `flags`; see seal.h. It is no
// part of FrameHeader.
inline constexpr unsigned kGenerationShift = 4;
inline constexpr uint32_t kGenerationMask = 0xfff;
// `frame` has kHeaderSize bytes or more.
void WriteGeneration(uint32_t generation, std::span<uint8_t> frame) noexcept;
uint32_t ReadGeneration(std::span<const uint8_t> frame) noexcept;

enum FrameFlag : uint16_t {
  kStateMask = 0x7,  // StreamState, of data frames
  kAuditMismatch =
      1 << 3,  // ack: a digest differed; `sack` then holds nothing and `floor` as ever, and
               // `range` names it
};

struct FrameHeader {
  FrameType type = FrameType::kControl;
  uint8_t group = 0;  // number of the traffic group at the stream's writer (its active); control: 0
  uint8_t worker = 0;     // of the writer; control: 0
  uint16_t flags = 0;     // FrameFlag
  uint32_t epoch = 0;     // of the group; control: 0
  uint32_t session = 0;   // of the group, chosen by the standby; control: 0
  uint64_t sequence = 0;  // of this frame in its stream and direction
  // Data: the lowest number still in flight; lower ones will not come any more.
  // Ack: every number below has come or will not come any more.
  // Control: the sender's incarnation.
  uint64_t floor = 0;
  uint64_t sack = 0;        // ack: bit i: floor + 1 + i has come
  uint16_t credit = 0;      // ack: how many frames beyond `floor` the receiver has room for
  uint16_t dictionary = 0;  // data: low bits of the writer's Snapshot::generation
  uint32_t stamp = 0;  // data: microseconds of the writer's clock; ack: that of the newest frame;
                       // with kAuditMismatch: range << 1 | is_ipv6
};

// Into kHeaderSize bytes.
void WriteHeader(const FrameHeader& header, std::span<uint8_t, kHeaderSize> out) noexcept;
// False: too short, wrong magic or version, a type or state that there is not. Checks no more.
[[nodiscard]] bool ReadHeader(std::span<const uint8_t> frame, FrameHeader& header) noexcept;

}  // namespace tandem::mirror
