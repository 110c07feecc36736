// SPDX-License-Identifier: Apache-2.0
//
// The codec of persistence frames, against the generated code.
#include "dataplane/mirror/persist_batch.h"

#include <catch2/catch.hpp>
#include <vector>

#include "dataplane/base/prng.h"
#include "proto/mirror.pb.h"

using namespace tandem;
using namespace tandem::mirror;

namespace {

PersistRow RandomRow(Prng& prng, bool uniform) {
  PersistRow row;
  row.key.size = static_cast<uint8_t>(uniform ? 4 : 4 << prng.Below(3));
  row.key.profile = static_cast<config::PersistenceId>(uniform ? 3 : 1 + prng.Below(65535));
  row.key.scope = uniform ? 0 : static_cast<uint32_t>(prng.Next());
  for (size_t i = 0; i < row.key.size; ++i)
    row.key.bytes[i] = static_cast<uint8_t>(prng.Next());
  row.is_gone = !uniform && prng.Below(2) == 0;
  row.member = static_cast<config::MemberId>(prng.Below(65536));
  row.virtual_id = static_cast<config::VirtualId>(uniform ? 1 : prng.Below(65536));
  row.idle_ticks = prng.Below(1U << 22) << 10;
  return row;
}

std::vector<uint8_t> Write(std::span<const PersistRow> rows, size_t limit) {
  static PersistBatchWriter writer;
  writer.Begin(limit);
  for (const PersistRow& row : rows)
    REQUIRE(writer.Add(row));
  std::vector<uint8_t> body(limit);
  body.resize(writer.Finish(body.data()));
  REQUIRE(body.size() <= limit);
  return body;
}

}  // namespace

TEST_CASE("persist batch: the reader reads what the writer wrote", "[mirror]") {
  Prng prng(1);
  PersistBatchReader reader;
  for (int round = 0; round < 300; ++round) {
    std::vector<PersistRow> rows;
    const bool uniform = round % 2 == 0;
    for (uint32_t i = prng.Below(kPersistRowsMax + 1); i > 0; --i)
      rows.push_back(RandomRow(prng, uniform));
    const std::vector<uint8_t> body = Write(rows, 40 + kPersistRowSizeMax * kPersistRowsMax);
    REQUIRE(reader.Read(body) == BatchError::kNone);
    REQUIRE(std::vector(reader.rows().begin(), reader.rows().end()) == rows);
    if (uniform && rows.size() > 100) CHECK(body.size() / rows.size() < 12);

    v1::PersistBatch oracle;
    REQUIRE(oracle.ParseFromArray(body.data(), static_cast<int>(body.size())));
    REQUIRE(oracle.rows() == rows.size());
    const auto at = [](const auto& column, size_t row) -> uint32_t {
      if (column.empty()) return 0;
      return column[column.size() == 1 ? 0 : static_cast<int>(row)];
    };
    for (size_t i = 0; i < rows.size(); ++i) {
      REQUIRE(at(oracle.kind(), i) == (rows[i].is_gone ? 2 : 1));
      REQUIRE(at(oracle.profile(), i) == rows[i].key.profile);
      REQUIRE(at(oracle.scope(), i) == rows[i].key.scope);
      REQUIRE(at(oracle.key_size(), i) == rows[i].key.size);
      REQUIRE(at(oracle.member(), i) == rows[i].member);
      REQUIRE(at(oracle.virtual_(), i) == rows[i].virtual_id);
      REQUIRE(at(oracle.idle(), i) == rows[i].idle_ticks >> 10);
    }
    const std::string generated = oracle.SerializeAsString();
    REQUIRE(reader.Read({static_cast<const uint8_t*>(static_cast<const void*>(generated.data())),
                         generated.size()}) == BatchError::kNone);
    REQUIRE(std::vector(reader.rows().begin(), reader.rows().end()) == rows);
  }
}

TEST_CASE("persist batch: never more than the frame holds", "[mirror]") {
  Prng prng(2);
  for (size_t limit = 256; limit < 3000; limit += 37) {
    PersistBatchWriter writer;
    writer.Begin(limit);
    while (true) {
      const bool is_sure = writer.HasRoomFor(1);
      if (!writer.Add(RandomRow(prng, false))) {
        CHECK_FALSE(is_sure);
        break;
      }
    }
    std::vector<uint8_t> body(limit + 1, 0xee);
    CHECK(writer.Finish(body.data()) <= limit);
    CHECK(body[limit] == 0xee);
    CHECK(writer.rows() >= (limit - 40) / kPersistRowSizeMax);
  }
}

TEST_CASE("persist batch: any bytes are read or refused, within bounds", "[mirror]") {
  Prng prng(3);
  PersistBatchReader reader;
  uint64_t refused = 0;
  for (int round = 0; round < 30000; ++round) {
    std::vector<PersistRow> rows;
    for (uint32_t i = prng.Below(6); i > 0; --i)
      rows.push_back(RandomRow(prng, prng.Below(2) == 0));
    std::vector<uint8_t> body = Write(rows, 1000);
    for (uint32_t i = 1 + prng.Below(3); i > 0 && !body.empty(); --i)
      body[prng.Below(static_cast<uint32_t>(body.size()))] = static_cast<uint8_t>(prng.Next());
    if (prng.Below(3) == 0) body.resize(prng.Below(static_cast<uint32_t>(body.size()) + 1));
    body.shrink_to_fit();
    if (reader.Read(body) != BatchError::kNone) {
      ++refused;
      CHECK(reader.rows().empty());
      continue;
    }
    for (const PersistRow& row : reader.rows()) {
      REQUIRE((row.key.size == 4 || row.key.size == 8 || row.key.size == 16));
      REQUIRE(row.key.profile != 0);
      REQUIRE(row.idle_ticks % 1024 == 0);
    }
  }
  CHECK(refused > 10000);
}

TEST_CASE("persist batch: each way to be wrong", "[mirror]") {
  PersistBatchReader reader;
  const auto read = [&](const v1::PersistBatch& batch) {
    const std::string body = batch.SerializeAsString();
    return reader.Read(
        {static_cast<const uint8_t*>(static_cast<const void*>(body.data())), body.size()});
  };
  v1::PersistBatch good;
  good.set_rows(2);
  good.add_kind(1);
  good.add_profile(3);
  good.add_key_size(4);
  good.set_keys("aaaabbbb");
  good.add_member(9);
  CHECK(read(good) == BatchError::kNone);
  CHECK(reader.rows().size() == 2);
  v1::PersistBatch batch = good;
  batch.set_rows(kPersistRowsMax + 1);
  CHECK(read(batch) == BatchError::kTooManyRows);
  batch = good;
  batch.set_kind(0, 3);
  CHECK(read(batch) == BatchError::kValue);
  batch = good;
  batch.clear_kind();
  CHECK(read(batch) == BatchError::kValue);
  batch = good;
  batch.set_profile(0, 70000);
  CHECK(read(batch) == BatchError::kValue);
  batch = good;
  batch.set_key_size(0, 5);
  CHECK(read(batch) == BatchError::kValue);
  batch = good;
  batch.set_keys("aaaabbb");
  CHECK(read(batch) == BatchError::kColumnLength);
  batch.set_keys("aaaabbbbc");
  CHECK(read(batch) == BatchError::kColumnLength);
  batch = good;
  batch.add_member(8);
  batch.add_member(7);
  CHECK(read(batch) == BatchError::kColumnLength);
  batch = good;
  batch.add_idle(1U << 22);
  CHECK(read(batch) == BatchError::kValue);
}
