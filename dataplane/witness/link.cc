// SPDX-License-Identifier: Apache-2.0
#include "dataplane/witness/link.h"

#include <utility>

namespace tandem::witness {

Link::Link(const LinkOptions& options) : options_(options), ids_(options.run) {
  SetKey(options.key);
}

void Link::SetKey(const mirror::PresharedKey& key) {
  sealer_.SetKey({key, Direction::kQuestions, options_.device});
  opener_.SetKey({key, Direction::kAnswers, options_.device});
}

void Link::Ask(ha::TrafficGroupId group, uint64_t name_hash, uint32_t ticket) {
  Send(MessageType::kAsk, group, name_hash, ticket);
}

void Link::Release(uint64_t name_hash) {
  Send(MessageType::kRelease, 0, name_hash, 0);
}

void Link::Send(MessageType type, ha::TrafficGroupId group, uint64_t name_hash, uint32_t ticket) {
  Message message;
  message.type = type;
  message.device = options_.device;
  message.lease_ms = static_cast<uint16_t>(options_.lease / kMillisecond);
  message.id = ids_.Next();
  message.group = name_hash;
  message.session = session_;
  std::array<uint8_t, kDatagramSize> datagram{};
  has_asked_ = true;
  if (!sealer_.Seal(message, datagram)) return;
  waiting_[message.id.number % kWaiting] = {message.id, type, group, ticket};
  ++status_.questions;
  options_.path->Send(datagram);
}

std::optional<ha::LeaseAnswered> Link::Receive(Nanos now) {
  for (; received_ < kReceiveMax; ++received_) {
    const std::span<const uint8_t> datagram = options_.path->Receive();
    if (datagram.empty()) return std::nullopt;
    if (const auto answer = Take(datagram, now)) {
      ++received_;
      return answer;
    }
  }
  return std::nullopt;
}

std::optional<ha::LeaseAnswered> Link::Take(std::span<const uint8_t> datagram, Nanos now) {
  const auto message = ReadMessage(datagram);
  // What waits is looked up first: anything else costs no look at its tag.
  Question* const question =
      message && message->type == MessageType::kAnswer && message->device == options_.device
          ? &waiting_[message->question.number % kWaiting]
          : nullptr;
  if (question == nullptr || question->id.number == 0 || question->id != message->question ||
      !opener_.IsAuthentic(*message, datagram)) {
    ++status_.refused;
    return std::nullopt;
  }
  const Question asked = std::exchange(*question, Question());
  session_ = message->session;
  ++status_.answers;
  status_.answered_at = now;
  status_.witness_lease = message->lease_ms * kMillisecond;
  status_.is_lease_too_long = message->verdict == Verdict::kLeaseTooLong;
  if (asked.type != MessageType::kAsk) return std::nullopt;
  const bool is_granted = message->verdict == Verdict::kGranted;
  if (!is_granted && message->verdict != Verdict::kRefused) return std::nullopt;
  return ha::LeaseAnswered{asked.group, asked.ticket, is_granted};
}

void Link::Turn(Nanos now) {
  received_ = 0;
  if (!has_asked_ && (asked_at_ == 0 || now >= asked_at_ + kHelloEvery))
    Send(MessageType::kHello, 0, 0, 0);
  if (!std::exchange(has_asked_, false)) return;
  if (asked_at_ == 0) began_at_ = now;
  asked_at_ = now;
}

LinkStatus Link::status(Nanos now) const {
  LinkStatus status = status_;
  status.is_answered = status.answered_at != 0 && now < status.answered_at + kSilence;
  status.is_silent = !status.is_answered && began_at_ != 0 && now >= began_at_ + kSilence;
  return status;
}

}  // namespace tandem::witness
