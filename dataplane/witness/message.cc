// SPDX-License-Identifier: Apache-2.0
#include "dataplane/witness/message.h"

#include <rte_byteorder.h>

#include <cstring>

#include "dataplane/base/limits.h"

namespace tandem::witness {
namespace {

constexpr uint16_t kMagic = 0x7a57;
constexpr uint8_t kVersion = 1;
constexpr auto kTypeMax = static_cast<uint8_t>(MessageType::kAnswer);
constexpr auto kVerdictMax = static_cast<uint8_t>(Verdict::kLeaseTooLong);

struct __attribute__((packed)) Wire {
  uint16_t magic;
  uint8_t version;
  uint8_t type;
  uint8_t device;
  uint8_t verdict;
  uint16_t lease_ms;
  uint64_t run;
  uint32_t number;
  uint32_t question_number;
  uint64_t question_run;
  uint64_t group;
  uint64_t session;
};
static_assert(sizeof(Wire) == mirror::kHeaderSize);

}  // namespace

void WriteMessage(const Message& message, std::span<uint8_t, kDatagramSize> out) noexcept {
  Wire wire{};
  wire.magic = rte_cpu_to_be_16(kMagic);
  wire.version = kVersion;
  wire.type = static_cast<uint8_t>(message.type);
  wire.device = message.device;
  wire.verdict = static_cast<uint8_t>(message.verdict);
  wire.lease_ms = rte_cpu_to_be_16(message.lease_ms);
  wire.run = rte_cpu_to_be_64(message.id.run);
  wire.number = rte_cpu_to_be_32(message.id.number);
  wire.question_number = rte_cpu_to_be_32(message.question.number);
  wire.question_run = rte_cpu_to_be_64(message.question.run);
  wire.group = rte_cpu_to_be_64(message.group);
  wire.session = rte_cpu_to_be_64(message.session);
  std::memset(out.data(), 0, out.size());
  std::memcpy(out.data(), &wire, sizeof(wire));
}

std::optional<Message> ReadMessage(std::span<const uint8_t> datagram) noexcept {
  if (datagram.size() != kDatagramSize) return std::nullopt;
  Wire wire;
  std::memcpy(&wire, datagram.data(), sizeof(wire));
  const bool is_answer = wire.type == kTypeMax;
  if (rte_be_to_cpu_16(wire.magic) != kMagic || wire.version != kVersion || wire.type == 0 ||
      wire.type > kTypeMax || wire.verdict > kVerdictMax || is_answer != (wire.verdict != 0) ||
      is_answer == (wire.question_number == 0) || (!is_answer && wire.question_run != 0) ||
      wire.device == 0 || wire.device > kDevicesMax || wire.number == 0) {
    return std::nullopt;
  }
  Message message;
  message.type = static_cast<MessageType>(wire.type);
  message.verdict = static_cast<Verdict>(wire.verdict);
  message.device = wire.device;
  message.lease_ms = rte_be_to_cpu_16(wire.lease_ms);
  message.id = {rte_be_to_cpu_64(wire.run), rte_be_to_cpu_32(wire.number)};
  message.question = {rte_be_to_cpu_64(wire.question_run), rte_be_to_cpu_32(wire.question_number)};
  message.group = rte_be_to_cpu_64(wire.group);
  message.session = rte_be_to_cpu_64(wire.session);
  return message;
}

}  // namespace tandem::witness
