// SPDX-License-Identifier: Apache-2.0
//
// The pre-shared keys that a device holds: the one that it and its peer use, and another one while the
// key is being changed.
//
// Theory of operation. A new key comes with a configuration, and comes to the two devices at different
// times. Until the peer has shown that it has it, by a control frame, the device goes on sealing by the
// old one, opens what either of them sealed, and says Hello by both. Then it seals by the new one, and
// opens for kOverlap what the old one sealed. So mirroring goes on however long the change takes.
//
// Pure. Thread safety: none; the mirror lcore.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/time.h"
#include "dataplane/mirror/seal.h"

namespace tandem::mirror {

class KeyRing {
 public:
  static constexpr unsigned kPlaces = Opener::kSecrets;
  static constexpr Nanos kOverlap = 10 * kSecond;
  using Numbers = std::array<uint32_t, kPlaces>;

  explicit KeyRing(const PresharedKey& key) noexcept { Put(0, key); }

  // The configuration has `key`. Without a peer nobody uses another one.
  void Want(const PresharedKey& key, bool has_peer) noexcept {
    if (keys_[wanted_] == key) return;
    const unsigned other = 1 - in_use_;
    if (keys_[in_use_] == key) {
      wanted_ = in_use_;
      Clear(other);
      return;
    }
    Put(other, key);
    wanted_ = other;
    if (has_peer) return;
    Clear(in_use_);
    in_use_ = wanted_;
  }
  // The peer has the key at `place`, and the device seals by it.
  void Use(unsigned place, Nanos now) noexcept {
    if (place == in_use_) return;
    in_use_ = place;
    forget_at_ = now + kOverlap;
    ++changes_;
  }
  void OnClock(Nanos now) noexcept {
    const unsigned other = 1 - in_use_;
    if (!is_changing() && Has(other) && now >= forget_at_) Clear(other);
  }

  bool Has(unsigned place) const noexcept { return numbers_[place] != 0; }
  const PresharedKey& key(unsigned place) const noexcept { return keys_[place]; }
  unsigned in_use() const noexcept { return in_use_; }
  unsigned wanted() const noexcept { return wanted_; }
  // The peer has not shown yet that it has the configuration's key.
  bool is_changing() const noexcept { return in_use_ != wanted_; }

  // Another number for each key that a place ever had; 0: none. So those who made something of a key
  // see that it is old.
  const Numbers& numbers() const noexcept { return numbers_; }
  uint32_t changes() const noexcept { return changes_; }  // of anything

  // Brings `opener`, whose secrets were made from the keys of `numbers`, up to date;
  // `secret_of(key)` makes one.
  template <class SecretOf>
  void Follow(Opener& opener, Numbers& numbers, const SecretOf& secret_of) const noexcept {
    for (unsigned place = 0; place < kPlaces; ++place) {
      if (numbers[place] == numbers_[place]) continue;
      numbers[place] = numbers_[place];
      if (Has(place)) {
        opener.SetSecret(place, secret_of(keys_[place]));
      } else {
        opener.DropSecret(place);
      }
    }
  }

 private:
  void Put(unsigned place, const PresharedKey& key) noexcept {
    keys_[place] = key;
    numbers_[place] = ++last_number_;
    ++changes_;
  }
  void Clear(unsigned place) noexcept {
    keys_[place] = {};
    numbers_[place] = 0;
    ++changes_;
  }

  std::array<PresharedKey, kPlaces> keys_{};
  Numbers numbers_{};
  uint32_t last_number_ = 0;
  uint32_t changes_ = 0;
  unsigned in_use_ = 0;
  unsigned wanted_ = 0;
  Nanos forget_at_ = 0;  // the key that is not in use, unless it is wanted
};

}  // namespace tandem::mirror
