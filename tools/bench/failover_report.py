# SPDX-License-Identifier: Apache-2.0
"""Fails a pair of devices over, again and again, for tools/bench/failover, and prints what clients felt."""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools/lib'))

from builds import RELEASE, build, give_back, program  # noqa: E402  (the path above comes first)
from netlab import Lab  # noqa: E402
from pair import Pair, other  # noqa: E402
from pair_config import VIP, virtual  # noqa: E402
from scheduling import processes_alike  # noqa: E402
from udp_stream import UdpStream  # noqa: E402

TIMERS = {'10 ms x 5': (10000, 5, 60), '3.3 ms x 3': (3300, 3, 15)}  # interval, multiplier, aim in ms
RESIDENT_PORT = 9
SOURCES = ('10.0.0.11', '10.0.0.12')
PORTS = range(10000, 60000)
READY_SECONDS = 60
SWITCHOVER_ATTEMPTS = 5


class Bench:
    """A pair in a device group, with flows resident."""

    def __init__(self, lab, workers, interval, multiplier):
        self.pair = Pair(lab, RELEASE, f'tandem-bench-{os.getpid()}', workers)
        self.timers = {'heartbeat_interval_us': interval, 'heartbeat_multiplier': multiplier,
                       'boot_wait_ms': 1000, 'drain_timeout_ms': 200}
        self.extra = ('profile_fastl4 { name: "long" udp_idle_timeout: 7200 }\n'
                      + virtual('resident', RESIDENT_PORT, 'echo', 'UDP', profile='"long"'))
        for source in SOURCES:
            self.pair.client.address('eth0', f'{source}/24')

    def start(self, which):
        self.pair.devices[which].start(self.pair.group_config(
            which, timers=self.timers, extra=self.extra, flows=262144,
            group_fields='ha_order: "device-a" ha_order: "device-b"'))

    def group(self, which):
        return self.pair.devices[which].show('traffic-group')['traffic_group'][0]

    def wait_any_ready(self):
        """Until one is active and the other has all it has; which one is."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            states = {which: self.group(which)['state'] for which in 'ab'}
            if sorted(states.values()) == ['active', 'standby'] and self.pair.in_sync():
                return next(which for which in 'ab' if states[which] == 'active')
            time.sleep(0.02)
        raise RuntimeError(f'not ready: {self.group("a")} {self.group("b")}')

    def touch_residents(self, count):
        """A datagram, and its answer, over each of the first `count` resident connections."""
        missing = 0
        names = [(source, port) for source in SOURCES for port in PORTS][:count]
        for begin in range(0, count, 250):
            sockets = []
            for source, port in names[begin:begin + 250]:
                one = self.pair.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
                one.bind((source, port))
                one.connect((VIP, RESIDENT_PORT))
                sockets.append(one)
            silent = sockets
            for _ in range(3):
                silent = unanswered(silent)
            missing += len(silent)
            for one in sockets:
                one.close()
        return missing

    def residents(self, which, what='current'):
        """Resident connections that the device has; 'total': that it has begun itself."""
        shown = self.pair.devices[which].show('virtual', 'resident')['virtual'][0]
        return shown['connections'].get(what, 0)


def unanswered(sockets):
    """Sends a datagram by each; those by which none comes back within half a second."""
    for one in sockets:
        one.send(b'x')
    deadline = time.monotonic() + 0.5
    silent = []
    for one in sockets:
        one.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            one.recv(16)
        except socket.timeout:
            silent.append(one)
    return silent


def one_gap(bench, victim):
    """Kills the active; how long the stream was without an answer, in milliseconds."""
    stream = UdpStream(bench.pair.client, (VIP, 7), 0.001)
    time.sleep(0.1)
    killed = time.monotonic()
    bench.pair.stop(victim, kill=True)
    deadline = killed + 10
    while stream.first_after(killed) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    gap = stream.first_after(killed)
    stream.finish()
    if gap is None:
        raise RuntimeError('the connection did not go on')
    return gap * 1000


def one_switchover(bench, active):
    """Datagrams of a stream that were lost in it."""
    for _ in range(SWITCHOVER_ATTEMPTS):
        stream = UdpStream(bench.pair.client, (VIP, 7), 0.0005)
        try:
            bench.pair.devices[active].ctl('run', 'failover', 'standby', 'traffic-group-1')
            bench.wait_any_ready()
            return stream.finish()
        except RuntimeError as error:  # a device that was stalled in its midst calls it off
            print(error, file=sys.stderr)
        finally:
            stream.finish()
        active = bench.wait_any_ready()
    raise RuntimeError(f'no switchover in {SWITCHOVER_ATTEMPTS} attempts')


@processes_alike()
def measure(workers, failovers, flows, name, switchovers):
    """Gaps in ms, connections lost, datagrams lost in planned switchovers, times nobody asked for one."""
    interval, multiplier, _ = TIMERS[name]
    directory = tempfile.mkdtemp(prefix='tandem-bench-')
    lab = Lab(f'tandem-bench-{os.getpid()}-', directory)
    try:
        bench = Bench(lab, workers, interval, multiplier)
        for which in 'ab':
            bench.start(which)
        bench.wait_any_ready()
        missing = bench.touch_residents(flows)
        gaps, unasked = [], 0
        active = bench.wait_any_ready()
        for number in range(failovers):
            gaps.append(one_gap(bench, active))
            bench.start(active)
            now = bench.wait_any_ready()
            unasked += now != other(active)
            active = now
            print(f'{name}: failover {number + 1} of {failovers}: {gaps[-1]:.1f} ms, '
                  f'{bench.residents(active)} resident', file=sys.stderr)
        lost_in_switchovers = 0
        for _ in range(switchovers):
            lost_in_switchovers += one_switchover(bench, active)
            active = bench.wait_any_ready()
            print(f'{name}: switchover: {lost_in_switchovers} datagrams lost so far', file=sys.stderr)
        before = bench.residents(active, 'total')
        missing += bench.touch_residents(flows)
        return gaps, bench.residents(active, 'total') - before + missing, lost_in_switchovers, unasked
    finally:
        lab.close()
        shutil.rmtree(directory)


def promotion():
    """Microseconds by the number of flows."""
    text = subprocess.run([program(RELEASE, 'mirror_pair'), 'promote'], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return {int(flows): float(median) for flows, median in
            re.findall(r'with\s+(\d+) flows\s+median\s+([\d.]+) us', text)}


def cpu_ticks():
    """Of all CPUs since the machine started: all, and those that its host gave to others."""
    ticks = [int(word) for word in Path('/proc/stat').read_text().split('\n')[0].split()[1:9]]
    return sum(ticks), ticks[7]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--failovers', type=int, default=30)
    parser.add_argument('--flows', type=int, default=100000)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--only', choices=TIMERS)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    build(RELEASE, ['control/tandemd', 'tools/tandemctl/tandemctl', 'tools/bench/mirror_pair'])
    figures = []
    all_before, stolen_before = cpu_ticks()

    def add(what, value, unit, aim=None):
        verdict = '' if aim is None else f'<= {aim}: {"met" if value <= aim else "MISSED"}'
        figures.append({'what': what, 'value': value, 'unit': unit, 'aim': aim})
        print(f'{what:52} {value:10.2f}  {unit:12} {verdict}', flush=True)

    for name, (_, _, aim) in TIMERS.items():
        if arguments.only not in (None, name):
            continue
        gaps, lost, in_switchovers, unasked = measure(arguments.workers, arguments.failovers,
                                                      arguments.flows, name, arguments.failovers // 3)
        add(f'gap after SIGKILL, {name}, median', percentile(gaps, 0.5), 'ms', aim)
        add(f'gap after SIGKILL, {name}, 99 %', percentile(gaps, 0.99), 'ms', aim)
        add(f'connections lost of {arguments.flows}, {name}', lost, '', 0)
        add(f'lost in {arguments.failovers // 3} switchovers, {name}', in_switchovers, 'datagrams', 0)
        add(f'takeovers that nothing called for, {name}', unasked, '')
    for flows, median in promotion().items():
        add(f'promotion alone, {flows} connections, median', median / 1000, 'ms', 1)
    all_ticks, stolen = cpu_ticks()
    add('CPU time that the host of this machine took away', 100 * (stolen - stolen_before)
        / (all_ticks - all_before), '%')
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + '\n')
    give_back(RELEASE)


if __name__ == '__main__':
    main()
