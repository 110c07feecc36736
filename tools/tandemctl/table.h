// SPDX-License-Identifier: Apache-2.0
//
// Aligned columns for people, and numbers in units that they read at a glance.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::tandemctl {

enum class Align { kLeft, kRight };

struct Column {
  std::string_view title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  void Add(std::vector<std::string> cells);  // one for each column
  bool empty() const { return rows_.empty(); }
  // Title line and rows; columns that every row leaves empty are left out. No blank at a line's end.
  void Print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// What a cell says where there is nothing to say.
std::string OrDash(const std::string& text);

// How numbers are written: 12345 or 12.3K.
class Numbers {
 public:
  explicit Numbers(bool raw) : raw_(raw) {}

  std::string Count(uint64_t number) const;     // powers of 1000
  std::string Percent(double share) const;      // 0..1
  std::string Seconds(uint64_t seconds) const;  // "90" raw, "1m30s"

 private:
  bool raw_;
};

}  // namespace tandem::tandemctl
