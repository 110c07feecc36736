# SPDX-License-Identifier: Apache-2.0
"""Trials with tandem-pktgen: one run at one rate, and the search for the highest rate that loses nothing."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from builds import RELEASE, program
from run_systems import GENERATOR_CPU
from scheduling import URGENT

# What a run does not say is as if none before it had said anything.
DEFAULTS = {'protocol': 'udp', 'flows': 1000, 'popularity': 'uniform', 'frame_size': 64, 'rate_pps': 0,
            'new_per_second': 0, 'open_per_second': 0, 'warm_up_s': 0.3, 'server_gateway': '', 'direct_return': 'false',
            'catch_up_ms': 20}
ATTEMPTS = 3
CONFIRMATIONS = 3
WITHIN = 1.03  # the search ends when the lowest rate that lost is so near the highest that did not
LOWEST = 1000  # a second
BUSY_TURN_US = 2  # half of the turns of a generator that could do more do nothing, and take less


class GeneratorFailed(Exception):
    """It could not run."""


@dataclass
class Trial:
    """One run. Rates are requests a second; each is a packet to the server and one back. With connections
    instead of requests, rates are of connections that were opened, used and closed."""

    achieved: float
    lost: int
    kept_rate: bool    # what was to be sent was
    wire_full: int     # times that the wire took less than it was given, for nobody took anything off it
    misdelivered: int
    corrupt: int
    failed: int        # connections that were reset or came to nothing
    latency_us: dict   # round trip, by quantile
    own_turn_us: float  # median turn of the generator's own loop, a fraction of one where it waits for packets
    raw: dict = field(repr=False, default_factory=dict)

    def is_good(self):
        return self.kept_rate and not (self.lost or self.misdelivered or self.corrupt or self.failed)


def trial_of(found):
    """From the generator's JSON."""
    rates, trip, clients = found['per_second'], found['round_trip_ns'], found['clients']
    by_connection = found['options']['new_per_second'] != 0
    return Trial(achieved=rates['connections_opened' if by_connection else 'replies_received'],
                 lost=found['lost']['total'], kept_rate=found['kept_rate'],
                 wire_full=clients['transmit_full'], misdelivered=found['misdelivered'], corrupt=found['corrupt'],
                 failed=clients.get('connections_reset', 0) + clients.get('connections_timed_out', 0),
                 latency_us={name: trip[name] / 1000 for name in ('p50', 'p90', 'p99', 'p99_9', 'max')},
                 own_turn_us=found['loop_gap_ns']['p50'] / 1000, raw=found)


class Generator:
    """tandem-pktgen at the other ends of the wires of `system`, for all trials: a wire that is cut while its
    other end polls it is more than DPDK's driver for it bears."""

    def __init__(self, system, seconds, log_path, path=None):
        self.system = system
        self.seconds = seconds
        self.log_path = Path(log_path)
        self.path = path  # of the program; None: the one that was built
        self.process = None

    def start(self, kind):
        ports = self.system.generator_ports()
        flags = {**self.system.kinds[kind], **self.system.generator_flags, 'core': GENERATOR_CPU,
                 'client_port': ports[0], 'server_port': ports[1]}
        command = [*self.system.generator_prefix(), *URGENT, self.path or program(RELEASE, 'tandem-pktgen'), '--serve',
                   *words(flags)]
        with open(self.log_path, 'a') as log:
            log.write(' '.join(map(str, command)) + '\n')
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, cwd=self.system.directory)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def trial(self, kind, **flags):
        if self.process is None:
            self.start(kind)
        wanted = {**DEFAULTS, **self.system.kinds[kind], 'duration_s': self.seconds, **flags}
        line = ' '.join(words(wanted))
        with open(self.log_path, 'a') as log:
            log.write(line + '\n')
        try:
            self.process.stdin.write(line + '\n')
            self.process.stdin.flush()
            found = json.loads(self._answer())
        except (OSError, ValueError) as error:
            self.stop()
            raise GeneratorFailed(f'tandem-pktgen ended: {error}\n{self.log_path.read_text()[-1500:]}') from error
        if 'error' in found:
            raise GeneratorFailed(f'tandem-pktgen: {found["error"]}')
        return trial_of(found)

    def _answer(self):
        lines = []
        while not lines or lines[-1].strip():
            line = self.process.stdout.readline()
            if not line:
                raise ValueError('no answer')
            lines.append(line)
        return ''.join(lines)


def words(flags):
    return [f'--{name}={value}' for name, value in flags.items()]


@dataclass
class Found:
    """The highest rate without loss."""

    rate: float                  # of the trials that confirmed it, the median; 0: none was found
    trials: list                 # all, in order
    confirmed: list              # rates of the trials that confirmed it
    limited_by: str              # 'system' or 'generator': who was at its end just above it


class Search:
    """By halving, RFC 2544 section 26.1. What the host of a virtual machine takes away shows as loss that no
    device made, so a rate counts as lost only when each of ATTEMPTS trials lost; the rate that was found is
    confirmed by trials of which most must be without loss. After `patience` seconds it hurries: what it has by then is
    confirmed, or a fifth less, and so on."""

    def __init__(self, generator, kind, flag, tried=lambda trial: None, patience=float('inf'), **flags):
        self.generator = generator
        self.kind = kind
        self.flag = flag      # of the generator's, that is searched for
        self.tried = tried
        self.flags = flags
        self.patience = patience
        self.trials = []
        self.failed = None    # the last trial that lost

    def _trial(self, rate):
        trial = self.generator.trial(self.kind, **{self.flag: int(rate)}, **self.flags)
        self.trials.append(trial)
        self.tried(trial)
        if not trial.is_good():
            self.failed = trial
        return trial

    def _holds(self, rate):
        return any(self._trial(rate).is_good() for _ in range(ATTEMPTS))

    def run(self, high):
        """`high`: a rate that is surely too high."""
        deadline = time.monotonic() + self.patience
        low, rate = 0.0, high * 0.9
        while high > max(low, LOWEST) * WITHIN and time.monotonic() < deadline:
            if self._holds(rate):
                low = rate
            else:
                high = rate
            rate = (low + high) / 2 if low else high * 0.7
        rate = low or rate
        while rate >= LOWEST:
            good = sorted(trial.achieved for trial in (self._trial(rate) for _ in range(CONFIRMATIONS))
                          if trial.is_good())
            if len(good) * 2 > CONFIRMATIONS:
                return self._found(good)
            rate *= 0.95 if time.monotonic() < deadline else 0.8
        return self._found([])

    def _found(self, good):
        by_generator = self.failed is not None and self.failed.own_turn_us > BUSY_TURN_US
        return Found(rate=good[len(good) // 2] if good else 0.0, trials=self.trials, confirmed=good,
                     limited_by='generator' if by_generator else 'system')
