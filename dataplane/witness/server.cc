// SPDX-License-Identifier: Apache-2.0
#include "dataplane/witness/server.h"

#include <algorithm>
#include <utility>

namespace tandem::witness {

Server::Server(const ServerOptions& options, const mirror::PresharedKey& key, Nanos now)
    : options_(options),
      leases_(options.lease, now),
      ids_(options.run),
      last_session_(options.run) {
  for (Client& client : clients_)
    client.next_session = NewSession();
  SetKey(key);
}

void Server::SetKey(const mirror::PresharedKey& key) {
  for (ha::DeviceId device = 1; device <= kDevicesMax; ++device) {
    Client& client = Of(device);
    std::swap(client.keys[0], client.keys[1]);
    client.keys[0].questions.SetKey({key, Direction::kQuestions, device});
    client.keys[0].answers.SetKey({key, Direction::kAnswers, device});
    client.keys[0].is_set = true;
  }
}

bool Server::Answer(std::span<const uint8_t> datagram, Nanos now,
                    std::span<uint8_t, kDatagramSize> out) {
  const auto question = ReadMessage(datagram);
  if (!question || question->type == MessageType::kAnswer) {
    ++counters_.malformed;
    return false;
  }
  Keys* const keys = KeysThatSealed(*question, datagram);
  if (keys == nullptr) {
    ++counters_.forged;
    return false;
  }
  Client& client = Of(question->device);
  Message answer;
  answer.type = MessageType::kAnswer;
  if (!IsOfSession(client, *question)) {
    ++counters_.unknown;
    if (!unknown_limiter_.Allow(now, kUnknownPerSecond)) {
      ++counters_.limited;
      return false;
    }
    answer.verdict = Verdict::kUnknownSession;
    answer.session = client.next_session;
  } else {
    if (!client.taken.IsNew(question->id.number)) {
      ++counters_.replayed;
      return false;
    }
    client.taken.Remember(question->id.number);
    answer.verdict = Judge(*question, now);
    answer.session = client.session;
  }
  answer.device = question->device;
  answer.lease_ms = static_cast<uint16_t>(options_.lease / kMillisecond);
  answer.id = ids_.Next();
  answer.question = question->id;
  answer.group = question->group;
  if (!keys->answers.Seal(answer, out)) return false;
  ++counters_.answered;
  return true;
}

Server::Keys* Server::KeysThatSealed(const Message& question, std::span<const uint8_t> datagram) {
  for (Keys& keys : Of(question.device).keys) {
    if (keys.is_set && keys.questions.IsAuthentic(question, datagram)) return &keys;
  }
  return nullptr;
}

// Begins it, when that is what the question does.
bool Server::IsOfSession(Client& client, const Message& question) {
  if (question.session == client.next_session) {
    client.session = std::exchange(client.next_session, NewSession());
    client.run = question.id.run;
    client.taken.Reset();
    return true;
  }
  return client.session != 0 && question.session == client.session && question.id.run == client.run;
}

Verdict Server::Judge(const Message& question, Nanos now) {
  switch (question.type) {
    case MessageType::kAsk:
      return Ask(question, now);
    case MessageType::kRelease:
      if (const size_t group = Find(question.group); group != 0)
        leases_.Release(group, {question.device, question.id.run, question.id.number});
      return Verdict::kHeard;
    case MessageType::kHello:
    case MessageType::kAnswer:
      break;
  }
  return Verdict::kHeard;
}

Verdict Server::Ask(const Message& question, Nanos now) {
  if (question.lease_ms * kMillisecond > options_.lease) {
    ++counters_.too_long;
    return Verdict::kLeaseTooLong;
  }
  const size_t index = FindOrAdd(question.group, now);
  if (index == 0) {
    ++counters_.no_room;
    return Verdict::kRefused;
  }
  Group& group = groups_[index];
  group.asked_at = now;
  const ha::LeaseClient asks{question.device, question.id.run, question.id.number};
  if (!leases_.Ask(index, asks, now)) return Verdict::kRefused;
  if (std::exchange(group.holder, question.device) != question.device && options_.granted)
    options_.granted(question.group, question.device);
  return Verdict::kGranted;
}

size_t Server::Find(uint64_t name_hash) const {
  const auto found = std::find_if(groups_.begin() + 1, groups_.end(),
                                  [&](const Group& group) { return group.name_hash == name_hash; });
  return found == groups_.end() || name_hash == 0
             ? 0
             : static_cast<size_t>(std::distance(groups_.begin(), found));
}

// 0: there is no room, or the name is none.
size_t Server::FindOrAdd(uint64_t name_hash, Nanos now) {
  if (name_hash == 0) return 0;
  if (const size_t index = Find(name_hash); index != 0) return index;
  const auto place = std::find_if(groups_.begin() + 1, groups_.end(), [&](const Group& group) {
    return group.name_hash == 0 || now >= group.asked_at + kForgetGroup;
  });
  if (place == groups_.end()) return 0;
  const auto index = static_cast<size_t>(std::distance(groups_.begin(), place));
  leases_.Forget(index);
  *place = {.name_hash = name_hash, .asked_at = now};
  return index;
}

}  // namespace tandem::witness
