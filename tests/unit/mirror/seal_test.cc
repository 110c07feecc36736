// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/seal.h"

#include <openssl/crypto.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string_view>
#include <vector>

#include "dataplane/base/prng.h"

namespace tandem::mirror {
namespace {

using Bytes = std::vector<uint8_t>;

// The library's allocations; counted from before its first one, which is when it lets us.
size_t allocations = 0;
void* Allocate(size_t size, const char*, int) {
  ++allocations;
  return std::malloc(size);
}
void* Reallocate(void* old, size_t size, const char*, int) {
  ++allocations;
  return std::realloc(old, size);
}
void Free(void* old, const char*, int) {
  std::free(old);
}
const bool kCounts = CRYPTO_set_mem_functions(Allocate, Reallocate, Free) == 1;

Bytes Hex(std::string_view text) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(
        static_cast<uint8_t>(std::strtoul(std::string(text.substr(i, 2)).c_str(), nullptr, 16)));
  }
  return bytes;
}

PresharedKey Psk() {
  PresharedKey psk{};
  for (size_t i = 0; i < psk.size(); ++i)
    psk[i] = static_cast<uint8_t>(i * 7 + 1);
  return psk;
}

FrameHeader Header() {
  FrameHeader header;
  header.type = FrameType::kFlows;
  header.group = 1;
  header.worker = 2;
  header.flags = static_cast<uint16_t>(StreamState::kInSync);
  header.epoch = 5;
  header.session = 6;
  header.sequence = 7;
  return header;
}

StreamSecret SecretOf(const FrameHeader& header) {
  return SecretOfStream(Psk(), Nonce{1}, Nonce{2}, 1, header);
}
StreamKey KeyOf(const FrameHeader& header) {
  return mirror::KeyOf(SecretOf(header), 0);
}

Bytes Body(size_t size) {
  Bytes body(size);
  for (size_t i = 0; i < size; ++i)
    body[i] = static_cast<uint8_t>(i * 31 + 3);
  return body;
}

Bytes Sealed(Sealer& sealer, const FrameHeader& header, const Bytes& body) {
  Bytes frame(kHeaderSize + body.size() + kTagSize);
  WriteHeader(header, std::span(frame).first<kHeaderSize>());
  REQUIRE(sealer.Seal(frame, header.sequence, body));
  return frame;
}

struct Pair {
  Sealer sealer;
  Opener opener;

  explicit Pair(const StreamKey& key) {
    sealer.SetKey(key);
    opener.SetKey(key);
  }
};

Opener::Result Open(Opener& opener, const Bytes& frame, uint64_t sequence) {
  Bytes body(frame.size());
  return opener.Open(frame, sequence, body);
}

// Remembers every number.
class NaiveWindow {
 public:
  bool IsNew(uint64_t sequence) const {
    if (sequence == 0) return false;
    const uint64_t highest = seen_.empty() ? 0 : *seen_.rbegin();
    if (sequence > highest) return true;
    return highest - sequence < ReplayWindow::kSize && seen_.count(sequence) == 0;
  }
  void Remember(uint64_t sequence) { seen_.insert(sequence); }

 private:
  std::set<uint64_t> seen_;
};

uint64_t NextNumber(Prng& prng, uint64_t highest) {
  switch (prng.Below(8)) {
    case 0:
      return highest + 1 + prng.Below(3000);  // may wrap near the end: then it is an old one
    case 1:
      return highest + ReplayWindow::kSize - 2 + prng.Below(4);
    case 2:
      return prng.Below(200) == 0 ? highest + (uint64_t{prng.Below(~0U)} << 20) : highest + 1;
    case 3:
      return highest - ReplayWindow::kSize - 2 + prng.Below(4);
    default:
      return highest - prng.Below(1200);
  }
}

}  // namespace

TEST_CASE("key derivation gives the answers of RFC 5869") {
  const Bytes secret(22, 0x0b);
  Bytes out(42);
  REQUIRE(Hkdf(secret, Hex("000102030405060708090a0b0c"), Hex("f0f1f2f3f4f5f6f7f8f9"), out));
  CHECK(out == Hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                   "34007208d5b887185865"));
  REQUIRE(Hkdf(secret, {}, {}, out));
  CHECK(out == Hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                   "9d201395faa4b61a96c8"));
  Bytes too_much(8161);
  CHECK_FALSE(Hkdf(secret, {}, {}, too_much));
}

// gcmEncryptExtIV128.rsp of NIST's CAVP, the lengths 96, 256, 384, 128.
TEST_CASE("a sealed frame is AES-128-GCM as NIST's vectors have it") {
  StreamKey key;
  const Bytes secret = Hex("48b7f337cdf9252687ecc760bd8ec184");
  std::copy(secret.begin(), secret.end(), key.key.begin());
  key.salt = {0x3e, 0x89, 0x4e, 0xbb};
  const uint64_t sequence = 0x16ce82a53c3e05b2;
  const Bytes header =
      Hex("7d924cfd37b3d046a96eb5e132042405c8731e06509787bbeb41f258275746495e884d69871f77634c584bb0"
          "07312234");
  const Bytes body = Hex("bb2bac67a4709430c39c2eb9acfabc0d456c80d30aa1734e57997d548a8f0603");
  Bytes expected = header;
  for (const uint8_t byte : Hex("d263228b8ce051f67e9baf1ce7df97d10cd5f3bc972362055130c7d13c3ab2e7"
                                "71446737ca1fa92e6d026d7d2ed1aa9c")) {
    expected.push_back(byte);
  }
  REQUIRE(header.size() == kHeaderSize);

  Pair pair(key);
  Bytes frame = header;
  frame.resize(expected.size());
  REQUIRE(pair.sealer.Seal(frame, sequence, body));
  CHECK(frame == expected);
  Bytes opened(body.size());
  CHECK(pair.opener.Open(frame, sequence, opened) == Opener::Result::kOpened);
  CHECK(opened == body);
}

TEST_CASE("what was sealed is opened, at every size, in place or not") {
  FrameHeader header = Header();
  Pair pair(KeyOf(header));
  const size_t sizes[] = {0, 1, 15, 16, 17, 1424, 8900};
  for (const size_t size : sizes) {
    const Bytes body = Body(size);
    Bytes frame = Sealed(pair.sealer, header, body);
    Bytes again = frame;
    std::copy(body.begin(), body.end(), again.begin() + kHeaderSize);
    REQUIRE(pair.sealer.Seal(again, header.sequence, std::span(again).subspan(kHeaderSize, size)));
    CHECK(again == frame);

    const std::span<uint8_t> place = std::span(frame).subspan(kHeaderSize, size);
    Bytes opened(size + 3, 0xee);
    CHECK(pair.opener.Open(again, header.sequence, opened) == Opener::Result::kOpened);
    CHECK(std::equal(body.begin(), body.end(), opened.begin()));
    CHECK((opened[size] == 0xee && opened[size + 2] == 0xee));
    pair.opener.SetKey(KeyOf(header));
    CHECK(pair.opener.Open(frame, header.sequence, place) == Opener::Result::kOpened);
    CHECK(std::equal(body.begin(), body.end(), place.begin()));
    ++header.sequence;
  }
}

TEST_CASE("a frame of which any bit was flipped is refused, and not remembered") {
  const FrameHeader header = Header();
  Pair pair(KeyOf(header));
  Bytes frame = Sealed(pair.sealer, header, Body(100));
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    const auto mask = static_cast<uint8_t>(1 << bit % 8);
    frame[bit / 8] ^= mask;
    Bytes body(100, 0xee);
    CHECK(pair.opener.Open(frame, header.sequence, body) == Opener::Result::kForged);
    CHECK(body == Bytes(100));
    frame[bit / 8] ^= mask;
  }
  CHECK(Open(pair.opener, frame, header.sequence) == Opener::Result::kOpened);
  CHECK(Open(pair.opener, frame, header.sequence) == Opener::Result::kReplayed);
}

TEST_CASE("a frame that was cut, or put behind another header or number, is refused") {
  const FrameHeader header = Header();
  Pair pair(KeyOf(header));
  const Bytes frame = Sealed(pair.sealer, header, Body(40));
  for (size_t size = 0; size < frame.size(); ++size) {
    const Bytes cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
    CHECK(Open(pair.opener, cut, header.sequence) == Opener::Result::kForged);
  }
  Bytes longer = frame;
  longer.push_back(0);
  CHECK(Open(pair.opener, longer, header.sequence) == Opener::Result::kForged);
  CHECK(Open(pair.opener, frame, header.sequence + 1) == Opener::Result::kForged);
  Bytes small(39);
  CHECK(pair.opener.Open(frame, header.sequence, small) == Opener::Result::kForged);

  FrameHeader other = header;
  other.epoch = 6;
  Bytes moved = frame;
  WriteHeader(other, std::span(moved).first<kHeaderSize>());
  CHECK(Open(pair.opener, moved, header.sequence) == Opener::Result::kForged);
  other = header;
  other.session = 7;
  Opener of_other_session;
  of_other_session.SetKey(KeyOf(other));
  CHECK(Open(of_other_session, frame, header.sequence) == Opener::Result::kForged);
}

TEST_CASE("whatever a key is for gives another key") {
  const FrameHeader header = Header();
  std::set<std::pair<std::array<uint8_t, 16>, std::array<uint8_t, 4>>> keys;
  size_t made = 0;
  const auto add = [&](const StreamSecret& secret) {
    for (const uint32_t generation : {0U, 1U, 2U, 256U, ~0U}) {
      const StreamKey key = mirror::KeyOf(secret, generation);
      CHECK(key.is_usable);
      keys.insert({key.key, key.salt});
      ++made;
    }
  };
  add(SecretOf(header));
  add(SecretOfStream(Psk(), Nonce{1}, Nonce{2}, 2, header));
  add(SecretOfStream(Psk(), Nonce{2}, Nonce{1}, 1, header));
  add(SecretOfStream(Psk(), Nonce{1}, Nonce{3}, 1, header));
  add(SecretOfStream(Psk(), Nonce{3}, Nonce{2}, 1, header));
  PresharedKey psk = Psk();
  psk[31] ^= 1;
  add(SecretOfStream(psk, Nonce{1}, Nonce{2}, 1, header));
  for (const FrameType type : {FrameType::kFlowsAck, FrameType::kPersist, FrameType::kPersistAck}) {
    FrameHeader other = header;
    other.type = type;
    add(SecretOf(other));
  }
  FrameHeader other = header;
  other.group = 2;
  add(SecretOf(other));
  other = header;
  other.worker = 1;
  add(SecretOf(other));
  for (unsigned bit = 0; bit < 32; ++bit) {
    other = header;
    other.session ^= 1U << bit;
    add(SecretOf(other));
  }
  add(ControlSecret(Psk(), 1, 2, 1));
  add(ControlSecret(Psk(), 2, 1, 1));
  add(ControlSecret(Psk(), 1, 3, 1));
  add(ControlSecret(Psk(), 1, 2, 2));
  add(ControlSecret(Psk(), 1, 2, uint64_t{1} << 63));
  add(ControlSecret(psk, 1, 2, 1));
  CHECK(keys.size() == made);
  CHECK(KeyOf(header).key == KeyOf(header).key);
}

// A sealer and an opener of one secret, and frames between them.
struct Renewed {
  explicit Renewed(const StreamSecret& secret = SecretOf(Header())) {
    sealer.SetSecret(secret);
    opener.SetSecret(0, secret);
  }

  Bytes Next(uint32_t generations_on = 0) {
    while (generations_on-- != 0)
      CHECK(sealer.RenewWhenDue({.frames = 0}, 0));
    ++header.sequence;
    return Sealed(sealer, header, Body(40));
  }
  Opener::Result Take(const Bytes& frame) {
    FrameHeader read;
    REQUIRE(ReadHeader(frame, read));
    CHECK(read.flags == header.flags);
    return Open(opener, frame, read.sequence);
  }

  Sealer sealer;
  Opener opener;
  FrameHeader header = Header();
};

TEST_CASE("a key that is used up has a successor, and no frame is lost on the way") {
  Renewed one;
  const RekeyLimits limits{.frames = 3, .age = 1000};
  // Its age counts from the first frame on.
  CHECK_FALSE(one.sealer.RenewWhenDue(limits, 5000));
  CHECK(one.Take(one.Next()) == Opener::Result::kOpened);
  CHECK_FALSE(one.sealer.RenewWhenDue(limits, 5999));
  CHECK(one.sealer.RenewWhenDue(limits, 6000));
  CHECK_FALSE(one.sealer.RenewWhenDue(limits, 6999));
  uint32_t renewals = 0;
  for (int i = 0; i < 30; ++i) {
    renewals += one.sealer.RenewWhenDue(limits, 7000);
    const Bytes frame = one.Next();
    CHECK(ReadGeneration(frame) == 1 + renewals);
    CHECK(one.Take(frame) == Opener::Result::kOpened);
    CHECK(one.Take(frame) == Opener::Result::kReplayed);
  }
  CHECK(renewals == 9);

  // Late frames of the key before, in any order; not of the one before that.
  const Bytes old = one.Next();
  const Bytes late = one.Next(1);
  const Bytes later = one.Next();
  CHECK(one.Take(later) == Opener::Result::kOpened);
  CHECK(one.Take(one.Next(1)) == Opener::Result::kOpened);
  CHECK(one.Take(one.Next()) == Opener::Result::kOpened);
  CHECK(one.Take(late) == Opener::Result::kOpened);
  CHECK(one.Take(old) == Opener::Result::kForged);
  // And not when the replay window has passed it.
  const Bytes over = one.Next(0);
  for (uint64_t i = 0; i < ReplayWindow::kSize; ++i) {
    const Bytes frame = one.Next(i == 0 ? 1 : 0);
    REQUIRE(one.Take(frame) == Opener::Result::kOpened);
  }
  CHECK(one.Take(over) == Opener::Result::kReplayed);
}

TEST_CASE("an opener that missed whole keys finds the one that is used now") {
  for (const uint32_t missed : {2U, 3U, 100U, 4000U}) {
    CAPTURE(missed);
    Renewed one;
    REQUIRE(one.Take(one.Next()) == Opener::Result::kOpened);
    const Bytes lost = one.Next();
    CHECK(one.Take(one.Next(missed)) == Opener::Result::kOpened);
    CHECK(one.Take(one.Next()) == Opener::Result::kOpened);
    CHECK(one.Take(lost) == Opener::Result::kForged);
    CHECK(one.Take(one.Next(1)) == Opener::Result::kOpened);
  }
  // The bits in the header wrap.
  Renewed one;
  for (int i = 0; i < 3; ++i) {
    CHECK(one.Take(one.Next(kGenerationMask - 1)) == Opener::Result::kOpened);
    for (unsigned frame = 0; frame < Opener::kFramesPerLeap; ++frame)
      CHECK(one.Take(one.Next()) == Opener::Result::kOpened);
  }
}

TEST_CASE("forged generations cost few keys, and do not keep the right one out") {
  REQUIRE(kCounts);
  Renewed one;
  REQUIRE(one.Take(one.Next()) == Opener::Result::kOpened);
  const size_t before = allocations;
  const auto forge = [&](uint32_t generation) {
    Bytes frame = one.Next();
    WriteGeneration(generation, frame);
    CHECK(one.Take(frame) == Opener::Result::kForged);
  };
  forge(1);
  const size_t per_key = allocations - before;
  for (uint32_t i = 0; i < 2 * Opener::kFramesPerLeap; ++i)
    forge(2 + i);
  CHECK(allocations - before <= 5 * per_key);
  CHECK(one.Take(one.Next()) == Opener::Result::kOpened);
  CHECK(one.Take(one.Next(1)) == Opener::Result::kOpened);
}

TEST_CASE("an opener has room for two secrets, and one replay window") {
  PresharedKey psk = Psk();
  psk[0] ^= 1;
  const StreamSecret other = SecretOfStream(psk, Nonce{1}, Nonce{2}, 1, Header());
  Renewed one;
  const Bytes early = one.Next();
  one.sealer.SetSecret(other);
  CHECK(one.Take(one.Next()) == Opener::Result::kForged);
  one.opener.SetSecret(1, other);
  const Bytes frame = one.Next(1);
  CHECK(one.Take(frame) == Opener::Result::kOpened);
  CHECK(one.opener.opened_by() == 1);
  CHECK(one.Take(early) == Opener::Result::kOpened);
  CHECK(one.opener.opened_by() == 0);
  CHECK(one.Take(frame) == Opener::Result::kReplayed);
  one.opener.DropSecret(0);
  CHECK(one.Take(one.Next()) == Opener::Result::kOpened);
  one.opener.DropSecret(1);
  CHECK(one.Take(one.Next()) == Opener::Result::kForged);
  // Nor is anything believed then that has no seal.
  Sealer none;
  FrameHeader header = one.header;
  header.sequence += 100;
  CHECK(one.Take(Sealed(none, header, Body(10))) == Opener::Result::kForged);
}

TEST_CASE("without a key everything is believed that has no seal and is new") {
  Sealer sealer;
  Opener opener;
  const FrameHeader header = Header();
  const Bytes body = Body(50);
  const Bytes frame = Sealed(sealer, header, body);
  CHECK(Bytes(frame.end() - kTagSize, frame.end()) == Bytes(kTagSize));
  Bytes opened(body.size());
  CHECK(opener.Open(frame, header.sequence, opened) == Opener::Result::kOpened);
  CHECK(opened == body);
  CHECK(opener.Open(frame, header.sequence, opened) == Opener::Result::kReplayed);
  opener.ResetWindow();
  CHECK(opener.Open(frame, header.sequence, opened) == Opener::Result::kOpened);

  Pair keyed(KeyOf(header));
  CHECK(Open(keyed.opener, frame, header.sequence) == Opener::Result::kForged);
  opener.ResetWindow();
  CHECK(Open(opener, Sealed(keyed.sealer, header, body), header.sequence) ==
        Opener::Result::kForged);
}

TEST_CASE("a key that could not be made seals and opens nothing") {
  StreamKey key;
  key.is_usable = false;
  Pair pair(key);
  Bytes frame(kHeaderSize + kTagSize);
  CHECK_FALSE(pair.sealer.Seal(frame, 1, {}));
  CHECK(Open(pair.opener, frame, 1) == Opener::Result::kForged);
  pair.sealer.SetKey(KeyOf(Header()));
  CHECK(pair.sealer.Seal(frame, 1, {}));
  Bytes short_frame(kHeaderSize + kTagSize - 1);
  CHECK_FALSE(pair.sealer.Seal(short_frame, 2, {}));
}

TEST_CASE("frames are sealed and opened without an allocation") {
  REQUIRE(kCounts);
  FrameHeader header = Header();
  Pair pair(KeyOf(header));
  const Bytes body = Body(1424);
  Bytes frame(kHeaderSize + body.size() + kTagSize);
  Bytes opened(body.size());
  const size_t before = allocations;
  CHECK(before > 0);
  size_t good = 0;
  for (header.sequence = 1; header.sequence <= 100; ++header.sequence) {
    WriteHeader(header, std::span(frame).first<kHeaderSize>());
    good += pair.sealer.Seal(frame, header.sequence, body);
    if (header.sequence % 10 == 0) frame[60] ^= 1;
    good += pair.opener.Open(frame, header.sequence, opened) == Opener::Result::kOpened;
  }
  CHECK(good == 190);
  CHECK(allocations == before);
}

TEST_CASE("the replay window knows what a list of all numbers knows") {
  const uint64_t kStarts[] = {1, 1000, uint64_t{1} << 32, ~uint64_t{0} - 5000, ~uint64_t{0} - 3};
  for (const uint64_t start : kStarts) {
    Prng prng(start);
    ReplayWindow window;
    NaiveWindow naive;
    uint64_t highest = start;
    for (int i = 0; i < 20000; ++i) {
      const uint64_t number = i == 0 ? start : NextNumber(prng, highest);
      REQUIRE(window.IsNew(number) == naive.IsNew(number));
      if (!naive.IsNew(number) || prng.Below(5) == 0) continue;
      window.Remember(number);
      naive.Remember(number);
      highest = std::max(highest, number);
    }
    REQUIRE_FALSE(window.IsNew(0));
    window.Reset();
    REQUIRE(window.IsNew(1));
  }
}

}  // namespace tandem::mirror
