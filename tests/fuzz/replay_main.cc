// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target over the files of a directory, in order of their names: the corpus as an
// ordinary test, with any compiler and without libFuzzer. An empty corpus is a failure, since it
// would test nothing.
//
//   parse_fuzz DIRECTORY
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::vector<std::filesystem::path> FilesOf(const char* directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// In a buffer of exactly its size, so that a sanitizer sees a read beyond the end.
bool Replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return false;
  const auto input = std::make_unique<uint8_t[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(input.get(), bytes.data(), bytes.size());
  return LLVMFuzzerTestOneInput(input.get(), bytes.size()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  const auto files = FilesOf(argv[1]);
  if (files.empty()) {
    std::fprintf(stderr, "%s: no input to replay\n", argv[1]);
    return 1;
  }
  for (const auto& path : files) {
    // Named before it runs: a target that aborts leaves its input's name as the last line.
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);
    if (!Replay(path)) return 1;
  }
  std::printf("%zu inputs replayed\n", files.size());
  return 0;
}
