// SPDX-License-Identifier: Apache-2.0
//
// The small world: two devices' tables, joined by the flow streams alone over a bad wire, while flows
// come and go by chance. No packets, no endpoint, no seals: it is the rules of the registers that are
// put to the test here, at many thousand changes a second of the machine's time.
//
// What an endpoint does is played by the world: it opens a new session, the standby's end first, when
// a device was restarted, and now and then for no reason.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/mirror/exchange.h"
#include "tests/sim/journal.h"
#include "tests/sim/stream_device.h"
#include "tests/sim/wire.h"
#include "tests/support/packet_builder.h"

namespace tandem::sim {

struct StreamParcel {
  unsigned group = 0;
  mirror::FrameHeader header;
  test::Bytes body;
};
size_t SizeOf(const StreamParcel& parcel);
bool Damage(StreamParcel& parcel, Chance& chance);

struct StreamOptions {
  uint64_t seed = 1;
  bool one_writer = true;       // of both groups; else each device writes one
  uint32_t flows_target = 300;  // about so many live flows a group
  uint32_t flows_max = 3000;    // of a group; more than that, and pages may run out
  // Whole pages, two for each group: the devices place them in different orders.
  uint32_t flows_ipv4 = 16384, flows_ipv6 = 16384;
  flow::Birth first_birth = 0;
  bool with_faults = true;
  bool with_restarts = true;
  bool with_config = true;  // objects come and go
  static StreamOptions Random(uint64_t seed);
};

class StreamWorld {
 public:
  StreamWorld(const StreamOptions& options, Journal& journal);

  void Run(unsigned steps);
  // Faults stop; in sync and equal before the time is over, or a violation.
  void Settle();
  // All flows end; nothing may be left of them.
  void Empty();

  // ---- for scenarios ----------------------------------------------------------------------------
  void Step(Nanos span, unsigned operations);
  void Operate(unsigned group);
  void Grow(unsigned group, unsigned flows);
  void Drain(unsigned group);
  void Restart(unsigned device);
  void Reconnect(unsigned group);
  void SetFaults(const WireFaults& faults);
  void CalmDown();  // faults and pauses end
  void CompareAll(const char* when);
  bool IsInSync(unsigned group) const;
  StreamDevice& device(unsigned device) { return *devices_[device]; }
  unsigned WriterOf(unsigned group) const { return writer_[group]; }
  Wire<StreamParcel>& WireFrom(unsigned device) { return *wires_[device]; }
  Chance& chance() { return chance_; }
  Nanos now() const { return now_; }
  uint64_t operations() const { return operations_; }
  uint64_t AuditMismatches() const;
  // The shadow was made wrong on purpose: nothing is checked but by Settle, and audits find it.
  void Damaged() { is_damaged_ = mismatches_allowed_ = true; }
  void JumpClock(unsigned device, Nanos span) { offset_[device] += span; }
  void SetPaused(unsigned device, Nanos until) { paused_until_[device] = until; }
  size_t LiveFlows(unsigned group) const { return live_[group].size(); }

 private:
  struct Live {
    bool is_ipv6 = false;
    uint32_t slot = 0;
  };
  struct Group {
    uint32_t session = 0;
    uint32_t epoch = 1;
    bool receiver_open = false;
    bool sender_open = false;
    bool claimed = false;         // in sync, by the standby
    Nanos receiver_opens_at = 0;  // 0: does not
    Nanos sender_opens_at = 0;
    std::array<FlowBook, 2> books;  // by family; of all writers that were
  };

  Nanos ClockOf(unsigned device) const { return now_ + offset_[device]; }
  StreamDevice& Writer(unsigned group) { return *devices_[writer_[group]]; }
  StreamDevice& Standby(unsigned group) { return *devices_[1 - writer_[group]]; }
  mirror::FlowSender& SenderOf(unsigned group) { return *Writer(group).senders[group]; }
  const mirror::FlowSender& SenderOf(unsigned group) const {
    return *devices_[writer_[group]]->senders[group];
  }
  mirror::FlowReceiver& ReceiverOf(unsigned group) { return *Standby(group).receivers[group]; }
  const mirror::FlowReceiver& ReceiverOf(unsigned group) const {
    return *devices_[1 - writer_[group]]->receivers[group];
  }

  void NewDevice(unsigned device, flow::Birth first_birth);
  void ChangeWeather();
  void ChangeConfig();
  void Associate(unsigned group);
  void Turn(unsigned device);
  void Deliver(unsigned device, StreamParcel& parcel);
  void Transmit(unsigned device, unsigned group);

  template <class Hot>
  void Create(unsigned group);
  template <class Hot>
  void Change(unsigned group, size_t index);
  template <class Hot>
  void End(unsigned group, size_t index);
  template <class Hot>
  void Unmirror(unsigned group, size_t index);
  template <class Hot>
  void Remember(unsigned group, uint32_t slot, bool is_free);
  // A stream may give slots new births by itself.
  void RememberRenewed(unsigned group);
  flow::Birth BirthsOf(unsigned device) const {
    return devices_[device]->flows4.last_birth() + devices_[device]->flows6.last_birth();
  }
  void Forget(unsigned group, size_t index);

  void NoteState(unsigned group);
  void CheckSteps();
  void CheckShadow(unsigned group);
  void CheckNewClaim(unsigned group);
  void CheckClaim(unsigned group);
  void CheckDirty(unsigned group);
  void Compare(unsigned group, const char* when);

  StreamOptions options_;
  Journal& journal_;
  Chance chance_;
  Nanos now_ = kSecond;
  std::array<Nanos, 2> offset_{};
  std::array<Nanos, 2> paused_until_{};
  std::array<std::unique_ptr<StreamDevice>, 2> devices_;
  std::array<std::unique_ptr<Wire<StreamParcel>>, 2> wires_;  // by sending device
  std::array<unsigned, kGroups> writer_{};
  std::array<Group, kGroups> groups_;
  std::array<std::vector<Live>, kGroups> live_;
  std::unique_ptr<mirror::FrameSlot> scratch_;
  bool faults_on_ = true;
  bool mismatches_allowed_ = false;
  bool is_damaged_ = false;
  uint64_t operations_ = 0;
  uint64_t incarnations_ = 0;
  std::array<flow::Birth, 2> births_{};  // of a device, as far as the books go
  uint64_t steps_ = 0;
  int trend_ = 1;
};

}  // namespace tandem::sim
