// SPDX-License-Identifier: Apache-2.0
//
// Random rows for tests of the codec: flows as pipeline/admit.cc makes them, in all their kinds, and
// some that no configuration would make.
#pragma once

#include <vector>

#include "dataplane/base/limits.h"
#include "dataplane/base/prng.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/mirror/flow_batch.h"

namespace tandem::mirror {

inline constexpr uint16_t kDictionaryEnd =
    40;  // numbers of virtuals and members below it are known

// Virtuals and members of both families; some without an endpoint, some without a port.
config::Dictionary RandomDictionary(Prng& prng);

// What a batch holds. Comparable with what a reader found.
struct BatchRows {
  // Adds rows of all kinds until the batch is full, or for a while. True: a row was refused; all rows
  // and that one go to `overfull`.
  bool Fill(Prng& prng, const config::Dictionary& dictionary, FlowBatchWriter& writer,
            BatchRows* overfull = nullptr);

  // The same with creates and closes that differ in little.
  struct Alike {
    uint64_t seed;       // of what they have in common
    uint32_t odd = 100;  // one in so many differs in something else, for each of some things
    uint32_t most = kRowsMax + 1;  // rows; until the batch is full
  };
  bool FillAlike(Prng& prng, Alike alike, const config::Dictionary& dictionary,
                 FlowBatchWriter& writer, BatchRows* overfull = nullptr);

  bool operator==(const BatchRows&) const;

  std::vector<CreateRow<flow::FlowHot4>> creates4;
  std::vector<CreateRow<flow::FlowHot6>> creates6;
  std::vector<UpdateRow> updates[2];
  std::vector<CloseRow> closes[2];
  std::vector<uint32_t> touches[2];
  std::vector<AuditRow> audits[2];
};
BatchRows Contents(const FlowBatchReader& reader);

// A create of the family, mostly such as admit.cc makes.
template <class Hot>
CreateRow<Hot> RandomCreate(Prng& prng, const config::Dictionary& dictionary);

}  // namespace tandem::mirror
