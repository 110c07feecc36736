// SPDX-License-Identifier: Apache-2.0
//
// What devices and the witness say to each other: a question and an answer are a UDP datagram each, of one
// size. All of a message is clear and authenticated: this header, and behind it the tag (witness/seal.h).
// Integers are in network byte order.
//
// | offset | size | field     | of a question                            | of an answer                     |
// |--------|------|-----------|------------------------------------------|----------------------------------|
// | 0      | 2    | magic     | `7a 57`                                  | likewise                         |
// | 2      | 1    | version   | 1                                        | likewise                         |
// | 3      | 1    | type      | 1 hello, 2 ask, 3 release                | 4                                |
// | 4      | 1    | device    | who asks: its unit id                    | who asked                        |
// | 5      | 1    | verdict   | 0                                        | 1 heard, 2 granted, 3 refused, 4 unknown session, 5 lease too long |
// | 6      | 2    | lease_ms  | the device's                             | the witness's                    |
// | 8      | 8    | run       | with number: this message's, never twice | likewise                         |
// | 16     | 4    | number    | from 1 on                                | likewise                         |
// | 20     | 4    |           | 0                                        | number of the question           |
// | 24     | 8    |           | 0                                        | run of the question              |
// | 32     | 8    | group     | hash of the traffic group's name; hello: 0 | that of the question           |
// | 40     | 8    | session   | as the witness said last; 0: it has not  | for the questions to come        |
//
// To the rules of leases (ha/lease.h) a question's run is the device's incarnation, and its number the
// ticket: both go on though groups come, go and have each other's numbers.
//
// Sessions keep recordings out: the witness makes up a new one for each run of a device, and takes each
// number of a session once. A question of any other session is answered (`unknown session`) and means
// nothing. An answer names its question, which is waiting for one, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/ha/epoch.h"
#include "dataplane/mirror/frame.h"

namespace tandem::witness {

inline constexpr uint16_t kPort = 1027;  // of the witness
inline constexpr size_t kDatagramSize = mirror::kHeaderSize + mirror::kTagSize;

enum class MessageType : uint8_t { kHello = 1, kAsk = 2, kRelease = 3, kAnswer = 4 };
enum class Verdict : uint8_t {
  kNone = 0,
  kHeard = 1,
  kGranted = 2,
  kRefused = 3,         // another device has the lease, or the witness has just begun
  kUnknownSession = 4,  // ask again, with the answer's session
  kLeaseTooLong = 5,    // the device would count on more than the witness gives
};

// Of one message under one key; so it is the nonce.
struct MessageId {
  uint64_t run = 0;     // random
  uint32_t number = 0;  // 0: none

  friend bool operator==(const MessageId&, const MessageId&) = default;
};

struct Message {
  MessageType type = MessageType::kHello;
  Verdict verdict = Verdict::kNone;
  ha::DeviceId device = 0;
  uint16_t lease_ms = 0;
  MessageId id;
  MessageId question;  // answer
  uint64_t group = 0;
  uint64_t session = 0;
};

void WriteMessage(const Message& message, std::span<uint8_t, kDatagramSize> out) noexcept;
// nullopt: not of that size, or not of this kind. Authentic it need not be.
std::optional<Message> ReadMessage(std::span<const uint8_t> datagram) noexcept;

}  // namespace tandem::witness
