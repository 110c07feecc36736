// SPDX-License-Identifier: Apache-2.0
//
// The schema's enumerations and profiles as the dataplane has them.
#include <netinet/in.h>

#include "control/config_compile_parts.h"

namespace tandem::control {

namespace v1 = config::v1;

uint32_t Ticks(int32_t value, Nanos unit) {
  return value < 0 ? config::kIndefinite : TicksIn(static_cast<Nanos>(value) * unit);
}

config::FastL4 CompileProfile(const v1::FastL4Profile& profile) {
  return {.idle_timeout = Ticks(profile.idle_timeout(), kSecond),
          .udp_idle_timeout = Ticks(profile.udp_idle_timeout(), kSecond),
          .tcp_handshake_timeout = Ticks(profile.tcp_handshake_timeout(), kSecond),
          .tcp_close_timeout = Ticks(profile.tcp_close_timeout(), kSecond),
          .tcp_time_wait_timeout = Ticks(profile.tcp_time_wait_timeout(), kMillisecond),
          .reset_on_timeout = profile.reset_on_timeout(),
          .loose_close = profile.loose_close()};
}

config::Facing CompileFacing(v1::Vlan::Facing facing) {
  switch (facing) {
    case v1::Vlan::BOTH:
      return config::Facing::kBoth;
    case v1::Vlan::CLIENT:
      return config::Facing::kClient;
    case v1::Vlan::SERVER:
      return config::Facing::kServer;
  }
  return config::Facing::kBoth;
}

config::Balancing CompileBalancing(v1::Pool::LoadBalancingMode mode) {
  switch (mode) {
    case v1::Pool::ROUND_ROBIN:
      return config::Balancing::kRoundRobin;
    case v1::Pool::RATIO_MEMBER:
      return config::Balancing::kRatio;
    case v1::Pool::LEAST_CONNECTIONS_MEMBER:
      return config::Balancing::kLeastConnections;
    case v1::Pool::MAGLEV_SOURCE:
      return config::Balancing::kMaglevSource;
    case v1::Pool::MAGLEV_FIVE_TUPLE:
      return config::Balancing::kMaglevFiveTuple;
  }
  return config::Balancing::kRoundRobin;
}

config::MemberState CompileState(v1::Pool::Member::State state) {
  switch (state) {
    case v1::Pool::Member::ENABLED:
      return config::MemberState::kEnabled;
    case v1::Pool::Member::DISABLED:
      return config::MemberState::kDisabled;
    case v1::Pool::Member::FORCED_OFFLINE:
      return config::MemberState::kForcedOffline;
  }
  return config::MemberState::kEnabled;
}

config::VirtualType CompileType(v1::Virtual::Type type) {
  switch (type) {
    case v1::Virtual::FASTL4:
      return config::VirtualType::kFastL4;
    case v1::Virtual::FORWARDING_IP:
      return config::VirtualType::kForwardIp;
    case v1::Virtual::REJECT:
      return config::VirtualType::kReject;
  }
  return config::VirtualType::kReject;
}

uint8_t CompileProtocol(v1::Virtual::Protocol protocol) {
  switch (protocol) {
    case v1::Virtual::ANY:
      return 0;
    case v1::Virtual::TCP:
      return IPPROTO_TCP;
    case v1::Virtual::UDP:
      return IPPROTO_UDP;
  }
  return 0;
}

config::SnatKind CompileSnat(v1::SourceAddressTranslation::Type type) {
  switch (type) {
    case v1::SourceAddressTranslation::NONE:
      return config::SnatKind::kNone;
    case v1::SourceAddressTranslation::AUTOMAP:
      return config::SnatKind::kAutomap;
    case v1::SourceAddressTranslation::SNAT:
      return config::SnatKind::kPool;
  }
  return config::SnatKind::kNone;
}

config::SourcePort CompileSourcePort(v1::Virtual::SourcePort policy) {
  switch (policy) {
    case v1::Virtual::PRESERVE:
      return config::SourcePort::kPreserve;
    case v1::Virtual::PRESERVE_STRICT:
      return config::SourcePort::kPreserveStrict;
    case v1::Virtual::CHANGE:
      return config::SourcePort::kChange;
  }
  return config::SourcePort::kPreserve;
}

config::NoFlowAction CompileNoFlow(v1::Virtual::NoFlowAction action) {
  switch (action) {
    case v1::Virtual::RESET:
      return config::NoFlowAction::kReset;
    case v1::Virtual::DROP:
      return config::NoFlowAction::kDrop;
    case v1::Virtual::LOOSE_INITIATION:
      return config::NoFlowAction::kLooseInitiation;
  }
  return config::NoFlowAction::kReset;
}

config::Role CompileRole(v1::TrafficGroup::Role role) {
  switch (role) {
    case v1::TrafficGroup::ACTIVE:
      return config::Role::kActive;
    case v1::TrafficGroup::STANDBY:
      return config::Role::kStandby;
  }
  return config::Role::kStandby;
}

config::MirrorAt CompileMirrorAt(v1::Virtual::MirrorAt when) {
  switch (when) {
    case v1::Virtual::ESTABLISHED:
      return config::MirrorAt::kEstablished;
    case v1::Virtual::SYN:
      return config::MirrorAt::kSyn;
  }
  return config::MirrorAt::kEstablished;
}

config::MirrorCommit CompileMirrorCommit(v1::Virtual::MirrorCommit commit) {
  switch (commit) {
    case v1::Virtual::ASYNC:
      return config::MirrorCommit::kAsync;
    case v1::Virtual::BOUNDED:
      return config::MirrorCommit::kBounded;
    case v1::Virtual::STRICT:
      return config::MirrorCommit::kStrict;
  }
  return config::MirrorCommit::kAsync;
}

}  // namespace tandem::control
