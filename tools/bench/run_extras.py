# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/run measures without the packet generator: figures of the other benchmarks, in groups.

A group is measured as a whole; its figures are known before, so that one that came to nothing keeps its place."""

import contextlib
import os
import statistics
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

import failover_report
import mirror_report
import run_instructions
from run_systems import DEVICE_CPU, DeviceFailed, Tandem

PROGRAMS = ['tools/bench/burst', 'tools/bench/table_bench', 'tools/bench/mirror_pair']
SIZES = {1: '1', 1000: '1 k', 100_000: '100 k', 1_000_000: '1 M', 4_000_000: '4 M'}
QUICK_SIZES = (1000, 1_000_000)
# What burst calls them, and the counter.
PATH = {'floor': ('Floor', 'ns/packet'), 'established UDP': ('Established/udp', 'ns/packet'),
        'its arrive': ('Stage/udp', 'arrive'), 'its probe': ('Stage/udp', 'probe'),
        'its settle': ('Stage/udp', 'settle'), 'new UDP': ('New/udp', 'ns/packet'),
        'new UDP, a persistence record made': ('New/udp_first', 'ns/packet'),
        'new UDP, a persistence record followed': ('New/udp_back', 'ns/packet'),
        'established TCP': ('Established/tcp', 'ns/packet'), 'new TCP': ('New/tcp', 'ns/packet')}
TABLE = {'floor': 'BM_FloorWrite', 'flow table': 'BM_FindHit/Ipv4', 'rte_hash, flow written': 'BM_RteHash/Ipv4_written',
         'rte_hash alone': 'BM_RteHash/Ipv4'}
MIRRORING_TITLE = 'Speed with mirroring on'
# New flows as the aim has them: with source translation and a persistence record.
ADMITTED = tuple(f'admitted udp, record {record}' for record in ('made', 'followed'))
ADMITTED_SMALL = tuple(f'admitted udp, small, record {record}' for record in ('made', 'followed'))
ADMITTED_TOLD = 'admitted udp, mirrored record made'
QUICK_MIRRORING = ('established udp, 100 k flows', 'new udp, until idle', *ADMITTED, *ADMITTED_SMALL, ADMITTED_TOLD)
MIRRORING = ('established udp, 1 k flows', 'established udp, 100 k flows', 'established tcp, 1 k flows',
             'established tcp, 100 k flows', 'new tcp, steps 40 us apart', 'new tcp, steps 1.2 ms apart',
             'new udp, until idle', 'new udp, record followed, until idle', *ADMITTED, *ADMITTED_SMALL, ADMITTED_TOLD,
             'admitted udp, mirrored record followed')
MEMORY = 'an IPv4 flow: two keys, index, timer, and all else of it'
MEMORY_FLOWS = (1 << 20, 4 << 20)


@dataclass
class Figure:
    """`values`: of the repetitions; none: not measured, and `why` says why."""

    name: str
    unit: str
    is_quick: bool = True
    values: list = field(default_factory=list)
    why: str = ''
    may_lack: bool = False  # a report without it is complete

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None


@dataclass
class Group:
    title: str
    says: str
    figures: list
    measure: Callable  # (is_quick, directory) -> values by name
    absent: str = 'the benchmark printed no such figure'  # why a figure is not among them

    def only(self, is_quick, word):
        """With the figures that are wanted."""
        kept = [one for one in self.figures if (one.is_quick or not is_quick) and word in f'{self.title} {one.name}']
        return replace(self, figures=kept)

    def run(self, is_quick, directory):
        """Fills the figures in."""
        found, why = {}, self.absent
        try:
            found = self.measure(is_quick, directory)
        except (OSError, subprocess.SubprocessError, RuntimeError, ValueError, KeyError, DeviceFailed) as error:
            why = f'{type(error).__name__}: {error}'
        for figure in self.figures:
            figure.values = found.get(figure.name, [])
            figure.why = '' if figure.values else why


@contextlib.contextmanager
def pinned():
    """What is started within runs where systems do."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {DEVICE_CPU})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def sized(name, flows):
    return f'{name}, {SIZES[flows]} flows'


def of_sizes(names, unit, quick_names, quick_sizes):
    return [Figure(sized(name, flows), unit, flows in quick_sizes and name in quick_names)
            for flows in SIZES for name in names]


def repeated(times, measure):
    """Values by name of `measure`, which runs a program on the CPU of systems and returns one by name."""
    values = {}
    for _ in range(times):
        with pinned():
            found = measure()
        for name, value in found.items():
            values.setdefault(name, []).append(value)
    return values


def packet_path(is_quick, _directory):
    names = [name for name in PATH if not is_quick or 'TCP' not in name]
    rows = [(sized(name, flows), 'ns', None, f'{PATH[name][0]}/{flows}', PATH[name][1])
            for name in names for flows in (QUICK_SIZES if is_quick else SIZES)]
    return repeated(2 if is_quick else 3, lambda: mirror_report.counters('burst', rows))


def flow_table(is_quick, _directory):
    rows = [(sized(name, flows), 'ns', None, f'{benchmark}/{flows}', 'per_op')
            for name, benchmark in TABLE.items() for flows in (QUICK_SIZES[-1:] if is_quick else SIZES)]
    return repeated(3, lambda: {name: 1e9 * seconds
                                for name, seconds in mirror_report.counters('table_bench', rows).items()})


def each(name):
    """What a connection of the case takes with mirroring on."""
    return f'{name}: each'


def mirroring(is_quick, _directory):
    def once():
        found = {}
        for word in QUICK_MIRRORING if is_quick else ('',):
            found.update(mirror_report.cost(word))
        figures = {}
        for name, value in found.items():
            kind, case = name.split(': ', 1)
            figures[case if kind == 'on, of off' else each(case)] = value
        return figures
    return repeated(3, once)


def gap_names(timer):
    return f'gap, {timer}', f'99 % of gaps, {timer}', f'sessions lost, {timer}'


def failover(is_quick, _directory):
    failovers, flows = (5, 10_000) if is_quick else (30, 100_000)
    found = {}
    for timer in failover_report.TIMERS:
        gaps, lost, _, _ = failover_report.measure(1, failovers, flows, timer, 0)
        gap, tail, sessions = gap_names(timer)
        found.update({gap: gaps, tail: [failover_report.percentile(gaps, 0.99)], sessions: [lost]})
    return found


class Roomy(Tandem):
    """With room for so many flows of IPv4."""

    def __init__(self, directory, flows):
        self.flows_max = flows
        super().__init__(directory)


def memory_of(pid):
    """Bytes of a process: what is resident, and its hugepages, which do not count as that."""
    fields = dict(line.split(':', 1) for line in Path(f'/proc/{pid}/status').read_text().splitlines())
    return 1024 * sum(int(fields[name].split()[0]) for name in ('VmRSS', 'HugetlbPages'))


def memory(_is_quick, directory):
    """Of two devices that differ in how many flows they are to have room for only."""
    found = []
    for flows in MEMORY_FLOWS:
        system = Roomy(directory, flows)
        try:
            system.start()
            found.append(memory_of(system.process.pid))
        finally:
            system.stop()
    return {MEMORY: [(found[1] - found[0]) / (MEMORY_FLOWS[1] - MEMORY_FLOWS[0])]}


def groups():
    gaps = [Figure(name, unit) for timer in failover_report.TIMERS
            for name, unit in zip(gap_names(timer), ('ms', 'ms', ''))]
    return [
        Group('Packet path without I/O', 'Nanoseconds a packet, full NAT of IPv4, received to transmitted, on one '
              'core; the floor is what its two random lines of memory cost (tools/bench/burst).',
              of_sizes(PATH, 'ns', [name for name in PATH if 'TCP' not in name], QUICK_SIZES), packet_path),
        Group('Instructions a packet', 'In a function and all that it calls, full NAT of IPv4 without I/O, 1 k flows, '
              'counted by callgrind (tools/bench/burst): the same on a busy machine and on a slow one.',
              [Figure(name, 'instructions', may_lack=name not in run_instructions.totals())
               for name in run_instructions.names()], run_instructions.instructions,
              'no function of this name was called: it was inlined or is called otherwise'),
        Group('Lookup of a flow', 'Nanoseconds each, in bursts of 32, tables full (tools/bench/table_bench). The flow '
              'table finds the flow and writes to it; so does rte_hash where it says so.',
              of_sizes(TABLE, 'ns', TABLE, QUICK_SIZES[-1:]), flow_table),
        Group(MIRRORING_TITLE, 'In per cent of off, asynchronous, packet by packet on two devices side by side: of '
              'established flows, of connections from their first packet to their end, and of the admission of new '
              'flows alone, from ports at random, each told of at its first packet: in packets of 9000 bytes, small: '
              'of 1500, as whole connections are. A mirrored record is told of too, of a storm of them half a million '
              'a second (tools/bench/mirror has more).',
              [Figure(name, '% of off', name in QUICK_MIRRORING) for name in MIRRORING] +
              [Figure(each(name), 'ns') for name in (*ADMITTED, ADMITTED_TOLD)], mirroring),
        Group('Failover', 'From SIGKILL of the active device to the first answer over a connection that was there '
              'before, at the default and at the fastest heartbeats (tools/bench/failover has more).', gaps, failover),
        Group('Memory', f'Bytes: a tandemd with room for {MEMORY_FLOWS[1]:,} flows less one with room for '
              f'{MEMORY_FLOWS[0]:,}, resident and on hugepages, divided by the difference.', [Figure(MEMORY, 'bytes')],
              memory),
    ]
