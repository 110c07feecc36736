// SPDX-License-Identifier: Apache-2.0
//
// The mirroring wire of a pair without endpoints: carries the workers' frames in the clear over a bad
// wire, and opens sessions from above, with both devices in sight, the standby's end first. What is
// wrong with workers, streams and tables shows here without handshakes and seals on top.
#pragma once

#include <array>
#include <memory>

#include "tests/sim/journal.h"
#include "tests/sim/pair_device.h"
#include "tests/sim/wire.h"

namespace tandem::sim {

struct DirectParcel {
  unsigned group = 0;
  unsigned worker = 0;
  mirror::FrameHeader header;
  test::Bytes body;
};
size_t SizeOf(const DirectParcel& parcel);
bool Damage(DirectParcel& parcel, Chance& chance);

class DirectLink {
 public:
  DirectLink(Chance& chance, Journal& journal);

  // A device came (again): sessions begin anew.
  void Restarted(unsigned device);
  // Both of them; what the mirror's thread of `device` would do in a turn.
  void Turn(std::array<std::unique_ptr<PairDevice>, 2>& devices, unsigned device, Nanos now);
  Wire<DirectParcel>& WireFrom(unsigned device) { return *wires_[device]; }

 private:
  struct Session {
    unsigned writer = 2;  // device; 2: none
    uint32_t number = 0;
    uint32_t epoch = 1;
    bool is_due = true;  // to be begun anew
    Nanos sender_opens_at = 0;
  };
  void Translate(std::array<std::unique_ptr<PairDevice>, 2>& devices, unsigned device);
  void Associate(std::array<std::unique_ptr<PairDevice>, 2>& devices, unsigned group, Nanos now);
  static bool Tell(PairDevice& device, unsigned group, mirror::Cargo cargo, const Session& session);

  Chance& chance_;
  Journal& journal_;
  std::array<std::unique_ptr<Wire<DirectParcel>>, 2> wires_;  // by sending device
  std::array<Session, 2> sessions_;                           // by group
  std::array<uint64_t, 2> own_{}, peers_{};  // generations that translations were made of
};

}  // namespace tandem::sim
