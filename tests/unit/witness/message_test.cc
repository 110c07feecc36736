// SPDX-License-Identifier: Apache-2.0
//
// What devices and the witness say to each other, byte by byte; and what is no message.
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/witness/message.h"
#include "dataplane/witness/seal.h"

namespace tandem::witness {
namespace {

using Datagram = std::array<uint8_t, kDatagramSize>;

mirror::PresharedKey KeyOf(uint8_t fill) {
  mirror::PresharedKey key{};
  key.fill(fill);
  return key;
}

Message AnAnswer() {
  Message message;
  message.type = MessageType::kAnswer;
  message.verdict = Verdict::kGranted;
  message.device = 2;
  message.lease_ms = 1000;
  message.id = {0x0102030405060708, 9};
  message.question = {0x1112131415161718, 0x21222324};
  message.group = 0x3132333435363738;
  message.session = 0x4142434445464748;
  return message;
}

Message AQuestion() {
  Message message;
  message.type = MessageType::kAsk;
  message.device = 8;
  message.lease_ms = 65'535;
  message.id = {1, 2};
  message.group = 5;
  message.session = 6;
  return message;
}

}  // namespace

TEST_CASE("witness message: an answer, byte by byte") {
  Datagram datagram{};
  datagram.fill(0xee);
  WriteMessage(AnAnswer(), datagram);
  const std::vector<uint8_t> bytes = {
      0x7a, 0x57, 1,    4,    2,    2,    0x03, 0xe8,                          // to lease_ms
      1,    2,    3,    4,    5,    6,    7,    8,    0,    0,    0,    9,     // run, number
      0x21, 0x22, 0x23, 0x24, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,  // the question's
      0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,                          // group
      0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,                          // session
      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0, 0};
  CHECK(std::vector<uint8_t>(datagram.begin(), datagram.end()) == bytes);
}

TEST_CASE("witness message: both kinds come back as they were") {
  Datagram datagram{};
  WriteMessage(AnAnswer(), datagram);
  const auto answer = ReadMessage(datagram);
  REQUIRE(answer);
  CHECK(answer->type == MessageType::kAnswer);
  CHECK(answer->verdict == Verdict::kGranted);
  CHECK(answer->device == 2);
  CHECK(answer->lease_ms == 1000);
  CHECK(answer->id == AnAnswer().id);
  CHECK(answer->question == AnAnswer().question);
  CHECK(answer->group == AnAnswer().group);
  CHECK(answer->session == AnAnswer().session);
  WriteMessage(AQuestion(), datagram);
  const auto question = ReadMessage(datagram);
  REQUIRE(question);
  CHECK(question->type == MessageType::kAsk);
  CHECK(question->device == 8);
  CHECK(question->lease_ms == 65'535);
  CHECK(question->id == AQuestion().id);
  CHECK(question->group == 5);
  CHECK(question->session == 6);
}

TEST_CASE("witness message: what is of another size or kind is none") {
  Datagram right{};
  WriteMessage(AQuestion(), right);
  for (size_t size = 0; size < right.size(); ++size)
    CHECK_FALSE(ReadMessage(std::span(right).first(size)));
  std::vector<uint8_t> longer(right.begin(), right.end());
  longer.push_back(0);
  CHECK_FALSE(ReadMessage(longer));
  struct Wrong {
    size_t offset;
    uint8_t value;
  };
  // Magic; version; type; device; a verdict of a question; number 0; a question of a question.
  for (const Wrong wrong : {Wrong{0, 0}, Wrong{1, 0x4d}, Wrong{2, 0}, Wrong{2, 2}, Wrong{3, 0},
                            Wrong{3, 4}, Wrong{3, 5}, Wrong{4, 0}, Wrong{4, 9}, Wrong{5, 1},
                            Wrong{5, 6}, Wrong{19, 0}, Wrong{23, 1}, Wrong{31, 1}}) {
    Datagram datagram = right;
    datagram[wrong.offset] = wrong.value;
    INFO("offset " << wrong.offset << ", value " << +wrong.value);
    CHECK_FALSE(ReadMessage(datagram));
  }
  WriteMessage(AnAnswer(), right);
  right[5] = 0;
  CHECK_FALSE(ReadMessage(right));
}

TEST_CASE("witness seal: opens by the same key, direction and device, as it was, and not else") {
  MessageSealer sealer;
  sealer.SetKey({KeyOf(1), Direction::kQuestions, 8});
  Datagram datagram{};
  REQUIRE(sealer.Seal(AQuestion(), datagram));
  const auto opens = [&](const MessageKey& key, const Datagram& bytes) {
    MessageOpener opener;
    opener.SetKey(key);
    const auto message = ReadMessage(bytes);
    return message && opener.IsAuthentic(*message, bytes);
  };
  const MessageKey right(KeyOf(1), Direction::kQuestions, 8);
  CHECK(opens(right, datagram));
  CHECK_FALSE(opens({KeyOf(2), Direction::kQuestions, 8}, datagram));
  CHECK_FALSE(opens({KeyOf(1), Direction::kAnswers, 8}, datagram));
  CHECK_FALSE(opens({KeyOf(1), Direction::kQuestions, 7}, datagram));
  CHECK_FALSE(opens({}, datagram));
  for (size_t i = 0; i < datagram.size(); ++i) {
    Datagram other = datagram;
    other[i] ^= 1;
    INFO("byte " << i);
    CHECK_FALSE(opens(right, other));
  }
  // Without a seal.
  WriteMessage(AQuestion(), datagram);
  CHECK_FALSE(opens(right, datagram));
  MessageSealer without;
  CHECK_FALSE(without.Seal(AQuestion(), datagram));
}

TEST_CASE(
    "witness seal: the same message twice has other tags: the nonce is all of run and number") {
  MessageSealer sealer;
  sealer.SetKey({KeyOf(1), Direction::kQuestions, 8});
  std::vector<Datagram> all;
  for (const MessageId id : {MessageId{1, 1}, MessageId{1, 2}, MessageId{2, 1},
                             MessageId{uint64_t{1} << 32, 1}, MessageId{uint64_t{1} << 63, 1}}) {
    Message message = AQuestion();
    message.id = id;
    REQUIRE(sealer.Seal(message, all.emplace_back()));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      CHECK_FALSE(std::equal(all[i].begin() + mirror::kHeaderSize, all[i].end(),
                             all[k].begin() + mirror::kHeaderSize));
    }
  }
}

TEST_CASE("witness seal: when numbers are used up, the run goes on") {
  MessageIds ids(UINT64_MAX);
  CHECK(ids.Next() == MessageId{UINT64_MAX, 1});
  CHECK(ids.Next() == MessageId{UINT64_MAX, 2});
  MessageIds last(7, UINT32_MAX);
  CHECK(last.Next() == MessageId{8, 1});
  CHECK(last.Next() == MessageId{8, 2});
}

}  // namespace tandem::witness
