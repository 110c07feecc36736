# SPDX-License-Identifier: Apache-2.0
"""What clients of every kind wrote down themselves while devices were killed, stopped and told to hand over: old
connections and ones that begin at that very moment."""

import time
from pathlib import Path

from client_history import Clients
from failover_world import ORDER, TIMERS, FailoverWorld, check, wait_until

WORLD = FailoverWorld


def case_switchover(world):
    """History: handed over and back under load: no connection fails, not even one that is just beginning"""
    clients = Clients(world)
    for source, target in ('ab', 'ba'):
        time.sleep(0.5)
        world.standby(source)
        world.wait_ready(target)
    clients.finish()
    world.wait_equal(0)


def case_kill(world):
    """History: row 23: killed under load: from the first packet after it, no connection that was mirrored is reset"""
    clients = Clients(world)
    time.sleep(1.5)
    crash = time.monotonic()
    world.kill('a')
    world.wait_active('b')
    time.sleep(1)
    world.start('a')
    world.wait_ready('b')
    clients.finish(crashes=[crash])
    world.standby('b')
    world.wait_ready('a')


def case_failback(world):
    """History: row 19: a device that comes back takes the group when it has everything, and no connection notices"""
    fields = f'{ORDER} auto_failback: true auto_failback_time: 2'
    for which in 'ab':
        world.load(which, group_fields=fields)
    world.wait_ready('a')
    clients = Clients(world)
    time.sleep(1.5)
    crash = time.monotonic()
    world.kill('a')
    world.wait_active('b')
    world.start('a', group_fields=fields)
    world.wait_ready('b', 10)
    came_back = time.monotonic()
    world.wait_ready('a', 10)
    check(time.monotonic() - came_back > 0.5, 'it did not wait')
    check(world.history('b')[-1]['to'] in ('syncing', 'standby'), 'b was not told to')
    time.sleep(1)
    clients.finish(crashes=[crash])
    for which in 'ab':
        world.load(which)


def case_stalls(world):
    """History: row 21: either device stands still for seconds and goes on: one acts, and no connection is lost"""
    clients = Clients(world)
    before = len(world.history('a'))
    world.freeze('b')
    time.sleep(2)
    check(world.state('a') in ('degraded', 'standalone'), f'a is {world.state("a")}')
    world.wake('b')
    world.wait_ready('a')
    new = [one['to'] for one in world.history('a')[before:]]
    check(not {'promoting', 'syncing', 'standby'} & set(new), f'a: {new}')
    time.sleep(1.5)
    crash = time.monotonic()
    world.freeze('a')
    time.sleep(0.5)
    world.wait_active('b')
    time.sleep(2)
    world.wake('a')
    wait_until(lambda: world.acting() == ['b'], lambda: f'active: {world.acting()}')
    world.wait_ready('b')
    clients.finish(crashes=[crash])
    world.standby('b')
    world.wait_ready('a')


class Clock:
    """The wall clock of one device, which can be set: the monotonic one goes on."""

    LIBRARY = Path('/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1')

    def __init__(self, world, which):
        check(self.LIBRARY.exists(), f'libfaketime is not installed: no {self.LIBRARY}')
        self.path = world.directory / f'clock-{which}'
        self.step(0)
        world.devices[which].start(
            world.pair.group_config(which, timers=TIMERS, group_fields=ORDER),
            environment={'LD_PRELOAD': str(self.LIBRARY), 'FAKETIME_TIMESTAMP_FILE': str(self.path),
                         'FAKETIME_NO_CACHE': '1', 'FAKETIME_DONT_FAKE_MONOTONIC': '1', 'NO_FAKE_STAT': '1'})

    def step(self, seconds):
        self.path.write_text(f'{seconds:+d}\n')


def case_clock(world):
    """History: the clocks of both devices are set by an hour, forth and back: nothing happens, and a takeover works"""
    for which in 'ab':
        world.pair.stop(which)
    clocks = {which: Clock(world, which) for which in 'ab'}
    world.bring_home()
    clients = Clients(world)
    time.sleep(1.5)
    before = {which: len(world.history(which)) for which in 'ab'}
    for which, seconds in (('a', 3600), ('b', -3600), ('a', -7200), ('b', 7200)):
        clocks[which].step(seconds)
        time.sleep(1)
        check(world.acting() == ['a'], f'active: {world.acting()}')
    now = {which: len(world.history(which)) for which in 'ab'}
    check(now == before, f'transitions: {world.history("a")[before["a"]:]} {world.history("b")[before["b"]:]}')
    crash = time.monotonic()
    world.kill('a')
    world.wait_active('b')
    ahead = world.history('b')[-1]['unix_ms'] / 1000 - time.time()
    check(7000 < ahead < 7400, f'the clock was not set: {ahead:.0f} s ahead')
    time.sleep(1)
    clients.finish(crashes=[crash])
    world.start_device()
