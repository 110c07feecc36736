// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/journal.h"

#include <cstdio>

namespace tandem::sim {
namespace {

std::string Format(const char* format, va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof(text), format, arguments);
  return text;
}

}  // namespace

void Journal::Note(Nanos now, const char* format, ...) {
  char when[32];
  std::snprintf(when, sizeof(when), "%14.6f  ", static_cast<double>(now) / 1e9);
  va_list arguments;
  va_start(arguments, format);
  lines_.push_back(when + Format(format, arguments));
  va_end(arguments);
  if (lines_.size() > kKept) lines_.pop_front();
  if (verbose_) std::fprintf(stderr, "%s\n", lines_.back().c_str());
}

std::string Journal::Text() const {
  std::string text;
  for (const std::string& line : lines_)
    text += line + "\n";
  return text;
}

void Violate(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string what = Format(format, arguments);
  va_end(arguments);
  throw Violation(what);
}

}  // namespace tandem::sim
