// SPDX-License-Identifier: Apache-2.0
//
// Names of configured objects inside the dataplane. Control assigns them; an id keeps its meaning
// across reloads for as long as an object of that name exists, and is given to another object only
// after every worker has swept the flows that used it. 0 is "none".
#pragma once

#include <cstdint>

namespace tandem::config {

using VirtualId = uint16_t;      // 1..kVirtualsMax
using MemberId = uint16_t;       // 1..kMembersMax; a member of one pool, not a node
using PoolId = uint16_t;         // 1..kPoolsMax
using InterfaceId = uint16_t;    // 1..kInterfacesMax; a VLAN of a port, tagged or not
using TrafficGroupId = uint8_t;  // 1..kTrafficGroupsMax; 0 is non-floating (traffic-group-none)
using PersistenceId = uint16_t;  // 1..kPersistencesMax; a persistence profile
using UnitId = uint8_t;          // 1..kDevicesMax; a device of the group, for all of them the same
using PeerIndex = uint8_t;       // into Mirroring::peers, for as long as the process runs

inline constexpr PeerIndex kNoPeer = UINT8_MAX;

}  // namespace tandem::config
