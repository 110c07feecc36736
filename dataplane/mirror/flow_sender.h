// SPDX-License-Identifier: Apache-2.0
//
// The writing end of a flow stream: one traffic group's flows of one worker, on the device where the
// group is active.
//
// Theory of operation. A slot is a register that the peer holds a copy of (README.md). What changed is
// marked dirty: its slot is put into a list, once, however often it changes. Building a frame takes
// slots off the list and renders what they hold now. A frame that is lost makes its slots dirty again.
// The first pass of a new session (bulk) renders every slot in order beside that, and digests of
// ranges that nobody is talking about prove that the copies are equal. No list of bytes or events
// exists anywhere, so nothing can overflow, and a peer that is away costs the marking.
//
// Pure: time comes in, frames go out. Thread safety: the worker that owns the tables.
//
// Invariants:
//  1. A slot is in one of the lists (dirty_list.h) exactly when its mirror_link says so.
//  2. A page is held for each range of it (range_book.h) that has a dirty slot or a note in flight.
//  3. Without a session, no slot becomes dirty and nothing is in flight; those that are dirty still are
//     let go of by OnClock, some a call.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/counter.h"
#include "dataplane/base/time.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/tables.h"

namespace tandem::mirror {

// What a stream's writer shows of itself. One writer thread, any readers.
struct SenderCounters {
  Counter frames;
  Counter bytes;  // of bodies
  Counter creates;
  Counter updates;
  Counter closes;
  Counter touches;
  Counter audits;            // digests sent
  Counter audit_mismatches;  // reported by the peer
  Counter lost_frames;       // rendered anew
  Counter bad_acks;          // of frames never sent
  Counter dirty;             // level: slots
  Counter in_flight;         // level: frames
  Counter lag_ns;            // level: age of the oldest change that is not acknowledged
  Counter bulk_done;         // level: slots that the first pass has gone through
  Counter bulk_total;        // level
  Counter state;             // level: StreamState; 0: no session
  Counter session;           // level
  Counter last_audit_pass;  // level: Nanos when the last whole round of digests was clean; 0: never
  Counter reports_frames_lost_for_ring;  // frames not built because the ring was full
};

class FlowSender {
 public:
  // `writer`: scratch that the worker's senders share; holds nothing between two calls.
  FlowSender(config::TrafficGroupId group, unsigned worker, Tables tables, FlowBatchWriter& writer);
  ~FlowSender();

  // ---- noting changes; each is a few instructions and never fails --------------------------------
  // The flow is, or all of the flows are, mirrored from now on (sets kMirrored).
  template <class Hot>
  void Begin(uint32_t slot) noexcept;
  template <class Hot>
  void Begin(std::span<const uint32_t> slots) noexcept;
  // A mirrored flow changed. REQUIRES: kMirrored.
  template <class Hot>
  void Change(uint32_t slot) noexcept;
  // The same, of a change that the peer need not know at once: it waits for others of the flow, 10 ms at
  // most. REQUIRES: kMirrored.
  template <class Hot>
  void ChangeLater(uint32_t slot) noexcept;
  // A mirrored flow is about to be erased, or is mirrored no more (clears kMirrored).
  template <class Hot>
  void End(uint32_t slot) noexcept;
  // A mirrored flow was used of late.
  template <class Hot>
  void Touch(uint32_t slot) noexcept;

  // ---- the stream --------------------------------------------------------------------------------
  // A new session: everything is new to the peer.
  void Open(const SessionTerms& terms, Nanos now) noexcept;
  void Close() noexcept;  // the peer is gone for good
  bool is_open() const noexcept;

  // Fills `slot` (group, header, body) with the next frame that is due and returns true; false:
  // nothing is due, or may be sent.
  [[nodiscard]] bool Build(FrameSlot& slot, const config::Snapshot& snapshot, Nanos now) noexcept;
  void OnAck(const FrameHeader& ack, Nanos now) noexcept;
  // Frames that got no answer in time, and what else time brings. Every turn, with a session or not.
  void OnClock(Nanos now) noexcept;

  // For those who wait for an acknowledgement: every frame of the session that was built so far has a
  // number below next_frame(); what frames below first_in_flight() said is acknowledged, or was told
  // again in later ones, and then lost_frames() has grown.
  uint32_t session() const noexcept;
  uint64_t next_frame() const noexcept;
  uint64_t first_in_flight() const noexcept;
  uint64_t lost_frames() const noexcept;
  // Whether the first pass is over, nothing waits to be told, and the peer has acknowledged all that was
  // told. What waits for company (ChangeLater) is told at once.
  bool IsDrained() noexcept;
  // Tells of the flow now, in full, though it did not change: what an earlier session was told of it does
  // not count, and the first pass may be far from it. REQUIRES: kMirrored.
  template <class Hot>
  void TellAgain(uint32_t slot) noexcept;

  StreamState state() const noexcept;
  const SenderCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tandem::mirror
