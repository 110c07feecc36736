// SPDX-License-Identifier: Apache-2.0
//
// The words of a command line, taken one after the other, and what to say about those that do not
// fit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace tandem::tandemctl {

class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}

  bool empty() const { return at_ == words_.size(); }
  // The next word, "" when there is none.
  std::string_view Peek() const { return empty() ? std::string_view() : words_[at_]; }
  std::string Take() { return words_[at_++]; }  // REQUIRES: !empty()
  bool TakeIf(std::string_view word);
  // The next word; an error that says `what` is missing when there is none.
  absl::StatusOr<std::string> Need(std::string_view what);
  // A number from `minimum` to `maximum`.
  absl::StatusOr<uint64_t> NeedNumber(std::string_view what, uint64_t minimum, uint64_t maximum);
  // An error when words are left over.
  absl::Status End() const;

 private:
  std::vector<std::string> words_;
  size_t at_ = 0;
};

// The candidate that `word` was most likely meant to be; "" when none is near.
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// `unknown WHAT "WORD"`, the near one, or all candidates.
absl::Status Unknown(std::string_view what, std::string_view word,
                     const std::vector<std::string_view>& candidates);

}  // namespace tandem::tandemctl
