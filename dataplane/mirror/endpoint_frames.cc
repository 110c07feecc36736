// SPDX-License-Identifier: Apache-2.0
//
// The workers' frames: sealed from where the worker wrote them into the port's buffer, opened from the
// port's buffer to where the worker reads them. A frame that finds no room is lost, and its stream
// heals.
#include <algorithm>

#include "dataplane/mirror/endpoint_impl.h"

namespace tandem::mirror {
void Endpoint::Impl::OnStream(const FrameHeader& header, const Link::Datagram& datagram,
                              Nanos now) {
  if (datagram.destination_port != kControlPort + header.group) {
    counters.header_bad.Add(1);
    return;
  }
  const Sessions::Found found = sessions.FindInbound(header);
  if (found.end == nullptr) {
    (found.is_old ? counters.epoch_old : counters.session_unknown).Add(1);
    return;
  }
  FrameRing& ring = *ports.to_worker[header.worker];
  FrameSlot* slot = ring.Free();
  if (slot == nullptr) {
    counters.ring_full.Add(1);
    return;
  }
  Opener& opener = found.end->workers[header.worker].opener;
  switch (opener.Open(datagram.payload, header.sequence, slot->body)) {
    case Opener::Result::kOpened:
      break;
    case Opener::Result::kForged:
      counters.forged.Add(1);
      return;
    case Opener::Result::kReplayed:
      counters.replayed.Add(1);
      return;
  }
  slot->cargo = Cargo::kFrame;
  slot->peer = options.peer;
  slot->group = found.group;
  slot->header = header;
  slot->body_size = static_cast<uint16_t>(datagram.payload.size() - kHeaderSize - kTagSize);
  ring.Push();
  association.Heard(now);
  found.end->workers[header.worker].heard_at = now;
}

// False: not now.
bool Endpoint::Impl::SendFrame(size_t worker, FrameSlot& slot, Nanos now, FrameSink& sink) {
  FrameHeader header = slot.header;
  header.worker = static_cast<uint8_t>(worker);
  StreamEnd* end =
      slot.cargo == Cargo::kFrame ? sessions.FindOutbound(slot.group, header) : nullptr;
  // Of a session that was closed meanwhile.
  if (end == nullptr || slot.body_size > kBodyMax) return true;
  StreamEnd::PerWorker& stream = end->workers[worker];
  // A number is a nonce: never twice.
  if (header.sequence <= stream.sealed) {
    counters.not_sealed.Add(1);
    return true;
  }
  header.group = end->terms.wire_group;
  const size_t size = kHeaderSize + slot.body_size + kTagSize;
  const std::span<uint8_t> frame = link.BeginDatagram(options.peer, size, now, sink);
  // Nobody else's frames wait for a peer that is not there.
  if (frame.size() < size) return !link.IsKnown(options.peer);
  if (stream.sealer.RenewWhenDue(options.rekey, now)) counters.rekeys.Add(1);
  WriteHeader(header, frame.first<kHeaderSize>());
  stream.sealed = header.sequence;
  const std::span<const uint8_t> body(slot.body.data(), slot.body_size);
  if (!stream.sealer.Seal(frame.first(size), header.sequence, body)) {
    counters.not_sealed.Add(1);
    return true;
  }
  link.CommitDatagram(static_cast<uint16_t>(kSourcePorts | worker),
                      static_cast<uint16_t>(kControlPort + header.group), size, sink);
  return true;
}

}  // namespace tandem::mirror
