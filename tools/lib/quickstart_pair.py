# SPDX-License-Identifier: Apache-2.0
"""The second act of tools/quickstart: a pair of devices, and sessions that outlive one of them."""

import os
import time

from builds import RELEASE
from pair import Pair, other
from pair_config import GROUP, VIP
from quickstart_steps import show
from session_log import Session, row_of, table, wait_sessions
from session_servers import PLAIN_PORT, start_session_servers, virtuals, write_pattern

SPACES = ('switch', 'client', 'device-a', 'device-b', 'server1', 'server2', 'server3')
TELNETD = RELEASE / 'packages' / 'usr' / 'sbin' / 'telnetd'
READY_SECONDS = 60  # on a busy machine
HAND_OVERS = 10
NICE = -10  # a device has CPUs of its own; here it goes before clients and servers
ACTING = ('active', 'degraded', 'standalone')

# Bytes, and bytes a second: so that both transfers are under way when the active dies.
DOWNLOAD = (1_000_000_000, 50_000_000)
FTP = (60_000_000, 3_000_000)
SECOND_DOWNLOAD = (300_000_000, 50_000_000)
SECOND_FTP = (FTP[0], 10_000_000)


def wait(condition, what, seconds=READY_SECONDS):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f'{what()} after {seconds} s')
        time.sleep(0.01)
    return value


class Act:
    """The pair, its servers, and who is what in it."""

    def __init__(self, lab):
        self.pair = Pair(lab, RELEASE, 'tandem-quickstart')
        self.devices = self.pair.devices
        for device in self.devices.values():
            device.nice = NICE
        self.client = self.pair.client
        self.ssh = start_session_servers(self.pair.servers, lab.directory, TELNETD)
        write_pattern(lab.directory / 'ftp' / str(FTP[0]), FTP[0])
        self.sessions = []  # that last until they are told to stop

    def start(self, which):
        self.devices[which].start(self.pair.group_config(
            which, 'ha_order: "device-a" ha_order: "device-b"', {'boot_wait_ms': 1000}, extra=virtuals()))

    def state(self, which):
        return self.devices[which].show('traffic-group')['traffic_group'][0]['state']

    def states(self):
        return f'device-a is {self.state("a")}, device-b {self.state("b")}'

    def wait_ready(self):
        """Until one is active and the other could take over; the active one."""
        def ready():
            states = {self.state(which): which for which in 'ab'}
            return states.get('active') if 'standby' in states and self.pair.in_sync() else None
        return wait(ready, self.states)

    def wait_acting(self, which):
        wait(lambda: self.state(which) in ACTING, lambda: f'device-{which} is {self.state(which)}')

    def wait_mirrored(self):
        """Until what is there by now is on the standby, too."""
        def count(which):
            return len(self.devices[which].show('connection', 'type', 'mirror').get('connection', []))
        wait(lambda: count('a') == count('b') > 0, lambda: f'{count("a")} connections on a, {count("b")} on b')

    # ---- the clients --------------------------------------------------------------------------
    def transfers(self, download, ftp):
        return [Session(self.client, 'FTP', '', 'ftp', VIP, 21, *ftp),
                Session(self.client, 'download', '', 'download', VIP, 80, *download)]

    def start_sessions(self):
        self.sessions = [Session(self.client, 'SSH', 'line', 'ssh', VIP, 22, *self.ssh),
                         Session(self.client, 'Telnet', 'line', 'telnet', VIP, 23),
                         Session(self.client, 'UDP stream', 'datagram', 'echo', VIP, 7),
                         Session(self.client, 'web', 'page', 'web', VIP, 80)]

    def wait_begun(self, sessions):
        wait_sessions(sessions, lambda one: one.last('alive'), 'no answer', READY_SECONDS)
        self.wait_mirrored()

    def stop_sessions(self):
        for session in self.sessions:
            session.process.terminate()
        wait_sessions(self.sessions, lambda one: one.last('done'), 'not at its end', READY_SECONDS)


def wait_alive(sessions, since, margin):
    """All have shown a sign of life at a time later than `margin` seconds after `since`."""
    wait_sessions(sessions, lambda one: one.last('done') or one.alive_since(since + margin),
                  'no sign of life', READY_SECONDS)


def kill_active(act, steps):
    """Returns who is active then."""
    steps.next('sessions through the pair, one of them by a virtual that is not mirrored')
    act.start_sessions()
    act.wait_begun(act.sessions)
    transfers = act.transfers(DOWNLOAD, FTP)
    sessions = [*act.sessions, *transfers]
    act.wait_begun(sessions)
    wait_sessions(transfers[1:], lambda one: one.came() > DOWNLOAD[0] // 4, 'nothing came', READY_SECONDS)
    plain = Session(act.client, 'Telnet, not mirrored', 'line', 'telnet', VIP, PLAIN_PORT)
    act.wait_begun([*sessions, plain])
    victim = act.wait_ready()
    show(None, *act.devices[other(victim)].command('show', 'connection', 'type', 'mirror'))
    if any(one.last('done') for one in transfers):
        raise RuntimeError('the transfers were over too early to tell')

    steps.next(f'kill -9 of device-{victim}, which is active, with all of them under way')
    began = time.monotonic()
    act.pair.stop(victim, kill=True)
    act.wait_acting(other(victim))
    print(f'  device-{other(victim)} is active; the transfers go on to their end', flush=True)
    wait_alive(sessions, began, 1)
    wait(plain.broken, lambda: 'the connection that is not mirrored hangs')
    wait_sessions(transfers, lambda one: one.last('done'), 'not at its end', READY_SECONDS)
    now = time.monotonic()
    wait_alive(act.sessions, now, 0.5)  # so that what was sent until now has its answer
    when, error = plain.last('failed')
    if 'reset' not in error:
        raise RuntimeError(f'the connection that is not mirrored should have been reset: {error}')
    table([*(row_of(one, began, now) for one in sessions),
           (plain.name, 'all', '', '', f'{error}, {(when - began) * 1000:.0f} ms after the kill')])
    return other(victim)


def hand_over(act, active):
    """By command; when it began. One that could not be done in time is called off, and tried again."""
    for _ in range(HAND_OVERS):
        began = time.monotonic()
        command = act.devices[active].command('run', 'failover', 'standby', GROUP)
        try:
            show(None, *command)
            return began
        except RuntimeError as error:
            print(f'  called off, on a busy machine: {str(error).splitlines()[-1]}', flush=True)
        if act.wait_ready() != active:
            raise RuntimeError(f'called off, but {act.states()}')
    raise RuntimeError(f'called off {HAND_OVERS} times')


def fail_back(act, steps, active):
    steps.next(f'device-{other(active)} is started again, and in sync')
    act.start(other(active))
    active = act.wait_ready()
    show(None, *act.devices[active].command('show', 'traffic-group'))

    steps.next('back on command: the same sessions, new transfers')
    transfers = act.transfers(SECOND_DOWNLOAD, SECOND_FTP)
    sessions = [*act.sessions, *transfers]
    act.wait_begun(sessions)
    began = hand_over(act, active)
    act.wait_acting(other(active))
    wait_alive(sessions, began, 0.5)
    now = time.monotonic()
    wait_sessions(transfers, lambda one: one.last('done'), 'not at its end', READY_SECONDS)
    act.stop_sessions()
    table(row_of(one, began, now) for one in sessions)
    if any(one.lost(began, now) for one in sessions):
        print('  A planned switchover loses nothing by itself: this machine has no CPU to spare.')


def demonstrate_pair(lab, steps):
    """Returns the act; its devices run."""
    steps.next('a pair of devices in a device group; SSH, FTP, Telnet, web and echo servers behind it')
    act = Act(lab)
    for which in 'ab':
        act.start(which)
    active = act.wait_ready()
    show(None, *act.devices[active].command('show', 'device-group'))
    active = kill_active(act, steps)
    fail_back(act, steps, active)
    return act


def what_next_pair(act):
    def ctl(which):
        program, *rest = act.devices[which].command()
        return ' '.join(['sudo', os.path.relpath(program), *rest])
    inside = 'sudo ip netns exec tandem-client'
    a = act.devices['a']
    print(f'''Both run. Try
  {inside} ssh {' '.join(act.ssh)} {VIP}
  {inside} curl -o /dev/null http://{VIP}/bytes/1000000000
  {inside} curl -o /dev/null ftp://{VIP}/{FTP[0]}
  {ctl('a')} show traffic-group
  {ctl('a')} run failover standby {GROUP}
  {ctl('b')} show failover
  sudo kill -9 {a.process.pid}     # device-a; and to start it again:
  sudo ip netns exec {a.space.name} {os.path.relpath(a.daemon)} --config {a.config_path} \\
    --admin_socket {a.socket_path}
Take it down with
  sudo ./tools/quickstart --down''')
