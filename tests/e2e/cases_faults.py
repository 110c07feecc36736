# SPDX-License-Identifier: Apache-2.0
"""A device that lives and is not fit: the traffic group moves, and its connections go on with the other one."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

from cases_failover import check_same_servers, residents
from cases_mirror import close_all
from failover_world import ORDER, TIMERS, VIP, FailoverWorld, check, stream, wait_until
from pair_config import GATEWAY, MAC
from world import mostly_waits

WORLD = FailoverWorld
VLAN_FAILSAFE = {f'facing: {facing} }}': f'facing: {facing} failsafe: true failsafe_timeout: 2 }}'
                 for facing in ('CLIENT', 'SERVER')}
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # waitpid: of any thread
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f'ptrace {request:#x} of thread {thread}')


class StoppedThread:
    """One thread of a process stands still, and the others run."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        ptrace(PTRACE_SEIZE, self.thread)
        ptrace(PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, WALL)

    def __exit__(self, *_):
        ptrace(PTRACE_DETACH, self.thread)


def workers_of(process):
    """Thread ids of a daemon's workers."""
    tasks = Path(f'/proc/{process.pid}/task')
    return [int(task.name) for task in tasks.iterdir() if 'worker' in (task / 'comm').read_text()]


def faults(world, which):
    """What a device says is wrong with it, without what is over."""
    return [(one['what'], one['object']) for one in world.devices[which].show('failover').get('fault', [])
            if not one.get('is_over')]


def check_moved(world, connections, servers, began):
    """The group moves from a to b; the connections go on."""
    world.wait_active('b')
    took = time.monotonic() - began
    check_same_servers(connections, servers)
    print(f'     the group moved after {took:.2f} s')
    check(world.state('a') == 'failed', f'a is {world.state("a")}')


def configured(world, which, changes, group_fields=ORDER):
    """The configuration of a device with `changes`, text for text."""
    text = world.pair.group_config(which, timers=TIMERS, group_fields=group_fields)
    for before, after in changes.items():
        check(before in text, f'no {before} in the configuration')
        text = text.replace(before, after)
    return text


def load(world, changes, group_fields=ORDER):
    for which in 'ab':
        device = world.devices[which]
        device.config_path.write_text(configured(world, which, changes, group_fields))
        device.ctl('load')
    world.wait_ready('a')


def patch(world, network, which, plugged):
    """Takes a device off a network, and leaves it its link."""
    port = f'{network}-{which}'
    world.pair.switch.run('ip', 'link', 'set', port, *(['master', network] if plugged else ['nomaster']))


def back_to_a(world, connections, servers):
    """What was wrong with a is over; the group stays with b, until it is told to go."""
    world.wait_ready('b')
    check_same_servers(connections, servers)
    check(faults(world, 'a') == [], f'a still says {faults(world, "a")}')
    close_all(connections)
    world.standby('b')
    world.wait_ready('a')


def case_worker_stall(world):
    """Faults: one worker of the active stands still while the process lives: the group moves"""
    connections, servers = residents(world, 50)
    began = time.monotonic()
    with StoppedThread(workers_of(world.devices['a'].process)[0]):
        check_moved(world, connections, servers, began)
        wait_until(lambda: [what for what, _ in faults(world, 'a')] == ['a worker stands still'],
                   lambda: f'a says {faults(world, "a")}')
    back_to_a(world, connections, servers)


def case_link_down(world):
    """Faults: the active's port loses its link: the group moves at once"""
    load(world, {'promiscuous: true }': 'promiscuous: true link_failsafe: true }'})
    connections, servers = residents(world, 50)
    began = time.monotonic()
    world.pair.cable('clients', False)
    check_moved(world, connections, servers, began)
    check(faults(world, 'a') == [('the link of a port is down', 'port clients')], f'a says {faults(world, "a")}')
    port = world.devices['a'].show('port', 'clients')['port'][0]
    check(not port.get('link_up') and port['link_changes'] > 0, f'the port is {port}')
    world.pair.cable('clients', True)
    back_to_a(world, connections, servers)


@contextlib.contextmanager
def a_client_that_asks_for_nobody(world):
    """It knows the device's addresses, and so the device knows no neighbour on its VLAN; and says nothing by itself."""
    for address in (VIP, GATEWAY):
        world.client.run('ip', 'neigh', 'replace', address, 'lladdr', MAC, 'dev', 'eth0', 'nud', 'permanent')
    world.client.sysctl(ipv6__conf__all__disable_ipv6=1)
    try:
        yield
    finally:
        world.client.sysctl(ipv6__conf__all__disable_ipv6=0)
        for address in (VIP, GATEWAY):
            world.client.run('ip', 'neigh', 'del', address, 'dev', 'eth0')


@mostly_waits
def case_vlan_quiet(world):
    """Faults: on a VLAN where nobody speaks, and nobody is known, the devices hear each other: nothing moves"""
    with a_client_that_asks_for_nobody(world):
        world.start_device()
        load(world, VLAN_FAILSAFE)
        connections, servers = residents(world, 20)
        before = {which: len(world.history(which)) for which in 'ab'}
        time.sleep(8)
        for which in 'ab':
            check(faults(world, which) == [], f'{which} says {faults(world, which)}')
            new = world.history(which)[before[which]:]
            check(not new, f'{which} says {new}')
        check_same_servers(connections, servers)
        close_all(connections)
        world.wait_equal(0)


@mostly_waits
def case_vlan_failsafe(world):
    """Faults: nothing comes from a VLAN of the active any more, with the link up: the group moves"""
    load(world, VLAN_FAILSAFE)
    connections, servers = residents(world, 20)
    # Quiet, and not silent: who is asked answers.
    time.sleep(5)
    check(faults(world, 'a') == [], f'a says {faults(world, "a")}')
    datagrams = stream(world)
    began = time.monotonic()
    patch(world, 'clients', 'a', False)
    try:
        check_moved(world, connections, servers, began)
        check(faults(world, 'a') == [('nothing comes from a VLAN', 'vlan clients')], f'a says {faults(world, "a")}')
        datagrams.finish()
    finally:
        patch(world, 'clients', 'a', True)
    back_to_a(world, connections, servers)


@mostly_waits
def case_gateway_failsafe(world):
    """Faults: the active reaches its gateways no more: the group moves; when nobody does, it stays"""
    gateways = 'gateway_failsafe { address: "10.1.0.11" address: "10.1.0.12" interval_ms: 100 timeout_ms: 600 }'
    load(world, {}, f'{ORDER} {gateways}')
    connections, servers = residents(world, 50)
    began = time.monotonic()
    patch(world, 'servers', 'a', False)
    check_moved(world, connections, servers, began)
    check(faults(world, 'a') == [('too few gateways answer', 'gateway_failsafe')], f'a says {faults(world, "a")}')
    patch(world, 'servers', 'a', True)
    back_to_a(world, connections, servers)
    # Both gateways, for both devices.
    before = len(world.history('b'))
    for server in (1, 2):
        world.pair.switch.run('ip', 'link', 'set', f'server{server}', 'nomaster')
    wait_until(lambda: faults(world, 'a') and faults(world, 'b'), 'the gateways were not missed')
    time.sleep(1)
    check(world.acting() == ['a'], f'active: {world.acting()}')
    for server in (1, 2):
        world.pair.switch.run('ip', 'link', 'set', f'server{server}', 'master', 'servers')
    world.wait_ready('a')
    new = [one['to'] for one in world.history('b')[before:]]
    check(not {'promoting', 'standalone', 'active'} & set(new), f'b: {new}')


def case_ha_score(world):
    """Faults: by HA score the group goes to the device that reaches more, by a switchover"""
    score = ('failover_method: HA_SCORE ha_group { gateways { address: "10.1.0.11" weight: 50 interval_ms: 100 '
             'timeout_ms: 600 } ports { port: "clients" port: "servers" weight: 20 } '
             'members { pool: "web" weight: 10 } }')
    load(world, {}, f'{ORDER} {score}')
    check(world.group('a')['score'] == 80, f'a: {world.group("a")}')
    connections, servers = residents(world, 50)
    began = time.monotonic()
    patch(world, 'servers', 'a', False)
    world.wait_active('b')
    print(f'     the group moved after {time.monotonic() - began:.2f} s')
    check(world.group('a')['score'] == 30, f'a: {world.group("a")}')
    last = [one['reason'] for one in world.history('a')]
    check('another device has the higher score' in last, f'a: {last}')
    patch(world, 'servers', 'a', True)
    wait_until(lambda: world.group('a')['score'] == 80, lambda: f'a: {world.group("a")}')
    # The bonus keeps it where it is.
    back_to_a(world, connections, servers)
    load(world, {})
