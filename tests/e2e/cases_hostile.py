# SPDX-License-Identifier: Apache-2.0
"""Hostile wires: noise, broken packets, floods. And the end of the daemon, which comes last."""

import random
import re
import signal
import time

from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, \
    IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPOption_RR, Raw

from cases_traffic import check_download
from config import VIP, VIP6
from world import check

FUZZ_SECONDS = 4
# Nobody's: of noise some is as good as sound, and leaves connections and neighbours behind that would be in the way
# of the real client's.
CLIENT, CLIENT6 = '10.0.0.77', '2001:db8::77'


def device_mac(world, interface='clients'):
    return world.spaces['device'].mac(interface)


def seeds(mac, source='02:00:00:00:00:01'):
    """Frames of every kind that the parser knows, sound ones."""
    link = Ether(dst=mac, src=source)
    packets = [
        link / IP(src=CLIENT, dst=VIP) / TCP(sport=5000, dport=80, flags='S', options=[('MSS', 1460), ('WScale', 7)]),
        link / IP(src=CLIENT, dst=VIP) / TCP(sport=5000, dport=80, flags='A') / Raw(b'x' * 100),
        link / IP(src=CLIENT, dst=VIP) / UDP(sport=5000, dport=7) / Raw(b'x' * 30),
        link / IP(src=CLIENT, dst=VIP, flags='MF') / UDP(sport=5000, dport=7) / Raw(b'x' * 32),
        link / IP(src=CLIENT, dst=VIP, frag=4) / Raw(b'x' * 30),
        link / IP(src=CLIENT, dst=VIP, options=[IPOption_RR(routers=['0.0.0.0'])]) / UDP(dport=7),
        link / IP(src=CLIENT, dst=VIP) / ICMP() / Raw(b'x' * 20),
        link / IP(src=CLIENT, dst='10.0.1.1') / ICMP(type=3, code=4, nexthopmtu=600) /
        IP(src='10.0.1.1', dst='10.0.1.10') / TCP(sport=5000, dport=80),
        link / IP(src=CLIENT, dst='10.0.2.10', proto=47) / Raw(b'x' * 20),
        link / Dot1Q(vlan=10) / IP(src=CLIENT, dst=VIP) / UDP(dport=7),
        link / Dot1Q(vlan=10) / Dot1Q(vlan=11) / IP(src=CLIENT, dst=VIP) / UDP(dport=7),
        link / ARP(op=1, psrc=CLIENT, pdst='10.0.0.1'),
        link / IPv6(src=CLIENT6, dst=VIP6) / TCP(sport=5000, dport=80, flags='S'),
        link / IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrDestOpt() / UDP(dport=7) / Raw(b'x'),
        link / IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(offset=2) / Raw(b'x' * 16),
        link / IPv6(src=CLIENT6, dst=VIP6) / ICMPv6EchoRequest(),
        link / IPv6(src=CLIENT6, dst='2001:db8::1', hlim=255) / ICMPv6ND_NS(tgt='2001:db8::1'),
    ]
    return [bytes(packet) for packet in packets]


def mutate(chance, frame):
    """The frame with some bits wrong, cut, or stretched; the MAC mostly kept, so that it gets in."""
    frame = bytearray(frame)
    for _ in range(chance.randrange(0, 5)):
        begin = 0 if chance.random() < 0.02 else 12
        frame[chance.randrange(begin, len(frame))] = chance.choice((0, 255, chance.randrange(256)))
    if chance.random() < 0.3:
        frame = frame[:chance.randrange(14, len(frame) + 1)]
    elif chance.random() < 0.1:
        frame += chance.randbytes(chance.randrange(1, 1500 - len(frame)))
    return bytes(frame)


def check_lives(world):
    spread = world.pages(9, VIP)
    check(len(spread) == 3, f'afterwards only {spread} serve')
    world.pages(3, VIP6)


def case_every_length(world):
    """Broken packets: every kind, cut at every byte"""
    wire = world.raw(world.client, 'eth0')
    for frame in seeds(device_mac(world)):
        for length in range(14, len(frame)):
            wire.send(frame[:length])
    check_lives(world)


def case_fuzz(world):
    """Noise: seconds of mutated frames on the client's wire and a server's, while pages are served"""
    seed = random.randrange(1 << 32)
    print(f'     seed {seed}')
    chance = random.Random(seed)
    wires = [(world.raw(world.client, 'eth0'), seeds(device_mac(world))),
             (world.raw(world.servers[2], 'eth0'), seeds(device_mac(world, 'server2')))]
    deadline = time.monotonic() + FUZZ_SECONDS
    sent = 0
    while time.monotonic() < deadline:
        for wire, frames in wires:
            for _ in range(100):
                wire.send(mutate(chance, chance.choice(frames)))
                sent += 1
    check(sent > 1000, f'only {sent} frames were sent')
    check_lives(world)


def case_land(world):
    """Land packets: source and destination the same endpoint"""
    before = world.drops()
    wire = world.raw(world.client, 'eth0')
    link = Ether(dst=device_mac(world), src='02:00:00:00:00:01')
    for layer in (IP(src=VIP, dst=VIP), IPv6(src=VIP6, dst=VIP6)):
        wire.send(bytes(link / layer / TCP(sport=80, dport=80, flags='S')))
    world.wait_for_drop('land', before, 2)
    check_lives(world)


def case_syn_flood(world):
    """SYN flood: 80000 half-open connections on tables of 65536 leave room for a client"""
    wire = world.raw(world.client, 'eth0')
    template = bytearray(bytes(Ether(dst=device_mac(world), src='02:00:00:00:00:01') /
                               IP(src='10.9.0.0', dst=VIP) / TCP(sport=1024, dport=80, flags='S')))
    address_sum = int.from_bytes(template[24:26], 'big')
    for number in range(80_000):
        # Address and port change against each other, so that both checksums stay right.
        low, port = number % 16000, number % 16000
        frame = template[:]
        frame[28:30] = low.to_bytes(2, 'big')
        frame[24:26] = ones_complement_minus(address_sum, low).to_bytes(2, 'big')
        frame[34:36] = (1024 + (number // 16000) * 7001 + port).to_bytes(2, 'big')
        tcp_sum = ones_complement_minus(int.from_bytes(template[50:52], 'big'), low)
        tcp_sum = ones_complement_minus(tcp_sum, (number // 16000) * 7001 + port)
        frame[50:52] = tcp_sum.to_bytes(2, 'big')
        wire.send(frame)
    check_lives(world)
    check_download(world, VIP, 1_000_000)


def ones_complement_minus(checksum, added):
    """The Internet checksum after `added` went into a word that was 0 (RFC 1624)."""
    total = (~checksum & 0xffff) + added
    total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def case_kill(world):
    """kill -9: the daemon starts again in its place and serves"""
    world.device.process.send_signal(signal.SIGKILL)
    world.device.process.wait(10)
    world.start_device()
    check_lives(world)


def case_bad_start(world):
    """Start: a bad configuration ends the daemon with a message and a status"""
    path = world.directory / 'bad-start.textproto'
    for text, words in ((world.config('pool { name: "x" }'), r'bad-start\.textproto:\d+:\d+'),
                        (world.config().replace('iface=clients', 'iface=nowhere'), 'clients')):
        path.write_text(text.replace(world.file_prefix, f'{world.file_prefix}-bad'))
        result = world.spaces['device'].run(
            world.device.daemon, '--config', path, '--admin_socket', world.directory / 'bad.sock',
            check=False, timeout=60)
        check(result.returncode > 0, f'exit status {result.returncode}')
        check(re.search(words, result.stderr + result.stdout), f'it says {result.stderr[-2000:]!r}')
    missing = world.spaces['device'].run(world.device.daemon, '--config', '/nonexistent', check=False)
    check(missing.returncode > 0 and '/nonexistent' in missing.stderr + missing.stdout,
          f'no such file: {missing}')
    check_lives(world)


def case_second_daemon(world):
    """Start: a second daemon on the same admin socket is refused, the first goes on"""
    path = world.directory / 'second.textproto'
    path.write_text(world.config().replace(world.file_prefix, f'{world.file_prefix}-second'))
    result = world.spaces['device'].run(world.device.daemon, '--config', path, '--admin_socket',
                                        world.device.socket_path, check=False, timeout=60)
    check(result.returncode > 0, f'exit status {result.returncode}')
    check_lives(world)


def case_terminate(world):
    """SIGTERM: ends in time with status 0 while traffic flows, and starts again"""
    held = [world.connect(VIP) for _ in range(20)]
    began = time.monotonic()
    status = world.device.stop()
    check(status == 0, f'exit status {status}; {world.device.log_tail(10)}')
    check(time.monotonic() - began < 10, 'it took too long')
    check(not world.device.socket_path.exists(), 'the admin socket is left behind')
    for connection in held:
        connection.close()
    world.start_device()
    check_lives(world)


def case_interrupt(world):
    """SIGINT: ends with status 0, and starts again"""
    world.device.process.send_signal(signal.SIGINT)
    check(world.device.process.wait(20) == 0, 'exit status is not 0')
    world.start_device()
    check_lives(world)
