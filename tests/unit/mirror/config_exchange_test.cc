// SPDX-License-Identifier: Apache-2.0
//
// The exchange of configurations: over a wire that loses, repeats and delays; with a peer that says what
// nobody asked for; and what each side keeps of it.
#include "dataplane/mirror/config_exchange.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "tests/unit/mirror/endpoint_world.h"

namespace tandem::mirror {
namespace {

using mirror::test::World;

std::shared_ptr<const ConfigText> TextOf(size_t size, uint64_t id, char first = 'a') {
  auto text = std::make_shared<ConfigText>();
  text->id = id;
  for (size_t i = 0; i < size; ++i)
    text->bytes += static_cast<char>(first + static_cast<char>(i % 23));
  return text;
}

template <class Message>
Message Said(ConfigExchange& exchange, Nanos now) {
  const auto due = exchange.Due(now);
  REQUIRE(due.has_value());
  REQUIRE(std::holds_alternative<Message>(*due));
  return std::get<Message>(*due);
}

// A fetch with its first request said.
uint32_t Begin(ConfigExchange& exchange, Nanos now) {
  const uint32_t fetch = exchange.Fetch();
  Said<ConfigRequest>(exchange, now);
  return fetch;
}

}  // namespace

TEST_CASE("config exchange: a text comes whole over a wire that loses, repeats and delays",
          "[mirror]") {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    World world(seed);
    REQUIRE(world.RunUntilOpen());
    for (auto& faults : world.faults)
      faults = {.lost = 150, .repeated = 150, .delayed = 300, .corrupted = 50};
    ConfigExchange& a = world.a.endpoint().config_exchange();
    ConfigExchange& b = world.b.endpoint().config_exchange();
    CHECK(a.peer().exchanges);
    CHECK(a.peer().incarnation == world.b.options.incarnation);
    const uint32_t fetch = a.Fetch();
    // Asked for before there is one.
    REQUIRE(world.RunUntil([&] { return b.is_wanted(); }));
    const auto text = TextOf(100'000, 7);
    b.SetText(text);
    CHECK_FALSE(b.is_wanted());
    std::optional<ConfigExchange::Fetched> fetched;
    REQUIRE(world.RunUntil(
        [&] {
          if (!fetched) fetched = a.TakeFetched(fetch);
          return fetched.has_value();
        },
        120 * kSecond));
    CHECK_FALSE(fetched->is_too_large);
    CHECK(fetched->text.id == 7);
    CHECK(fetched->text.bytes == text->bytes);
    CHECK_FALSE(a.TakeFetched(fetch).has_value());
    CHECK(a.progress() > 0);
  }
}

TEST_CASE("config exchange: the text changes while it is fetched: the present one comes",
          "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  ConfigExchange& a = world.a.endpoint().config_exchange();
  ConfigExchange& b = world.b.endpoint().config_exchange();
  b.SetText(TextOf(50'000, 1));
  const uint32_t fetch = a.Fetch();
  REQUIRE(world.RunUntil([&] { return a.progress() > 10; }));
  REQUIRE_FALSE(a.TakeFetched(fetch).has_value());
  const auto next = TextOf(60'000, 2, 'A');
  b.SetText(next);
  std::optional<ConfigExchange::Fetched> fetched;
  REQUIRE(world.RunUntil([&] {
    if (!fetched) fetched = a.TakeFetched(fetch);
    return fetched.has_value();
  }));
  CHECK(fetched->text.id == 2);
  CHECK(fetched->text.bytes == next->bytes);
}

TEST_CASE("config exchange: a question is asked once, whatever the wire does, and answered",
          "[mirror]") {
  World world(5);
  REQUIRE(world.RunUntilOpen());
  for (auto& faults : world.faults)
    faults = {.lost = 300, .repeated = 300, .delayed = 300};
  ConfigExchange& a = world.a.endpoint().config_exchange();
  ConfigExchange& b = world.b.endpoint().config_exchange();
  unsigned asked = 0;
  for (uint32_t round = 1; round <= 20; ++round) {
    const uint32_t number = a.Ask();
    std::optional<uint32_t> question;
    REQUIRE(world.RunUntil([&] {
      if (const auto taken = b.TakeQuestion()) {
        ++asked;
        question = taken;
      }
      return question.has_value();
    }));
    CHECK(asked == round);
    // It is told that the work goes on.
    const uint64_t before = a.progress();
    REQUIRE(world.RunUntil([&] { return a.progress() > before + 2; }));
    CHECK_FALSE(a.TakeAnswer(number).has_value());
    const bool is_taken = round % 2 == 0;
    b.Answer(*question, is_taken ? ConfigSyncState::kTaken : ConfigSyncState::kRefused, "why");
    std::optional<ConfigSyncAnswer> answer;
    REQUIRE(world.RunUntil([&] {
      if (!answer) answer = a.TakeAnswer(number);
      return answer.has_value();
    }));
    CHECK(answer->state == (is_taken ? ConfigSyncState::kTaken : ConfigSyncState::kRefused));
    CHECK(answer->message == "why");
  }
  world.Run(kSecond);
  CHECK_FALSE(b.TakeQuestion().has_value());
}

TEST_CASE("config exchange: a peer that was restarted is asked anew, and its numbers count again",
          "[mirror]") {
  World world;
  REQUIRE(world.RunUntilOpen());
  ConfigExchange& b = world.b.endpoint().config_exchange();
  uint32_t number = 0;
  for (int i = 0; i < 3; ++i)
    number = world.a.endpoint().config_exchange().Ask();
  REQUIRE(world.RunUntil([&] { return b.TakeQuestion() == number; }));
  world.a.Start(77);
  REQUIRE(world.RunUntil([&] { return b.peer().incarnation == 77; }));
  world.a.endpoint().config_exchange().Ask();
  REQUIRE(world.RunUntil([&] { return b.TakeQuestion() == 1U; }));
}

TEST_CASE("config exchange: parts that nobody asked for, out of turn or mad are nothing",
          "[mirror]") {
  ConfigExchange exchange;
  const Nanos now = kSecond;
  exchange.OnPart({.fetch = 0, .text = 1, .size = 3, .offset = 0, .bytes = "abc"});
  const uint32_t fetch = Begin(exchange, now);
  const auto nothing = [&] { return !exchange.TakeFetched(fetch) && exchange.progress() == 0; };
  CHECK(nothing());
  exchange.OnPart({.fetch = fetch - 1, .text = 1, .size = 3, .offset = 0, .bytes = "abc"});
  exchange.OnPart({.fetch = fetch, .text = 0, .size = 3, .offset = 0, .bytes = "abc"});
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 3, .offset = 1, .bytes = "bc"});
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 2, .offset = 0, .bytes = "abc"});
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 3, .offset = 0, .bytes = ""});
  CHECK(nothing());
  // Nothing of that makes it ask again before its time.
  CHECK_FALSE(exchange.Due(now + ConfigExchange::kPatience - 1).has_value());
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 6, .offset = 0, .bytes = "abc"});
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 6, .offset = 0, .bytes = "abc"});
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 7, .offset = 3, .bytes = "def"});
  exchange.OnPart({.fetch = fetch, .text = 2, .size = 6, .offset = 3, .bytes = "def"});
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 6, .offset = 3, .bytes = "defg"});
  const auto request = Said<ConfigRequest>(exchange, now);
  CHECK(request.text == 1);
  CHECK(request.offset == 3);
  exchange.OnPart({.fetch = fetch, .text = 1, .size = 6, .offset = 3, .bytes = "def"});
  const auto fetched = exchange.TakeFetched(fetch);
  REQUIRE(fetched.has_value());
  CHECK(fetched->text.bytes == "abcdef");
  CHECK_FALSE(exchange.Due(now + kSecond).has_value());
}

TEST_CASE("config exchange: a text beyond the limit is said to be so, and none of it is kept",
          "[mirror]") {
  ConfigExchange server;
  ConfigExchange client;
  auto text = std::make_shared<ConfigText>();
  text->id = 9;
  text->bytes.assign(ConfigExchange::kTextMax + 1, 'x');
  server.SetText(text);
  const uint32_t fetch = client.Fetch();
  const auto part = server.OnRequest(Said<ConfigRequest>(client, kSecond), 1100);
  REQUIRE(part.has_value());
  CHECK(part->bytes.empty());
  client.OnPart(*part);
  const auto fetched = client.TakeFetched(fetch);
  REQUIRE(fetched.has_value());
  CHECK(fetched->is_too_large);
}

TEST_CASE("config exchange: requests of any kind are answered within the room", "[mirror]") {
  ConfigExchange server;
  server.SetText(TextOf(5000, 3));
  for (const size_t room :
       {size_t{0}, ConfigExchange::kPartOverheadMax, size_t{65}, size_t{1100}}) {
    for (const uint32_t offset : {0U, 4999U, 5000U, UINT32_MAX}) {
      for (const uint64_t text : {0U, 3U, 4U}) {
        const auto part =
            server.OnRequest({.fetch = UINT32_MAX, .text = text, .offset = offset}, room);
        CHECK(part.has_value() == (room > ConfigExchange::kPartOverheadMax));
        if (!part) continue;
        CHECK(part->offset == (text == 3 && offset < 5000 ? offset : 0));
        std::array<uint8_t, 2000> body{};
        CHECK(EncodeControl(*part, body) <= room);
      }
    }
  }
}

TEST_CASE("config exchange: old questions are none, and a decision belongs to its question",
          "[mirror]") {
  ConfigExchange exchange;
  REQUIRE(exchange.OnQuestion({.number = 5}).has_value());
  CHECK_FALSE(exchange.OnQuestion({.number = 4}).has_value());
  CHECK(exchange.TakeQuestion() == 5U);
  CHECK(exchange.OnQuestion({.number = 5})->state == ConfigSyncState::kWorking);
  CHECK_FALSE(exchange.TakeQuestion().has_value());
  // Another one, before the first is decided.
  REQUIRE(exchange.OnQuestion({.number = 6}).has_value());
  exchange.Answer(5, ConfigSyncState::kTaken, "");
  CHECK(exchange.OnQuestion({.number = 6})->state == ConfigSyncState::kWorking);
  exchange.Answer(6, ConfigSyncState::kRefused, std::string(5000, 'x'));
  const auto answer = Said<ConfigSyncAnswer>(exchange, kSecond);
  CHECK(answer.number == 6);
  CHECK(answer.message.size() == kSyncMessageMax);
  std::array<uint8_t, kControlBodyMax> body{};
  CHECK(EncodeControl(answer, body) > 0);
  // Said once; then when asked.
  CHECK_FALSE(exchange.Due(10 * kSecond).has_value());
  CHECK(exchange.OnQuestion({.number = 6})->state == ConfigSyncState::kRefused);
}

TEST_CASE("config exchange: answers that are not to the question are none", "[mirror]") {
  ConfigExchange exchange;
  exchange.OnAnswer({.number = 0, .state = ConfigSyncState::kTaken, .message = ""});
  const uint32_t number = exchange.Ask();
  exchange.OnAnswer({.number = number + 1, .state = ConfigSyncState::kTaken, .message = ""});
  exchange.OnAnswer({.number = number, .state = ConfigSyncState::kWorking, .message = ""});
  CHECK_FALSE(exchange.TakeAnswer(number).has_value());
  CHECK(Said<ConfigSyncQuestion>(exchange, kSecond).number == number);
  exchange.Stop();
  exchange.OnAnswer({.number = number, .state = ConfigSyncState::kTaken, .message = ""});
  CHECK_FALSE(exchange.TakeAnswer(number).has_value());
  CHECK_FALSE(exchange.Due(10 * kSecond).has_value());
}

}  // namespace tandem::mirror
