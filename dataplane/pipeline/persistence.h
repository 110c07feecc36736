// SPDX-License-Identifier: Apache-2.0
//
// Persistence on the path of a flow: its first packet asks the records before it balances, its timer
// and its end keep the record that it follows in use. A packet of an established flow never comes
// here.
//
// As on BIG-IP: a record whose member is enabled or disabled is followed; one whose member is down,
// forced offline or gone is given the member of a new choice. A member at its connection limit counts
// as unavailable, unless the profile overrides the limit: the flow is balanced elsewhere and the record
// stays as it is, because the limit passes and the client's other flows are still there. (The
// reference manuals leave that case open.) The virtual server's limit is hard in any case.
//
// Matching across services or virtual servers, only the node's address counts: the pool's member with
// that address takes the flow, the one with the same port if there are several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/persist/key.h"
#include "dataplane/persist/table.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// What the first packet of a flow asks the records.
struct RecordQuery {
  const config::Persistence* profile = nullptr;  // nullptr: nothing
  bool has_key = false;  // the packet has what the profile takes the key from
  persist::Key key;
  persist::Table::Place place;  // where records are kept
};

// Fills `query` in and begins to bring the record near; FetchRecord goes on with that when some time has
// passed.
template <class Hot>
void AskRecord(Context& context, const Work& work, const config::Virtual& virtual_server,
               RecordQuery& query) noexcept;
inline void FetchRecord(const RecordQuery& query) noexcept {
  if (query.has_key && !query.profile->stateless) persist::Table::FetchRecord(query.place);
}

// Persistence, and balancing when there is none or it does not decide. Counts the connection on the
// member. `word` is what KeepWord wants; unchanged for nothing.
lb::Choice ChooseMember(Context& context, const config::Virtual& virtual_server,
                        const config::Pool& pool, const lb::ClientTuple& client,
                        const RecordQuery& query, uint64_t& word) noexcept;

// A key of payload bytes, kept where UDP flows have room.
inline void KeepWord(flow::FlowCold& cold, uint64_t word) {
  cold.client_fin = static_cast<uint32_t>(word >> 32);
  cold.server_fin = static_cast<uint32_t>(word);
}

// The flow uses its record, if it has one.
template <class Hot>
void TouchRecord(Context& context, uint32_t slot) noexcept;
// Brings near what that will read, for at most kTouchedTogether flows that are near themselves.
inline constexpr size_t kTouchedTogether = 32;
template <class Hot>
void FetchTouched(Context& context, std::span<const uint32_t> slots) noexcept;
// Whether any flow may have a record. ([0] of the profiles is a hole.)
inline bool KeepsRecords(const Context& context) noexcept {
  return context.snapshot->persistences.size() > 1;
}

// How soon, in ticks, the flow has to touch its record again; kIndefinite: never.
uint32_t TouchPeriodOf(const Context& context, const flow::FlowCommon& flow) noexcept;

// The worker's piece of ageing; once a tick.
void SweepRecords(Context& context) noexcept;

}  // namespace tandem::pipeline
