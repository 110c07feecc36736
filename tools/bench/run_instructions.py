# SPDX-License-Identifier: Apache-2.0
"""Instructions a packet: what callgrind counts while tools/bench/burst runs, whatever else the machine does.

What BenchDevice::Turn runs is counted. Benchmarks also warm up with it, so the counts start anew where one begins
with flows that are there already (burst keeps them for the second time that it is called), and where the flows of the
warm-up have been ended. A burst is BURST packets; those that find no flow go through Worker::Begin."""

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass

from builds import RELEASE, program

SECONDS_MAX = 300  # a count takes one or two
# Enough for burst to be called twice: first for as little as it can.
BENCHMARK_SECONDS = 0.05
CALLGRIND = ['valgrind', '--tool=callgrind', '--toggle-collect=*BenchDevice::Turn*', '--zero-before=*BM_Established*',
             '--zero-before=*BenchDevice::EndAll*', '--compress-strings=no', '--compress-pos=no']
ALL, PER_BURST, MISSES = 'bench::BenchDevice::Turn', 'pipeline::Worker::Arrive', 'pipeline::Worker::Begin'
BURST = 32  # tools/bench/floor.h
# Functions as figures call them, and as the code does.
EVERY = {'all': ALL, 'Arrive': PER_BURST, 'ProbeFind': 'flow::FlowTable::ProbeFind',
         'SettleOnce': 'pipeline::Worker::SettleOnce'}
NEW = {'Admission': 'pipeline::Admission::Run', 'VirtualIndex::Find': 'config::VirtualIndex::Find',
       'AskRecord': 'pipeline::AskRecord', 'ChooseMember': 'pipeline::ChooseMember',
       'FindNextHopToMember': 'pipeline::FindNextHopToMember', 'BeginSource': 'pipeline::BeginSource',
       'FlowTable::Insert': 'flow::FlowTable::Insert',
       'BeginFlow': 'pipeline::BeginFlow'}


@dataclass
class Case:
    """`finds`: whether its packets are of flows that are there; those of a warm-up are of both kinds."""

    title: str
    benchmark: str
    finds: bool
    functions: dict


CASES = [
    Case('established UDP', 'Established/udp/1000', True, EVERY),
    Case('established TCP', 'Established/tcp/1000', True, EVERY),
    Case('new UDP', 'New/udp/1000', False, {**EVERY, **NEW}),
    Case('new UDP, a persistence record made', 'New/udp_first/1000', False, {**EVERY, **NEW}),
    Case('new TCP', 'New/tcp/1000', False, {**EVERY, **NEW}),
]


def short(name):
    """Without namespace tandem, parameters, template arguments and what a function template returns."""
    name = name.replace('(anonymous namespace)::', '')
    while '<' in name and name != (less := re.sub(r'<[^<>]*>', '', name)):
        name = less
    return name.split('(')[0].split(' ')[-1].removeprefix('tandem::')


class Profile:
    """Calls of each function, and instructions in it and in all that it calls, by the text of a callgrind file. One
    that calls itself would be counted twice."""

    def __init__(self, text):
        self.calls, self.instructions = Counter(), Counter()
        lines = iter(text.splitlines())
        callee = ''
        for line in lines:
            if line.startswith('cfn='):
                callee = short(line.removeprefix('cfn='))
            elif line.startswith('calls='):
                self.calls[callee] += int(line.removeprefix('calls=').split()[0])
                self.instructions[callee] += int(next(lines).split()[1])


def per_packet(profile, case):
    """Instructions by the names of figures; functions that were not called are not in it."""
    packets, missed = profile.calls[PER_BURST] * BURST, profile.calls[MISSES]
    if packets == 0 or (missed != 0 if case.finds else missed < packets):
        raise ValueError(f'{case.title}: {packets} packets, and {missed} found no flow')
    return {f'{case.title}: {name}': [profile.instructions[function] / packets]
            for name, function in case.functions.items() if profile.calls[function]}


def count(case, path):
    """What callgrind says, as text; `path`: a file for it to write."""
    command = [*CALLGRIND, f'--callgrind-out-file={path}', program(RELEASE, 'burst'),
               f'--benchmark_filter=^{case.benchmark}(/.*)?$', f'--benchmark_min_time={BENCHMARK_SECONDS}']
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS_MAX)
    if ran.returncode:
        raise RuntimeError(f'valgrind ended with {ran.returncode}: {" ".join(ran.stderr.splitlines()[-2:])}')
    if 'ERROR OCCURRED' in ran.stdout:  # so says the benchmark library when not all went as it should
        raise RuntimeError(f'{case.benchmark}: {ran.stdout[ran.stdout.index("ERROR OCCURRED"):].splitlines()[0]}')
    return path.read_text()


def instructions(_is_quick, directory):
    """By the names of figures."""
    if shutil.which('valgrind') is None:
        raise RuntimeError('valgrind is not there: apt-get install valgrind')
    found = {}
    for case in CASES:
        found.update(per_packet(Profile(count(case, directory / 'callgrind.out')), case))
    return found


def names():
    return [f'{case.title}: {name}' for case in CASES for name in case.functions]


def totals():
    """Of these names, those that do not depend on what the compiler inlines."""
    return [f'{case.title}: all' for case in CASES]
