// SPDX-License-Identifier: Apache-2.0
//
// The mirroring port: one device with one queue pair and buffers of its own, used by the mirror lcore
// alone, so that mirroring and traffic take nothing from each other.
//
// Thread safety: Open, Start and the destructor by control; Receive, Begin, Commit and Flush by the
// mirror lcore; the rest by any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dataplane/base/counter.h"
#include "dataplane/io/packet_memory.h"
#include "dataplane/io/port.h"
#include "dataplane/mirror/link.h"

namespace tandem::io {

class MirrorPort final : public mirror::FrameSink {
 public:
  static constexpr uint16_t kBurst = 32;

  static absl::StatusOr<std::unique_ptr<MirrorPort>> Open(const PortOptions& options);
  ~MirrorPort() override;

  absl::Status Start();

  // Up to kBurst received frames, each in one piece. They are freed by the next Receive.
  std::span<const std::span<const uint8_t>> Receive() noexcept;

  // mirror::FrameSink
  std::span<uint8_t> Begin(size_t size) noexcept override;
  void Commit(size_t size) noexcept override;
  // Sends what was committed; what the device does not take is freed and counted.
  void Flush() noexcept;

  Port& port() { return *port_; }
  const Port& port() const { return *port_; }
  const PacketMemory& memory() const { return memory_; }
  uint64_t not_sent() const { return not_sent_.Get(); }
  uint64_t not_readable() const { return not_readable_.Get(); }

 private:
  MirrorPort(const PortOptions& options, std::unique_ptr<Port> port);
  void Release() noexcept;

  PacketMemory memory_;  // outlives the port, whose queues have buffers of it
  std::unique_ptr<Port> port_;
  rte_mempool* pool_ = nullptr;
  std::array<rte_mbuf*, kBurst> received_{};
  std::array<std::span<const uint8_t>, kBurst> frames_;
  uint16_t received_count_ = 0;
  rte_mbuf* begun_ = nullptr;
  std::array<rte_mbuf*, kBurst> to_send_{};
  uint16_t to_send_count_ = 0;
  Counter not_sent_;      // frames that the device did not take
  Counter not_readable_;  // received frames that did not fit one buffer
};

}  // namespace tandem::io
