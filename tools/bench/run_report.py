# SPDX-License-Identifier: Apache-2.0
"""Measures for tools/bench/run: a line for each figure as it is found, then the aims, report.json and report.html."""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools/lib'))

from builds import RELEASE, build, give_back  # noqa: E402  (the path above comes first)
from failover_report import cpu_ticks  # noqa: E402
from run_aims import aims  # noqa: E402
from run_distance import line_of_trips  # noqa: E402
from run_elsewhere import elsewhere, on_ports, rows_of  # noqa: E402
from run_extras import PROGRAMS as EXTRA_PROGRAMS, groups  # noqa: E402
from run_generator import Trial  # noqa: E402
from run_html import to_html  # noqa: E402
from run_rows import Searched, rows  # noqa: E402
from run_sittings import Sittings, line_of  # noqa: E402
from run_systems import GENERATOR_CPU  # noqa: E402
from scheduling import processes_alike  # noqa: E402

PROGRAMS = ['control/tandemd', 'tools/tandemctl/tandemctl', 'tools/pktgen/tandem-pktgen', 'tools/bench/line_trip']
HUGEPAGES = Path('/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages')
HUGEPAGES_WANTED = 3072
CPUS_NEEDED = 2
ELSEWHERE_PROGRAMS = ['tools/pktgen/tandem-pktgen']  # for a device that is on another machine


def machine():
    cpu = next((line.split(':')[1].strip() for line in Path('/proc/cpuinfo').read_text().splitlines()
                if line.startswith('model name')), platform.machine())
    revision = subprocess.run(['git', '-C', TOP, 'describe', '--always', '--dirty'], stdout=subprocess.PIPE, text=True)
    return {'cpu': cpu, 'cpus': os.cpu_count(), 'kernel': platform.release(),
            'processes_before': round(os.getloadavg()[0], 1),
            'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2 ** 30, 1),
            'hugepages_2m': int(HUGEPAGES.read_text()), 'tandem': revision.stdout.strip(),
            'when': time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}


def short_of_machine(is_here):
    """Why nothing can be measured here; empty: it can. `is_here`: the device is to run here, too."""
    if is_here and os.cpu_count() < CPUS_NEEDED:
        return f'{os.cpu_count()} CPU, and generator and device need one each'
    if int(HUGEPAGES.read_text()) < HUGEPAGES_WANTED:
        HUGEPAGES.write_text(str(HUGEPAGES_WANTED))
    if int(HUGEPAGES.read_text()) < HUGEPAGES_WANTED:
        return f'{HUGEPAGES_WANTED} hugepages of 2 MiB are needed, and the kernel gives {HUGEPAGES.read_text().strip()}'
    return ''


@contextlib.contextmanager
def timed(parts, title):
    """Notes how long what is within takes, in all that has the title."""
    began = time.monotonic()
    try:
        yield
    finally:
        part = next((one for one in parts if one['title'] == title), None)
        if part is None:
            parts.append(part := {'title': title, 'seconds': 0.0})
        part['seconds'] = round(part['seconds'] + time.monotonic() - began, 1)


def line_of_figure(group, figure):
    unit = figure.unit or 'count'
    value = f'{figure.median:10.2f} {unit:13}' if figure.values else f'{"-":>10} {figure.why}'
    spread = f'{min(figure.values):.2f} to {max(figure.values):.2f}' if len(figure.values) > 1 else ''
    return f'{group.title + ": " + figure.name:64} {value} {spread}'


def measure_group(group, is_quick, directory, refusal):
    if refusal:
        for figure in group.figures:
            figure.why = refusal
    else:
        group.run(is_quick, directory)
    for figure in group.figures:
        print(line_of_figure(group, figure), flush=True)


def verdict(aim):
    if not aim.is_comparable:
        return 'not comparable'
    return 'not measured' if aim.value is None else 'met' if aim.is_met else 'MISSED'


def line_of_aim(aim):
    value = '-' if aim.value is None else f'{aim.value:.2f} {aim.unit}'
    return f'{verdict(aim):14} {aim.text:74} {value:>12}  {aim.how}'


def line_of_parts(parts):
    whole = sum(part['seconds'] for part in parts)
    return f'{whole:.0f} seconds: ' + ', '.join(f'{part["title"]} {part["seconds"]:.0f}' for part in parts)


def end_in_order(number, _frame):
    """So that what was started is stopped, and what was set is put back."""
    raise SystemExit(128 + number)


def as_json(value):
    if isinstance(value, Trial):
        return {name: getattr(value, name) for name in
                ('asked', 'achieved', 'sent', 'lost', 'kept_rate', 'wire_full', 'misdelivered', 'corrupt', 'failed',
                 'latency_us', 'own_turn_us')}
    if isinstance(value, Searched):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, type):
        return value.title
    raise TypeError(type(value))


def measure_all(wanted, extras, seconds, is_quick, refusal, parts):
    """Fills rows and figures in, and how long each part took; returns what the systems were."""
    directory = Path(tempfile.mkdtemp(prefix='tandem-bench-'))
    sittings = Sittings(seconds, is_quick, directory, lambda title: timed(parts, title))
    try:
        if refusal:
            for row in wanted:
                row.why = refusal
                print(line_of(row))
        else:
            sittings.run(wanted)
        for group in extras:
            with timed(parts, group.title):
                measure_group(group, is_quick, directory, refusal)
    finally:
        shutil.rmtree(directory)
    return list(sittings.systems.values())


def report_of(wanted, extras, found):
    """The part of the report that is figures."""
    return {'rows': [{field.name: getattr(row, field.name) for field in dataclasses.fields(row)} for row in wanted],
            'groups': [{'title': group.title, 'says': group.says,
                        'figures': [{**dataclasses.asdict(one), 'median': one.median} for one in group.figures]}
                       for group in extras],
            'aims': [{**dataclasses.asdict(aim), 'verdict': verdict(aim)} for aim in found]}


def is_complete(wanted, extras):
    return (all(row.value for row in wanted)
            and all(one.values or one.may_lack for group in extras for one in group.figures))


def write(report, out):
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, default=as_json)
    (out / 'report.json').write_text(text + '\n')
    (out / 'report.html').write_text(to_html(json.loads(text)))
    print(f'{out / "report.html"}, {out / "report.json"}')


def parse_arguments():
    parser = argparse.ArgumentParser(prog='run')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--only', default='')
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--out', type=Path, default=Path.cwd())
    parser.add_argument('--client_port')
    parser.add_argument('--server_port')
    parser.add_argument('--core', type=int, default=GENERATOR_CPU)
    parser.add_argument('--device_configuration', nargs=2, metavar='PORT')
    arguments = parser.parse_args()
    if (arguments.client_port is None) != (arguments.server_port is None):
        parser.error('--client_port and --server_port go together')
    return arguments


def setting(arguments):
    if arguments.client_port is None:
        return 'Generator and system have one core each and are joined by memif, where nothing else is said.'
    return (f'The generator has CPU {arguments.core} of this machine and its ports {arguments.client_port} and '
            f'{arguments.server_port}; the system is between them, on another one.')


def main():
    arguments = parse_arguments()
    if arguments.device_configuration:
        print(on_ports(*arguments.device_configuration), end='')
        return 0
    is_here = arguments.client_port is None
    signal.signal(signal.SIGTERM, end_in_order)
    parts = []
    with timed(parts, 'Build'):
        build(RELEASE, PROGRAMS + EXTRA_PROGRAMS if is_here else ELSEWHERE_PROGRAMS)
        give_back(RELEASE)
    refusal = short_of_machine(is_here)
    if is_here:
        all_rows, all_groups = rows(), groups()
    else:
        all_rows, all_groups = rows_of(elsewhere(arguments.client_port, arguments.server_port, arguments.core)), []
    wanted = [row for row in all_rows if (row.is_quick or not arguments.quick)
              and arguments.only in f'{row.system.title} {row.kind} {row.plot} {row.point}']
    extras = [group for group in (one.only(arguments.quick, arguments.only) for one in all_groups) if group.figures]
    seconds = arguments.seconds or (0.4 if arguments.quick else 5)
    its = machine()
    before, stolen_before = cpu_ticks()
    with processes_alike():
        systems = measure_all(wanted, extras, seconds, arguments.quick, refusal, parts)
    after, stolen = cpu_ticks()
    host_took = round(100 * (stolen - stolen_before) / max(after - before, 1), 2)
    found = aims(wanted, extras) if is_here else []
    for aim in found:
        if aim.value is not None or not arguments.only:
            print(line_of_aim(aim))
    print(line_of_parts(parts))
    line_trips = line_of_trips(wanted)
    print(line_trips)
    print(f'CPU time that the host of this machine took away: {host_took} %')
    write({'machine': its, 'trial_seconds': seconds, 'is_quick': arguments.quick, 'host_took_percent': host_took,
           'took_seconds': round(sum(part['seconds'] for part in parts)), 'parts': parts, 'systems': systems,
           'line_trips': line_trips, 'setting': setting(arguments),
           **report_of(wanted, extras, found)}, arguments.out)
    return 0 if is_complete(wanted, extras) else 1


if __name__ == '__main__':
    sys.exit(main())
