#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mutation gate: whether the simulator is strong enough to be trusted.

Builds it once with every known mistake inside (dataplane/base/mutation.h, option `mutation`), runs it
without any, which must pass, and once for each mistake, which must fail within the seeds of CI. A
mistake that nobody makes in the code, or that survives, fails the gate.

    tests/sim/mutations.py [--build DIR] [--jobs N] [NAME...]

Without --build, a build directory of its own is made and removed again.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LIST = TOP / 'dataplane/base/mutation.h'
SECONDS_MAX = 600


def mutations():
    """Names and what they are, in the order of the list."""
    return re.findall(r'X\((k\w+),\s*"([^"]*)"\)', LIST.read_text())


def made():
    """The names that the code asks for."""
    names = set()
    for path in (TOP / 'dataplane').rglob('*.*'):
        if path.suffix in ('.h', '.cc') and path != LIST:
            names.update(re.findall(r'Mutation::(k\w+)', path.read_text()))
    return names


def run(program, name):
    """Whether the simulator noticed, its last words, and how long it took."""
    environment = {**os.environ, 'TANDEM_SIM_FRESH': '0'}
    if name:
        environment['TANDEM_MUTATION'] = name
    began = time.monotonic()
    try:
        done = subprocess.run([program, '--abort'], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS_MAX)
        noticed = done.returncode != 0
        text = done.stdout.decode('utf-8', 'replace')
    except subprocess.TimeoutExpired:
        noticed, text = True, 'took too long'
    return noticed, text, time.monotonic() - began


def why(text):
    """The line of a failed run that says what was violated."""
    for line in text.splitlines():
        if re.search(r'\bI\d+\b|audit|rig:|assert|Assertion|took too long|SIG', line):
            return line.strip()[:150]
    return text.strip().splitlines()[-1][:150] if text.strip() else ''


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', type=Path)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('names', nargs='*')
    arguments = parser.parse_args()
    directory = arguments.build or TOP / 'build-mutation'
    if not (directory / 'build.ninja').exists():
        subprocess.run(['meson', 'setup', directory, TOP, '--buildtype=debugoptimized',
                        '-Dmutation=true'], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', directory, 'tests/sim/sim_test'], check=True,
                   stdout=subprocess.DEVNULL)
    program = directory / 'tests/sim/sim_test'

    failures = 0
    known = made()
    wanted = [(name, what) for name, what in mutations()
              if not arguments.names or name in arguments.names]
    noticed, text, seconds = run(program, '')
    print(f'{"FAILED" if noticed else "ok":8} without a mistake ({seconds:.0f} s)')
    if noticed:
        print(text[-3000:])
        failures += 1
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(lambda one: run(program, one[0]) if one[0] in known else None, wanted)
        for (name, what), result in zip(wanted, results):
            if result is None:
                print(f'MISSING  {name}: nobody makes it: {what}')
                failures += 1
            elif result[0]:
                print(f'caught   {name} ({result[2]:.0f} s): {why(result[1])}')
            else:
                print(f'SURVIVED {name} ({result[2]:.0f} s): {what}')
                failures += 1
            sys.stdout.flush()
    if arguments.build is None:
        shutil.rmtree(directory)
    print(f'{len(wanted) + 1 - failures} passed, {failures} failed')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
