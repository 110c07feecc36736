// SPDX-License-Identifier: Apache-2.0
#include "control/config_lcores.h"
#include "control/text.h"

#include <charconv>

#include <absl/status/status.h>

namespace tandem::control {
namespace {

constexpr unsigned kCpuMax = 1023;  // CPU_SETSIZE - 1

// Recursive descent over  list := group {"," group};  group := set ["@" set];
//                         set := range | "(" range {"," range} ")";  range := number ["-" number].
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool List(std::bitset<kLcoresMax>& lcores) {
    do {
      if (!Group(lcores)) return false;
    } while (Skip(','));
    return rest_.empty();
  }

 private:
  bool Group(std::bitset<kLcoresMax>& lcores) {
    std::bitset<kLcoresMax> group;
    if (!Set(kLcoresMax - 1, &group) || (lcores & group).any()) return false;
    lcores |= group;
    return !Skip('@') || Set(kCpuMax, nullptr);
  }

  bool Set(unsigned max, std::bitset<kLcoresMax>* members) {
    if (!Skip('(')) return Range(max, members);
    do {
      if (!Range(max, members)) return false;
    } while (Skip(','));
    return Skip(')');
  }

  bool Range(unsigned max, std::bitset<kLcoresMax>* members) {
    unsigned first = 0;
    if (!Number(max, first)) return false;
    unsigned last = first;
    if (Skip('-') && (!Number(max, last) || last < first)) return false;
    for (unsigned i = first; members != nullptr && i <= last; ++i)
      members->set(i);
    return true;
  }

  bool Number(unsigned max, unsigned& value) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value > max) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }

  bool Skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

absl::StatusOr<std::bitset<kLcoresMax>> ParseLcores(std::string_view text) {
  std::bitset<kLcoresMax> lcores;
  if (!Reader(text).List(lcores)) {
    return absl::InvalidArgumentError(
        Cat("not a list of lcores, each once and below ", kLcoresMax, ", as in \"0@0,1@2,2@3\""));
  }
  return lcores;
}

unsigned WorkerCount(const config::v1::Device& device) {
  if (!device.has_lcores()) return device.workers();
  const auto lcores = ParseLcores(device.lcores());
  return lcores.ok() && lcores->any() ? static_cast<unsigned>(lcores->count() - 1) : 0;
}

}  // namespace tandem::control
