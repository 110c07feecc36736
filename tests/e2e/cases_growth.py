# SPDX-License-Identifier: Apache-2.0
"""Flow tables that were made too small, and are made larger while connections go on."""

from cases_failover import check_same_servers, residents
from cases_mirror import close_all
from failover_world import FailoverWorld, check, wait_until

WORLD = FailoverWorld
LARGER = 2 * 65536


def capacity(world, which):
    return world.devices[which].show('worker')['total']['flows_ipv4_capacity']


def case_growth(world):
    """Growth: larger flow tables, one device after the other, and no connection is lost"""
    connections, servers = residents(world, 20)
    before = capacity(world, 'a')
    world.pair.stop('b')
    world.start('b', flows=LARGER)
    world.wait_ready('a')
    world.wait_equal(20)
    world.standby('a')
    world.wait_active('b')
    check(capacity(world, 'b') > before, f'{capacity(world, "b")} after {before}')
    check_same_servers(connections, servers)
    # The smaller one cannot hold what the larger one may have: it has no shadow, and says why.
    wait_until(lambda: world.pair.mirror('b')['group'][0].get('reason') == "the peer's flow tables are smaller",
               lambda: world.pair.mirror('b'))
    world.pair.stop('a')
    world.start('a', flows=LARGER)
    world.wait_ready('b')
    world.wait_equal(20, active='b', standby='a')
    world.standby('b')
    world.wait_active('a')
    check_same_servers(connections, servers)
    close_all(connections)
    world.start_as_usual()
