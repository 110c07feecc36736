// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/loop.h"

#include <algorithm>

namespace tandem::pktgen {
namespace {

using Burst = std::array<net::Packet, Generator::kBurst>;

// The headers of a frame that will be looked at a little later.
void Prefetch(const net::Packet& packet) {
  __builtin_prefetch(packet.data);
  __builtin_prefetch(packet.data + 64);
}

}  // namespace

Loop::~Loop() {
  client_.Release(std::span(to_device_of_client_.packets).first(to_device_of_client_.count));
  if (server_ == nullptr) return;
  server_->Release(std::span(to_device_of_server_.packets).first(to_device_of_server_.count));
}

Nanos Loop::Turn() noexcept {
  const Nanos now = clock_();
  if (turn_began_ != 0) generator_.NoteLoopGap(now - turn_began_);
  turn_began_ = now;
  if (server_ != nullptr) TurnServer();
  TurnClient();
  const uint64_t at_client = client_.unusable();
  const uint64_t at_server = server_ == nullptr ? 0 : server_->unusable();
  if (at_client + at_server != unusable_at_client_ + unusable_at_server_) {
    generator_.CountUnusable(at_client - unusable_at_client_, at_server - unusable_at_server_);
    unusable_at_client_ = at_client;
    unusable_at_server_ = at_server;
  }
  generator_.Step(now);
  return now;
}

void Loop::Flush(Wire& wire, Outgoing& outgoing) noexcept {
  if (outgoing.count == 0) return;
  const size_t sent = wire.Send(std::span(outgoing.packets).first(outgoing.count));
  if (sent < outgoing.count) {
    generator_.CountTransmitFull();
    std::copy(outgoing.packets.begin() + static_cast<ptrdiff_t>(sent),
              outgoing.packets.begin() + static_cast<ptrdiff_t>(outgoing.count),
              outgoing.packets.begin());
  }
  outgoing.count -= sent;
}

void Loop::TurnServer() noexcept {
  Outgoing& outgoing = to_device_of_server_;
  if (outgoing.has_room()) {
    Burst arrived;
    const size_t count = server_->Receive(arrived);
    const Nanos now = count > 0 ? clock_() : 0;
    for (size_t i = 0; i < count; ++i)
      Prefetch(arrived[i]);
    size_t released = 0;
    for (size_t i = 0; i < count; ++i) {
      if (generator_.AtServer(arrived[i], now)) {
        outgoing.Add(arrived[i]);
      } else {
        arrived[released++] = arrived[i];
      }
    }
    server_->Release(std::span(arrived).first(released));
    if (generator_.wants_to_ask()) AskAtServer();
  }
  Flush(*server_, outgoing);
}

void Loop::AskAtServer() noexcept {
  net::Packet packet;
  if (to_device_of_server_.count == to_device_of_server_.packets.size()) return;
  if (server_->Allocate({&packet, 1}) == 0) return;
  FrameSlot slot = {{packet.data, server_->Capacity()}};
  if (generator_.FillServer(slot, turn_began_)) {
    packet.length = packet.contiguous = static_cast<uint32_t>(slot.length);
    to_device_of_server_.Add(packet);
  } else {
    server_->Release({&packet, 1});
  }
}

void Loop::TurnClient() noexcept {
  Outgoing& outgoing = to_device_of_client_;
  if (!outgoing.has_room()) {
    Flush(client_, outgoing);
    if (!outgoing.has_room()) return;
  }
  Burst arrived;
  const size_t count = client_.Receive(arrived);
  const Nanos now = count > 0 ? clock_() : 0;
  for (size_t i = 0; i < count; ++i)
    Prefetch(arrived[i]);
  size_t released = 0;
  for (size_t i = 0; i < count; ++i) {
    if (generator_.AtClient(arrived[i], now)) {
      outgoing.Add(arrived[i]);
    } else {
      arrived[released++] = arrived[i];
    }
  }
  client_.Release(std::span(arrived).first(released));
  if (outgoing.count == 0) {
    const size_t wanted = generator_.Want(turn_began_);
    if (wanted > 0) Produce(wanted);
  }
  Flush(client_, outgoing);
}

void Loop::Produce(size_t wanted) noexcept {
  Burst packets;
  const size_t count = client_.Allocate(std::span(packets).first(wanted));
  if (count < wanted) generator_.CountNoBuffer();
  std::array<FrameSlot, Generator::kBurst> slots;
  for (size_t i = 0; i < count; ++i) {
    slots[i].room = {packets[i].data, client_.Capacity()};
  }
  const size_t filled = generator_.Fill(std::span(slots).first(count), clock_());
  for (size_t i = 0; i < filled; ++i) {
    packets[i].length = packets[i].contiguous = static_cast<uint32_t>(slots[i].length);
    to_device_of_client_.Add(packets[i]);
  }
  client_.Release(std::span(packets).subspan(filled, count - filled));
}

}  // namespace tandem::pktgen
