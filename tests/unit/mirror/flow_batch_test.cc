// SPDX-License-Identifier: Apache-2.0
//
// FlowBatchWriter and FlowBatchReader against each other: what was added comes back.
#include "dataplane/mirror/flow_batch.h"

#include <catch2/catch.hpp>

#include "tests/unit/mirror/random_rows.h"

namespace tandem::mirror {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

constexpr uint32_t kSlots = kFlowsPerWorkerMax;

void CheckRoundTrip(Prng& prng, size_t size) {
  const config::Dictionary dictionary = RandomDictionary(prng);
  FlowBatchWriter writer;
  writer.Begin(size, dictionary);
  RandomBatch batch;
  batch.Fill(prng, dictionary, writer);
  std::vector<uint8_t> body(size);
  body.resize(writer.Finish(body.data()));
  FlowBatchReader reader;
  REQUIRE(reader.Read(body, dictionary, kSlots, kSlots) == BatchError::kNone);
  CHECK(batch == Contents(reader));
}

}  // namespace

TEST_CASE("random batches come back bit for bit") {
  Prng prng(1);
  for (int i = 0; i < 400; ++i)
    CheckRoundTrip(prng, 256 + prng.Below(9000));
}

}  // namespace tandem::mirror
