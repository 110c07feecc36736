// SPDX-License-Identifier: Apache-2.0
//
// FlowBatchWriter and FlowBatchReader against each other and against the generated code: random rows,
// random messages, random damage.
#include "dataplane/mirror/flow_batch.h"

#include <array>
#include <catch2/catch.hpp>

#include "tests/unit/mirror/batch_oracle.h"

namespace tandem::mirror {
namespace {

constexpr uint32_t kSlots = kFlowsPerWorkerMax;

// A batch of random rows.
enum class Rows { kOfAllKinds, kAlike };
struct Batch {
  Batch(Prng& prng, size_t size_max, Rows kind = Rows::kOfAllKinds)
      : dictionary(RandomDictionary(prng)), body(size_max) {
    FlowBatchWriter writer;
    writer.Begin(size_max, dictionary);
    is_full = kind == Rows::kAlike
                  ? rows.FillAlike(prng, {.seed = prng.Next()}, dictionary, writer, &overfull)
                  : rows.Fill(prng, dictionary, writer, &overfull);
    row_count = writer.rows();
    body.resize(writer.Finish(body.data()));
  }

  config::Dictionary dictionary;
  BatchRows rows;
  BatchRows overfull;  // with the first row that was refused, when is_full
  bool is_full = false;
  uint32_t row_count = 0;
  std::vector<uint8_t> body;
};

size_t RandomSize(Prng& prng) {
  return prng.Below(4) == 0 ? 256 + prng.Below(9000) : 256 + prng.Below(1300);
}

// The reader says what the oracle says. Returns whether that is yes. Where `stricter` is given, the
// reader may call malformed what the generated code takes (README.md: each field once, in its own
// type), and that is counted; the reverse, or other contents, never.
bool CheckAgreement(const std::vector<uint8_t>& body, const config::Dictionary& dictionary,
                    uint32_t slots_max = kSlots, int* stricter = nullptr) {
  static FlowBatchReader reader;
  const auto expected = Judge(body, dictionary, slots_max, slots_max);
  const BatchError error = reader.Read(body, dictionary, slots_max, slots_max);
  const BatchRows contents = Contents(reader);
  if (stricter != nullptr && error == BatchError::kMalformed && expected.has_value()) {
    ++*stricter;
    CHECK(contents == BatchRows());
    return false;
  }
  if ((error == BatchError::kNone) != expected.has_value() ||
      !(contents == expected.value_or(BatchRows()))) {
    INFO("reader: " << static_cast<int>(error) << ", oracle accepts: " << expected.has_value());
    CHECK(false);
  }
  return expected.has_value();
}

void Damage(Prng& prng, std::vector<uint8_t>& body) {
  if (body.empty()) return;
  const auto at = [&] { return prng.Below(static_cast<uint32_t>(body.size())); };
  switch (prng.Below(6)) {
    case 0:
      body[at()] ^= static_cast<uint8_t>(1U << prng.Below(8));
      break;
    case 1:
      body[at()] = static_cast<uint8_t>(prng.Next());
      break;
    case 2:
      body.insert(body.begin() + at(), static_cast<uint8_t>(prng.Next()));
      break;
    case 3:
      body.erase(body.begin() + at());
      break;
    case 4:
      body[at()] = prng.Below(2) == 0 ? 0xff : 0;
      break;
    default:
      body[std::min<size_t>(at() % 32, body.size() - 1)] = static_cast<uint8_t>(prng.Next());
      break;
  }
}

}  // namespace

TEST_CASE("random rows come back bit for bit") {
  Prng prng(1);
  FlowBatchReader reader;
  for (int i = 0; i < 500; ++i) {
    const Batch batch(prng, RandomSize(prng));
    REQUIRE(reader.Read(batch.body, batch.dictionary, kSlots, kSlots) == BatchError::kNone);
    REQUIRE(Contents(reader) == batch.rows);
  }
}

TEST_CASE("the writer's bytes are those that generated code makes of the rows") {
  Prng prng(2);
  for (int i = 0; i < 500; ++i) {
    const Batch batch(prng, RandomSize(prng));
    REQUIRE(batch.body == Serialize(MessageOf(batch.rows, batch.dictionary)));
  }
}

TEST_CASE("a row is refused exactly when the body would be too long, or has too many rows") {
  Prng prng(3);
  int full = 0;
  int most_rows = 0;
  for (int i = 0; i < 1000; ++i) {
    const size_t size = RandomSize(prng);
    const Batch batch(prng, size);
    REQUIRE(batch.body.size() <= size);
    if (!batch.is_full) continue;
    if (batch.row_count == kRowsMax) {
      ++most_rows;
      continue;
    }
    ++full;
    REQUIRE(MessageOf(batch.overfull, batch.dictionary).ByteSizeLong() > size);
  }
  CHECK(full > 300);
  CHECK(most_rows > 3);
}

TEST_CASE("rows that differ in little are written as generated code does, and refused exactly") {
  Prng prng(7);
  int full = 0;
  FlowBatchReader reader;
  for (int i = 0; i < 600; ++i) {
    const size_t size = RandomSize(prng);
    const Batch batch(prng, size, Rows::kAlike);
    REQUIRE(batch.body == Serialize(MessageOf(batch.rows, batch.dictionary)));
    REQUIRE(reader.Read(batch.body, batch.dictionary, kSlots, kSlots) == BatchError::kNone);
    REQUIRE(Contents(reader) == batch.rows);
    if (!batch.is_full || batch.row_count == kRowsMax) continue;
    ++full;
    REQUIRE(MessageOf(batch.overfull, batch.dictionary).ByteSizeLong() > size);
  }
  CHECK(full > 300);
}

// Rows of few kinds, batch after batch, so that a batch mostly goes on as the one before began; now and then
// by another dictionary than the one that their keys follow from.
TEST_CASE("a writer's batches say nothing of those before") {
  Prng prng(8);
  const std::array dictionaries = {RandomDictionary(prng), RandomDictionary(prng)};
  const auto any = [&](uint32_t often) -> const config::Dictionary& {
    return dictionaries[prng.Below(often) == 0 ? 1 : 0];
  };
  FlowBatchWriter writer;
  FlowBatchReader reader;
  uint64_t pattern = 0;
  uint64_t bytes = 0;
  uint64_t bytes_of_generated_code = 0;
  for (int i = 0; i < 3000; ++i) {
    if (prng.Below(8) == 0) pattern = prng.Below(30);
    const config::Dictionary& dictionary = any(4);
    const size_t size = RandomSize(prng);
    std::vector<uint8_t> body(size);
    writer.Begin(size, dictionary);
    BatchRows rows;
    if (prng.Below(16) == 0) {
      rows.Fill(prng, any(8), writer);
    } else {
      const uint32_t odd = prng.Below(2) == 0 ? 200 : 10'000;
      const uint32_t most = prng.Below(4) == 0 ? 1 + prng.Below(5) : kRowsMax;
      rows.FillAlike(prng, {.seed = pattern, .odd = odd, .most = most}, any(8), writer);
    }
    body.resize(writer.Finish(body.data()));
    REQUIRE(body.size() <= size);
    REQUIRE(reader.Read(body, dictionary, kSlots, kSlots) == BatchError::kNone);
    REQUIRE(Contents(reader) == rows);
    bytes += body.size();
    bytes_of_generated_code += MessageOf(rows, dictionary).ByteSizeLong();
  }
  // A column that varied in a batch before may be written in full though it does not vary now.
  CHECK(bytes < bytes_of_generated_code + bytes_of_generated_code / 20);
  CHECK(bytes > bytes_of_generated_code);
}

TEST_CASE("what generated code writes is read as it is meant") {
  Prng prng(4);
  FlowBatchReader reader;
  for (int i = 0; i < 500; ++i) {
    const config::Dictionary dictionary = RandomDictionary(prng);
    const v1::FlowBatch message = RandomMessage(prng, dictionary);
    const auto expected = RowsOf(message, dictionary, kSlots, kSlots);
    REQUIRE(expected);
    REQUIRE(reader.Read(Serialize(message), dictionary, kSlots, kSlots) == BatchError::kNone);
    REQUIRE(Contents(reader) == *expected);
  }
}

TEST_CASE("reader and generated code agree on damaged bodies") {
  Prng prng(5);
  int accepted = 0;
  int refused = 0;
  int stricter = 0;
  for (int i = 0; i < 300; ++i) {
    const Batch batch(prng, 256 + prng.Below(400));
    const bool is_ours = prng.Below(2) == 0;
    const auto whole = is_ours ? batch.body : Serialize(RandomMessage(prng, batch.dictionary));
    for (int j = 0; j < 60; ++j) {
      auto body = whole;
      for (uint32_t damages = 1 + prng.Below(3); damages > 0; --damages)
        Damage(prng, body);
      const uint32_t slots_max = prng.Below(4) == 0 ? 5000 : kSlots;
      ++(CheckAgreement(body, batch.dictionary, slots_max, &stricter) ? accepted : refused);
    }
  }
  CHECK(accepted > 2000);
  CHECK(refused > 2000);
  CHECK(stricter < 20);  // of 18 000
}

TEST_CASE("reader and generated code agree on every truncation of a body") {
  Prng prng(6);
  for (int i = 0; i < 20; ++i) {
    const Batch batch(prng, 256 + prng.Below(800));
    for (size_t size = 0; size <= batch.body.size(); ++size) {
      CheckAgreement({batch.body.begin(), batch.body.begin() + static_cast<ptrdiff_t>(size)},
                     batch.dictionary);
    }
  }
}

}  // namespace tandem::mirror
