// SPDX-License-Identifier: Apache-2.0
#include "control/config_report.h"
#include "control/text.h"

#include <algorithm>

#include <absl/strings/escaping.h>

#include <absl/strings/str_join.h>

namespace tandem::control {

std::string ToString(std::string_view file, Location location) {
  if (location.line == 0) return std::string(file);
  return Cat(file, ":", location.line, ":", location.column);
}

std::string Quote(std::string_view value) {
  constexpr size_t kShownMax = 80;
  // Escapes what is not ASCII too: the file may be in any encoding, or in none.
  if (value.size() <= kShownMax) return Cat("'", absl::CHexEscape(ToAbsl(value)), "'");
  return Cat("'", absl::CHexEscape(ToAbsl(value.substr(0, kShownMax))), "...'");
}

void Report::Error(Location location, std::string_view object, std::string_view reason) {
  ++error_count_;
  Insert(errors_, location, object, reason);
}

void Report::Note(Location location, std::string_view object, std::string_view reason) {
  Insert(notes_, location, object, reason);
}

void Report::Insert(std::vector<Entry>& entries, Location location, std::string_view object,
                    std::string_view reason) {
  if (entries.size() >= kErrorsKeptMax) return;
  entries.push_back({location, object.empty() ? std::string(reason) : Cat(object, ": ", reason)});
}

std::vector<std::string> Report::Lines(std::vector<Entry> entries) const {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.location < b.location; });
  std::vector<std::string> lines;
  for (const Entry& entry : entries) {
    lines.push_back(Cat(ToString(file_, entry.location), ": ", entry.text));
  }
  return lines;
}

absl::Status Report::status() const {
  if (ok()) return absl::OkStatus();
  std::vector<std::string> lines = Lines(errors_);
  if (lines.size() > kErrorsShownMax) lines.resize(kErrorsShownMax);
  if (error_count_ > lines.size()) {
    lines.push_back(Cat(file_, ": and ", error_count_ - lines.size(), " more errors"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

std::vector<std::string> Report::notes() const {
  return Lines(notes_);
}

}  // namespace tandem::control
