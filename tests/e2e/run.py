# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end cases: the real daemon between namespaces, with real clients and servers.

    run.py --build DIR [--workers N] [--only WORD] [--brisk] [--json FILE] [--list]

Prints a line a case. A case passes when it does what it says and packets are conserved afterwards
(received == forwarded + consumed + drops). Needs root.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import cases_admin
import cases_announce
import cases_config_sync
import cases_failover
import cases_faults
import cases_group
import cases_growth
import cases_history
import cases_hostile
import cases_mirror
import cases_operation
import cases_paths
import cases_pktgen
import cases_takeover
import cases_traffic
import cases_translation
import cases_version
import cases_witness
from scheduling import processes_alike
from world import World

# Each in the world that it asks for with WORLD, or the ordinary one.
MODULES = (cases_traffic, cases_translation, cases_operation, cases_admin, cases_hostile,
           cases_mirror, cases_announce, cases_failover, cases_history, cases_faults, cases_takeover,
           cases_version, cases_growth, cases_config_sync, cases_group, cases_paths, cases_witness, cases_pktgen)
CASE_SECONDS = 180


def all_cases():
    """Title, function and world of the public functions case_* of every module, in the order of files."""
    for module in MODULES:
        for name, function in vars(module).items():
            if name.startswith('case_'):
                title = function.__doc__.strip().splitlines()[0].rstrip('.')
                yield title, function, getattr(module, 'WORLD', World)


def alarm(number, frame):
    raise TimeoutError(f'not done after {CASE_SECONDS} s')


def run_case(world, function):
    """None, or what went wrong."""
    signal.alarm(CASE_SECONDS)
    try:
        if not world.alive():
            world.start_device()
        function(world)
        if not world.alive():
            raise RuntimeError('tandemd has ended')
        world.check_conservation()
        return None
    except Exception:
        return traceback.format_exc() + '\ntandemd said last:\n' + world.log_tail()
    finally:
        signal.alarm(0)


def run_all(world, cases):
    """Messages of failed cases by title; prints a line each."""
    failures = {}
    for title, function, _ in cases:
        began = time.monotonic()
        message = run_case(world, function)
        print(f'{"FAIL" if message else "ok  "} {title} ({time.monotonic() - began:.1f} s)', flush=True)
        if message:
            world.recover()
            failures[title] = message
            print(message, flush=True)
    return failures


def run_world(kind, arguments, cases):
    """Opens a world of this kind for its cases; messages of those that failed."""
    directory = tempfile.mkdtemp(prefix='tandem-e2e-')
    world = kind(arguments.build.resolve(), arguments.workers, directory)
    try:
        world.open()
        return run_all(world, cases)
    except Exception:
        traceback.print_exc()
        return dict.fromkeys((title for title, *_ in cases), 'the set-up failed')
    finally:
        world.close()
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', type=Path, help='build directory with tandemd and tandemctl')
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--only', default='', help='cases whose title has this word')
    parser.add_argument('--brisk', action='store_true', help='without cases that mostly wait for timers')
    parser.add_argument('--json', type=Path, help='file for the counts')
    parser.add_argument('--list', action='store_true', help='print the titles and stop')
    arguments = parser.parse_args()
    cases = [case for case in all_cases() if arguments.only in case[0]
             and not (arguments.brisk and getattr(case[1], 'mostly_waits', False))]
    if arguments.list:
        print('\n'.join(title for title, *_ in cases))
        return 0
    if not cases or not arguments.build or os.getuid() != 0:
        sys.exit('needs --build, root and a case to run')
    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    failures = {}
    with processes_alike():
        for kind in dict.fromkeys(world for _, _, world in cases):
            failures.update(run_world(kind, arguments, [case for case in cases if case[2] is kind]))
    print(f'{len(cases) - len(failures)} passed, {len(failures)} failed')
    if arguments.json:
        arguments.json.write_text(json.dumps(
            {'passed': len(cases) - len(failures), 'failed': len(failures)}))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
