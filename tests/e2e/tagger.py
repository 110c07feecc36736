# SPDX-License-Identifier: Apache-2.0
"""An 802.1Q interface for kernels without the module: a TAP device whose frames travel tagged over
a veth, and whose frames from there lose their tag.

    tagger.py VETH TAP TAG      runs in the namespace of both; brings TAP up
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 0x10
ETH_P_ALL = 3


def received_tag(ancillary):
    """The tag that the kernel took off a frame, or None (struct tpacket_auxdata)."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack('IIIHHHH', data[:20])
            if status & TP_STATUS_VLAN_VALID:
                return tci & 0xfff
    return None


def main():
    veth, tap_name, tag = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tap = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', tap_name.encode(), IFF_TAP | IFF_NO_PI))
    subprocess.run(['ip', 'link', 'set', tap_name, 'addrgenmode', 'none'], check=True)
    subprocess.run(['ip', 'link', 'set', tap_name, 'up'], check=True)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind((veth, ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    header = struct.pack('!HH', 0x8100, tag)
    while True:
        ready, _, _ = select.select([tap, wire], [], [])
        if tap in ready:
            frame = os.read(tap, 65536)
            wire.send(frame[:12] + header + frame[12:])
        if wire in ready:
            frame, ancillary, _, address = wire.recvmsg(65536, 256)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            if received_tag(ancillary) == tag:
                os.write(tap, frame)
            elif frame[12:16] == header:
                os.write(tap, frame[:12] + frame[16:])


if __name__ == '__main__':
    main()
