// SPDX-License-Identifier: Apache-2.0
//
// What a device of several workers costs and how evenly it works, without I/O (scale_parts.h):
//
//   scale_bench [--quick] [--json FILE] [PART...]
//
// Parts: spread, simulated, parallel, handoff, snat; all without one. Nothing else should run on the
// machine's cores.
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/huge_memory.h"
#include "tools/bench/scale_parts.h"

namespace tandem::bench {
namespace {

constexpr const char* kUsage =
    "usage: scale_bench [--quick] [--json FILE] [spread|simulated|parallel|handoff|snat ...]\n";

const ScaleExtent kMeasured{.runs = 5, .rounds = 400, .flow_counts = {1000, 1'000'000}};
const ScaleExtent kQuick{.runs = 1, .rounds = 20, .flow_counts = {1000}};

struct Part {
  std::string_view name;
  std::vector<Table> (*measure)(const ScaleExtent& extent);
};
constexpr std::array<Part, 5> kParts = {{
    {"spread", [](const ScaleExtent&) { return MeasureSpread(); }},
    {"simulated", MeasureSimulated},
    {"parallel", MeasureParallel},
    {"handoff", MeasureHandoff},
    {"snat", MeasureSnat},
}};

struct Request {
  ScaleExtent extent = kMeasured;
  std::string json;
  std::vector<std::string_view> parts;
};

bool IsPart(std::string_view word) {
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](const Part& part) { return part.name == word; });
}

bool Parse(int argc, char** argv, Request& request) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      request.extent = kQuick;
    } else if (word == "--json" && i + 1 < argc) {
      request.json = argv[++i];
    } else if (IsPart(word)) {
      request.parts.push_back(word);
    } else {
      return false;
    }
  }
  return true;
}

std::vector<Table> Measure(const Request& request) {
  std::vector<Table> tables;
  for (const Part& part : kParts) {
    const bool is_wanted =
        request.parts.empty() ||
        std::find(request.parts.begin(), request.parts.end(), part.name) != request.parts.end();
    if (!is_wanted) continue;
    for (Table& table : part.measure(request.extent))
      tables.push_back(std::move(table));
  }
  return tables;
}

std::string JsonOf(const std::vector<Table>& tables, std::string_view memory) {
  std::string text = absl::StrCat("{\"memory\": \"", std::string(memory), "\"");
  for (const Table& table : tables)
    absl::StrAppend(&text, ",\n\"", table.name(), "\": ", table.Json());
  return text + "}\n";
}

}  // namespace
}  // namespace tandem::bench

int main(int argc, char** argv) {
  using namespace tandem::bench;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Request request;
  if (!Parse(argc, argv, request)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const std::vector<Table> tables = Measure(request);
  const std::string memory(HugeMemory::Kind());
  std::printf("\nmemory of tables, if any: %s\n", memory.c_str());
  if (request.json.empty()) return 0;
  std::ofstream file(request.json);
  file << JsonOf(tables, memory) << std::flush;
  if (file) return 0;
  std::fprintf(stderr, "scale_bench: cannot write %s\n", request.json.c_str());
  return 1;
}
