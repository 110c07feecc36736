# SPDX-License-Identifier: Apache-2.0
"""Measures for tools/bench/idle what a device without work takes of its CPUs, and how long it takes to wake."""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools/lib'))

from builds import RELEASE, build, give_back  # noqa: E402  (the path above comes first)
from run_generator import Generator, GeneratorFailed  # noqa: E402
from run_systems import DeviceFailed, Tandem  # noqa: E402
from scheduling import processes_alike  # noqa: E402

PROGRAMS = ['control/tandemd', 'tools/pktgen/tandem-pktgen']
IDLE_SECONDS = 20
# Seconds of a run by requests a second: a thousand requests at least, for the last quantile.
RATES = {10: 101, 1000: 20, 100_000: 10}
QUANTILES = {'p50': 0.5, 'p99': 0.99, 'p99_9': 0.999}
FLOWS = 100
KIND = 'full NAT'
WAITED_MAX_PERCENT = 1  # beyond it, figures are those of a machine that does something else
TICKS = os.sysconf('SC_CLK_TCK')
# The peer's address is on a port that receives nothing.
MIRRORING = f'''mirroring {{
  device: "net_null0,no-rx=1" address: "10.255.0.1/24" peer: "10.255.0.2" unit_id: 1 key: "{'5a' * 32}"
}}
'''


class IdleTandem(Tandem):
    """Small tables: they are not what is measured."""

    flows_max = 65536
    flows6_max = 16384
    file_prefix = 'tandem-bench-idle'

    def __init__(self, directory, poll_mode, mirrors):
        self.poll_mode = poll_mode
        self.mirrors = mirrors
        self.extra = MIRRORING if mirrors else ''
        super().__init__(directory)


def read_threads(pid):
    """Of each thread so far: name, ticks of CPU time, times it went to sleep, ns that it waited for a CPU."""
    threads = {}
    for task in Path(f'/proc/{pid}/task').iterdir():
        # The name stands in parentheses and may hold anything.
        name, _, rest = (task / 'stat').read_text().partition('(')[2].rpartition(')')
        fields = rest.split()
        status = dict(line.split(':\t', 1) for line in (task / 'status').read_text().splitlines() if ':\t' in line)
        waited = int((task / 'schedstat').read_text().split()[1])
        threads[task.name] = (name, int(fields[11]) + int(fields[12]), int(status['voluntary_ctxt_switches']), waited)
    return threads


def use_over(pid, seconds):
    """Each thread's CPU time in per cent of a CPU, how often it slept a second, and the part of the time that it
    could have run and something else had its CPU."""
    began, before = time.monotonic(), read_threads(pid)
    time.sleep(seconds)
    after = read_threads(pid)
    took = time.monotonic() - began
    rows = []
    for task, last in sorted(after.items(), key=lambda item: int(item[0])):
        name, ticks, sleeps, waited = last
        _, ticks_before, sleeps_before, waited_before = before.get(task, last)
        rows.append({'thread': name, 'cpu_percent': round(100 * (ticks - ticks_before) / TICKS / took, 2),
                     'sleeps_per_second': round((sleeps - sleeps_before) / took, 1),
                     'waited_percent': round((waited - waited_before) / took / 1e7, 2)})
    return rows


def of_worker(rows):
    """The row of the one worker: EAL names its lcores' threads."""
    return next(row for row in rows if row['thread'].startswith(('rte-worker', 'lcore-worker')))


def doubts(waited_percent):
    return f'  OTHERS HAD ITS CPU for {waited_percent:.0f} %' if waited_percent > WAITED_MAX_PERCENT else ''


def round_trip(system, generator, rate, seconds):
    """A run at `rate`; the worker's CPU time is of the middle of it."""
    use = []
    watch = threading.Thread(target=lambda: (time.sleep(1 + seconds * 0.2),
                                             use.extend(use_over(system.process.pid, seconds * 0.6))))
    watch.start()
    trial = generator.trial(KIND, rate_pps=rate, flows=FLOWS, duration_s=seconds)
    watch.join()
    count = trial.raw['round_trip_ns']['count']
    # A quantile that no sample lies beyond says nothing.
    quantiles = {name: trial.latency_us[name] if count * (1 - share) >= 1 else None
                 for name, share in QUANTILES.items()}
    return {'requests_per_second': rate, 'count': count, 'lost': trial.lost, 'kept_rate': trial.kept_rate,
            **{f'{name}_us': value for name, value in quantiles.items()}, 'max_us': trial.latency_us['max'],
            'worker_cpu_percent': of_worker(use)['cpu_percent'],
            'worker_waited_percent': of_worker(use)['waited_percent']}


def shown(value, width, digits=1):
    return f'{"-":>{width}}' if value is None else f'{value:{width}.{digits}f}'


def name_of(poll_mode, mirrors):
    return f'{poll_mode}{", mirroring" if mirrors else ""}'


@processes_alike()
def measure(poll_mode, mirrors, scale, directory):
    """One device: idle with its wires connected, then at each rate."""
    system = IdleTandem(directory, poll_mode, mirrors)
    generator = Generator(system, 1, directory / 'generator.log')
    name = name_of(poll_mode, mirrors)
    result = {'poll_mode': poll_mode, 'mirroring': mirrors, 'round_trip': []}
    try:
        system.start()
        generator.trial(KIND, rate_pps=1000, flows=FLOWS)
        result['idle'] = use_over(system.process.pid, IDLE_SECONDS * scale)
        for row in result['idle']:
            print(f'{name:20} idle  {row["thread"]:16} {row["cpu_percent"]:7.2f} % CPU  '
                  f'{row["sleeps_per_second"]:8.1f} sleeps/s{doubts(row["waited_percent"])}', flush=True)
        for rate, seconds in RATES.items():
            row = round_trip(system, generator, rate, seconds * scale)
            result['round_trip'].append(row)
            print(f'{name:20} {rate:7} requests/s  round trip p50 {shown(row["p50_us"], 7)}  '
                  f'p99 {shown(row["p99_us"], 7)}  p99.9 {shown(row["p99_9_us"], 7)}  max {row["max_us"]:8.1f} us  '
                  f'worker {row["worker_cpu_percent"]:6.2f} % CPU'
                  f'{"" if row["lost"] == 0 else "  lost " + str(row["lost"])}'
                  f'{"" if row["kept_rate"] else "  RATE NOT KEPT"}{doubts(row["worker_waited_percent"])}', flush=True)
        return result
    finally:
        generator.stop()
        system.stop()


def main():
    parser = argparse.ArgumentParser(prog='idle')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--only', default='')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    if os.cpu_count() < 2:
        sys.exit('idle: one CPU, and generator and device need one each')
    try:
        build(RELEASE, PROGRAMS, log=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        sys.exit(f'idle: cannot build: {error}')
    give_back(RELEASE)
    results = []
    for poll_mode, mirrors in itertools.product(('BUSY', 'ADAPTIVE'), (False, True)):
        if arguments.only not in name_of(poll_mode, mirrors):
            continue
        directory = Path(tempfile.mkdtemp(prefix='tandem-idle-'))
        try:
            results.append(measure(poll_mode, mirrors, 0.1 if arguments.quick else 1, directory))
        except (GeneratorFailed, DeviceFailed) as error:
            sys.exit(f'idle: {error}')
        finally:
            shutil.rmtree(directory)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
