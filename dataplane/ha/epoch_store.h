// SPDX-License-Identifier: Apache-2.0
//
// What outlives the process: which ballots may have been used, whether the operator forced the device
// offline, and the last transitions.
//
// Ballots are reserved in blocks, ahead of use, so that no promotion waits for a disk; after a restart
// all that was reserved counts as used. BallotReserve is the machine's side of it, in memory; Facts is
// the file's contents, as text with a checksum; SaveFacts the order of writing that a crash at any point
// leaves with either the old file or the new one.
//
// Thread safety: none. BallotReserve: the mirror thread. Facts: control.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/ha/epoch.h"
#include "dataplane/ha/heartbeat.h"

namespace tandem::ha {

inline constexpr uint32_t kBallotBlock = 16;
inline constexpr uint32_t kBallotsLeft = 8;  // with fewer durable ones, a new block is reserved
inline constexpr size_t kHistoryMax = 64;
inline constexpr size_t kHistoryTextMax = 255;  // of a group's name, of a reason
inline constexpr size_t kFactsSizeMax = 64 * 1024;

class BallotReserve {
 public:
  // `durable`: as the file said at start.
  explicit BallotReserve(uint32_t durable)
      : highest_(durable), durable_(durable), earlier_(durable) {}

  // Somebody used this one, or may have.
  void Saw(uint32_t ballot) {
    if (ballot > highest_) highest_ = ballot;
  }
  bool MayUse(uint32_t ballot) const { return ballot <= durable_ && ballot <= kBallotMax; }
  void OnDurable(uint32_t ballot) {
    if (ballot > durable_) durable_ = ballot;
    if (ballot > asked_) asked_ = ballot;
  }
  // The number to make durable now; 0: nothing to do.
  uint32_t Ask() {
    if (highest_ + kBallotsLeft <= asked_ || asked_ >= kBallotMax) return 0;
    asked_ = highest_ + kBallotBlock < kBallotMax ? highest_ + kBallotBlock : kBallotMax;
    return asked_;
  }
  uint32_t highest() const { return highest_; }
  uint32_t durable() const { return durable_; }
  // Ballots up to this one may have been used by earlier runs.
  uint32_t earlier() const { return earlier_; }
  uint32_t asked() const { return asked_; }

 private:
  uint32_t highest_;
  uint32_t durable_;
  uint32_t asked_ = 0;
  uint32_t earlier_;
};

// One change of a group's state on this device.
struct Transition {
  int64_t unix_ms = 0;
  std::string group;  // name
  State from = State::kOffline;
  State to = State::kOffline;
  Epoch epoch;
  std::string reason;

  bool operator==(const Transition&) const = default;
};

struct Facts {
  uint32_t ballot = 0;
  bool forced_offline = false;
  std::deque<Transition> history;  // oldest first

  // The oldest goes when there are too many. Control characters of texts are replaced.
  void Note(Transition transition);
  bool operator==(const Facts&) const = default;
};

std::string FormatFacts(const Facts& facts);
// Nothing, and `error` says line and reason, when it is not what FormatFacts wrote.
std::optional<Facts> ParseFacts(std::string_view text, std::string& error);

// What writing the file needs of the system. Each returns an error text, empty when done.
class FactsDisk {
 public:
  virtual ~FactsDisk() = default;
  virtual std::string Write(const std::string& path, std::string_view bytes) = 0;  // created anew
  virtual std::string Sync(const std::string& path) = 0;
  virtual std::string Rename(const std::string& from, const std::string& to) = 0;
  virtual std::string SyncDirectoryOf(const std::string& path) = 0;
};

// Writes beside `path`, syncs, renames, syncs the directory. Empty: durable.
std::string SaveFacts(const Facts& facts, const std::string& path, FactsDisk& disk);

}  // namespace tandem::ha
