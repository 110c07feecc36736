// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/frame_sizes.h"

#include <charconv>

namespace tandem::pktgen {
namespace {

// All of `text`, in decimal.
std::optional<uint32_t> SizeFrom(std::string_view text) {
  uint32_t size = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, size);
  if (error != std::errc() || stop != end) return std::nullopt;
  return size;
}

}  // namespace

std::optional<FrameSizes> FrameSizes::Parse(std::string_view text) {
  if (text == "imix") return Imix();
  const size_t dash = text.find('-');
  const auto low = SizeFrom(text.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : SizeFrom(text.substr(dash + 1));
  if (!low || !high || *low < kSmallest || *high < *low || *high > UINT16_MAX) return std::nullopt;
  return Range(*low, *high);
}

}  // namespace tandem::pktgen
