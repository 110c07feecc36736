# SPDX-License-Identifier: Apache-2.0
"""A pair of devices and a witness on the management network, by real processes: cut off from each other and from
the witness in every way. At no moment both act; who can reach neither is silent."""

import os
import signal
import threading
import time

from builds import program
from cases_failover import check_same_servers, residents
from cases_mirror import close_all
from failover_world import ACTING, FailoverWorld, check, other, stream, wait_until
from pair_config import KEY, MANAGEMENT
from world import mostly_waits

ADDRESS = '10.254.0.9'
LEASE_MS = 3000
LEASE_SECONDS = LEASE_MS / 1000


class WitnessWorld(FailoverWorld):
    """With tandem-witness in a namespace of its own."""

    # While the witness is away nothing but heartbeats in time keep the active one acting, on a busy machine too.
    fields = {'witness': f'{{ address: "{ADDRESS}" lease_ms: {LEASE_MS} }}', 'heartbeat_interval_us': 250000,
              'worker_stall_ms': 5000}
    space = witness = None

    def start_device(self):
        if self.space is None:
            self.space = self.pair.on_management('witness', ADDRESS)
            self.key_file = self.directory / 'witness.key'
        self.start_witness()
        super().start_device()
        # The lease of the time before it was killed may not be over.
        wait_until(lambda: self.holds('a'), lambda: self.witnessed('a'), 20)

    def recover(self):
        self.pass_heartbeats(True)
        super().recover()

    # ---- the witness --------------------------------------------------------------------------
    def start_witness(self, key=KEY):
        self.kill_witness()
        self.key_file.write_text(key + '\n')
        self.key_file.chmod(0o600)
        self.witness = self.space.start(
            program(self.build, 'tandem-witness'), '--address', ADDRESS, '--key_file', self.key_file,
            '--lease_ms', LEASE_MS, log='witness.log')

    def kill_witness(self):
        if self.witness is not None and self.witness.poll() is None:
            os.killpg(self.witness.pid, signal.SIGKILL)
            self.witness.wait(20)

    def witness_log(self):
        return (self.directory / 'witness.log').read_text()

    def witnessed(self, which):
        return self.devices[which].show('failover')['witness']

    def holds(self, which):
        return self.devices[which].show('failover')['lease'][0].get('held', False)

    # ---- the network --------------------------------------------------------------------------
    def pass_heartbeats(self, passed):
        """Between the devices, on every path; the way of each to the witness stays."""
        self.pair.cable('mirror', passed)
        for which in self.members:
            self.devices[which].space.run('ip', 'route', 'del' if passed else 'add', 'blackhole',
                                          f'{MANAGEMENT[other(which)]}/32', check=False)

    def watch(self):
        return Watch(self)


class Watch(threading.Thread):
    """Looks at who acts, again and again, until it is told to finish."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.over, self.looks = world, threading.Event(), 0
        self.both = self.neither = False
        self.start()

    def acts(self, which):
        return self.world.state(which) in ACTING

    def run(self):
        while not self.over.is_set():
            before, there, after = self.acts('a'), self.acts('b'), self.acts('a')
            self.both |= before and there and after
            self.neither |= not (before or there or after)
            self.looks += 1

    def finish(self):
        self.over.set()
        self.join(30)
        check(self.looks > 3, 'nobody looked')
        check(not self.both, 'both acted')
        return self


WORLD = WitnessWorld


def transitions(world, which, since):
    return [one['to'] for one in world.history(which)[since:]]


def marks(world):
    return {which: len(world.history(which)) for which in world.members}


@mostly_waits
def case_split(world):
    """Witness: all paths between the devices cut: the active goes on all the time, the other one is silent"""
    connections, servers = residents(world, 30)
    since, forwarded = marks(world), world.forwarded('b')
    watch, datagrams = world.watch(), stream(world)
    world.pass_heartbeats(False)
    wait_until(lambda: world.state('b') == 'promoting', lambda: f'{world.group("b")}')
    time.sleep(3 * LEASE_SECONDS)
    check(world.acting() == ['a'], f'active: {world.acting()}')
    check(world.holds('a') and not world.holds('b'), 'the lease is not the active one\'s')
    check_same_servers(connections, servers)
    check(world.forwarded('b') == forwarded, 'the silent one forwarded')
    world.pass_heartbeats(True)
    world.wait_ready('a')
    world.wait_equal(30)
    check(not watch.finish().neither, 'for a moment nobody acted')
    lost, gap = datagrams.finish(), datagrams.gap()
    print(f'     UDP: {lost} datagrams lost, {gap * 1000:.0f} ms without an answer')
    check(lost <= 5, f'{lost} datagrams were lost')
    check('suspended' not in transitions(world, 'a', since['a']), f'a: {world.history("a")[since["a"]:]}')
    check(not set(ACTING) & set(transitions(world, 'b', since['b'])), f'b: {world.history("b")[since["b"]:]}')
    check_same_servers(connections, servers)
    close_all(connections)


@mostly_waits
def case_cut_off(world):
    """Witness: an active that reaches neither peer nor witness is silent, then the other one acts"""
    connections, servers = residents(world, 30)
    watch, datagrams = world.watch(), stream(world)
    for network in ('mirror', 'management'):
        world.pair.cable(network, False)
    wait_until(lambda: world.state('a') == 'suspended', lambda: f'{world.group("a")}')
    world.wait_active('b')
    check_same_servers(connections, servers)
    time.sleep(LEASE_SECONDS)
    check(world.acting() == ['b'], f'active: {world.acting()}')
    check(not world.witnessed('a').get('answers'), f'a: {world.witnessed("a")}')
    for network in ('mirror', 'management'):
        world.pair.cable(network, True)
    world.wait_ready('b')
    watch.finish()
    lost, gap = datagrams.finish(), datagrams.gap()
    print(f'     UDP: {lost} datagrams lost, {gap * 1000:.0f} ms without an answer')
    check_same_servers(connections, servers)
    close_all(connections)
    world.standby('b')
    world.wait_ready('a')


def case_switchover(world):
    """Witness: handed over and back: the lease goes along, and nothing is lost"""
    connections, servers = residents(world, 30)
    since, datagrams = marks(world), stream(world)
    for source, target in ('ab', 'ba'):
        world.standby(source)
        world.wait_ready(target)
        wait_until(lambda: world.holds(target), lambda: f'{world.witnessed(target)}')
        check_same_servers(connections, servers)
    for which in 'ab':
        check('suspended' not in transitions(world, which, since[which]),
              f'{which}: {world.history(which)[since[which]:]}')
    lost = datagrams.finish()
    check(lost <= 5, f'{lost} datagrams were lost')
    close_all(connections)


@mostly_waits
def case_away(world):
    """Witness: it dies and comes back while the devices are well: nothing happens, and both say it"""
    connections, servers = residents(world, 30)
    since = marks(world)
    watch, datagrams = world.watch(), stream(world)
    world.kill_witness()
    wait_until(lambda: not any(world.witnessed(which).get('answers') for which in 'ab'),
               lambda: f'{world.witnessed("a")} {world.witnessed("b")}')
    time.sleep(LEASE_SECONDS)
    check(not world.holds('a'), 'a lease that nobody granted')
    check(world.acting() == ['a'], f'active: {world.acting()}')
    text = world.devices['a'].ctl('show', 'failover').stdout
    check(f'{ADDRESS} port 1027, does not answer' in text, text)
    world.start_witness()
    wait_until(lambda: world.holds('a') and world.witnessed('b')['answers'],
               lambda: f'{world.witnessed("a")} {world.witnessed("b")}')
    check(not watch.finish().neither, 'for a moment nobody acted')
    lost = datagrams.finish()
    check(lost <= 5, f'{lost} datagrams were lost')
    for which in 'ab':
        check(len(world.history(which)) == since[which], f'{which}: {world.history(which)[since[which]:]}')
        log = world.devices[which].log_path.read_text()
        check('the witness does not answer' in log, f'the log of {which} does not say it')
    check_same_servers(connections, servers)
    close_all(connections)


def case_kill(world):
    """Witness: kill -9 of the active: the other one takes over when the lease is over"""
    connections, servers = residents(world, 30)
    datagrams = stream(world)
    time.sleep(0.3)
    world.kill('a')
    world.wait_active('b')
    check_same_servers(connections, servers)
    time.sleep(0.3)
    lost, gap = datagrams.finish(), datagrams.gap()
    print(f'     UDP: {lost} datagrams lost, {gap * 1000:.0f} ms without an answer; a lease is {LEASE_MS} ms')
    check('unit 2' in world.witness_log(), world.witness_log())
    world.start('a')
    world.wait_ready('b')
    check_same_servers(connections, servers)
    close_all(connections)
    world.standby('b')
    world.wait_ready('a')
    wait_until(lambda: world.holds('a'), lambda: f'{world.witnessed("a")}')


@mostly_waits
def case_restart_in_split(world):
    """Witness: killed during a split and started again: the devices are silent, then one acts"""
    connections, _ = residents(world, 10)
    watch = world.watch()
    world.pass_heartbeats(False)
    wait_until(lambda: world.state('b') == 'promoting', lambda: f'{world.group("b")}')
    world.kill_witness()
    wait_until(lambda: world.state('a') == 'suspended', lambda: f'{world.group("a")}')
    time.sleep(1)
    check(world.acting() == [], f'active: {world.acting()}')
    world.start_witness()
    wait_until(lambda: len(world.acting()) == 1, lambda: f'active: {world.acting()}')
    time.sleep(2 * LEASE_SECONDS)
    check(len(world.acting()) == 1, f'active: {world.acting()}')
    winner = world.acting()[0]
    world.pass_heartbeats(True)
    world.wait_ready(winner)
    watch.finish()
    close_all(connections)
    if winner == 'b':
        world.standby('b')
        world.wait_ready('a')


@mostly_waits
def case_key(world):
    """Witness: another key, at the witness first: it answers all the time"""
    key = 'ab' * 32
    world.key_file.write_text(key)
    os.kill(world.witness.pid, signal.SIGHUP)
    wait_until(lambda: 'the key is read' in world.witness_log(), world.witness_log)
    check(world.witnessed('a')['answers'], 'a device with the old key is not answered')
    for which in 'ab':
        world.load(which, key=key)
    # What the old key sealed would be 3 s old by now.
    time.sleep(4)
    for which in 'ab':
        check(world.witnessed(which)['answers'], f'{which}: {world.witnessed(which)}')
    check(world.holds('a'), 'the active one lost its lease')
    world.start_witness(key)
    wait_until(lambda: world.witnessed('b')['last_answer_ms'] < 1500 and world.holds('a'),
               lambda: f'{world.witnessed("a")} {world.witnessed("b")}', 20)
    world.start_witness()
    for which in 'ab':
        world.load(which)
    wait_until(lambda: world.holds('a'), lambda: f'{world.witnessed("a")}', 20)
    world.wait_ready('a')
