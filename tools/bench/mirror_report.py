# SPDX-License-Identifier: Apache-2.0
"""Runs the mirroring benchmarks for tools/bench/mirror and puts their figures into one table."""

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / 'tools/lib'))

from builds import RELEASE, build, give_back, program  # noqa: E402  (the path above comes first)

PROGRAMS = ('mirror_bench', 'mirror_apply_bench', 'mirror_pair')
NUMBER = r'\s*(-?[\d.]+)'

# Figure, unit, aim: (at most | at least, number) or nothing; the benchmark, its counter.
FRAMES = [
    ('encode a mixed delta', 'ns', None, 'Encode/Ipv4/mixed', 'time_per_delta'),
    ('encode and seal, 1500-byte packets', 'ns', None, 'EncodeAndSeal/Ipv4/mixed/1500', 'time_per_delta'),
    ('encode and seal, 9000-byte packets', 'ns', None, 'EncodeAndSeal/Ipv4/mixed/9000', 'time_per_delta'),
    ('open and decode, 1500-byte packets', 'ns', None, 'OpenAndDecode/Ipv4/mixed/1500', 'time_per_delta'),
    ('open and decode, 9000-byte packets', 'ns', None, 'OpenAndDecode/Ipv4/mixed/9000', 'time_per_delta'),
    ('bytes of a create', 'bytes', ('<=', 28), 'Encode/Ipv4/create', 'bytes_per_delta'),
    ('bytes of a mixed delta', 'bytes', ('<=', 18), 'Encode/Ipv4/mixed', 'bytes_per_delta'),
]
APPLY = [
    ('apply a create, 1 M slots', 'ns', None, 'Apply/Ipv4/create/1400/1048576', 'ns_per_delta'),
    ('apply a mixed delta, 1 M slots', 'ns', None, 'Apply/Ipv4/mixed/1400/1048576', 'ns_per_delta'),
    ('apply a mixed delta, 4 M slots', 'ns', None, 'Apply/Ipv4/mixed/1400/4194304', 'ns_per_delta'),
]


def run(name, *arguments):
    """The standard output of a benchmark."""
    return subprocess.run([program(RELEASE, name), *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def counters(name, rows):
    """Figures of a google-benchmark program."""
    wanted = '|'.join(sorted({re.escape(row[3]) for row in rows}))
    text = run(name, f'--benchmark_filter=^({wanted})(/manual_time|/min_time.*)*$',
               '--benchmark_format=json')
    # Anything behind the document is for people.
    found, _ = json.JSONDecoder().raw_decode(text[text.index('{'):])
    by_name = {}
    for entry in found['benchmarks']:
        for row in rows:
            if entry['name'] == row[3] or entry['name'].startswith(row[3] + '/'):
                by_name[row[3]] = entry
    # google-benchmark's own times are seconds.
    return {row[0]: by_name[row[3]][row[4]] * (1e9 if row[4] == 'time_per_delta' else 1)
            for row in rows}


def cost(word=''):
    """Of scenarios with the word in their name."""
    figures = {}
    for line in run('mirror_pair', 'cost', word).splitlines():
        match = re.match(rf'(.+?)\s+off{NUMBER} ns\s+on{NUMBER} ns\s+speed{NUMBER} %', line)
        if match:
            figures[f'on, of off: {match[1]}'] = float(match[4])
            figures[f'on: {match[1]}'] = float(match[3])
    return figures


def lag():
    figures = {}
    for match in re.finditer(rf'(\d+) connections/s: lag p50{NUMBER} ms, p99{NUMBER} ms',
                             run('mirror_pair', 'lag')):
        figures[f'lag p50, {match[1]} connections/s'] = float(match[2])
        figures[f'lag p99, {match[1]} connections/s'] = float(match[3])
    return figures


def bulk():
    figures = {}
    for match in re.finditer(rf'(\d+) flows, .*proved equal after{NUMBER} ms',
                             run('mirror_pair', 'bulk')):
        figures[f'bulk of {int(match[1]):,} connections'] = float(match[2])
    return figures


def unit_and_aim(name):
    for row in FRAMES + APPLY:
        if row[0] == name:
            return row[1], row[2]
    if name.startswith('on, of off: established'):
        return '%', ('>=', 98)
    if name.startswith('on, of off'):
        return '%', ('>=', 90)
    if name.startswith('on: '):
        return 'ns', None
    if name.startswith('lag p99'):
        return 'ms', ('<', 1)
    if name.startswith('bulk'):
        count = int(re.sub(r'\D', '', name))
        return 'ms', ('<', 1000 if count <= 1_000_000 else 2000)
    return 'ms', None


def is_met(aim, value):
    sign, number = aim
    return {'<=': value <= number, '<': value < number, '>=': value >= number}[sign]


def main():
    parser = argparse.ArgumentParser(prog='mirror')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error('--runs wants 1 or more')
    try:
        build(RELEASE, [f'tools/bench/{name}' for name in PROGRAMS], log=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        sys.exit(f'mirror: cannot build: {error}')
    give_back(RELEASE)

    samples = {}
    for number in range(arguments.runs):
        for what, measure in (('frames', lambda: counters('mirror_bench', FRAMES)),
                              ('apply', lambda: counters('mirror_apply_bench', APPLY)),
                              ('cost', cost), ('lag', lag), ('bulk', bulk)):
            print(f'run {number + 1} of {arguments.runs}: {what}', file=sys.stderr, flush=True)
            figures = measure()
            if not figures:
                sys.exit(f'mirror: {what} printed no figure')
            for name, value in figures.items():
                samples.setdefault(name, []).append(value)

    width = max(map(len, samples))
    print(f'{"":{width}}  {"median":>10} {"lowest":>10} {"highest":>10}  {"unit":6} aim')
    result = []
    for name, values in samples.items():
        unit, aim = unit_and_aim(name)
        median = statistics.median(values)
        said = '' if aim is None else \
            f'{aim[0]} {aim[1]}: {"met" if is_met(aim, median) else "MISSED"}'
        print(f'{name:{width}}  {median:10.2f} {min(values):10.2f} {max(values):10.2f}  '
              f'{unit:6} {said}'.rstrip())
        result.append({'name': name, 'unit': unit, 'median': median, 'values': values,
                       'aim': None if aim is None else ' '.join(map(str, aim))})
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
    main()
