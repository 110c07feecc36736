# SPDX-License-Identifier: Apache-2.0
"""Heartbeats over traffic VLANs: a pair whose mirroring wire and management network may both be gone."""

import time

from cases_failover import check_same_servers, residents
from cases_mirror import close_all
from failover_world import FailoverWorld, check, stream, wait_until


class PathsWorld(FailoverWorld):
    """Its heartbeats go over the clients' and the servers' VLAN, too."""

    fields = {'vlans': True}

    def heard(self, which='a'):
        peer = next(one for one in self.devices[which].show('device-group')['device'] if not one.get('is_self'))
        return {path['name']: (path.get('heard', False), path.get('hears_us', False)) for path in peer['path']}

    def wait_heard(self, expected):
        def words():
            return {name: 'both' if both == (True, True) else 'silent' if both == (False, False) else 'one'
                    for name, both in self.heard().items()}
        wait_until(lambda: words() == expected, lambda: f'paths: {self.heard()}')


WORLD = PathsWorld
ALL = dict.fromkeys(('mirroring', 'management', 'clients', 'servers'), 'both')


def case_traffic_vlans(world):
    """Paths: mirroring wire and management network cut: heartbeats go over the traffic VLANs, nobody takes over"""
    world.wait_heard(ALL)
    connections, servers = residents(world, 20)
    datagrams = stream(world)
    before = len(world.history('b'))
    for network in ('mirror', 'management'):
        world.pair.cable(network, False)
    world.wait_heard({**ALL, 'mirroring': 'silent', 'management': 'silent'})
    time.sleep(2)
    check(world.acting() == ['a'], f'active: {world.acting()}')
    peer = next(one for one in world.devices['b'].show('device-group')['device'] if not one.get('is_self'))
    check(peer['state'] == 'up', f'the peer is {peer["state"]}')
    for network in ('mirror', 'management'):
        world.pair.cable(network, True)
    world.wait_ready('a')
    new = [one['to'] for one in world.history('b')[before:]]
    check(not {'promoting', 'standalone', 'active'} & set(new), f'b: {new}')
    lost, _ = datagrams.finish(), datagrams.gap()
    check(lost == 0, f'{lost} datagrams were lost')
    check_same_servers(connections, servers)
    close_all(connections)


def case_vlans_alone(world):
    """Paths: with the traffic VLANs left alone, the active is killed: the other one finds out, and goes on"""
    connections, servers = residents(world, 20)
    for network in ('mirror', 'management'):
        world.pair.cable(network, False)
    world.wait_heard({**ALL, 'mirroring': 'silent', 'management': 'silent'})
    world.kill('a')
    world.wait_active('b')
    check_same_servers(connections, servers)
    for network in ('mirror', 'management'):
        world.pair.cable(network, True)
    world.start('a')
    world.wait_ready('b')
    check_same_servers(connections, servers)
    close_all(connections)
    world.standby('b')
    world.wait_ready('a')


def case_vlan_cut(world):
    """Paths: one traffic VLAN cut at one device: that path is silent, the others go on"""
    world.wait_heard(ALL)
    world.pair.cable('servers', False, 'b')
    world.wait_heard({**ALL, 'servers': 'silent'})
    check(world.acting() == ['a'], f'active: {world.acting()}')
    world.pair.cable('servers', True, 'b')
    world.wait_heard(ALL)
