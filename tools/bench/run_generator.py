# SPDX-License-Identifier: Apache-2.0
"""Trials with tandem-pktgen: one run at one rate."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from builds import RELEASE, program
from scheduling import URGENT

# What a run does not say is as if none before it had said anything.
DEFAULTS = {'protocol': 'udp', 'flows': 1000, 'popularity': 'uniform', 'frame_size': 64, 'rate_pps': 0,
            'new_per_second': 0, 'open_per_second': 0, 'warm_up_s': 0.3, 'server_gateway': '', 'direct_return': 'false',
            'catch_up_ms': 20}


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
    asked: int = 0     # rate that was to be kept; 0: all that it can
    sent: int = 0      # requests
    raw: dict = field(repr=False, default_factory=dict)

    def is_good(self):
        return self.kept_rate and not (self.lost or self.misdelivered or self.corrupt or self.failed)

    def account(self):
        """What came of it, in words."""
        faults = [f'{count:,} {what}' for count, what in
                  ((self.lost, f'lost of {self.sent:,} sent'), (self.failed, 'connections failed'),
                   (self.misdelivered, 'misdelivered'), (self.corrupt, 'corrupt')) if count]
        came = f'{self.achieved:,.0f} of {f"{self.asked:,}" if self.asked else "all it could"} a second'
        return ', '.join([came, *faults, *([] if self.kept_rate else ['rate not kept'])])


def trial_of(found):
    """From the generator's JSON."""
    rates, trip, clients = found['per_second'], found['round_trip_ns'], found['clients']
    asked_new, asked = found['options']['new_per_second'], found['options']['rate_pps']
    return Trial(achieved=rates['connections_opened' if asked_new else 'replies_received'],
                 lost=found['lost']['total'], kept_rate=found['kept_rate'],
                 wire_full=clients['transmit_full'], misdelivered=found['misdelivered'], corrupt=found['corrupt'],
                 failed=clients.get('connections_reset', 0) + clients.get('connections_timed_out', 0),
                 latency_us={name: trip[name] / 1000 for name in ('p50', 'p90', 'p99', 'p99_9', 'max')},
                 own_turn_us=found['loop_gap_ns']['p50'] / 1000, asked=asked_new or asked,
                 sent=clients['requests_sent'], raw=found)


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
        flags = {**self.system.kinds[kind], **self.system.generator_flags, 'core': self.system.generator_core,
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
