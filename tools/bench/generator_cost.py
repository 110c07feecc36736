#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tandem-pktgen itself takes for a request: as many as it can, in turns with another build of it, without a
device (--loopback) and over memif in front of dpdk-testpmd and tandemd. Medians, a line a figure.

usage: sudo /usr/bin/python3 tools/bench/generator_cost.py [--against PROGRAM] [--runs N] [--seconds S] [--only WORD]

Needs what tools/bench/run installs and builds, and hugepages. Where its core was not busy all the time, the device
was at its end, not the generator."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / 'lib')]

from builds import RELEASE, program  # noqa: E402
from run_generator import Generator, trial_of, words  # noqa: E402
from run_systems import CLIENTS, GENERATOR_CPU, SERVERS, MacSwap, Tandem  # noqa: E402
from scheduling import URGENT, processes_alike  # noqa: E402

PATIENCE_SECONDS = 120


@dataclass
class Scene:
    """One load. Without a system, the generator is its own other end."""

    title: str
    system: type | None
    kind: str
    flags: dict = field(default_factory=dict)


def scenes():
    loads = [('1 k flows', {'flows': 1000}), ('1 M flows', {'flows': 1_000_000}),
             ('1 k flows, 1518 bytes', {'flows': 1000, 'frame_size': 1518}),
             ('1 k flows, IMIX', {'flows': 1000, 'frame_size': 'imix'})]
    made = [Scene(f'{name}, {load}', system, kind, flags)
            for name, system, kind in (('loopback', None, ''), ('testpmd macswap', MacSwap, 'wire'),
                                       ('tandemd', Tandem, 'full NAT'))
            for load, flags in loads]
    return made + [Scene('loopback, TCP, 1 k flows', None, '', {'flows': 1000, 'protocol': 'tcp'})]


def loopback_trial(path, seconds, flags):
    wanted = {'loopback': True, 'virtual': '198.18.255.1:7', 'clients': CLIENTS, 'servers': '198.18.255.1,' + SERVERS,
              'core': GENERATOR_CPU, 'open_per_second': 1_000_000, 'warm_up_s': 0.3, 'duration_s': seconds, 'json': '-',
              **flags}
    output = subprocess.run([*URGENT, str(path), *words(wanted)], stdout=subprocess.PIPE, check=True,
                            timeout=PATIENCE_SECONDS).stdout
    return trial_of(json.loads(output))


def wire_trials(scene, paths, runs, seconds):
    """Lists of trials, by program. A generator that leaves takes a device that polls with it, so each program has a
    device of its own each time."""
    trials = {path: [] for path in paths}
    for _ in range(runs):
        for path in paths:
            with tempfile.TemporaryDirectory() as directory:
                system = scene.system(directory)
                system.start()
                generator = Generator(system, seconds, Path(directory) / 'generator.log', path)
                try:
                    opens = 200_000 if scene.system is Tandem else 0
                    trials[path].append(generator.trial(scene.kind, rate_pps=0, open_per_second=opens, **scene.flags))
                finally:
                    generator.stop()
                    system.stop()
    return trials


@processes_alike()
def measure(scene, paths, runs, seconds):
    if scene.system is not None:
        return wire_trials(scene, paths, runs, seconds)
    trials = {path: [] for path in paths}
    for _ in range(runs):
        for path in paths:
            trials[path].append(loopback_trial(path, seconds, scene.flags))
    return trials


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--against', type=Path, help='another build of tandem-pktgen')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--only', default='', help='scenes whose title has the word')
    arguments = parser.parse_args()
    own = program(RELEASE, 'tandem-pktgen')
    paths = [own] if arguments.against is None else [arguments.against.resolve(), own]
    for scene in scenes():
        if arguments.only not in scene.title:
            continue
        trials = measure(scene, paths, arguments.runs, arguments.seconds)
        figures = []
        for path in paths:
            rate = statistics.median(trial.achieved for trial in trials[path])
            shares = [trial.raw['busy_s'] / trial.raw['measured_s'] for trial in trials[path] if 'busy_s' in trial.raw]
            busy = f', busy {statistics.median(shares):4.0%}' if shares else ''
            figures.append(f'{rate / 1e6:5.2f} M/s ({1e9 / rate:4.0f} ns each{busy})')
        faults = sum(trial.corrupt + trial.misdelivered for path in paths for trial in trials[path])
        print(f'{scene.title:36} {"  ->  ".join(figures)}{"  FAULTS" if faults else ""}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
