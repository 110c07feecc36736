// SPDX-License-Identifier: Apache-2.0
//
// The takeover world: two or three devices' state machines over several bad paths, in virtual time.
// Paths lose, double, delay, and are cut in one direction or both; devices crash between any two
// actions, are stopped and go on, have clocks that drift and jump; disks are slow; operators ask for
// switchovers at bad moments. Checkers outside look at what workers would forward.
//
// T1 No two forward for a group while they can hear each other for longer than the detection time.
// T2 No epoch is used by two devices, runs or turns.
// T3 No device acts in an epoch below one that it acted in, or was told of by who acts.
// T4 When faults stop, each group has one active device, in sync with the next-active, soon.
// T5 A planned switchover hands over the table as it was; without faults it takes the group to its
//    target, and at no moment do two forward.
// T6 Who was told that it is forced offline does not act until told otherwise, through restarts.
// T7 A device that was stopped forwards nothing before it heard a peer or waited.
// T8 With a witness, at no moment do two forward.
// T9 Who becomes active announces.
// T10 Nobody takes a group from a device that forwards and that it could hear all the time.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/ha_node.h"
#include "tests/sim/journal.h"
#include "tests/sim/wire.h"

namespace tandem::sim {

struct HaParcel {
  std::shared_ptr<const std::vector<uint8_t>> bytes;
  unsigned path = 0;
  Nanos sent_at = 0;
};
inline size_t SizeOf(const HaParcel& parcel) {
  return parcel.bytes->size();
}
bool Damage(HaParcel& parcel, Chance& chance);

struct HaOptions {
  uint64_t seed = 1;
  unsigned devices = 2;
  unsigned paths = 3;
  ha::Settings settings;  // all but self and peers
  bool witness = false;
  static HaOptions Random(uint64_t seed);
  static HaOptions Plain(unsigned devices);
};

class HaWorld {
 public:
  HaWorld(const HaOptions& options, Journal& journal);

  // Faults, by chance, for so long.
  void Run(Nanos span);
  // Faults stop; T4 or a violation.
  void Settle();

  // ---- for scenes -----------------------------------------------------------------------------------
  void Step();
  void Pass(Nanos span);  // without new faults
  template <class Condition>
  bool PassUntil(Condition condition, Nanos span_max) {
    for (const Nanos end = now_ + span_max; now_ < end;) {
      if (condition()) return true;
      Step();
    }
    return condition();
  }
  void CalmDown();
  void Stop(unsigned device, Nanos span);  // as by SIGSTOP
  // Of both directions, or from `from` to `to` only, on all paths.
  void Cut(unsigned from, unsigned to, bool is_cut);
  void CutPath(unsigned from, unsigned to, unsigned path, bool is_cut);
  void Order(unsigned device, const ha::Command& command) { nodes_[device]->Give(command, now_); }
  HaNode& node(unsigned device) { return *nodes_[device]; }
  // Index of the one that forwards; -1: nobody, -2: several.
  int ActiveOf(unsigned group) const;
  bool IsSettled() const;
  ha::State StateOf(unsigned device, unsigned group) const {
    return nodes_[device]->is_up() ? nodes_[device]->group(group).state() : ha::State::kOffline;
  }
  void PauseWitness(Nanos until) { witness_away_until_ = until; }
  Chance& chance() { return chance_; }
  Nanos now() const { return now_; }
  uint64_t switchovers() const { return switchovers_; }
  uint64_t activations() const { return activations_; }
  uint64_t announcements(unsigned group) const { return announcements_[group]; }
  const std::string& last_answer() const { return last_answer_; }

 private:
  struct Use {
    ha::DeviceId device = 0;
    uint64_t incarnation = 0;
    bool is_suspended = false;  // and may go on
  };
  struct Turn {  // of one device and group
    Nanos began = 0;
    unsigned announced = 0;
    bool is_on = false;
  };

  Wire<HaParcel>& WireOf(unsigned from, unsigned to, unsigned path) {
    return *wires_[(from * devices() + to) * options_.paths + path];
  }
  unsigned devices() const { return static_cast<unsigned>(nodes_.size()); }
  unsigned IndexOf(const HaNode& node) const { return node.id() - 1U; }

  void MakeNode(unsigned device);
  void TurnNode(unsigned device);
  void Deliver(unsigned device);
  void Send(HaNode& node, std::span<const ha::Heartbeat> heartbeats);
  void TurnMirrors();
  void TurnMirror(unsigned device, unsigned group);
  void TurnWitness();
  void ChangeWeather();
  void Trouble();
  void RandomOrder();

  void OnAction(HaNode& node, const ha::Action& action);
  void OnActive(HaNode& node, const ha::Action& action);
  void CheckStep();
  void CheckDual(unsigned group);
  void NoteForwarding();
  void CheckTaken(const HaNode& node, unsigned group) const;
  void CheckStopped(unsigned device, unsigned group);
  bool CanHear(unsigned from, unsigned to) const;

  HaOptions options_;
  Journal& journal_;
  Chance chance_;
  Nanos now_ = kSecond;
  Nanos step_ = kMillisecond;
  std::vector<std::unique_ptr<HaNode>> nodes_;
  std::vector<std::unique_ptr<Wire<HaParcel>>> wires_;
  bool is_calm_ = true;
  uint64_t writes_ = 0;
  uint32_t sessions_ = 0;

  // The witness and the ways to it.
  struct Question {
    Nanos at = 0;
    unsigned device = 0;
    ha::Action action;
    uint64_t incarnation = 0;
    bool is_answer = false;
    bool is_granted = false;
  };
  std::vector<Question> questions_;
  std::unique_ptr<ha::LeaseWitness> witness_;
  Nanos witness_away_until_ = 0;

  // Checkers' books.
  std::array<std::map<uint32_t, Use>, kHaGroups> uses_;
  std::vector<std::array<ha::Epoch, kHaGroups>> acted_;  // by device, ever
  std::vector<std::array<ha::Epoch, kHaGroups>> told_;   // by device, this run, by who acts
  std::vector<std::array<Turn, kHaGroups>> turns_;
  std::vector<Nanos> stopped_until_;  // came back from a stop then; 0: did not
  std::vector<Nanos> heard_back_;     // heard a peer since
  using Pair = std::pair<unsigned, unsigned>;
  std::map<Pair, Nanos> can_talk_since_;  // 0: cannot
  std::array<std::map<Pair, Nanos>, kHaGroups> dual_since_;
  struct Given {
    ha::DeviceId target = 0;
    uint64_t table = 0;
  };
  std::array<std::map<uint32_t, Given>, kHaGroups> given_;     // by the granted epoch
  std::array<std::map<uint32_t, uint64_t>, kHaGroups> taken_;  // table at the beginning of a turn
  std::vector<std::array<Nanos, kHaGroups>> forwards_since_;   // 0: does not
  std::map<Pair, Nanos> audible_since_;                        // of `first` by `second`; 0: is not
  std::array<uint64_t, kHaGroups> announcements_{};
  uint64_t switchovers_ = 0;
  uint64_t activations_ = 0;
  std::string last_answer_;
  bool clean_ = true;  // no fault since the beginning: two never forward
};

}  // namespace tandem::sim
