// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the body of a heartbeat, and as what happens to a device: heartbeats of its peers whose
// seal was opened, ticks, and what the mirror, the disk, the witness and the operator say. What is read
// is written as the same; and whatever peers say, the device acts only in epochs of its own that are
// durable and go up, by the fence, and says what peers can read.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/ha/device.h"
#include "dataplane/ha/heartbeat_codec.h"
#include "tests/fuzz/input.h"

namespace {

using namespace tandem;
using namespace tandem::ha;
using tandem::fuzz::Input;

constexpr uint64_t kOurRun = 0xaaaa;
constexpr unsigned kGroups = 2;
constexpr size_t kEventsMax = 400;

std::vector<uint8_t> Encode(const Heartbeat& heartbeat) {
  std::vector<uint8_t> body(kHeartbeatBodyMax);
  body.resize(EncodeHeartbeat(heartbeat, body));
  TANDEM_ASSERT(!body.empty());
  return body;
}

void CheckSame(const Heartbeat& heartbeat) {
  const std::vector<uint8_t> once = Encode(heartbeat);
  const auto again = DecodeHeartbeat(once);
  TANDEM_ASSERT(again.has_value());
  TANDEM_ASSERT(Encode(*again) == once);
}

Settings MakeSettings(uint8_t choice) {
  Settings settings;
  settings.self = 1;
  settings.peers = {2, 3};
  settings.paths = 2;
  settings.boot_wait = 500 * kMillisecond;
  settings.witness = (choice & 1) != 0;
  for (TrafficGroupId id = 1; id <= kGroups; ++id) {
    settings.groups.push_back({.id = id,
                               .name_hash = id,
                               .method = static_cast<Method>((choice >> 1) % 3),
                               .ha_order = {1, 2, 3},
                               .auto_failback = (choice & 8) != 0,
                               .failback_hold = 100 * kMillisecond});
  }
  return settings;
}

// A device, what it was told, and what it did.
class World {
 public:
  explicit World(uint8_t choice)
      : device_(MakeSettings(choice), 0, (choice & 16) != 0, kOurRun, now_, actions_) {
    Perform();
  }

  void Turn(Input& input) {
    const uint8_t kind = input.Byte();
    now_ += Nanos{input.Byte()} * (kind >= 0xf0 ? 20 : 1) * 200'000;
    switch (kind & 7) {
      case 0:
      case 1:
      case 2:
        Hear(input, kind);
        break;
      case 3:
        if (const Group* group = device_.Find(GroupOf(kind)); group != nullptr)
          Step(ShadowSays{group->id(), (kind & 64) != 0, input.Byte(), group->epoch()});
        break;
      case 4:
        Step(Drained{GroupOf(kind), input.Byte()});
        break;
      case 5:
        Step(LeaseAnswered{GroupOf(kind), input.Byte(), (kind & 64) != 0});
        break;
      case 6:
        Order(input, kind);
        break;
      default:
        Durable();
    }
    Step(ha::Tick{});
    if (device_.HeartbeatDue(now_)) Speak();
    Check();
  }

 private:
  static TrafficGroupId GroupOf(uint8_t kind) {
    return static_cast<TrafficGroupId>(1 + (kind >> 3) % kGroups);
  }

  // As it is, or with what chance would rarely hit upon: the next number of a run that it knows, and an
  // echo of what the device said last.
  void Hear(Input& input, uint8_t kind) {
    const size_t size = input.Byte() + 256U * (input.Byte() & 3);
    auto heartbeat = DecodeHeartbeat(input.Take(size));
    if (!heartbeat) return;
    CheckSame(*heartbeat);
    if ((kind & 8) != 0) {
      heartbeat->device = static_cast<DeviceId>(2 + heartbeat->device % 2);
      heartbeat->incarnation = 0xb0U + heartbeat->device;
      heartbeat->sequence = ++sequence_;
      for (GroupSays& says : heartbeat->groups) {
        says.name_hash = 1 + says.name_hash % kGroups;
        if (says.acts)
          says.epoch = Epoch::Promoted(std::max(says.epoch.ballot(), 1U), heartbeat->device);
      }
    }
    if ((kind & 16) != 0 && heartbeat->heard.size() < kDevicesMax) {
      heartbeat->heard.insert(heartbeat->heard.begin(),
                              {.device = 1, .incarnation = kOurRun, .paths = 3, .stamp = said_at_});
    }
    Step(HeartbeatCame{*heartbeat, (kind >> 5) & 1U});
  }

  void Order(Input& input, uint8_t kind) {
    const uint8_t what = input.Byte();
    if ((what & 7) == 7) {
      Step(FaultSays{GroupOf(kind), (what & 8) != 0 ? "a fault" : nullptr});
    } else if ((what & 7) == 6) {
      Step(ScoreSays{GroupOf(kind), what});
    } else {
      const auto order = static_cast<Command::Kind>((what & 7) % 5);
      const auto target = static_cast<DeviceId>(what >> 6);
      Step(Command{.kind = order, .group = GroupOf(kind), .target = target, .ticket = 1});
    }
  }

  void Durable() {
    if (asked_.empty()) return;
    const FactsDurable facts = asked_.front();
    asked_.erase(asked_.begin());
    durable_ = std::max(durable_, facts.ballot);
    Step(facts);
  }

  void Step(const Event& event) {
    device_.Step(event, now_, actions_);
    Perform();
  }

  void Perform() {
    for (const Action& action : actions_) {
      if (action.kind == Action::Kind::kPersist)
        asked_.push_back({action.ballot, action.forced_offline});
      if (action.kind != Action::Kind::kSetRole) continue;
      const bool is_active = action.role == config::Role::kActive;
      acts_[action.group] = is_active;
      if (!is_active) continue;
      // The same again: a turn that was suspended goes on.
      TANDEM_ASSERT(action.epoch.device() == 1 && action.epoch.is_sound());
      TANDEM_ASSERT(action.epoch >= epochs_[action.group]);
      TANDEM_ASSERT(action.epoch.ballot() <= durable_);
      TANDEM_ASSERT(!device_.forced_offline());
      epochs_[action.group] = action.epoch;
    }
    actions_.clear();
  }

  void Speak() {
    said_at_ = now_;
    for (const Heartbeat& heartbeat : device_.MakeHeartbeats(now_)) {
      TANDEM_ASSERT(heartbeat.sequence > said_);
      said_ = heartbeat.sequence;
      CheckSame(heartbeat);
    }
  }

  void Check() {
    if (device_.has_stopped()) return;
    TANDEM_ASSERT(device_.next_tick() >= now_);
    for (const Group& group : device_.groups()) {
      TANDEM_ASSERT(group.acts() == acts_[group.id()]);
      const Nanos until = device_.ActiveUntil(group.id());
      TANDEM_ASSERT(until <= said_at_ + device_.settings().boot_wait);
      if (!group.acts()) {
        TANDEM_ASSERT(until == 0);
        continue;
      }
      TANDEM_ASSERT(until >= now_ && group.epoch() == epochs_[group.id()]);
      TANDEM_ASSERT(group.next_active() != 1 && group.mirror_to() != 1);
      // Nobody says a higher epoch of its own and is believed.
      for (const Peer& peer : device_.detector().peers()) {
        const PeerGroup* said = peer.Of(group.settings().name_hash, now_);
        TANDEM_ASSERT(said == nullptr || !said->says.acts || said->says.epoch <= group.epoch());
      }
    }
  }

  Nanos now_ = 100 * kSecond;
  Nanos said_at_ = now_;
  Actions actions_;
  std::vector<FactsDurable> asked_;
  uint32_t durable_ = 0;
  uint64_t sequence_ = 0;
  uint64_t said_ = 0;
  std::array<Epoch, kGroups + 1> epochs_;
  std::array<bool, kGroups + 1> acts_{};
  Device device_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto heartbeat = DecodeHeartbeat({data, size})) CheckSame(*heartbeat);
  Input input({data, size});
  World world(input.Byte());
  for (size_t i = 0; i < kEventsMax && !input.is_empty(); ++i)
    world.Turn(input);
  return 0;
}
