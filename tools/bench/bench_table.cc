// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/bench_table.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

namespace tandem::bench {
namespace {

constexpr size_t kTitleWidth = 100;

void PrintWrapped(std::string_view text) {
  while (text.size() > kTitleWidth) {
    const size_t end = text.rfind(' ', kTitleWidth);
    std::printf("%.*s\n", static_cast<int>(end), text.data());
    text.remove_prefix(end + 1);
  }
  std::printf("%.*s\n", static_cast<int>(text.size()), text.data());
}

// Texts are this program's own and need no escapes.
std::string JsonOf(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return absl::StrCat("\"", *text, "\"");
  const double number = std::get<double>(cell);
  return std::isfinite(number) ? absl::StrFormat("%.10g", number) : "null";
}

std::string TextOf(const Cell& cell, int digits) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  const double number = std::get<double>(cell);
  return std::isfinite(number) ? absl::StrFormat("%.*f", digits, number) : "-";
}

}  // namespace

Table::Table(std::string_view name, std::string_view title, std::vector<Column> columns)
    : name_(name), title_(title), columns_(std::move(columns)) {
  std::printf("\n");
  PrintWrapped(title_);
  for (const Column& column : columns_)
    std::printf("%*s", column.width, std::string(column.name).c_str());
  std::printf("\n");
}

void Table::Add(std::vector<Cell> cells) {
  for (size_t i = 0; i < columns_.size(); ++i)
    std::printf("%*s", columns_[i].width, TextOf(cells[i], columns_[i].digits).c_str());
  std::printf("\n");
  rows_.push_back(std::move(cells));
}

std::string Table::Json() const {
  std::string text = absl::StrCat("{\"title\": \"", title_, "\", \"rows\": [");
  for (size_t row = 0; row < rows_.size(); ++row) {
    absl::StrAppend(&text, row == 0 ? "" : ",", "\n  {");
    for (size_t i = 0; i < columns_.size(); ++i) {
      absl::StrAppendFormat(&text, "%s\"%s\": %s", i == 0 ? "" : ", ",
                            std::string(columns_[i].name), JsonOf(rows_[row][i]));
    }
    text += '}';
  }
  return text + "]}";
}

double MedianOf(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace tandem::bench
