// SPDX-License-Identifier: Apache-2.0
//
// Epochs and the facts that outlive the process: their order, their file, and a disk that fails
// between any two steps.
#include "dataplane/ha/epoch_store.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "dataplane/base/prng.h"

namespace tandem::ha {
namespace {

Facts ExampleFacts() {
  Facts facts;
  facts.ballot = 48;
  facts.forced_offline = true;
  facts.Note({1795000000123, "traffic-group-1", State::kStandby, State::kStandalone,
              Epoch::Promoted(33, 2), "the active device is silent"});
  facts.Note({-5, "g", State::kActive, State::kSyncing, Epoch::Planned(34, 1), ""});
  return facts;
}

// Keeps what was written and what was synced apart; a power cut keeps the latter.
class MemoryDisk : public FactsDisk {
 public:
  explicit MemoryDisk(int fails_at = -1) : fails_at_(fails_at) {}

  std::string Write(const std::string& path, std::string_view bytes) override {
    if (Fails()) {
      now_[path] = std::string(bytes.substr(0, bytes.size() / 2));
      return "no space left";
    }
    now_[path] = std::string(bytes);
    return "";
  }
  std::string Sync(const std::string& path) override {
    if (Fails()) return "cannot sync " + path;
    synced_contents_.insert(path);
    return "";
  }
  std::string Rename(const std::string& from, const std::string& to) override {
    if (Fails()) return "cannot rename";
    // A file that was not synced may be empty after a power cut, under its new name.
    if (!synced_contents_.contains(from)) durable_[to] = "";
    renamed_ = {from, to};
    now_[to] = now_[from];
    now_.erase(from);
    return "";
  }
  std::string SyncDirectoryOf(const std::string&) override {
    if (Fails()) return "cannot sync the directory";
    durable_[renamed_.second] = now_[renamed_.second];
    return "";
  }

  std::map<std::string, std::string> durable_;
  std::map<std::string, std::string> now_;

 private:
  bool Fails() { return steps_++ == fails_at_; }

  int fails_at_;
  int steps_ = 0;
  std::set<std::string> synced_contents_;
  std::pair<std::string, std::string> renamed_;
};

}  // namespace

TEST_CASE("epoch: ballot counts before device, device before planned") {
  const Epoch low = Epoch::Promoted(7, 200);
  CHECK(low < Epoch::Promoted(8, 1));
  CHECK(low < Epoch::Promoted(7, 201));
  CHECK(low < Epoch::Planned(7, 200));
  CHECK(Epoch::Planned(7, 200) < Epoch::Promoted(7, 201));
  CHECK(Epoch() < Epoch::Promoted(1, 1));
  CHECK(low.ballot() == 7);
  CHECK(low.device() == 200);
  CHECK_FALSE(low.is_planned());
  CHECK(Epoch::Planned(kBallotMax, 255).bits() == UINT32_MAX);
  CHECK(Epoch::FromBits(Epoch::Planned(9, 3).bits()) == Epoch::Planned(9, 3));
  CHECK_FALSE(Epoch::FromBits(1).is_sound());
  CHECK_FALSE(Epoch::Promoted(0, 3).is_sound());
  CHECK_FALSE(Epoch::Promoted(3, 0).is_sound());
}

TEST_CASE("ballots: reserved in blocks, and none is used before it is durable") {
  BallotReserve reserve(0);
  CHECK_FALSE(reserve.MayUse(1));
  CHECK(reserve.Ask() == 16);
  CHECK(reserve.Ask() == 0);  // under way
  CHECK_FALSE(reserve.MayUse(1));
  reserve.OnDurable(16);
  for (uint32_t ballot = 1; ballot <= 8; ++ballot) {
    CHECK(reserve.MayUse(ballot));
    reserve.Saw(ballot);
    CHECK(reserve.Ask() == 0);
  }
  reserve.Saw(9);
  CHECK(reserve.Ask() == 25);
  CHECK(reserve.MayUse(16));
  CHECK_FALSE(reserve.MayUse(17));
  reserve.OnDurable(25);
  CHECK(reserve.MayUse(25));
}

TEST_CASE("ballots: another device that is far ahead is followed on disk") {
  BallotReserve reserve(16);
  CHECK(reserve.Ask() == 32);
  reserve.OnDurable(32);
  reserve.Saw(5000);
  CHECK(reserve.Ask() == 5016);
  CHECK_FALSE(reserve.MayUse(5001));
}

TEST_CASE("ballots: the last one is the end") {
  BallotReserve reserve(kBallotMax - 3);
  CHECK(reserve.Ask() == kBallotMax);
  reserve.OnDurable(kBallotMax);
  CHECK(reserve.MayUse(kBallotMax));
  CHECK_FALSE(reserve.MayUse(kBallotMax + 1));
  reserve.Saw(kBallotMax);
  CHECK(reserve.Ask() == 0);
}

TEST_CASE("facts: what is written is read") {
  std::string error;
  for (const Facts& facts : {Facts{}, ExampleFacts()}) {
    const auto read = ParseFacts(FormatFacts(facts), error);
    INFO(error);
    REQUIRE(read);
    CHECK(*read == facts);
  }
}

TEST_CASE("facts: the file is text that people can read") {
  const std::string text = FormatFacts(ExampleFacts());
  CHECK(text ==
        "tandem-ha 1\n"
        "ballot 48\n"
        "forced-offline yes\n"
        "transition 1795000000123\t4\t8\t16900\ttraffic-group-1\tthe active device is silent\n"
        "transition -5\t6\t3\t17411\tg\t\n"
        "checksum 858f7b194cf4bb36\n");
}

TEST_CASE("facts: history is bounded, and texts are plain") {
  Facts facts;
  for (int i = 0; i < 200; ++i)
    facts.Note({i, "g\nballot 5", State::kStandby, State::kActive, {}, std::string(1000, '\t')});
  CHECK(facts.history.size() == kHistoryMax);
  CHECK(facts.history.front().unix_ms == 200 - 64);
  CHECK(facts.history.back().group == "g?ballot 5");
  std::string error;
  const auto read = ParseFacts(FormatFacts(facts), error);
  INFO(error);
  REQUIRE(read);
  CHECK(*read == facts);
  CHECK(FormatFacts(facts).size() < kFactsSizeMax);
}

TEST_CASE("facts: damage is refused with its line") {
  const std::string good = FormatFacts(ExampleFacts());
  std::string error;
  CHECK_FALSE(ParseFacts("", error));
  CHECK(error == "line 1: not \"tandem-ha 1\"");
  CHECK_FALSE(ParseFacts("tandem-ha 2\n", error));
  CHECK(error == "line 1: not \"tandem-ha 1\"");
  CHECK_FALSE(ParseFacts(good.substr(0, good.find("checksum")), error));
  CHECK(error == "line 6: no checksum: the file is cut off");
  CHECK_FALSE(ParseFacts(good + "ballot 1\n", error));
  CHECK(error == "line 7: something after the checksum");
  std::string other = good;
  other.replace(other.find("48"), 2, "47");
  CHECK_FALSE(ParseFacts(other, error));
  CHECK(error == "line 6: the checksum differs: the file is damaged");
  CHECK_FALSE(ParseFacts("tandem-ha 1\nballot 1\nballot 2\n", error));
  CHECK(error == "line 3: said twice");
  CHECK_FALSE(ParseFacts("tandem-ha 1\nballot 99999999999\n", error));
  CHECK(error == "line 2: not a fact");
  CHECK_FALSE(ParseFacts("tandem-ha 1\nnonsense\n", error));
  CHECK_FALSE(ParseFacts(std::string(kFactsSizeMax + 1, 'x'), error));
  CHECK(error == "line 1: the file is too long");
}

TEST_CASE("facts: no damaged byte and no cut goes unnoticed") {
  const std::string good = FormatFacts(ExampleFacts());
  std::string error;
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int bit : {1, 16, 128}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ bit);
      INFO("byte " << at << " bit " << bit);
      CHECK_FALSE(ParseFacts(bad, error));
    }
    if (at + 1 < good.size()) CHECK_FALSE(ParseFacts(good.substr(0, at), error));
  }
}

TEST_CASE("facts: hostile contents end in an error or in facts that can be written") {
  Prng prng(5);
  const std::string good = FormatFacts(ExampleFacts());
  std::string error;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (uint32_t edits = 1 + prng.Below(6); edits > 0; --edits) {
      const size_t at = prng.Below(static_cast<uint32_t>(text.size()));
      switch (prng.Below(3)) {
        case 0:
          text[at] = static_cast<char>(prng.Below(256));
          break;
        case 1:
          text.erase(at, prng.Below(20));
          break;
        default:
          text.insert(at, text.substr(prng.Below(static_cast<uint32_t>(text.size())), 30));
      }
    }
    if (const auto facts = ParseFacts(text, error)) {
      CHECK(ParseFacts(FormatFacts(*facts), error) == facts);
    } else {
      CHECK(error.starts_with("line "));
    }
  }
}

TEST_CASE("facts: a crash anywhere in writing leaves the old file or the new one") {
  const std::string path = "/var/lib/tandem/ha";
  Facts before = ExampleFacts();
  Facts after = before;
  after.ballot = 64;
  for (int step = 0; step <= 4; ++step) {
    INFO("step " << step);
    MemoryDisk disk(step);
    disk.durable_[path] = disk.now_[path] = FormatFacts(before);
    const std::string failed = SaveFacts(after, path, disk);
    CHECK(failed.empty() == (step == 4));
    std::string error;
    const auto found = ParseFacts(disk.durable_[path], error);
    INFO(error);
    REQUIRE(found);
    CHECK(*found == (step == 4 ? after : before));
    // A process that dies without a power cut finds one of the two as well.
    const auto seen = ParseFacts(disk.now_[path], error);
    REQUIRE(seen);
    CHECK((*seen == before || *seen == after));
  }
}

}  // namespace tandem::ha
