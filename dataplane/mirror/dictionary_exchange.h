// SPDX-License-Identifier: Apache-2.0
//
// How a device learns the names behind its peer's numbers: the peer's dictionary comes in pages that
// fit a frame, one request at a time, repeated until it is answered. A page of another version, out of
// turn, or that nobody asked for is nothing.
//
// Thread safety: none; the mirror lcore.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/base/time.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/mirror/control_codec.h"

namespace tandem::mirror {

// This device's dictionary, in pages.
class DictionaryPages {
 public:
  static constexpr size_t kEntriesPerPage = (kControlBodyMax - 64) / kDictionaryEntrySize;

  void Set(std::shared_ptr<const config::Dictionary> dictionary, uint32_t version);
  // Nothing: of another version, or beyond the end.
  std::optional<DictionaryPage> Answer(const DictionaryRequest& request) const;
  uint32_t pages() const;

 private:
  struct Item {
    config::ObjectKind kind;
    uint16_t number;
  };
  std::shared_ptr<const config::Dictionary> dictionary_;
  uint32_t version_ = 0;
  std::vector<Item> items_;
};

// The peer's dictionary.
class DictionaryFetch {
 public:
  static constexpr Nanos kPatience = 200 * kMillisecond;

  // The peer said which version it has now. REQUIRES: at most once for each change of `peer` that
  // the caller does not announce by Forget.
  void Want(uint32_t version);
  void Forget();  // another peer
  // A request to be sent now.
  std::optional<DictionaryRequest> Due(Nanos now);
  // Returns whether the dictionary is complete now.
  bool OnPage(const DictionaryPage& page);

  // The newest complete one; nullptr: none yet.
  const std::shared_ptr<const config::Dictionary>& dictionary() const { return dictionary_; }
  uint32_t version() const { return version_; }
  bool is_current() const { return dictionary_ != nullptr && !wanted_; }

 private:
  std::shared_ptr<const config::Dictionary> dictionary_;
  uint32_t version_ = 0;
  std::optional<uint32_t> wanted_;  // being fetched
  std::shared_ptr<config::Dictionary> partial_;
  uint32_t next_page_ = 0;
  uint32_t pages_ = 0;
  bool is_out_ = false;
  Nanos asked_at_ = 0;
};

}  // namespace tandem::mirror
