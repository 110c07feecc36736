// SPDX-License-Identifier: Apache-2.0
//
// Figures of a benchmark: a table for people, printed row by row as they are found, and the same as
// JSON at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tandem::bench {

struct Column {
  std::string_view name;  // of its JSON member, too
  int width = 10;
  int digits = 1;  // behind the point
};

// Text, or a number; NaN: not measured.
using Cell = std::variant<std::string, double>;
inline Cell Number(uint64_t number) {
  return static_cast<double>(number);
}

class Table {
 public:
  // `name` is its JSON member; `title` says in words what the rows are.
  Table(std::string_view name, std::string_view title, std::vector<Column> columns);

  // Prints it. REQUIRES: as many cells as columns.
  void Add(std::vector<Cell> cells);

  const std::string& name() const { return name_; }
  std::string Json() const;

 private:
  std::string name_;
  std::string title_;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Middle of what was measured several times; NaN of nothing.
double MedianOf(std::vector<double> values);

}  // namespace tandem::bench
