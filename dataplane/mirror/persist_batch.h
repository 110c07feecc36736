// SPDX-License-Identifier: Apache-2.0
//
// Writes and reads the body of a persistence frame, PersistBatch of proto/mirror.proto, without
// allocation. Numbers of objects are the writer's; translating them is the receiver's business
// (persist_sync.h).
//
// Thread safety: none; one worker each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/config/ids.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/persist/key.h"

namespace tandem::mirror {

inline constexpr uint32_t kPersistRowsMax = 512;
// No row takes more, all that it does to the batch included.
inline constexpr size_t kPersistRowSizeMax = 48;

struct PersistRow {
  bool is_gone = false;
  persist::Key key;  // profile and scope in the writer's numbers
  config::MemberId member = 0;
  config::VirtualId virtual_id = 0;
  uint32_t idle_ticks = 0;  // coarse: a multiple of 1024

  bool operator==(const PersistRow&) const = default;
};

// Usage: Begin, Add… while they return true, Finish.
class PersistBatchWriter {
 public:
  PersistBatchWriter();

  // The body will be at most `size` bytes. size >= 256.
  void Begin(size_t size) noexcept;
  // Whether `rows` more rows are sure to find room.
  bool HasRoomFor(uint32_t rows) const noexcept;
  // False when there is no room: nothing was added.
  [[nodiscard]] bool Add(const PersistRow& row) noexcept;
  uint32_t rows() const noexcept { return count_; }
  // Writes the body to `out`, which has the size that Begin was told; returns its length.
  size_t Finish(uint8_t* out) noexcept;

 private:
  size_t limit_ = 0;
  size_t size_ = 0;  // an upper bound of what is in it so far
  uint32_t count_ = 0;
  std::unique_ptr<PersistRow[]> rows_;
};

// Read checks the whole body before anything of it can be seen. Unknown fields are skipped.
class PersistBatchReader {
 public:
  PersistBatchReader();
  ~PersistBatchReader();

  BatchError Read(std::span<const uint8_t> body) noexcept;
  // Valid until the next Read; empty after an error.
  std::span<const PersistRow> rows() const noexcept { return {rows_.get(), count_}; }

 private:
  struct Columns;

  uint32_t count_ = 0;
  std::unique_ptr<Columns> columns_;
  std::unique_ptr<PersistRow[]> rows_;
};

}  // namespace tandem::mirror
