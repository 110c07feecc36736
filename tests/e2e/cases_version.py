# SPDX-License-Identifier: Apache-2.0
"""Devices whose software differs in what it mirrors by, as in the middle of an upgrade."""

import time

from cases_failover import check_same_servers, residents
from cases_mirror import close_all, open_many, use
from failover_world import FailoverWorld, VIP, check, wait_until

WORLD = FailoverWorld
NEXT = 'tandemd-next'


def said_differs(world, which):
    peer = world.pair.mirror(which)['peer'][0]
    return peer.get('state') == 'up' and 'mirroring version' in peer.get('incompatible', '')


def is_reset(connection):
    connection.settimeout(5)
    try:
        use(connection)
        return False
    except ConnectionError:
        return True


def case_upgrade(world):
    """Versions: a peer of another version mirrors nothing and says so; one device is active; both new: in sync"""
    connections, servers = residents(world, 20)
    world.pair.stop('b')
    world.runs_as('b', NEXT)
    world.start('b')
    check(world.devices['b'].show('version')['version'] == 'next', 'b is not the other version')
    for which in 'ab':
        wait_until(lambda: said_differs(world, which), lambda: world.pair.mirror(which))
        check(world.pair.mirror(which)['group'][0].get('reason') == 'versions differ', world.pair.mirror(which))
    for _ in range(20):
        check(world.acting() == ['a'], f'active: {world.acting()}')
        time.sleep(0.1)
    check(not world.flows('b'), 'b has flows')
    check_same_servers(connections, servers)
    # Who has no shadow still takes over from one that died.
    world.kill('a')
    world.wait_active('b')
    check(all(is_reset(connection) for connection in connections), 'connections that b never had are not reset')
    check(len(world.pages(10, VIP)) > 0, 'no new connections')
    connections = open_many(world, 20)
    servers = [use(connection) for connection in connections]
    world.runs_as('a', NEXT)
    world.start('a')
    world.wait_ready('b')
    world.wait_equal(20, active='b', standby='a')
    world.standby('b')
    world.wait_ready('a')
    check_same_servers(connections, servers)
    close_all(connections)
    world.start_as_usual()
