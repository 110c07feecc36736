// SPDX-License-Identifier: Apache-2.0
//
// The generator's loop over its two wires, one turn after another on one core. What a port does not take
// waits, and no more is made for that side meanwhile: the generator drops nothing of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/time.h"
#include "tools/pktgen/generator.h"
#include "tools/pktgen/wire.h"

namespace tandem::pktgen {

class Loop {
 public:
  using Clock = Nanos (*)();

  // `server` may be the client's own wire's peer, or nullptr: nobody there.
  Loop(Generator& generator, Wire& client, Wire* server, Clock clock)
      : generator_(generator), client_(client), server_(server), clock_(clock) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Returns the time at its beginning.
  Nanos Turn() noexcept;

 private:
  // Frames on their way out.
  struct Outgoing {
    std::array<net::Packet, 2 * Generator::kBurst> packets;
    size_t count = 0;

    bool has_room() const { return count + Generator::kBurst <= packets.size(); }
    void Add(const net::Packet& packet) { packets[count++] = packet; }
  };

  void Flush(Wire& wire, Outgoing& outgoing) noexcept;
  void KeepAnswers(Wire& wire, std::span<net::Packet> arrived, uint32_t answers,
                   Outgoing& outgoing) noexcept;
  void TurnServer() noexcept;
  void TurnClient() noexcept;
  void Produce(size_t wanted) noexcept;
  void AskAtServer() noexcept;

  Generator& generator_;
  Wire& client_;
  Wire* server_;
  Clock clock_;
  Nanos turn_began_ = 0;
  bool is_busy_ = false;             // a frame was received or sent in this turn
  uint64_t unusable_at_client_ = 0;  // as counted already
  uint64_t unusable_at_server_ = 0;
  std::array<net::Packet, Generator::kBurst> burst_;  // at hand: what arrived, then what is filled
  std::array<FrameSlot, Generator::kBurst> slots_;
  Outgoing to_device_of_client_;
  Outgoing to_device_of_server_;
};

}  // namespace tandem::pktgen
