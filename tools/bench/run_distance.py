# SPDX-License-Identifier: Apache-2.0
"""How far apart the CPUs of generator and system are. Whatever goes from one to the other waits for it, and the host of
a virtual machine moves its CPUs about: what was measured at another distance was measured on another machine."""

import subprocess

from builds import RELEASE, program
from run_systems import DEVICE_CPU, GENERATOR_CPU
from scheduling import AT_ONCE

FARTHER = 1.5  # times as far: then a system carries less, whatever it is
SECONDS = 5    # it takes a tenth of one


def line_trip_ns():
    """What a cache line takes from the generator's CPU to the device's and back, whoever polls there; [] where it
    cannot be found out."""
    try:
        return [int(subprocess.run([*AT_ONCE, program(RELEASE, 'line_trip'), str(GENERATOR_CPU), str(DEVICE_CPU)],
                                   stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS).stdout)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def are_alike(trips):
    return not trips or max(trips) <= FARTHER * min(trips)


def in_words(trips):
    """The nanoseconds."""
    if not trips:
        return ''
    return f'{min(trips)} ns' if min(trips) == max(trips) else f'{min(trips)} to {max(trips)} ns'


def line_of_trips(rows):
    """How far apart the CPUs were while each system was measured."""
    by_system = {}
    for row in rows:
        by_system.setdefault(row.system.title, []).extend(trip for one in row.searches for trip in one.trips_ns)
    trips = [trip for its in by_system.values() for trip in its]
    if not trips:
        return 'How far apart the CPUs are was not measured'
    said = f'A cache line went from CPU {GENERATOR_CPU} to CPU {DEVICE_CPU} and back in {in_words(trips)}'
    if are_alike(trips):
        return said
    each = '; '.join(f'{title} {in_words(its)}' for title, its in by_system.items() if its)
    return f'{said}: {each}. ROWS WERE MEASURED ON CPUS OF DIFFERENT DISTANCE'
