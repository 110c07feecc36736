// SPDX-License-Identifier: Apache-2.0
//
// Looks at a frame the way its receiver would, with code of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::test {

// What a receiver of `frame` would find wrong with its IP and L4 lengths and checksums ("ip
// checksum", "tcp checksum", …); empty when nothing. A fragment's L4 checksum is not looked at, nor a
// UDP checksum of 0 over IPv4. ARP and unknown EtherTypes have nothing to find.
std::string Complaint(const std::vector<uint8_t>& frame);

}  // namespace tandem::test
