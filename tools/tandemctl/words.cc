// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/words.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include <absl/strings/str_join.h>

#include "control/text.h"

namespace tandem::tandemctl {
namespace {

using control::Cat;

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

bool Words::TakeIf(std::string_view word) {
  if (empty() || words_[at_] != word) return false;
  ++at_;
  return true;
}

absl::StatusOr<std::string> Words::Need(std::string_view what) {
  if (empty() || words_[at_].empty()) {
    return absl::InvalidArgumentError(Cat(what, " is missing"));
  }
  return Take();
}

absl::StatusOr<uint64_t> Words::NeedNumber(std::string_view what, uint64_t minimum,
                                           uint64_t maximum) {
  const auto text = Need(what);
  if (!text.ok()) return text.status();
  uint64_t number = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc() || stop != end || number < minimum || number > maximum) {
    return absl::InvalidArgumentError(
        Cat(what, " \"", *text, "\": not a number from ", minimum, " to ", maximum));
  }
  return number;
}

absl::Status Words::End() const {
  if (empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat("unexpected word \"", words_[at_], "\""));
}

std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view nearest;
  size_t least = std::max<size_t>(1, std::min<size_t>(2, word.size() / 2)) + 1;
  for (const std::string_view candidate : candidates) {
    const bool begins = word.size() >= 2 && candidate.substr(0, word.size()) == word;
    const size_t distance = begins ? 1 : Distance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

absl::Status Unknown(std::string_view what, std::string_view word,
                     const std::vector<std::string_view>& candidates) {
  const std::string_view near = Nearest(word, candidates);
  const std::string hint =
      near.empty()
          ? Cat("it is one of ",
                absl::StrJoin(candidates.begin(), candidates.end(), ", ",
                              [](std::string* out, std::string_view each) { out->append(each); }))
          : Cat("did you mean \"", near, "\"?");
  return absl::InvalidArgumentError(Cat("unknown ", what, " \"", word, "\"; ", hint));
}

}  // namespace tandem::tandemctl
