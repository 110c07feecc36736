// SPDX-License-Identifier: Apache-2.0
//
// Which objects two devices have configured differently, of what they share (config_shared.h). A value
// that is written down and one that holds because it was left out are the same; the order of objects,
// and of what is a set, means nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proto/config.pb.h"

namespace tandem::control {

struct Difference {
  enum class Kind { kDiffers, kOnlyHere, kOnlyThere };

  std::string object;  // "virtual 'web'", or "limits"
  Kind kind = Kind::kDiffers;
  // kDiffers: the first field that does, and what it is on either device.
  std::string field;
  std::string here;
  std::string there;

  bool operator==(const Difference&) const = default;
};

struct Differences {
  static constexpr size_t kListedMax = 32;

  std::vector<Difference> listed;  // in the order of the schema and of names
  size_t count = 0;                // with those that are not listed

  bool operator==(const Differences&) const = default;
};

// `theirs` is what SharedPart left of the other device's, and from outside. Names of VLANs count only
// where virtuals that mean all VLANs but some, or all, differ by them: `with_vlans`.
Differences DifferencesOf(const config::v1::Config& ours, const config::v1::Config& theirs,
                          bool with_vlans);

// "pool: \"a\" here, \"b\" on b"; "only on this device"; "only on b".
std::string TextOf(const Difference& difference, std::string_view device);
// All of them in a line: "virtual 'web' (…), pool 'old' (only on b), and 12 more".
std::string TextOf(const Differences& differences, std::string_view device);

}  // namespace tandem::control
