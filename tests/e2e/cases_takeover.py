# SPDX-License-Identifier: Apache-2.0
"""Takeover at the worst moments: in the middle of a first pass, of a change of configuration, of a takeover;
with devices of which only one hears the other; again and again."""

import contextlib
import os
import socket
import threading
import time

from cases_failover import Download, check_same_servers, residents
from cases_faults import configured
from cases_mirror import close_all, use
from client_history import keep_alive
from failover_world import FailoverWorld, VIP, check, other, wait_until
from world import CaseFailed

WORLD = FailoverWorld
# How often a device is killed under load; 20 by hand, TANDEM_E2E_KILLS=20.
KILLS = int(os.environ.get('TANDEM_E2E_KILLS', '4'))


@contextlib.contextmanager
def deaf(world, which):
    """Nothing comes to the device from its peer any more; what it sends arrives."""
    def switch(word):
        for network in ('mirror', 'management'):
            flags = [setting for flag in ('learning', 'flood', 'mcast_flood', 'bcast_flood')
                     for setting in (flag, word)]
            world.pair.switch.run('bridge', 'link', 'set', 'dev', f'{network}-{which}', *flags)
            world.pair.switch.run('ip', 'link', 'set', network, 'type', 'bridge', 'fdb_flush')
    switch('off')
    try:
        yield
    finally:
        switch('on')


def case_deaf_active(world):
    """Takeover: the active hears nothing of its peer, which hears it: nothing happens"""
    connections, servers = residents(world, 20)
    before = len(world.history('b'))
    with deaf(world, 'a'):
        time.sleep(2)
        check(world.acting() == ['a'], f'active: {world.acting()}')
        check_same_servers(connections, servers)
    world.wait_ready('a')
    new = [one['to'] for one in world.history('b')[before:]]
    check(not {'promoting', 'standalone', 'active'} & set(new), f'b: {new}')
    check_same_servers(connections, servers)
    close_all(connections)


def case_deaf_standby(world):
    """Takeover: the standby hears nothing of the active, which hears it: one of them is active, and stays"""
    connections, servers = residents(world, 20)
    with deaf(world, 'b'):
        # A device that finds first that its shadow lags waits for ten detection times.
        time.sleep(3)
        wait_until(lambda: len(world.acting()) == 1, lambda: f'active: {world.acting()}')
        winner = world.acting()[0]
        time.sleep(1)
        check(world.acting() == [winner], f'active: {world.acting()}, was {winner}')
        check_same_servers(connections, servers)
    world.wait_ready(winner)
    check_same_servers(connections, servers)
    close_all(connections)
    if winner == 'b':
        world.standby('b')
        world.wait_ready('a')


class Datagrams:
    """Many UDP flows that carry nothing more."""

    def __init__(self, world, count):
        self.sockets = []
        for number in range(count):
            one = world.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.sendto(number.to_bytes(8, 'big'), (VIP, 7))
            self.sockets.append(one)

    def close(self):
        for one in self.sockets:
            one.close()


def outcome(connection):
    """What becomes of a connection when it is used: it goes on, is reset, or hangs."""
    try:
        connection.settimeout(5)
        use(connection)
        return 'goes on'
    except socket.timeout:
        return 'hangs'
    except (ConnectionError, CaseFailed):
        return 'is reset'


def case_kill_in_bulk(world):
    """Takeover: killed in the middle of the first pass: what the peer had goes on, the rest is reset, none hangs"""
    slow = {'mirroring {': 'mirroring { bulk_rate_mbps: 1'}
    connections, _ = residents(world, 50)
    flows = Datagrams(world, 4000)
    world.kill('a')
    world.wait_active('b')
    device = world.devices['b']
    device.config_path.write_text(configured(world, 'b', slow))
    device.ctl('load')
    world.devices['a'].start(configured(world, 'a', slow))
    wait_until(lambda: world.flows('a'), lambda: f'a is {world.state("a")} and gets nothing')
    world.kill('b')
    world.wait_active('a')
    held = {(one['cs_client']['port'], one['cs_server']['port']) for one in world.connections()}
    check(0 < len(held) < 4050, f'a has {len(held)} of 4050 flows: that was not the middle')
    check(len(world.pages(10, VIP)) > 0, 'no new connections')
    outcomes = []
    for connection in connections:
        is_held = (connection.getsockname()[1], 80) in held
        outcomes.append(outcome(connection))
        check(outcomes[-1] == ('goes on' if is_held else 'is reset'),
              f'a connection that a {"had" if is_held else "lacked"} {outcomes[-1]}')
    print(f'     it had {len(held)} of 4050 flows; of 50 connections {outcomes.count("goes on")} go on, '
          f'{outcomes.count("is reset")} are reset')
    close_all(connections)
    flows.close()
    world.start('b')
    world.load('a')
    world.wait_ready('a')
    world.wait_equal()


def case_waiting(world):
    """Takeover: a client that waits for an answer, of a connection that was not mirrored, is reset by its keepalive"""
    connection = world.connect(VIP, 81)
    keep_alive(connection)
    # The server waits for the body, and the client for the server.
    connection.sendall(b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n')
    time.sleep(0.1)
    world.kill('a')
    world.wait_active('b')
    try:
        check(False, f'not reset: {connection.recv(1)}')
    except ConnectionResetError:
        connection.close()
    world.start('a')
    world.wait_ready('b')
    world.standby('b')
    world.wait_ready('a')


def case_configuration(world):
    """Takeover: configurations are being loaded when the active is killed: every connection goes on"""
    connections, servers = residents(world, 50)
    stop = threading.Event()
    failures = []

    def keep_loading():
        extra = 0
        while not stop.is_set():
            extra += 1
            text = (configured(world, 'b', {})
                    + f'pool {{ name: "extra{extra}" member {{ address: "10.1.0.11" port: 99 }} }}\n')
            device = world.devices['b']
            device.config_path.write_text(text)
            answer = device.ctl('load', check=False)
            if answer.returncode != 0:
                failures.append(answer.stderr)

    loader = threading.Thread(target=keep_loading)
    loader.start()
    try:
        time.sleep(0.2)
        world.kill('a')
        world.wait_active('b')
        time.sleep(0.3)
    finally:
        stop.set()
        loader.join()
    check(not failures, f'load failed: {failures[:1]}')
    check_same_servers(connections, servers)
    world.load('b')
    world.start('a')
    world.wait_ready('b')
    check_same_servers(connections, servers)
    close_all(connections)
    world.standby('b')
    world.wait_ready('a')


def case_killed_as_it_takes_over(world):
    """Takeover: killed as soon as its epoch is on disk, before anybody heard of it: no epoch comes twice"""
    path = world.pair.state_file('b')
    before = path.stat().st_mtime_ns, path.read_text()
    highest = max(int(world.group(which)['epoch'].split('.')[0]) for which in 'ab')
    world.kill('a')
    deadline = time.monotonic() + 10
    while path.stat().st_mtime_ns == before[0]:
        check(time.monotonic() < deadline, 'b wrote nothing')
    world.kill('b')
    check(path.read_text() != before[1], 'b wrote nothing new')
    for which in 'ab':
        world.start(which)
    wait_until(lambda: len(world.acting()) == 1, lambda: f'active: {world.acting()}')
    winner = world.acting()[0]
    world.wait_ready(winner)
    epoch = int(world.group(winner)['epoch'].split('.')[0])
    check(epoch > highest, f'epoch {epoch} after {highest}')
    check(len(world.pages(10, VIP)) > 0, 'no service')
    if winner == 'b':
        world.standby('b')
        world.wait_ready('a')


def case_power_cycle(world):
    """Takeover: killed in turns, under load: no connection lost, no wrong byte"""
    kills = 2 if world.sanitized and KILLS == 4 else KILLS
    connections, servers = residents(world, 50)
    download = Download(world, kills * (50_000_000 if world.sanitized else 200_000_000))
    world.wait_equal(51)
    for number in range(kills):
        victim = 'ab'[number % 2]
        world.kill(victim)
        world.wait_active(other(victim))
        check_same_servers(connections, servers)
        world.start(victim)
        world.wait_ready(other(victim))
    download.finish()
    check_same_servers(connections, servers)
    world.wait_equal(50)
    close_all(connections)
    if kills % 2:
        world.standby('b')
        world.wait_ready('a')
