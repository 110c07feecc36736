// SPDX-License-Identifier: Apache-2.0
//
// Mistakes that others shipped, or that the rules of dataplane/ha are there to prevent, to be made on
// purpose: a build with the option `mutation` can be told to make one of them, and the simulator or a unit
// test must notice (tests/sim/mutations.py). In every other build Mutated() is the constant false, and the
// compiler leaves nothing of them.
//
//   if (value < stored && !Mutated(Mutation::kNoVersionCheck)) return;
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

// name, what the code does then
#define TANDEM_MUTATIONS_LIST(X)                                                      \
  X(kNoVersionCheck, "the receiver applies rows that are older than what it has")     \
  X(kNoRedirty, "the slots of a lost frame are forgotten")                            \
  X(kCursorOffByOne, "a change right at the bulk cursor is left to neither side")     \
  X(kAckOfAnySession, "acknowledgements of another session count")                    \
  X(kAnyEpoch, "frames of another epoch or session are applied")                      \
  X(kAgeShadow, "the standby ages its shadow flows")                                  \
  X(kEarlyInSync, "in sync is said before the first pass is acknowledged")            \
  X(kShortLength, "the length of a frame's body is cut to eight bits")                \
  X(kOldBytes, "a lost frame is sent again as it was")                                \
  X(kLostIsKnown, "the peer is thought to have the flow that a lost frame told of")   \
  X(kNoBirthRule, "of two flows with one key, the one that came first stays")         \
  X(kNoSweep, "the flows of an earlier session are not swept")                        \
  X(kSharedPorts, "both devices choose SNAT ports from all blocks")                   \
  X(kBirthRestarts, "a takeover does not raise the births above those it took over")  \
  X(kEarlyUpdate, "an update of a flow not there is acknowledged")                    \
  X(kPageNotHeld, "a page goes back to the pool while its slots are still spoken of") \
  X(kPersistUnordered, "persistence frames are applied whenever they come")           \
  X(kNoUnmirror, "the peer is not told that a flow is mirrored no more")              \
  X(kUndurableEpoch, "a device acts in an epoch that is not on disk yet")             \
  X(kNoFence, "a device that stood still acts on")                                    \
  X(kLowerEpochActs, "who acts gives way to no higher epoch")                         \
  X(kFloorForgotten, "a device follows an epoch below one that was acted in")         \
  X(kOldGo, "a group is taken by a GO that holds no more")                            \
  X(kGoOfAnotherRun, "a group is taken by a GO for an earlier run")                   \
  X(kStalledPromotes, "who stood still takes over from whom it did not hear")         \
  X(kUnsyncedFirst, "who takes over first need not have a complete shadow")           \
  X(kNoLease, "the witness is not waited for")                                        \
  X(kEarlyDrained, "GO is said before the changes are acknowledged")                  \
  X(kAlwaysWarm, "who gives a group up keeps its table, whatever the other one has")  \
  X(kOldRunHeard, "what an earlier run of a device said is taken for news")           \
  X(kNoAnnounce, "who takes over tells the neighbours nothing")                       \
  X(kForcedForgotten, "forced offline does not outlive the process")                  \
  X(kToldBeforeSilent, "who acts no more says so before its workers know")

enum class Mutation : uint8_t {
  kNone,
#define TANDEM_MUTATION_NAME(name, what) name,
  TANDEM_MUTATIONS_LIST(TANDEM_MUTATION_NAME)
#undef TANDEM_MUTATION_NAME
};

#ifdef TANDEM_MUTATIONS
// Written before the first turn, by a test.
inline Mutation made_mutation = Mutation::kNone;
inline bool Mutated(Mutation mutation) {
  return made_mutation == mutation;
}
#else
constexpr bool Mutated(Mutation) {
  return false;
}
#endif

}  // namespace tandem
