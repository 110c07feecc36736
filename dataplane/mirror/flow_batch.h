// SPDX-License-Identifier: Apache-2.0
//
// Writes and reads the body of a flow frame, FlowBatch of proto/mirror.proto, without allocation: the
// encoder and decoder of the packet path. The generated code reads what the writer writes and the
// reader reads what the generated code writes (tests/unit/mirror).
//
// Rows are plain structs of this device's kind, not columns. Numbers of objects are the writer's;
// translating them is the receiver's business (flow_receiver.h).
//
// Thread safety: none; one worker each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/config/dictionary.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/register.h"

namespace tandem::mirror {

// FlowFlags that go over the wire; the others are each device's own.
inline constexpr uint16_t kMirroredFlags =
    flow::kTranslateAddress | flow::kTranslateSource | flow::kOneLegged | flow::kLooselyInitiated |
    flow::kClientByRoute | flow::kFinAckedClient | flow::kFinAckedServer | flow::kWindowScaled;

inline constexpr uint32_t kRowsMax = 1024;    // of all groups of a batch together
inline constexpr uint32_t kRangeSlots = 256;  // logical slots that one digest covers

template <class Hot>
struct CreateRow {
  uint32_t slot = 0;  // logical
  flow::Register value = 0;
  flow::State state = flow::State::kFree;
  uint16_t flags = 0;  // within kMirroredFlags
  uint8_t protocol = 0;
  config::VirtualId virtual_id = 0;
  config::MemberId member_id = 0;
  config::InterfaceId interface_id = 0;
  MacAddress client_mac{};
  uint32_t age_ticks = 0;  // coarse: a multiple of 1024
  typename Hot::Key client;
  typename Hot::Key server;
};

// What a create says of a flow beyond what its FlowHot does; a close says no more than `slot` and `value`.
struct FlowName {
  uint32_t slot = 0;  // logical
  flow::Register value = 0;
  uint32_t age_ticks = 0;
};

struct UpdateRow {
  uint32_t slot = 0;
  flow::Register value = 0;
  flow::State state = flow::State::kFree;
  uint16_t flags = 0;
};

struct CloseRow {
  uint32_t slot = 0;
  flow::Register value = 0;
};

struct AuditRow {
  uint32_t range = 0;
  uint64_t digest = 0;
};

struct RowCounts {
  uint32_t creates = 0, updates = 0, closes = 0, touches = 0;
};

// Usage: Begin, Add… while they return true, Finish.
class FlowBatchWriter {
 public:
  FlowBatchWriter();
  ~FlowBatchWriter();

  // The body will be at most `size` bytes; `dictionary` says which endpoints need not be written and
  // outlives Finish. size >= 256.
  void Begin(size_t size, const config::Dictionary& dictionary) noexcept;

  // False when there is no room: nothing was added. An empty batch has room for any one row.
  template <class Hot>
  [[nodiscard]] bool AddCreate(const Hot& flow, const FlowName& name) noexcept;
  template <class Hot>
  [[nodiscard]] bool AddCreate(const CreateRow<Hot>& row) noexcept;
  [[nodiscard]] bool AddUpdate(bool is_ipv6, const UpdateRow& row) noexcept;
  [[nodiscard]] bool AddClose(bool is_ipv6, const CloseRow& row) noexcept;
  [[nodiscard]] bool AddTouch(bool is_ipv6, uint32_t slot) noexcept;
  [[nodiscard]] bool AddAudit(bool is_ipv6, const AuditRow& row) noexcept;

  uint32_t rows() const noexcept;
  RowCounts counts() const noexcept;  // of both families
  bool empty() const noexcept { return rows() == 0; }

  // Writes the body to `out`, which has the size that Begin was told; returns its length.
  size_t Finish(uint8_t* out) noexcept;

  // For those who add many rows: flow_batch_impl.h.
  struct Impl;
  Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

enum class BatchError : uint8_t {
  kNone = 0,
  kMalformed,  // not protobuf, or a field of the wrong type
  kTooManyRows,
  kColumnLength,     // neither one value a row, nor one, nor none
  kValue,            // out of range: a slot, a state, a protocol, a version
  kUnknownEndpoint,  // relies on an entry that the dictionary does not have
};
inline constexpr size_t kBatchErrorCount = 6;

// Read checks the whole body before anything of it can be seen. What it holds then is in range: slots
// below `slots_max`, states that exist and are not kFree, flags within kMirroredFlags, registers with
// a birth > 0. Unknown fields are skipped.
class FlowBatchReader {
 public:
  FlowBatchReader();
  ~FlowBatchReader();

  // `dictionary` is the writer's.
  BatchError Read(std::span<const uint8_t> body, const config::Dictionary& dictionary,
                  uint32_t slots_max_ipv4, uint32_t slots_max_ipv6) noexcept;

  // Valid until the next Read; empty after an error.
  template <class Hot>
  std::span<const CreateRow<Hot>> creates() const noexcept;
  std::span<const UpdateRow> updates(bool is_ipv6) const noexcept;
  std::span<const CloseRow> closes(bool is_ipv6) const noexcept;
  std::span<const uint32_t> touches(bool is_ipv6) const noexcept;
  std::span<const AuditRow> audits(bool is_ipv6) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::mirror
