# SPDX-License-Identifier: Apache-2.0
"""What is announced on a wire: gratuitous ARP, unsolicited neighbour advertisements, reverse ARP."""

import collections
import socket
import struct
import time

from tagger import ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET, received_tag

# `tag` is None for untagged frames; `address` is None where only the MAC is told.
Announcement = collections.namedtuple('Announcement', 'tag address mac')

BROADCAST = b'\xff' * 6
ALL_NODES_MAC, ALL_NODES = bytes.fromhex('333300000001'), socket.inet_pton(socket.AF_INET6, 'ff02::1')
ARP_REQUEST = bytes.fromhex('0001080006040001')
RARP_REQUEST = bytes.fromhex('0001080006040003')


class Capture:
    """Everything that comes in on an interface of a namespace, from now on."""

    def __init__(self, space, interface='eth0'):
        self.wire = space.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.wire.bind((interface, ETH_P_ALL))

    def collect(self, seconds):
        """The announcements since the last call and in so many seconds from now: list, in order."""
        announcements = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.wire.settimeout(left)
            try:
                frame, ancillary, _, address = self.wire.recvmsg(2048, 256)
            except TimeoutError:
                break
            if address[2] != socket.PACKET_OUTGOING:
                announcement = read(frame, received_tag(ancillary))
                if announcement:
                    announcements.append(announcement)
        return announcements

    def close(self):
        self.wire.close()


def read(frame, tag):
    """The announcement in the frame, or None. One that is malformed fails the case."""
    if frame[12:14] == b'\x81\x00':
        tag = struct.unpack('!H', frame[14:16])[0] & 0xfff
        frame = frame[:12] + frame[16:]
    kind, body, source = frame[12:14], frame[14:], frame[6:12]
    if kind == b'\x08\x06' and body[14:18] == body[24:28]:
        assert frame[:6] == BROADCAST and body[:8] == ARP_REQUEST and body[8:14] == source, frame.hex()
        return Announcement(tag, socket.inet_ntop(socket.AF_INET, body[14:18]), text_of(source))
    if kind == b'\x80\x35':
        assert frame[:6] == BROADCAST and body[:8] == RARP_REQUEST and body[8:14] == source, frame.hex()
        return Announcement(tag, None, text_of(source))
    if kind == b'\x86\xdd' and body[6] == 58 and body[40] == 136 and body[24:40] == ALL_NODES:
        target, flags, option = body[48:64], body[44], body[64:72]
        assert frame[:6] == ALL_NODES_MAC and body[7] == 255 and flags == 0x20, frame.hex()
        assert body[8:24] == target and option == b'\x02\x01' + source, frame.hex()
        return Announcement(tag, socket.inet_ntop(socket.AF_INET6, target), text_of(source))
    return None


def text_of(mac):
    return ':'.join(f'{byte:02x}' for byte in mac)
