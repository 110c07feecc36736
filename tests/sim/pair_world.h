// SPDX-License-Identifier: Apache-2.0
//
// The whole world: two whole devices, each with its own clock, configuration and numbers, joined by a
// bad mirroring wire, between clients and members on bad wires. Everything that happens is decided by
// one seed. What must hold is checked in pair_checks.cc.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/direct_link.h"
#include "tests/sim/flow_image.h"
#include "tests/sim/journal.h"
#include "tests/sim/lan.h"
#include "tests/sim/pair_commit.h"
#include "tests/sim/pair_config.h"
#include "tests/sim/pair_device.h"
#include "tests/sim/pair_records.h"
#include "tests/sim/wire.h"

namespace tandem::sim {

// A frame on the mirroring wire.
struct MirrorParcel {
  test::Bytes frame;
};
size_t SizeOf(const MirrorParcel& parcel);
bool Damage(MirrorParcel& parcel, Chance& chance);

struct PairOptions {
  uint64_t seed = 1;
  PairConfig config;
  unsigned conversations = 60;
  unsigned client_ports = 100;
  Nanos pace = 200 * kMillisecond;
  uint32_t flows_ipv4 = 4 * 4096, flows_ipv6 = 4 * 4096;  // a worker
  bool is_tight = false;                                  // so few of them that they fill up
  uint32_t records = 512;                                 // of persistence
  bool is_direct = false;       // without endpoints (direct_link.h): flows alone are mirrored
  bool near_ends = false;       // what counts up begins shortly before its end, or before it wraps
  bool with_platforms = false;  // at times a device is another platform
  bool with_faults = true;
  bool with_restarts = true;
  bool with_config = true;
  bool with_flips = true;
  bool with_crashes = true;
  void (*around_turn)(bool begins) = nullptr;  // of a worker
  static PairOptions Random(uint64_t seed);
};

// What a device is, compared with the other.
enum class Platform : uint8_t { kSame, kOtherWorkers, kOtherKey };

class PairWorld {
 public:
  PairWorld(const PairOptions& options, Journal& journal);

  void Run(unsigned steps);
  void Settle();  // I8 and I3: faults and traffic stop, then both are in sync and equal
  // Settle, then the roles of a group are exchanged, and every conversation goes on (I10).
  void Flip(unsigned group);
  void Crash(unsigned device);  // pair_takeover.cc
  void Rest();                  // Settle or, by chance, Flip
  void Finish();                // all conversations end; nothing is left of them

  // ---- for scenarios ----------------------------------------------------------------------------
  void Step(Nanos span);
  void Steps(unsigned steps, Nanos span);
  // Until it holds, or the time is over (false). Without new conversations when `quiet`.
  template <class Condition>
  bool StepUntil(Nanos most, Nanos span, Condition&& holds) {
    for (const Nanos end = now_ + most; now_ < end;) {
      if (holds()) return true;
      Step(span);
    }
    return holds();
  }
  void SetTraffic(bool on) { traffic_ = on; }
  void CalmDown();
  bool IsInSync(unsigned group);    // both ends say so, and nothing is on its way
  bool SaysInSync(unsigned group);  // the standby, of its shadow
  void Restart(unsigned device);
  void RestartAs(unsigned device, Platform platform);
  bool PlatformsDiffer() const { return platform_[0] != platform_[1]; }
  // As Settle, of records alone; all that platforms that differ have in common.
  void SettleRecords();
  void Configure(unsigned device, const PairConfig& config);
  void SetRoles(unsigned group, unsigned active);
  void Compare(const char* when);
  // Every living conversation whose flow the active mirrors goes on, both ways; new ones go where
  // records lead.
  void ProbeAll(unsigned group, const std::vector<Promise>& promises = {});
  // None when the standby may lack copies, for its clock jumped or its table was full, or has none.
  std::vector<Promise> PromisesOf(unsigned group) {
    const unsigned standby = 1 - active_[group];
    if (skipped_[standby] != 0 || !HasMirroredRecords()) return {};
    if (RecordWatch::HasRefused(*devices_[standby])) return {};
    return records_.PromisesOf(*devices_[active_[group]], group, lan_.services());
  }
  // A device's clock jumps.
  void Skip(unsigned device, Nanos span);
  // A mirrored flow changes so often that it uses up versions.
  void AgeVersions();
  std::vector<FlowImage> Images(unsigned device, unsigned worker, unsigned group, uint16_t flags);
  void AllowMismatches() { mismatches_allowed_ = true; }
  // Until then (of the world's time) the device, one worker, or its mirror takes no turn.
  void PauseDevice(unsigned device, Nanos until) { paused_[device].all = until; }
  void PauseWorker(unsigned device, unsigned worker, Nanos until) {
    paused_[device].worker[worker] = until;
  }
  void PauseMirror(unsigned device, Nanos until) { paused_[device].mirror = until; }

  PairDevice& device(unsigned device) { return *devices_[device]; }
  void SetMirrorFaults(unsigned device, const WireFaults& faults);  // of what it sends
  Lan& lan() { return lan_; }
  Chance& chance() { return chance_; }
  Nanos now() const { return now_; }
  unsigned ActiveOf(unsigned group) const { return active_[group]; }
  const PairConfig& config() const { return options_.config; }
  const CommitWatch& commit() const { return commit_; }
  Journal& journal() { return journal_; }

 private:
  static constexpr unsigned kWorkersMost = 2;
  struct Pauses {
    Nanos all = 0, mirror = 0;
    std::array<Nanos, kWorkersMost> worker{};
  };
  struct Book {
    FlowBook flows;
    using Births = std::map<flow::Birth, FlowImage>;
    Births births;
    std::vector<Births> births_before;  // of the writers before

    void NewWriter();
    // Whether a writer before the present one had it, or a version of it that came and went within one
    // turn.
    bool IsOfEarlier(const FlowImage& image) const;
    // Whether it was told, and given another birth by an audit, in the very turn that it began in.
    bool WasRenewed(const FlowImage& image) const;
  };

  void Start(unsigned device);
  void Turn(unsigned device);
  // is_lost: what it sends goes nowhere.
  void WorkerTurn(unsigned device, unsigned worker, bool is_lost);
  void ChangeWeather();
  void ChangeConfig();
  void ChangePlatform();
  void ApplyConfigs();
  unsigned NumberOf(const std::string& name);  // the same for both devices; 0 for ""
  void Remember(unsigned device, unsigned worker);
  void RememberRecords(unsigned device);
  void CheckSteps();
  void CheckShadow(unsigned group, unsigned worker);
  void CheckRegisters();
  void CheckClaims();
  void CheckMismatches();
  void CheckSnat();
  void CheckPlatforms();
  bool HasMirroredRecords() const { return !options_.is_direct; }
  std::string CompareRecords();
  void MakeRoom();
  template <class Hot>
  void AgeVersionsOf(unsigned group, unsigned worker);
  Book& BookOf(unsigned group, unsigned worker, bool is_ipv6) {
    return books_[(group * kWorkersMost + worker) * 2 + (is_ipv6 ? 1 : 0)];
  }

  PairOptions options_;
  Journal& journal_;
  Chance chance_;
  Nanos now_ = kSecond;
  std::array<std::unique_ptr<PairDevice>, 2> devices_;
  std::array<std::unique_ptr<Wire<MirrorParcel>>, 2> wires_;  // by sending device
  Lan lan_;
  DirectLink direct_;
  std::array<Pauses, 2> paused_;
  std::array<unsigned, kPairGroups> active_{};
  std::array<PairConfig, 2> applied_, wanted_;
  std::array<Platform, 2> platform_{};
  std::array<Nanos, 2> applies_at_{};  // 0: nothing to apply
  std::map<std::string, unsigned> numbers_;
  std::array<Book, kPairGroups * kWorkersMost * 2> books_;
  RecordWatch records_{[this](const std::string& name) { return NumberOf(name); }};
  CommitWatch commit_;
  Nanos refused_at_ = 0;  // platforms differed, and flows had no session, or nobody knew yet
  std::array<Nanos, 2> skipped_{};  // since records were compared
  std::array<std::array<uint64_t, kWorkersMost>, 2> activity_{};
  bool traffic_ = true;
  bool faults_on_ = true;
  bool mismatches_allowed_ = false;
  uint64_t steps_ = 0;
  uint64_t incarnations_ = 0;
};

}  // namespace tandem::sim
