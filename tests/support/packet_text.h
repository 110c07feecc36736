// SPDX-License-Identifier: Apache-2.0
//
// Packets as one readable line, both ways:
//
//   tcp 192.0.2.10:1000 > 192.0.2.100:80 S seq=100 win=65535
//   udp [2001:db8:1::10]:1000 > [2001:db8:1::100]:53 len=20
//   echo 192.0.2.10 > 192.0.2.1 id=7 seq=1              (or echo-reply)
//   icmp 10.0.20.11 > 192.0.2.10 3/1 about { udp 192.0.2.10:1000 > 10.0.20.11:53 }
//   ip 192.0.2.10 > 192.0.2.100 proto=47 len=10
//   arp who-has 192.0.2.1 tell 192.0.2.10               (or: arp 192.0.2.10 is-at MAC to 192.0.2.1)
//   nd who-has 2001:db8:1::1 tell 2001:db8:1::10        (or: nd 2001:db8:1::10 is-at MAC flags=so)
//   rarp MAC                                            (only read: a reverse ARP request)
//   raw 00112233…                                       (a whole frame in hexadecimal)
//
// TCP flags are letters out of FSRPAU, or "none". Further words, in any order, as far as they make
// sense for the kind:
//   len=N data=HEX            payload: bytes counting up, or these
//   seq=N ack=N win=N mss=N wscale=N options=HEX         TCP
//   ttl=N tos=N id=N df frag=OFFSET[,more] ipoptions=HEX IP; OFFSET in units of 8 bytes
//   ext=TYPE[:HEX]            an IPv6 extension header; its body
//   rest=N                    the second word of an ICMP header
//   to=MAC from=MAC vlan=N[,N]  link
//   pad=N cut=N               size of the frame: padded to, cut to
//   version=N ihl=N iplen=N doff=N udplen=N ethertype=N nosum badsum badl4   what is to be wrong
//   contiguous=N nic=ipgood|ipbad|l4bad headroom=N       how it arrives
#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "tests/support/packet_builder.h"
#include "tests/support/rig.h"

namespace tandem::test {

// The link header of packets that say nothing about it.
struct TextLink {
  MacAddress source{};
  MacAddress destination{};
  uint16_t vlan = 0;
};

struct TextPacket {
  Bytes frame;
  Arrival arrival;
};

absl::StatusOr<TextPacket> PacketFromText(std::string_view line, const TextLink& link);

// Without link addresses, and with "!complaint" at the end when something is wrong with the frame.
std::string TextFromPacket(const Bytes& frame);

std::string HexText(const Bytes& bytes);

}  // namespace tandem::test
