// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/loop.h"

#include <algorithm>

namespace tandem::pktgen {
namespace {

// The headers of frames that will be looked at a little later.
void Prefetch(std::span<const net::Packet> packets) {
  for (const net::Packet& packet : packets) {
    __builtin_prefetch(packet.data, 1);
    if (packet.length > 64) __builtin_prefetch(packet.data + 64, 1);
  }
}

}  // namespace

Loop::~Loop() {
  client_.Release(std::span(to_device_of_client_.packets).first(to_device_of_client_.count));
  if (server_ == nullptr) return;
  server_->Release(std::span(to_device_of_server_.packets).first(to_device_of_server_.count));
}

Nanos Loop::Turn() noexcept {
  const Nanos now = clock_();
  if (turn_began_ != 0) generator_.NoteLoopGap(now - turn_began_, is_busy_);
  turn_began_ = now;
  is_busy_ = false;
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
  if (sent > 0) is_busy_ = true;
  if (sent < outgoing.count) {
    generator_.CountTransmitFull();
    std::copy(outgoing.packets.begin() + static_cast<ptrdiff_t>(sent),
              outgoing.packets.begin() + static_cast<ptrdiff_t>(outgoing.count),
              outgoing.packets.begin());
  }
  outgoing.count -= sent;
}

// Bits of `answers` say which of the frames are to be sent; the others are released.
void Loop::KeepAnswers(Wire& wire, std::span<net::Packet> arrived, uint32_t answers,
                       Outgoing& outgoing) noexcept {
  is_busy_ = true;
  size_t released = 0;
  for (size_t i = 0; i < arrived.size(); ++i, answers >>= 1) {
    if ((answers & 1) != 0) {
      outgoing.Add(arrived[i]);
    } else {
      arrived[released++] = arrived[i];
    }
  }
  if (released > 0) wire.Release(arrived.first(released));
}

void Loop::TurnServer() noexcept {
  Outgoing& outgoing = to_device_of_server_;
  if (outgoing.has_room()) {
    const auto arrived = std::span(burst_).first(server_->Receive(burst_));
    if (!arrived.empty()) {
      Prefetch(arrived);
      // What the turn before sent is not later than its end.
      KeepAnswers(*server_, arrived, generator_.AtServer(arrived, turn_began_), outgoing);
    }
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
  const auto arrived = std::span(burst_).first(client_.Receive(burst_));
  if (!arrived.empty()) {
    Prefetch(arrived);
    KeepAnswers(client_, arrived, generator_.AtClient(arrived, clock_()), outgoing);
  }
  if (outgoing.count == 0) {
    const size_t wanted = generator_.Want(turn_began_);
    if (wanted > 0) Produce(wanted);
  }
  Flush(client_, outgoing);
}

void Loop::Produce(size_t wanted) noexcept {
  const auto packets = std::span(burst_).first(client_.Allocate(std::span(burst_).first(wanted)));
  if (packets.size() < wanted) generator_.CountNoBuffer();
  const size_t capacity = client_.Capacity();
  for (size_t i = 0; i < packets.size(); ++i) {
    slots_[i].room = {packets[i].data, capacity};
  }
  const size_t filled = generator_.Fill(std::span(slots_).first(packets.size()), clock_());
  for (size_t i = 0; i < filled; ++i) {
    packets[i].length = packets[i].contiguous = static_cast<uint32_t>(slots_[i].length);
    to_device_of_client_.Add(packets[i]);
  }
  if (filled < packets.size()) client_.Release(packets.subspan(filled));
}

}  // namespace tandem::pktgen
