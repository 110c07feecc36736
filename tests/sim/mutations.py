#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mutation gate: whether the tests are strong enough to be trusted.

A build with the option `mutation` can make mistakes that others shipped, or that takeover has rules against
(dataplane/base/mutation.h), one at a time. The simulator has to notice each within the fixed seeds that it
runs anyway, or a unit test of dataplane/ha or dataplane/unit. A mistake that survives, or that nobody
makes in the code, fails the gate.

    tests/sim/mutations.py [NAME...] --programs \\
        build-asan/tests/{sim/sim_test,sim/ha_sim_test,unit/ha/ha_test,unit/unit/pair_test}

Each mistake is tried where it is known to show soon; when it does not show there, in all tests of the
programs, and then a line says that the table below is out of date.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LIST = TOP / 'dataplane/base/mutation.h'
SECONDS_MAX = 900
NO_SUCH_MUTATION = 64  # made_mutation.cc

# Where a mistake shows soon: the program, the test, and the seed where it tries several.
SMALL, WHOLE = ('sim_test', 'small world: seeds'), ('sim_test', 'whole world: seeds')
TAKEOVER = ('ha_sim_test', 'takeover: seeds')
SHOWS_IN = {
    'kNoVersionCheck': (*SMALL, 1),
    'kNoRedirty': (*SMALL, 1),
    'kCursorOffByOne': ('sim_test', 'row 32: a first pass*'),
    'kAckOfAnySession': (*SMALL, 1),
    'kAnyEpoch': (*SMALL, 1),
    'kAgeShadow': ('sim_test', 'row 13: ages*'),
    'kEarlyInSync': ('sim_test', 'row 27: a path*'),
    'kShortLength': (*SMALL, 2),
    'kOldBytes': (*SMALL, 1),
    'kLostIsKnown': (*SMALL, 2),
    'kNoBirthRule': (*SMALL, 2),
    'kNoSweep': (*SMALL, 3),
    'kSharedPorts': ('sim_test', 'row 26: *'),
    'kBirthRestarts': (*WHOLE, 2),
    'kEarlyUpdate': (*SMALL, 22),
    'kPageNotHeld': (*SMALL, 1),
    'kPersistUnordered': ('sim_test', 'small world: records', 1),
    'kNoUnmirror': (*WHOLE, 3),
    'kUndurableEpoch': ('ha_sim_test', 'takeover: new devices that die*'),
    'kNoFence': ('ha_sim_test', 'takeover: a device that was stopped*'),
    'kLowerEpochActs': ('ha_sim_test', 'takeover: a device that was stopped*'),
    'kFloorForgotten': ('ha_test', 'standby: an epoch below*'),
    'kOldGo': ('ha_test', 'target: GO that may be older*'),
    'kGoOfAnotherRun': ('ha_test', 'target: GO for another*'),
    'kStalledPromotes': (*TAKEOVER, 4),
    'kUnsyncedFirst': ('ha_test', 'takeover: in sync comes first*'),
    'kNoLease': ('ha_sim_test', 'takeover: with a witness*'),
    'kEarlyDrained': ('ha_sim_test', 'takeover: a planned switchover*'),
    'kAlwaysWarm': ('ha_sim_test', 'takeover: kill the active one*'),
    'kOldRunHeard': (*TAKEOVER, 10),
    'kNoAnnounce': ('ha_sim_test', 'takeover: devices that boot agree*'),
    'kForcedForgotten': ('ha_sim_test', 'takeover: forced offline lasts*'),
    'kToldBeforeSilent': ('pair_test', 'takeover: who says*'),
}


def mutations():
    """Names and what they are, in the order of the list."""
    return dict(re.findall(r'X\((k\w+),\s*"([^"]*)"\)', LIST.read_text()))


def made():
    """The names that the code asks for."""
    names = set()
    for path in (TOP / 'dataplane').rglob('*.*'):
        if path.suffix in ('.h', '.cc') and path != LIST:
            names.update(re.findall(r'Mutated\(Mutation::(k\w+)\)', path.read_text()))
    return names


def run(program, name, test='', seed=None):
    """Whether the program noticed, and its words."""
    environment = {**os.environ, 'TANDEM_SIM_FRESH': '0', 'TANDEM_MUTATION': name}
    if seed is not None:
        environment['TANDEM_SIM_SEED'] = str(seed)
    command = [program, '--abort', *([test] if test else [])]
    try:
        done = subprocess.run(command, env=environment, cwd=TOP, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return True, 'took too long'
    text = done.stdout.decode('utf-8', 'replace')
    if done.returncode == NO_SUCH_MUTATION:
        sys.exit(text.strip())
    return done.returncode != 0, text


def why(text):
    """What was violated, of a failed run."""
    said = re.search(r'^explicitly with messages?:\n(?: *seed \d+\n)?(.+)$', text, re.MULTILINE)
    if said:
        return said[1].strip()[:150]
    checked = re.search(r'^ +((?:CHECK|REQUIRE)\w*\(.+)$', text, re.MULTILINE)
    if checked:
        return checked[1][:150]
    for line in text.splitlines():
        if re.search(r'rig:|[Aa]ssert|REQUIRE|runtime error|Sanitizer|took too long', line):
            return line.strip()[:150]
    return text.strip().splitlines()[-1][:150] if text.strip() else ''


def where(text):
    """The test and the seed of a failed run."""
    test = re.search(r'^-{20,}\n(.+)\n-{20,}$', text, re.MULTILINE)
    seed = re.search(r'^ *seed (\d+)$', text, re.MULTILINE)
    return (test[1] if test else '?') + (f', seed {seed[1]}' if seed else '')


def try_one(programs, name, what):
    """Whether the mistake is caught; prints a line."""
    if name not in made():
        print(f'MISSING  {name}: nobody makes it: {what}')
        return False
    began = time.monotonic()
    noticed, text, note = False, '', ''
    if name in SHOWS_IN:
        program, *place = SHOWS_IN[name]
        noticed, text = run(programs[program], name, *place)
    for program in () if noticed else programs.values():
        noticed, text = run(program, name)
        note = f', in {where(text)}: SHOWS_IN is out of date'
        if noticed:
            break
    seconds = time.monotonic() - began
    if not noticed:
        print(f'SURVIVED {name} ({seconds:.0f} s): {what}')
        return False
    print(f'caught   {name} ({seconds:.0f} s{note}): {why(text)}')
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME')
    parser.add_argument('--programs', type=Path, required=True, nargs='+',
                        help='the test programs of a build with the option mutation')
    arguments = parser.parse_args()
    known = mutations()
    if not set(arguments.names) <= set(known):
        parser.error('no such mutation')
    programs = {program.name: program.resolve() for program in arguments.programs}
    results = [try_one(programs, name, known[name]) for name in arguments.names or known]
    return 0 if all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
