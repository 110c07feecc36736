// SPDX-License-Identifier: Apache-2.0
//
// Compile, object by object: what needs no other object. Private to control/config_compile*.cc.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "control/config_mirroring_key.h"
#include "dataplane/base/assert.h"
#include "dataplane/config/snapshot.h"
#include "proto/config.pb.h"

namespace tandem::control {

// Validate has parsed all of these before.
template <class T>
T Must(std::optional<T> value) {
  TANDEM_ASSERT(value.has_value());
  return *std::move(value);
}

// -1: kIndefinite.
uint32_t Ticks(int32_t value, Nanos unit);

config::Facing CompileFacing(config::v1::Vlan::Facing facing);
config::Balancing CompileBalancing(config::v1::Pool::LoadBalancingMode mode);
config::MemberState CompileState(config::v1::Pool::Member::State state);
config::VirtualType CompileType(config::v1::Virtual::Type type);
uint8_t CompileProtocol(config::v1::Virtual::Protocol protocol);
config::SnatKind CompileSnat(config::v1::SourceAddressTranslation::Type type);
config::SourcePort CompileSourcePort(config::v1::Virtual::SourcePort policy);
config::NoFlowAction CompileNoFlow(config::v1::Virtual::NoFlowAction action);
config::FastL4 CompileProfile(const config::v1::FastL4Profile& profile);

config::Role CompileRole(config::v1::TrafficGroup::Role role);
config::MirrorAt CompileMirrorAt(config::v1::Virtual::MirrorAt when);
config::MirrorCommit CompileMirrorCommit(config::v1::Virtual::MirrorCommit commit);

// Without its id.
config::Persistence CompilePersistence(const config::v1::PersistenceProfile& from);
config::Mirroring CompileMirroring(const config::v1::Config& config, const MirroringKey& key);
// REQUIRES: `interfaces` have their self IPs.
std::vector<config::FailoverPath> CompileFailoverPaths(
    const config::v1::Config& config, const std::vector<config::Interface>& interfaces);
// Another one than that of `previous` when flows of a virtual that stays are to be mirrored now, or
// no more, or from another moment on.
uint32_t MirrorGeneration(const config::Snapshot* previous, const config::Snapshot& next);

}  // namespace tandem::control
