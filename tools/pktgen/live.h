// SPDX-License-Identifier: Apache-2.0
//
// What is going on, every second: a line each, or on a terminal a view that is drawn over.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/base/time.h"
#include "tools/pktgen/generator.h"

namespace tandem::pktgen {

class Live {
 public:
  explicit Live(bool is_terminal) : is_terminal_(is_terminal) {}

  // The text to write now; empty until a second has passed since the last.
  std::string Text(const Generator& generator, Nanos now);

 private:
  struct Totals {
    uint64_t sent = 0;
    uint64_t at_servers = 0;
    uint64_t replies = 0;
    uint64_t opened = 0;
    uint64_t closed = 0;
    uint64_t samples = 0;
  };

  static Totals TotalsOf(const Generator& generator);
  std::string Line(const Generator& generator, const Totals& change, const Totals& totals) const;
  std::string View(const Generator& generator, const Totals& change, const Totals& totals);

  bool is_terminal_;
  bool was_drawn_ = false;
  Nanos began_ = 0;
  Nanos last_ = 0;
  Totals before_;
};

}  // namespace tandem::pktgen
