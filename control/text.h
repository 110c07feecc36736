// SPDX-License-Identifier: Apache-2.0
//
// Debian builds Abseil for C++14, where absl::string_view is a type of its own; these few helpers
// let the rest of control say std::string_view everywhere.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

namespace tandem::control {

inline absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}

// absl::StrCat that takes std::string_view as well.
template <class... Parts>
std::string Cat(const Parts&... parts) {
  const auto adapt = [](const auto& part) -> decltype(auto) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(part)>, std::string_view>) {
      return ToAbsl(part);
    } else {
      return (part);
    }
  };
  return absl::StrCat(adapt(parts)...);
}

}  // namespace tandem::control
