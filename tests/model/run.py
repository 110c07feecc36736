#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the protocol models with Spin: each must hold, and each known mistake must break it.

    tests/model/run.py [MODEL...]      slotreg, persist, epoch, failover; all when none is named

Prints a line for each run. Exits 1 when a model has an error, a mistake goes unnoticed, a search did
not end, or spin or gcc is missing.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS_MAX = 900
COMPILE = ['gcc', '-w', '-DSAFETY', '-DMEMLIM=4000']  # MB
SEARCH = ['-E', '-m200000', '-w24']  # -E: a process at rest is no error, as faults and changes are bounded

# Model -> scopes without an error; and mistakes, each with the scope that shows it. What a scope does
# not say is the model's default.
MODELS = {
    'slotreg': (
        ['OPS=3 LIM=4', 'OPS=2 LIM=4 RENEWS=1', 'OPS=2 LIM=3 SESSIONS=1',
         'OPS=2 LIM=3 RENEWS=1 VMAX=0', 'PAGES=1 OPS=2 LIM=4', 'PAGES=1 OPS=2 LIM=3 SESSIONS=1'],
        ['BUG_NOVERSION', 'BUG_LOSTREDIRTY', 'BUG_CURSOR', 'BUG_ACKNOSESS SESSIONS=1',
         'BUG_LASTWINS', 'BUG_HOLDERWINS', 'BUG_BOTHLIVE', 'BUG_UPDATEACKED',
         'BUG_NOSWEEP SESSIONS=1', 'BUG_CLOSEDFORGOTTEN PAGES=1']),
    'persist': (
        ['OPS=3 LIM=4', 'OPS=2 LIM=3 SESSIONS=1', 'OPS=3 LIM=4 BUSY=1'],
        ['BUG_ORDER', 'BUG_ORDER BUSY=1', 'BUG_OVERTAKENACKED', 'BUG_LOST', 'BUG_MARK',
         'BUG_RENDEREDTWICE', 'BUG_NOSWEEP SESSIONS=1', 'BUG_ACKNOSESS SESSIONS=1']),
    'epoch': (
        ['MINTS=3'],
        ['BUG_NOID', 'BUG_NORESERVE', 'BUG_NOPERSIST', 'BUG_NODEMOTE']),
    'failover': (
        ['OPS=1'],
        ['BUG_GOEPOCH', 'BUG_NODISCARD', 'BUG_SAMESESSION', 'BUG_GODIRTY', 'REACH']),
}
# Searching the scopes of these takes longer than the optimizer.
LARGE = {'failover'}


def check(model, defines, optimization):
    """(errors or None when the search did not end, states, last words)."""
    with tempfile.TemporaryDirectory(prefix='tandem-model-') as directory:
        for command in (['spin', '-a', *[f'-D{define}' for define in defines.split()],
                         HERE / f'{model}.pml'],
                        [*COMPILE, optimization, 'pan.c', '-o', 'pan'],
                        ['./pan', *SEARCH]):
            done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=SECONDS_MAX)
            text = done.stdout.decode('utf-8', 'replace')
            if done.returncode != 0:
                return None, 0, text
    errors = re.search(r'errors: (\d+)', text)
    states = re.search(r'(\d+) states, stored', text)
    is_cut = re.search(r'max search depth too small|out of memory|reached -DMEMLIM', text)
    violated = re.search(r'pan:\d+: (?!assertion violated)', text)
    if errors is None or states is None or is_cut or violated:
        return None, 0, text
    return int(errors.group(1)), int(states.group(1)), text


def judge(model, defines, is_mistake):
    """Runs one and prints its line; whether it went as it must."""
    began = time.monotonic()
    try:
        # Most are searched sooner than compiled.
        errors, states, text = check(model, defines, '-O2' if model in LARGE and not is_mistake else '-O0')
    except subprocess.TimeoutExpired:
        errors, states, text = None, 0, f'not done after {SECONDS_MAX} s'
    if errors is None:
        verdict, passed = 'NOT RUN', False
    elif is_mistake:
        verdict, passed = ('caught', True) if errors else ('SURVIVED', False)
    else:
        verdict, passed = ('FAILED', False) if errors else ('holds', True)
    seconds = time.monotonic() - began
    print(f'{verdict:8} {model} {defines}: {states} states, {seconds:.1f} s', flush=True)
    if verdict in ('NOT RUN', 'FAILED'):
        print(text[-3000:], flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('models', nargs='*', choices=[*MODELS, []], metavar='MODEL')
    arguments = parser.parse_args()
    missing = [name for name in ('spin', 'gcc') if shutil.which(name) is None]
    if missing:
        print(f'FAILED: not installed: {", ".join(missing)}')
        return 1
    passed = failed = 0
    for model in arguments.models or MODELS:
        scopes, mistakes = MODELS[model]
        for defines, is_mistake in [*((scope, False) for scope in scopes),
                                    *((mistake, True) for mistake in mistakes)]:
            if judge(model, defines, is_mistake):
                passed += 1
            else:
                failed += 1
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
