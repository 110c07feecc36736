// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/table.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_format.h>

#include "dataplane/base/assert.h"

namespace tandem::tandemctl {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::Add(std::vector<std::string> cells) {
  TANDEM_ASSERT(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::Print(std::ostream& out) const {
  std::vector<size_t> widths(columns_.size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  const auto print_line = [&](const auto& cell_at) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::string_view cell = cell_at(i);
      const size_t width = std::max(widths[i], columns_[i].title.size());
      const std::string padding(width - cell.size(), ' ');
      if (!line.empty()) line += "  ";
      if (columns_[i].align == Align::kRight) line += padding;
      line += cell;
      if (columns_[i].align == Align::kLeft) line += padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  };
  print_line([&](size_t i) { return columns_[i].title; });
  for (const auto& row : rows_) {
    print_line([&](size_t i) { return std::string_view(row[i]); });
  }
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string Numbers::Count(uint64_t number) const {
  if (raw_ || number < 10'000) return std::to_string(number);
  constexpr std::string_view kUnits = "KMGTPE";
  auto value = static_cast<double>(number) / 1000;
  size_t unit = 0;
  // 999.95 would be written as 1000.0.
  while (value >= 999.95) {
    value /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.1f%c", value, kUnits[unit]);
}

std::string Numbers::Percent(double share) const {
  return raw_ ? absl::StrFormat("%.6f", share) : absl::StrFormat("%.1f%%", share * 100);
}

std::string Numbers::Seconds(uint64_t seconds) const {
  if (raw_ || seconds < 60) return std::to_string(seconds) + (raw_ ? "" : "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%dd%02dh", seconds / 86400, seconds / 3600 % 24);
}

}  // namespace tandem::tandemctl
