// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/direct_link.h"

#include <algorithm>

#include "tests/sim/pair_config.h"

namespace tandem::sim {

size_t SizeOf(const DirectParcel& parcel) {
  return mirror::kHeaderSize + parcel.body.size() + mirror::kTagSize;
}
// The seal does not open.
bool Damage(DirectParcel&, Chance&) {
  return false;
}

DirectLink::DirectLink(Chance& chance, Journal& journal) : chance_(chance), journal_(journal) {
  for (auto& wire : wires_)
    wire = std::make_unique<Wire<DirectParcel>>(chance);
}

void DirectLink::Restarted(unsigned device) {
  own_[device] = peers_[device] = 0;
  peers_[1 - device] = 0;
  for (Session& session : sessions_) {
    session.is_due = true;
    if (session.writer == device) ++session.epoch;
  }
}

void DirectLink::Translate(std::array<std::unique_ptr<PairDevice>, 2>& devices, unsigned device) {
  const config::Snapshot& own = devices[device]->unit().snapshot();
  const config::Snapshot& peers = devices[1 - device]->unit().snapshot();
  if (own_[device] == own.generation && peers_[device] == peers.generation) return;
  if (!chance_.OneIn(20)) return;  // reading a dictionary takes its time
  own_[device] = own.generation;
  peers_[device] = peers.generation;
  devices[device]->mirroring().PublishTranslation(
      mirror::MakeTranslation(peers.dictionary, 0, static_cast<uint32_t>(peers.generation), own));
}

// False: a ring is full.
bool DirectLink::Tell(PairDevice& device, unsigned group, mirror::Cargo cargo,
                      const Session& session) {
  for (unsigned worker = 0; worker < device.workers(); ++worker) {
    if (device.mirroring().worker(worker).inbound().Free() == nullptr) return false;
  }
  for (unsigned worker = 0; worker < device.workers(); ++worker) {
    mirror::FrameRing& ring = device.mirroring().worker(worker).inbound();
    mirror::FrameSlot* slot = ring.Free();
    slot->cargo = cargo;
    slot->group = device.GroupNamed(kGroupNames[group]);
    slot->terms = {.session = session.number,
                   .epoch = session.epoch,
                   .body_max = 1400,
                   .wire_group = static_cast<uint8_t>(group + 1)};
    ring.Push();
  }
  return true;
}

void DirectLink::Associate(std::array<std::unique_ptr<PairDevice>, 2>& devices, unsigned group,
                           Nanos now) {
  Session& session = sessions_[group];
  const auto is_active = [&](unsigned device) {
    return devices[device]->unit().roles().IsActive(
        devices[device]->GroupNamed(kGroupNames[group]));
  };
  if (is_active(0) == is_active(1)) return;
  const unsigned writer = is_active(0) ? 0 : 1;
  if (writer != session.writer || session.is_due) {
    if (writer != session.writer) ++session.epoch;
    session.writer = writer;
    ++session.number;
    if (!Tell(*devices[1 - writer], group, mirror::Cargo::kOpenReceiver, session)) return;
    session.is_due = false;
    session.sender_opens_at = now + chance_.Span(0, 50 * kMillisecond);
    journal_.Note(now, "group %u: session %u, written by device %u", group, session.number, writer);
  }
  if (session.sender_opens_at != 0 && now >= session.sender_opens_at &&
      Tell(*devices[writer], group, mirror::Cargo::kOpenSender, session)) {
    session.sender_opens_at = 0;
  }
}

void DirectLink::Turn(std::array<std::unique_ptr<PairDevice>, 2>& devices, unsigned device,
                      Nanos now) {
  Translate(devices, device);
  for (unsigned group = 0; group < kPairGroups; ++group)
    Associate(devices, group, now);
  PairDevice& own = *devices[device];
  while (auto parcel = wires_[1 - device]->Receive(now)) {
    mirror::FrameRing& ring = own.mirroring().worker(parcel->worker).inbound();
    mirror::FrameSlot* slot = ring.Free();
    if (slot == nullptr) continue;  // the worker is behind
    slot->cargo = mirror::Cargo::kFrame;
    slot->group = own.GroupNamed(kGroupNames[parcel->group]);
    slot->header = parcel->header;
    slot->body_size = static_cast<uint16_t>(parcel->body.size());
    std::copy(parcel->body.begin(), parcel->body.end(), slot->body.begin());
    ring.Push();
  }
  for (unsigned worker = 0; worker < own.workers(); ++worker) {
    mirror::FrameRing& ring = own.mirroring().worker(worker).outbound();
    for (; const mirror::FrameSlot* slot = ring.Front(); ring.Pop()) {
      const unsigned group = slot->group == own.GroupNamed(kGroupNames[0]) ? 0 : 1;
      wires_[device]->Send({group, worker, slot->header,
                            test::Bytes(slot->body.begin(), slot->body.begin() + slot->body_size)},
                           now);
    }
  }
}

}  // namespace tandem::sim
