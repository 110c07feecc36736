# SPDX-License-Identifier: Apache-2.0
"""Builds and runs every test suite for tools/test, and counts."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from builds import ASAN, RELEASE, SANITIZER_ENVIRONMENT, TOP, TSAN, build, give_back
from scheduling import WHEN_IDLE, processes_alike

# What the end-to-end cases run.
PROGRAMS = ('control/tandemd', 'control/tandem-witness', 'tools/tandemctl/tandemctl',
            'tools/pktgen/tandem-pktgen', 'tests/e2e/tandemd-next')

# The tests that run threads: meson's name of each, and its executable.
THREADED = {room: f'tests/unit/{room}/{room}_test'
            for room in ('config', 'lb', 'neighbour', 'persist', 'unit')}


def all_but_unit_tests(directory):
    """Targets of the build of all that suite 'unit' does not run, after meson setup."""
    targets = json.loads((directory / 'meson-info/intro-targets.json').read_text())
    tests = str(TOP / 'tests' / 'unit')
    return [os.path.relpath(name, directory) for target in targets for name in target['filename']
            if target['build_by_default'] and not target['defined_in'].startswith(tests)]


class Tally:
    """Counts, from any thread."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self._lock = threading.Lock()

    def add(self, title, passed, failed, began, said=''):
        with self._lock:
            self.passed += passed
            self.failed += failed
            count = f'{passed} passed, {failed} failed, ' if passed or failed else ''
            print(f'{said}== {title}: {count}{time.monotonic() - began:.0f} s', flush=True)


def run_build(directory, tally, targets=(), prefix=(), what='all'):
    """Whether it builds; a build that fails counts as one failed test."""
    title = f'build {directory.name}, {what}'
    began = time.monotonic()
    directory.mkdir(exist_ok=True)
    log_path = directory / f'build-{what}.log'
    try:
        with open(log_path, 'w') as log:
            build(directory, targets, log, prefix)
    except (subprocess.CalledProcessError, OSError) as error:
        tally.add(title, 0, 1, began, f'{log_path.read_text()[-6000:]}\n{error}\n')
        return False
    tally.add(title, 0, 0, began)
    return True


def run_meson(directory, arguments, environment, tally, what='suites', prefix=()):
    """Runs meson's tests of `directory`; every result but OK is a failure, a skip too."""
    began = time.monotonic()
    log_path = directory / 'meson-logs' / 'testlog.json'
    log_path.unlink(missing_ok=True)
    subprocess.run([*prefix, 'meson', 'test', '-C', directory, '--no-rebuild', *arguments],
                   env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    results = []
    if log_path.exists():
        results = [json.loads(line) for line in log_path.read_text().splitlines()]
    failures = [result for result in results if result['result'] != 'OK']
    said = ''.join(f'FAILED {result["name"]} ({result["result"]}) in {directory.name}\n'
                   f'{(result.get("stdout", "") + result.get("stderr", ""))[-4000:]}\n'
                   for result in failures)
    if not results:
        said = f'FAILED {directory.name}: meson ran no test\n'
    tally.add(f'{what} of {directory.name}', len(results) - len(failures),
              len(failures) if results else 1, began, said)


def run_end_to_end(directory, workers, environment, tally, options=()):
    """Runs tests/e2e against the daemon of `directory`."""
    began = time.monotonic()
    log_path = directory / f'e2e-{workers}.json'
    log_path.unlink(missing_ok=True)
    subprocess.run(['/usr/bin/python3', TOP / 'tests/e2e/run.py', '--build', directory,
                    '--workers', str(workers), '--json', log_path, *options],
                   env={**os.environ, **environment})
    result = {'passed': 0, 'failed': 1}
    if log_path.exists():
        result = json.loads(log_path.read_text())
    tally.add(f'end to end, {directory.name}, workers {workers}', result['passed'],
              result['failed'], began)


def run_suites(tally, is_released, is_sanitized):
    """All but the end-to-end cases, when the CPU has nothing else to do."""
    patience = ['--timeout-multiplier', '8']
    if is_released and run_build(RELEASE, tally, all_but_unit_tests, WHEN_IDLE):
        run_meson(RELEASE, ['--no-suite', 'unit', *patience], {}, tally, prefix=WHEN_IDLE)
    if is_sanitized and run_build(ASAN, tally, (), WHEN_IDLE):
        # The first two run no program of ours; the gate is counted on its own.
        run_meson(ASAN, ['--no-suite', 'tidy', '--no-suite', 'model', '--no-suite', 'mutation', *patience],
                  SANITIZER_ENVIRONMENT, tally, prefix=WHEN_IDLE)
        run_meson(ASAN, ['--suite', 'mutation', *patience], SANITIZER_ENVIRONMENT, tally,
                  'mutation gate', WHEN_IDLE)
    if run_build(TSAN, tally, THREADED.values(), WHEN_IDLE):
        run_meson(TSAN, [*THREADED, '--timeout-multiplier', '20'],
                  {'TSAN_OPTIONS': 'halt_on_error=1'}, tally, prefix=WHEN_IDLE)


def run_all(tally):
    """The end-to-end cases leave half of the CPU idle: that is where the rest runs, one after the other."""
    is_released = run_build(RELEASE, tally, PROGRAMS, what='programs')
    with ThreadPoolExecutor(1) as idle:
        sanitized = idle.submit(run_build, ASAN, tally, PROGRAMS, WHEN_IDLE, 'programs')
        suites = idle.submit(lambda: run_suites(tally, is_released, sanitized.result()))
        if is_released:
            run_end_to_end(RELEASE, 2, {}, tally)
        if sanitized.result():
            run_end_to_end(ASAN, 1, SANITIZER_ENVIRONMENT, tally, ['--brisk'])
        suites.result()  # raises what they raised


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true')
    quick = parser.parse_args().quick
    tally = Tally()
    if quick:
        if run_build(RELEASE, tally):
            run_meson(RELEASE, [], {}, tally)
    else:
        with processes_alike():
            run_all(tally)
    for directory in (RELEASE, ASAN, TSAN):
        give_back(directory)
    print(f'{tally.passed} passed, {tally.failed} failed')
    return 1 if tally.failed or not tally.passed else 0


if __name__ == '__main__':
    sys.exit(main())
