// SPDX-License-Identifier: Apache-2.0
//
// Runs golden cases: golden_test [--regen] DIRECTORY [CASE…]. Without --regen a case fails when its
// transcript is not the file, and the difference is shown; with it the file is rewritten, and the
// difference is what version control shows.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <absl/strings/str_split.h>

#include "tests/golden/case.h"

namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Lines of both, in the order of the longest common subsequence; those of one only are marked.
void PrintDifference(const Lines& expected, const Lines& actual) {
  const size_t rows = expected.size();
  const size_t columns = actual.size();
  std::vector<std::vector<size_t>> common(rows + 1, std::vector<size_t>(columns + 1));
  for (size_t i = rows; i-- > 0;) {
    for (size_t j = columns; j-- > 0;) {
      common[i][j] = expected[i] == actual[j] ? common[i + 1][j + 1] + 1
                                              : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  size_t i = 0;
  size_t j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && expected[i] == actual[j]) {
      if (expected[i].compare(0, 4, "    ") != 0) std::printf("  %s\n", expected[i].c_str());
      ++i, ++j;
    } else if (i < rows && (j == columns || common[i + 1][j] >= common[i][j + 1])) {
      std::printf("- %s\n", expected[i++].c_str());
    } else {
      std::printf("+ %s\n", actual[j++].c_str());
    }
  }
}

// A case that does not end with `counters` proves half of what it could.
bool IsComplete(const std::string& text) {
  return text.find("\ncounters\n") != std::string::npos &&
         text.find("\n    error: ") == std::string::npos;
}

bool RunCase(const fs::path& path, const fs::path& setups, bool regenerate) {
  const std::string expected = ReadFile(path);
  const std::string actual = tandem::test::Case(setups.string()).Run(expected);
  if (regenerate) std::ofstream(path) << actual;
  if (!IsComplete(actual)) {
    std::printf("FAILED %s: an error, or no counters\n%s", path.c_str(), actual.c_str());
    return false;
  }
  if (regenerate || actual == expected) return true;
  std::printf("FAILED %s\n", path.c_str());
  PrintDifference(absl::StrSplit(expected, '\n'), absl::StrSplit(actual, '\n'));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool regenerate = !arguments.empty() && arguments[0] == "--regen";
  if (regenerate) arguments.erase(arguments.begin());
  if (arguments.empty()) {
    std::fprintf(stderr, "usage: golden_test [--regen] DIRECTORY [CASE...]\n");
    return 2;
  }
  const fs::path directory = arguments[0];
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory / "cases")) {
    const bool is_wanted =
        arguments.size() == 1 || std::find(arguments.begin() + 1, arguments.end(),
                                           entry.path().stem().string()) != arguments.end();
    if (entry.path().extension() == ".txt" && is_wanted) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  size_t failed = paths.empty() ? 1 : 0;
  for (const fs::path& path : paths) {
    if (!RunCase(path, directory / "setups", regenerate)) ++failed;
  }
  std::printf("%zu cases, %zu failed\n", paths.size(), failed);
  return failed == 0 ? 0 : 1;
}
