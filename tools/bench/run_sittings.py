# SPDX-License-Identifier: Apache-2.0
"""Who is measured when in tools/bench/run: sittings, each a system that is started, measured and stopped.

Rows that are set against each other come first, in rounds in which their systems take turns, so that what a ratio is
made of was measured within minutes: once when it has to be quick, three times otherwise. A search under which the CPUs
moved is given up and made again, and rows of which no round had the CPUs equally far apart get more rounds, while there
is time.

What opens connections sits alone: a flow table that other rows have filled has no room for them."""

import subprocess
import sys
import time
from itertools import groupby

from run_distance import in_words, line_trip_ns
from run_generator import Generator, GeneratorFailed
from run_pairs import is_compared, key_of, lacking
from run_rows import Searched, measure
from run_systems import DeviceFailed

ROUNDS, QUICK_ROUNDS = 3, 1
MORE_ROUNDS = 2  # at most
AGAIN = 2        # at most, for a search under which the CPUs moved
LOOK_SECONDS = 5  # how often it is looked whether they did
SPARE, QUICK_SPARE = 400, 45  # seconds for both


def line(row, value, found, its):
    """`found`: the row or a search of it, which came to `value`, of the searches `its`."""
    said = f'{value / 1e6:8.3f} M {row.unit:13}' if value else f'{"-":>8}   {found.why:13}'
    spread = f'{found.spread[0] / 1e6:.3f} to {found.spread[1] / 1e6:.3f} M' if found.spread else ''
    trips = in_words([trip for one in its for trip in one.trips_ns])
    more = f', median of {len(its)}' if len(its) > 1 else ''
    return (f'{row.system.title:16} {row.kind:15} {row.plot + " " + row.point:22} {said} {spread:18} '
            f'{found.limited_by:9} {trips}{more}'.rstrip())


def line_of(row):
    return line(row, row.value, row, row.figured())


def say(text):
    print(('\r\x1b[K' if sys.stderr.isatty() else '') + text, flush=True)


def show_progress(row):
    def tried(trial):
        if sys.stderr.isatty():
            state = 'held' if trial.is_good() else f'lost {trial.lost}'
            print(f'\r\x1b[K{row.system.title}, {row.plot} {row.point}: {trial.achieved / 1e6:.3f} M/s {state}',
                  end='', file=sys.stderr, flush=True)
    return tried


def trips_ns(row):
    return line_trip_ns() if row.system.is_here else []


class CpusMoved(Exception):
    """What is being measured is worth nothing."""


def watch(row, found, may_give_up):
    """What a search calls after each trial."""
    show, looked = show_progress(row), time.monotonic()

    def tried(trial):
        nonlocal looked
        show(trial)
        if time.monotonic() < looked + LOOK_SECONDS:
            return
        found.trips_ns += trips_ns(row)
        looked = time.monotonic()
        if may_give_up and not found.is_steady():
            raise CpusMoved('CPUs moved')
    return tried


def search(row, system, generator, found, is_quick, may_give_up):
    """One, with the CPUs' distance before and after."""
    began = time.monotonic()
    found.trips_ns += trips_ns(row)
    try:
        measure(row, generator, watch(row, found, may_give_up), is_quick, found)
        found.trips_ns += trips_ns(row)
    except (GeneratorFailed, subprocess.SubprocessError, ValueError, KeyError) as error:
        found.why = f'{error}\n{row.system.title} said last:\n{system.log_tail()}'
    except CpusMoved as error:
        found.why = str(error)
    found.took_seconds = round(time.monotonic() - began, 1)


class Sittings:
    """`timed` notes how long a system took: a context manager, given its title."""

    def __init__(self, seconds, is_quick, directory, timed):
        self.seconds = seconds
        self.is_quick = is_quick
        self.directory = directory
        self.timed = timed
        self.systems = {}  # what they were, by title
        self.spare = QUICK_SPARE if is_quick else SPARE

    def run(self, wanted):
        """Fills the rows in."""
        compared = [row for row in wanted if is_compared(row)]
        rounds = QUICK_ROUNDS if self.is_quick else ROUNDS
        for number in range(rounds):
            self._round(compared, number)
        for number in range(rounds, rounds + MORE_ROUNDS):
            began = time.monotonic()
            again = self._affordable(lacking(compared))
            self._round([row for row in compared if key_of(row) in again], number)
            self.spare -= time.monotonic() - began
        for row in compared:
            if len(row.counted()) > 1:
                say(line_of(row))
        self._round([row for row in wanted if not is_compared(row)], 0)

    def _affordable(self, some_pairs):
        """Keys of the rows of as many pairs as can be measured again in the time that there is."""
        again, left = set(), self.spare
        for pair in some_pairs:
            left -= sum(row.searches[-1].took_seconds for row in pair)
            if left > 0:
                again |= {key_of(row) for row in pair}
        return again

    def _round(self, some, number):
        for (kind, _), its in groupby(some, key=lambda row: (row.system, row.plot == 'new connections')):
            with self.timed(kind.title):
                self._sit(kind, list(its), number)

    def _sit(self, kind, its, number):
        system = kind(self.directory)
        generator = Generator(system, self.seconds, self.directory / 'generator.log')
        said = {'title': kind.title, 'version': '', 'configuration': ''}
        try:
            system.start()
            for row in its:
                self._search(row, system, generator, number)
            said.update(version=system.version(), configuration=system.configuration())
        except (DeviceFailed, OSError) as error:
            said['failed'] = str(error)
            for row in its:
                row.why = '' if row.value else row.why or str(error)
                say(line_of(row))
        finally:
            generator.stop()
            system.stop()
            if not self.systems.get(kind.title, {}).get('version'):
                self.systems[kind.title] = said

    def _search(self, row, system, generator, number):
        for attempt in range(1 + AGAIN):
            found = Searched(number)
            may_repeat = attempt < AGAIN and self.spare > 0
            row.searches.append(found)
            search(row, system, generator, found, self.is_quick, may_repeat)
            row.conclude()
            say(line(row, found.rate, found, [found]))
            if attempt > 0:
                self.spare -= found.took_seconds
            if found.is_steady() or not may_repeat:
                break
