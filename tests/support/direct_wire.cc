// SPDX-License-Identifier: Apache-2.0
#include "tests/support/direct_wire.h"

#include <utility>

#include "dataplane/base/assert.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::test {

void DirectWire::Translate(unsigned device) {
  const config::Snapshot& own = rigs_[device]->unit().snapshot();
  const config::Snapshot& peers = rigs_[1 - device]->unit().snapshot();
  if (own_[device] == own.generation && peers_[device] == peers.generation) return;
  own_[device] = own.generation;
  peers_[device] = peers.generation;
  rigs_[device]->unit().mirroring()->PublishTranslation(
      mirror::MakeTranslation(peers.dictionary, 0, static_cast<uint32_t>(peers.generation), own));
}

void DirectWire::Tell(unsigned device, const std::string& group, mirror::Cargo cargo,
                      uint32_t session) {
  Rig& rig = *rigs_[device];
  for (unsigned worker = 0; worker < rig.unit().workers(); ++worker) {
    mirror::FrameSlot* slot = rig.unit().mirroring()->worker(worker).inbound().Free();
    TANDEM_ASSERT(slot != nullptr);
    slot->cargo = cargo;
    slot->group = rig.GroupNamed(group);
    slot->terms = {.session = session, .epoch = 1, .body_max = 1400, .wire_group = 1};
    rig.unit().mirroring()->worker(worker).inbound().Push();
  }
}

void DirectWire::Associate(const std::string& group, Session& session) {
  const auto is_active = [&](unsigned device) {
    return rigs_[device]->unit().roles().IsActive(rigs_[device]->GroupNamed(group));
  };
  const unsigned writer = is_active(0) == is_active(1) ? 2 : (is_active(0) ? 0 : 1);
  if (writer == session.writer) return;
  session.writer = writer;
  if (writer == 2) return;
  ++session.number;
  Tell(writer, group, mirror::Cargo::kOpenSender, session.number);
  Tell(1 - writer, group, mirror::Cargo::kOpenReceiver, session.number);
}

void DirectWire::Carry(unsigned device, unsigned worker, unsigned loss_percent, Prng& prng) {
  mirror::FrameRing& from = rigs_[device]->unit().mirroring()->worker(worker).outbound();
  mirror::FrameRing& to = rigs_[1 - device]->unit().mirroring()->worker(worker).inbound();
  for (; mirror::FrameSlot* slot = from.Front(); from.Pop()) {
    ++frames_[device];
    mirror::FrameSlot* free = to.Free();
    if (free == nullptr || prng.Below(100) < loss_percent) continue;
    *free = *slot;
    for (const config::TrafficGroup& group : rigs_[device]->unit().snapshot().traffic_groups) {
      if (group.id == slot->group) free->group = rigs_[1 - device]->GroupNamed(group.name);
    }
    to.Push();
  }
}

void DirectWire::Exchange(unsigned loss_percent, Prng& prng) {
  for (unsigned device = 0; device < 2; ++device) {
    Translate(device);
    for (unsigned worker = 0; worker < rigs_[device]->unit().workers(); ++worker)
      Carry(device, worker, loss_percent, prng);
  }
  for (const config::TrafficGroup& group : rigs_[0]->unit().snapshot().traffic_groups) {
    if (group.id != 0) Associate(group.name, sessions_[group.name]);
  }
}

}  // namespace tandem::test
