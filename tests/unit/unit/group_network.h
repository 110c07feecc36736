// SPDX-License-Identifier: Apache-2.0
//
// Three whole devices in a device group, between a client and two servers, on one mirroring network
// whose links can be cut, and lose frames, deliver them twice or late; each has a control thread whose
// disk works, can be killed and started again, and takes another configuration.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/unit/takeover.h"
#include "tests/sim/wire.h"
#include "tests/support/hosts.h"
#include "tests/support/pair.h"

namespace tandem::test {

struct GroupParcel {
  Bytes frame;
};
inline size_t SizeOf(const GroupParcel& parcel) {
  return parcel.frame.size();
}
inline bool Damage(GroupParcel&, sim::Chance&) {
  return false;  // a damaged frame opens nowhere
}

class GroupNetwork {
 public:
  static constexpr unsigned kDevices = 3;
  static constexpr unsigned kNobody = kDevices;
  // Single devices have turns of their own in between: when they are sent something, or questioned.
  static constexpr Nanos kInterval = 300 * kMillisecond;

  explicit GroupNetwork(uint64_t seed);

  bool IsUp(unsigned device) const { return rigs_[device] != nullptr; }
  Rig& rig(unsigned device) { return *rigs_[device]; }
  void Kill(unsigned device) { rigs_[device] = nullptr; }
  void Start(unsigned device);
  // The mirroring link between two devices, both ways.
  void Cut(unsigned a, unsigned b) { wire(a, b).faults.cut = wire(b, a).faults.cut = true; }
  void HealAll();
  // So many frames of the mirroring network are lost, as many come twice, all up to 20 ms late.
  void SetWeather(unsigned bad_percent);
  // A configuration that differs from others by a number, and in nothing that packets of these tests see.
  void Configure(unsigned device, unsigned variant);

  void Pass(Nanos span);
  template <class Condition>
  bool Until(Condition&& condition, Nanos patience = 20 * kSecond) {
    for (Nanos passed = 0; passed < patience; passed += 20 * kMillisecond) {
      if (condition()) return true;
      Pass(20 * kMillisecond);
    }
    return condition();
  }

  std::shared_ptr<const unit::TakeoverStatus> status(unsigned device) const {
    return rigs_[device]->unit().takeover()->status();
  }
  ha::State state(unsigned device) const { return status(device)->groups.at(0).state; }
  unsigned acting() const;  // how many devices act
  unsigned active() const;  // the one that does; kNobody: none, or several
  unsigned heir() const;    // its next-active; kNobody
  bool IsReady() const;     // one acts, and its next-active is in sync
  // To the device, by the operator; nothing when nobody is active.
  void HandOver(unsigned target);

  // What leaves the device, "host: packet", when `host` sends `line`.
  std::vector<std::string> Send(unsigned device, const std::string& host, const std::string& line);

  Nanos now() const { return now_; }
  const std::string& answered() const { return answered_; }  // of the last command

 private:
  using Wire = sim::Wire<GroupParcel>;

  Wire& wire(unsigned from, unsigned to) { return wires_[from * kDevices + to]; }
  void Exchange();
  void Serve();

  const uint64_t seed_;
  Hosts hosts_;
  Nanos now_ = kSecond;
  std::string answered_;
  unsigned starts_ = 0;
  std::array<std::unique_ptr<Rig>, kDevices> rigs_;
  std::array<uint32_t, kDevices> ballots_{};  // as their disks have them
  std::array<unsigned, kDevices> variants_{};
  sim::Chance chance_;
  std::vector<Wire> wires_;  // from each device to each
};

}  // namespace tandem::test
