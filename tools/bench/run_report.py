# SPDX-License-Identifier: Apache-2.0
"""Measures for tools/bench/run: a line for each figure as it is found, then report.json and report.html."""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools/lib'))

from builds import RELEASE, build, give_back  # noqa: E402  (the path above comes first)
from run_generator import Generator, GeneratorFailed, Trial  # noqa: E402
from run_html import to_html  # noqa: E402
from run_rows import measure, rows  # noqa: E402
from run_systems import DeviceFailed  # noqa: E402

PROGRAMS = ['control/tandemd', 'tools/tandemctl/tandemctl', 'tools/pktgen/tandem-pktgen']
HUGEPAGES = Path('/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages')
HUGEPAGES_WANTED = 3072
CPUS_NEEDED = 2


def cpu_ticks():
    """Of all CPUs since the machine started: all, and those that its host gave to others."""
    ticks = [int(word) for word in Path('/proc/stat').read_text().split('\n')[0].split()[1:9]]
    return sum(ticks), ticks[7]


def machine():
    cpu = next((line.split(':')[1].strip() for line in Path('/proc/cpuinfo').read_text().splitlines()
                if line.startswith('model name')), platform.machine())
    revision = subprocess.run(['git', '-C', TOP, 'describe', '--always', '--dirty'], stdout=subprocess.PIPE, text=True)
    return {'cpu': cpu, 'cpus': os.cpu_count(), 'kernel': platform.release(),
            'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2 ** 30, 1),
            'hugepages_2m': int(HUGEPAGES.read_text()), 'tandem': revision.stdout.strip(),
            'when': time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}


def short_of_machine():
    """Why nothing can be measured here; empty: it can."""
    if os.cpu_count() < CPUS_NEEDED:
        return f'{os.cpu_count()} CPU, and generator and device need one each'
    if int(HUGEPAGES.read_text()) < HUGEPAGES_WANTED:
        HUGEPAGES.write_text(str(HUGEPAGES_WANTED))
    if int(HUGEPAGES.read_text()) < HUGEPAGES_WANTED:
        return f'{HUGEPAGES_WANTED} hugepages of 2 MiB are needed, and the kernel gives {HUGEPAGES.read_text().strip()}'
    return ''


def line_of(row):
    value = f'{row.value / 1e6:8.3f} M {row.unit:13}' if row.value else f'{"-":>8}   {row.why:13}'
    spread = f'{row.spread[0] / 1e6:.3f} to {row.spread[1] / 1e6:.3f} M' if row.spread else ''
    return f'{row.system.title:16} {row.kind:15} {row.plot + " " + row.point:22} {value} {spread:18} {row.limited_by}'


def show_progress(row):
    def tried(trial):
        if sys.stderr.isatty():
            state = 'held' if trial.is_good() else f'lost {trial.lost}'
            print(f'\r\x1b[K{row.system.title}, {row.plot} {row.point}: {trial.achieved / 1e6:.3f} M/s {state}',
                  end='', file=sys.stderr, flush=True)
    return tried


def measure_system(kind, wanted, seconds, directory):
    """Rows of one system; returns how it was configured and what it is."""
    system = kind(directory)
    generator = Generator(system, seconds, directory / 'generator.log')
    try:
        system.start()
        for row in wanted:
            try:
                measure(row, system, generator, show_progress(row))
            except (GeneratorFailed, subprocess.SubprocessError, ValueError, KeyError) as error:
                row.why = f'{error}\n{kind.title} said last:\n{system.log_tail()}'
            print(('\r\x1b[K' if sys.stderr.isatty() else '') + line_of(row), flush=True)
        return {'title': kind.title, 'version': system.version(), 'configuration': system.configuration()}
    except (DeviceFailed, OSError) as error:
        for row in wanted:
            row.why = row.why or str(error)
            print(line_of(row), flush=True)
        return {'title': kind.title, 'version': '', 'configuration': '', 'failed': str(error)}
    finally:
        generator.stop()
        system.stop()


def as_json(value):
    if isinstance(value, Trial):
        return {name: getattr(value, name) for name in
                ('achieved', 'lost', 'kept_rate', 'wire_full', 'misdelivered', 'corrupt', 'failed', 'latency_us',
                 'own_turn_us')}
    if isinstance(value, type):
        return value.title
    raise TypeError(type(value))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--only', default='')
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--out', type=Path, default=Path.cwd())
    arguments = parser.parse_args()
    build(RELEASE, PROGRAMS)
    give_back(RELEASE)
    refusal = short_of_machine()
    wanted = [row for row in rows() if (row.is_quick or not arguments.quick)
              and arguments.only in f'{row.system.title} {row.kind} {row.plot} {row.point}']
    seconds = arguments.seconds or (1.5 if arguments.quick else 5)
    before, stolen_before = cpu_ticks()
    directory = Path(tempfile.mkdtemp(prefix='tandem-bench-'))
    systems = []
    try:
        for kind, of_it in groupby(wanted, key=lambda row: row.system):
            of_it = list(of_it)
            if refusal:
                for row in of_it:
                    row.why = refusal
                    print(line_of(row))
            else:
                systems.append(measure_system(kind, of_it, seconds, directory))
    finally:
        shutil.rmtree(directory)
    after, stolen = cpu_ticks()
    report = {'machine': machine(), 'trial_seconds': seconds, 'is_quick': arguments.quick,
              'host_took_percent': round(100 * (stolen - stolen_before) / max(after - before, 1), 2),
              'systems': systems, 'rows': [{field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
                                           for row in wanted]}
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, default=as_json)
    (arguments.out / 'report.json').write_text(text + '\n')
    (arguments.out / 'report.html').write_text(to_html(json.loads(text)))
    print(f'CPU time that the host of this machine took away: {report["host_took_percent"]} %')
    print(f'{arguments.out / "report.html"}, {arguments.out / "report.json"}')
    return 0 if all(row.value for row in wanted) else 1


if __name__ == '__main__':
    sys.exit(main())
