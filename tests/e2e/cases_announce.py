# SPDX-License-Identifier: Apache-2.0
"""A pair of devices, and whether the network learns which of them is active: switches and neighbours
are told, nobody's cable is pulled."""

import collections
import contextlib
import os
import signal
import time

from scapy.all import IP, UDP, Ether, Raw

from announcements import Announcement, Capture
from cases_mirror import close_all, open_many, use
from pair_config import GATEWAY, GROUP, MAC, SERVER_GATEWAY, SNAT_ADDRESSES, VIP
from pair_world import ACTIVE, STANDBY, PairWorld, check, wait_until
from world import mostly_waits

WORLD = PairWorld
TIMES = 5
PAUSE_SECONDS = 2  # longer than any between two of the five times
NUMBER = {'a': 2, 'b': 3}


def more_networks(which):
    """IPv6 on both sides, a tagged VLAN of the group, and one (8) in which it has no address."""
    n = NUMBER[which]
    def self_ip(name, vlan, address, floats=False):
        group = f'traffic_group: "{GROUP}"' if floats else ''
        return f'self_ip {{ name: "{name}" vlan: "{vlan}" address: "{address}" {group} }}\n'
    return ''.join([
        'vlan { name: "tagged" port: "clients" tag: 7 }\n',
        'vlan { name: "bare" port: "servers" tag: 8 }\n',
        self_ip('six', 'clients', f'2001:db8::{n}/64'),
        self_ip('six-floating', 'clients', '2001:db8::1/64', True),
        self_ip('six-servers', 'servers', f'2001:db8:1::{n}/64'),
        self_ip('six-servers-floating', 'servers', '2001:db8:1::1/64', True),
        self_ip('tagged', 'tagged', f'10.7.0.{n}/24'),
        self_ip('tagged-floating', 'tagged', '10.7.0.1/24', True),
        self_ip('bare', 'bare', f'10.8.0.{n}/24'),
        f'virtual {{ name: "tagged" destination: "10.7.0.100:80" pool: "web" traffic_group: "{GROUP}" }}\n',
        f'virtual {{ name: "far" destination: "203.0.113.1:80" pool: "web" traffic_group: "{GROUP}" }}\n',
    ])


def expected(side):
    untagged = {'clients': (GATEWAY, VIP, '2001:db8::1'),
                'servers': (SERVER_GATEWAY, *SNAT_ADDRESSES, '2001:db8:1::1')}[side]
    tagged = {'clients': [(7, '10.7.0.1'), (7, '10.7.0.100')], 'servers': [(8, None)]}[side]
    return {Announcement(tag, address, MAC): TIMES
            for tag, address in [*((None, address) for address in untagged), *tagged]}


@contextlib.contextmanager
def captures(world):
    """By side: where a client, and where a server, is."""
    both = {'clients': Capture(world.client), 'servers': Capture(world.spaces['server1'])}
    try:
        yield both
    finally:
        for capture in both.values():
            capture.close()


def announced(world, which):
    return world.devices[which].show('worker')['total'].get('announced', 0)


def collect(world, both, which):
    """What came on each side until the device has said all, counted."""
    count, since = announced(world, which), time.monotonic()
    while time.monotonic() < since + PAUSE_SECONDS:
        time.sleep(0.1)
        if (now := announced(world, which)) != count:
            count, since = now, time.monotonic()
    return {side: dict(collections.Counter(capture.collect(0.3))) for side, capture in both.items()}


def check_announced(world, both, which, when):
    for side, counts in collect(world, both, which).items():
        check(counts == expected(side), f'{when}, {side}: {counts} instead of {expected(side)}')


def neighbour(space, address):
    """The MAC that the space believes to be the address's."""
    words = space.run('ip', 'neigh', 'show', address).stdout.split()
    return words[words.index('lladdr') + 1] if 'lladdr' in words else None


@mostly_waits
def case_every_path(world):
    """Announce: whoever becomes active tells each VLAN its addresses, by ARP and by neighbour discovery, both ways"""
    for which, role in (('b', STANDBY), ('a', ACTIVE)):
        world.pair.load(which, role, extra=more_networks(which))
    with captures(world) as both:
        collect(world, both, 'a')  # of the new addresses
        for old, new in (('a', 'b'), ('b', 'a')):
            before = announced(world, old)
            world.pair.load(old, STANDBY, extra=more_networks(old))
            world.pair.load(new, ACTIVE, extra=more_networks(new))
            check_announced(world, both, new, f'{new} became active')
            check(announced(world, old) == before, f'{old} is standby, and announced something')
    world.start_device()


@mostly_waits
def case_restart(world):
    """Announce: at start, if active; and what a change of configuration brings"""
    with captures(world) as both:
        collect(world, both, 'a')
        world.pair.stop('a')
        world.pair.start('a', ACTIVE, extra=more_networks('a'))
        check_announced(world, both, 'a', 'start of a')
        extra = f'virtual {{ name: "new" destination: "10.0.0.177:80" pool: "web" traffic_group: "{GROUP}" }}\n'
        world.pair.load('a', ACTIVE, extra=more_networks('a') + extra)
        heard = collect(world, both, 'a')
        check(heard == {'clients': {Announcement(None, '10.0.0.177', MAC): TIMES}, 'servers': {}},
              f'a new address: {heard}')
    world.start_device()


def case_neighbours(world):
    """Announce: without a masquerade MAC clients and servers turn to the new active, and connections go on"""
    for which in ('a', 'b'):
        world.pair.stop(which)
    for which, role in (('a', ACTIVE), ('b', STANDBY)):
        world.pair.start(which, role, masquerade=False)
    world.wait_in_sync()
    connections = open_many(world, 50) + open_many(world, 10, 83)
    servers = [use(connection) for connection in connections]
    world.wait_equal(60)
    mac = {(which, side): world.devices[which].space.mac(side)
           for which in ('a', 'b') for side in ('clients', 'servers')}
    check(neighbour(world.client, VIP) == mac['a', 'clients'], 'the client does not know a')
    world.take_over(masquerade=False)
    wait_until(lambda: neighbour(world.client, VIP) == mac['b', 'clients'],
               lambda: f'the client believes {neighbour(world.client, VIP)}')
    for n in (1, 2, 3):
        space = world.spaces[f'server{n}']
        for address in (SERVER_GATEWAY, *SNAT_ADDRESSES):
            check(neighbour(space, address) in (None, mac['b', 'servers']),
                  f'server {n} believes {address} at {neighbour(space, address)}')
    for connection, server in zip(connections, servers):
        check(use(connection) == server, 'another server answers')
    close_all(connections)
    world.start_device()


def case_backlog(world):
    """Announce: row 22: what waited in the queues of a standby that stood still is not forwarded when it becomes active"""
    standby = world.devices['b']
    wire = world.raw(world.client, 'eth0')
    frame = bytes(Ether(dst=standby.space.mac('clients'), src=world.client.mac('eth0')) /
                  IP(src='10.0.0.10', dst=VIP) / UDP(sport=5000, dport=7) / Raw(b'stale'))
    os.killpg(standby.process.pid, signal.SIGSTOP)
    try:
        for _ in range(500):
            wire.send(frame)
    finally:
        os.killpg(standby.process.pid, signal.SIGCONT)
    world.take_over()
    def dropped():
        drops = {d['name']: d.get('total', 0) for d in standby.show('drops').get('drop', [])}
        return drops.get('standby', 0) + drops.get('backlog', 0)
    wait_until(lambda: dropped() >= 500, lambda: f'{dropped()} of 500 dropped')
    check(not standby.show('connection', 'cs-client-port', 5000).get('connection'),
          'a packet of before was forwarded')
    world.pages(5, VIP)
    wire.close()
    world.start_device()
