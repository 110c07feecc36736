// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/key_ring.h"

#include <catch2/catch.hpp>
#include <string>

namespace tandem::mirror {
namespace {

PresharedKey Key(uint8_t byte) {
  PresharedKey key{};
  key.fill(byte);
  return key;
}

// The first bytes of the keys that are opened by, the one that is sealed by first; '>' and the wanted
// one when it is another.
std::string Text(const KeyRing& ring) {
  std::string text(1, static_cast<char>(ring.key(ring.in_use())[0]));
  const unsigned other = 1 - ring.in_use();
  if (ring.is_changing()) text += '>';
  if (ring.Has(other)) text += static_cast<char>(ring.key(other)[0]);
  return text;
}

}  // namespace

TEST_CASE("a new key is used when the peer has it, and the old one is forgotten later") {
  KeyRing ring(Key('a'));
  ring.Want(Key('a'), true);
  CHECK(Text(ring) == "a");
  ring.Want(Key('b'), true);
  CHECK(Text(ring) == "a>b");
  ring.OnClock(1000 * kSecond);
  CHECK(Text(ring) == "a>b");
  ring.Use(ring.in_use(), 1000 * kSecond);
  CHECK(Text(ring) == "a>b");
  ring.Use(ring.wanted(), 1000 * kSecond);
  CHECK(Text(ring) == "ba");
  ring.OnClock(1000 * kSecond + KeyRing::kOverlap - 1);
  CHECK(Text(ring) == "ba");
  ring.OnClock(1000 * kSecond + KeyRing::kOverlap);
  CHECK(Text(ring) == "b");
}

TEST_CASE("another wish replaces the last, and the key in use stays") {
  KeyRing ring(Key('a'));
  ring.Want(Key('b'), true);
  const uint32_t number = ring.numbers()[ring.wanted()];
  ring.Want(Key('c'), true);
  CHECK(Text(ring) == "a>c");
  CHECK(ring.numbers()[ring.wanted()] != number);
  ring.Want(Key('a'), true);
  CHECK(Text(ring) == "a");
  // While the old one is still known, too.
  ring.Want(Key('d'), true);
  ring.Use(ring.wanted(), 0);
  ring.Want(Key('a'), true);
  CHECK(Text(ring) == "d>a");
  ring.OnClock(KeyRing::kOverlap);
  CHECK(Text(ring) == "d>a");
}

TEST_CASE("a peer that came with the old key keeps it, until it has the new one") {
  KeyRing ring(Key('a'));
  ring.Want(Key('b'), true);
  ring.Use(ring.wanted(), 0);
  ring.Use(1 - ring.in_use(), 0);
  CHECK(Text(ring) == "a>b");
  ring.OnClock(KeyRing::kOverlap);
  CHECK(Text(ring) == "a>b");
}

TEST_CASE("without a peer the new key is the only one at once") {
  KeyRing ring(Key('a'));
  const uint32_t changes = ring.changes();
  ring.Want(Key('b'), false);
  CHECK(Text(ring) == "b");
  CHECK(ring.changes() != changes);
}

}  // namespace tandem::mirror
