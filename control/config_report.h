// SPDX-License-Identifier: Apache-2.0
//
// What is wrong with a configuration, all of it: one line each, "file:line:column: object: reason",
// in the order of the file. Bounded: a hostile file cannot make it grow without end.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

namespace tandem::control {

// Counted from 1; line 0: unknown, as in a configuration that was not read from text.
struct Location {
  int line = 0;
  int column = 0;

  friend auto operator<=>(const Location&, const Location&) = default;
};

// "file:line:column", or "file" alone when the location is unknown.
std::string ToString(std::string_view file, Location location);

// A value of the file as it goes into a message: in single quotes, escaped, 80 characters at most.
std::string Quote(std::string_view value);

class Report {
 public:
  static constexpr size_t kErrorsShownMax = 20;
  static constexpr size_t kErrorsKeptMax = 1000;

  explicit Report(std::string file) : file_(std::move(file)) {}

  // `object` ("virtual 'web'") may be empty.
  void Error(Location location, std::string_view object, std::string_view reason);
  // Something that works, but perhaps not as meant.
  void Note(Location location, std::string_view object, std::string_view reason);

  bool ok() const { return error_count_ == 0; }

  // InvalidArgument with one line for each of the first kErrorsShownMax errors, and the number of
  // those left out. Ok when there are none.
  absl::Status status() const;
  std::vector<std::string> notes() const;

 private:
  struct Entry {
    Location location;
    std::string text;
  };
  static void Insert(std::vector<Entry>& entries, Location location, std::string_view object,
                     std::string_view reason);
  std::vector<std::string> Lines(std::vector<Entry> entries) const;

  std::string file_;
  size_t error_count_ = 0;
  std::vector<Entry> errors_;
  std::vector<Entry> notes_;
};

}  // namespace tandem::control
