// SPDX-License-Identifier: Apache-2.0
//
// Every maximum of the system in one place, with the arithmetic that justifies it. What happens at
// a limit is said beside it; configuration that asks for more is refused, traffic is counted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

inline constexpr size_t kWorkersMax = 64;       // one bit each in a 64-bit worker set
inline constexpr size_t kPortsMax = 32;         // RTE_MAX_ETHPORTS of Debian's DPDK
inline constexpr size_t kInterfacesMax = 1024;  // VLAN sub-interfaces of all ports together
inline constexpr size_t kLocalAddressesMax = 16384;
inline constexpr size_t kRoutesMax = 65536;
inline constexpr size_t kTrafficGroupsMax = 127;  // as on BIG-IP: one mirroring channel each

// Flows name virtuals and members by 16-bit ids; 0 means none.
inline constexpr size_t kVirtualsMax = 4096;
inline constexpr size_t kPoolsMax = 4096;
inline constexpr size_t kMembersMax = 32768;
inline constexpr size_t kPersistencesMax = 1024;  // persistence profiles
inline constexpr uint32_t kPersistenceRecordsMax = 16U << 20;
inline constexpr size_t kPoolMembersMax = 4096;    // members of one pool
inline constexpr size_t kSnatAddressesMax = 1024;  // addresses of one SNAT pool

inline constexpr size_t kNeighboursMax = 65536;  // entries of the neighbour table
inline constexpr size_t kHandOverMax =
    512;  // a worker's packets of groups on their way to the peer
inline constexpr size_t kHeldPacketsMax = 512;  // a worker's packets waiting for a neighbour
inline constexpr size_t kHeldPacketsPerNeighbourMax = 16;

inline constexpr size_t kBurstMax = 64;           // packets per burst
inline constexpr size_t kHandoffRingSize = 1024;  // packets between one pair of workers
inline constexpr size_t kFlowsPerPage = 4096;     // slots of one flow-table page
inline constexpr uint32_t kFlowsPerWorkerMax = 64U << 20;

// Mirroring and takeover.
inline constexpr size_t kDevicesMax = 8;  // of a device group, as BIG-IP's sync-failover groups
inline constexpr size_t kPeersMax = kDevicesMax - 1;
inline constexpr size_t kFailoverPathsMax = 8;  // traffic VLANs that heartbeats go over
inline constexpr size_t kMirrorMtuMax = 9216;   // largest IP packet on the mirroring port
inline constexpr size_t kMirrorRingSize =
    64;  // frames between a worker and the mirror lcore, each way

inline constexpr size_t kFrameMin = 60;     // Ethernet minimum without FCS
inline constexpr size_t kHeadersMax = 512;  // bytes of one packet the parser may look at
inline constexpr size_t kOriginatedFrameMax =
    1344;  // heartbeats; ICMPv4 errors quote up to 576 bytes

}  // namespace tandem
