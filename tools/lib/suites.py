# SPDX-License-Identifier: Apache-2.0
"""Builds and runs every test suite for tools/test, and counts."""

import argparse
import json
import os
import subprocess
import sys
import time

from builds import ASAN, RELEASE, SANITIZER_ENVIRONMENT, TOP, TSAN, build, give_back


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
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def add(self, title, passed, failed, began):
        self.passed += passed
        self.failed += failed
        print(f'== {title}: {passed} passed, {failed} failed, {time.monotonic() - began:.0f} s',
              flush=True)


def run_build(directory, tally, targets=()):
    """Whether it builds; a build that fails counts as one failed test."""
    title = f'build {directory.name}'
    began = time.monotonic()
    directory.mkdir(exist_ok=True)
    log_path = directory / 'build.log'
    try:
        with open(log_path, 'w') as log:
            build(directory, targets, log=log)
    except (subprocess.CalledProcessError, OSError) as error:
        print(log_path.read_text()[-6000:])
        print(error)
        tally.add(title, 0, 1, began)
        return False
    print(f'== {title}: {time.monotonic() - began:.0f} s', flush=True)
    return True


def run_meson(directory, arguments, environment, tally, what='suites'):
    """Runs meson's tests of `directory`; every result but OK is a failure, a skip too."""
    began = time.monotonic()
    log_path = directory / 'meson-logs' / 'testlog.json'
    log_path.unlink(missing_ok=True)
    subprocess.run(['meson', 'test', '-C', directory, '--no-rebuild', *arguments],
                   env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    results = []
    if log_path.exists():
        results = [json.loads(line) for line in log_path.read_text().splitlines()]
    failures = [result for result in results if result['result'] != 'OK']
    for result in failures:
        print(f'FAILED {result["name"]} ({result["result"]}) in {directory.name}')
        print((result.get('stdout', '') + result.get('stderr', ''))[-4000:])
    if not results:
        print(f'FAILED {directory.name}: meson ran no test')
    tally.add(f'{what} of {directory.name}', len(results) - len(failures),
              len(failures) if results else 1, began)


def run_end_to_end(directory, workers, environment, tally, only=()):
    """Runs tests/e2e against the daemon of `directory`."""
    began = time.monotonic()
    log_path = directory / f'e2e-{workers}.json'
    log_path.unlink(missing_ok=True)
    subprocess.run(['/usr/bin/python3', TOP / 'tests/e2e/run.py', '--build', directory,
                    '--workers', str(workers), '--json', log_path, *only],
                   env={**os.environ, **environment})
    result = {'passed': 0, 'failed': 1}
    if log_path.exists():
        result = json.loads(log_path.read_text())
    tally.add(f'end to end, {directory.name}, workers {workers}', result['passed'],
              result['failed'], began)


def run_all(tally):
    released = run_build(RELEASE, tally, all_but_unit_tests)
    if released:
        run_meson(RELEASE, ['--no-suite', 'unit'], {}, tally)
    sanitized = run_build(ASAN, tally)
    if sanitized:
        # The first two run no program of ours; the gate is counted on its own.
        run_meson(ASAN, ['--no-suite', 'tidy', '--no-suite', 'model', '--no-suite', 'mutation',
                         '--timeout-multiplier', '4'], SANITIZER_ENVIRONMENT, tally)
        run_meson(ASAN, ['--suite', 'mutation', '--timeout-multiplier', '4'],
                  SANITIZER_ENVIRONMENT, tally, 'mutation gate')
    if run_build(TSAN, tally, THREADED.values()):
        run_meson(TSAN, [*THREADED, '--timeout-multiplier', '10'],
                  {'TSAN_OPTIONS': 'halt_on_error=1'}, tally)
    if released:
        run_end_to_end(RELEASE, 2, {}, tally)
    if sanitized:
        run_end_to_end(ASAN, 1, SANITIZER_ENVIRONMENT, tally)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true')
    quick = parser.parse_args().quick
    tally = Tally()
    if quick:
        if run_build(RELEASE, tally):
            run_meson(RELEASE, [], {}, tally)
    else:
        run_all(tally)
    for directory in (RELEASE, ASAN, TSAN):
        give_back(directory)
    print(f'{tally.passed} passed, {tally.failed} failed')
    return 1 if tally.failed or not tally.passed else 0


if __name__ == '__main__':
    sys.exit(main())
