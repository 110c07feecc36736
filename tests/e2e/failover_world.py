# SPDX-License-Identifier: Apache-2.0
"""A pair of devices that decide between them who is active, and clients that keep a log of their own."""

import os
import signal

from builds import program
from pair import other
from pair_config import VIP
from pair_world import PairWorld, check, wait_until
from udp_stream import UdpStream

GROUP = 'traffic-group-1'
# Wide enough for two busy CPUs; the cases are about what happens, not how fast.
TIMERS = {'heartbeat_interval_us': 40000, 'heartbeat_multiplier': 5, 'boot_wait_ms': 1500,
          'drain_timeout_ms': 500}
ORDER = 'ha_order: "device-a" ha_order: "device-b"'
ACTING = ('active', 'degraded', 'standalone')


class FailoverWorld(PairWorld):
    """Its `device` is the one that is active."""

    fields = {}

    def start_device(self):
        for which in self.members:
            self.wake(which)
            self.pair.stop(which, kill=True)
            self.pair.state_file(which).unlink(missing_ok=True)
        for which in self.members:
            self.start(which)
        self.bring_home()

    def bring_home(self):
        """a is the active one; who boots late, or is granted the lease later, does not take it by itself."""
        wait_until(lambda: len(self.acting()) == 1, lambda: f'active: {self.acting()}', 30)
        if self.acting() == ['b']:
            self.wait_ready('b')
            self.standby('b')
        self.wait_ready('a')

    def start_as_usual(self):
        """Both anew, one after the other, as the other cases have them."""
        for which in 'ba':
            self.pair.stop(which)
            self.runs_as(which)
            self.start(which)
            wait_until(lambda: len(self.acting()) == 1, lambda: f'active: {self.acting()}')
        self.bring_home()

    def start(self, which, **options):
        options = {'timers': {**TIMERS, **self.fields}, 'group_fields': ORDER, **options}
        self.devices[which].start(self.pair.group_config(which, **options))

    def load(self, which, **options):
        options = {'timers': {**TIMERS, **self.fields}, 'group_fields': ORDER, **options}
        device = self.devices[which]
        device.config_path.write_text(self.pair.group_config(which, **options))
        device.ctl('load')

    def recover(self):
        for which in self.members:
            self.wake(which)
            self.runs_as(which)
            for network in ('mirror', 'management', 'clients', 'servers'):
                self.pair.cable(network, True, which)
        self.start_device()

    def runs_as(self, which, name='tandemd'):
        """What the device is from its next start on."""
        self.devices[which].daemon = program(self.build, name)

    # ---- what they are ------------------------------------------------------------------------
    def group(self, which, name=GROUP):
        groups = self.devices[which].show('traffic-group')['traffic_group']
        return next(group for group in groups if group['name'] == name)

    def state(self, which, name=GROUP):
        return self.group(which, name)['state']

    def acting(self, name=GROUP):
        return [which for which in self.members if self.runs(which) and self.state(which, name) in ACTING]

    def runs(self, which):
        process = self.devices[which].process
        return process is not None and process.poll() is None

    def wait_active(self, which, seconds=15, name=GROUP):
        wait_until(lambda: self.state(which, name) in ACTING,
                   lambda: f'{which} is not active: {self.group(which, name)}', seconds)
        self.device = self.devices[which]

    def wait_ready(self, which, seconds=30):
        """`which` is active, and the other one could take over."""
        wait_until(lambda: self.state(which) == 'active' and self.state(other(which)) == 'standby',
                   lambda: f'{self.group("a")} {self.group("b")}', seconds)
        self.device = self.devices[which]
        self.wait_in_sync()

    def history(self, which):
        return self.devices[which].show('failover').get('transition', [])

    # ---- what is done to them -----------------------------------------------------------------
    def kill(self, which):
        self.pair.stop(which, kill=True)

    def freeze(self, which):
        os.killpg(self.devices[which].process.pid, signal.SIGSTOP)

    def wake(self, which):
        if self.runs(which):
            os.killpg(self.devices[which].process.pid, signal.SIGCONT)

    def standby(self, which, *words):
        """Again when it was called off: a busy machine may be slower than a switchover waits."""
        for attempt in range(5):
            answer = self.devices[which].ctl('run', 'failover', 'standby', GROUP, *words, check=False)
            if answer.returncode == 0:
                break
            check('in time' in answer.stderr, f'refused: {answer.stderr}')
            self.wait_ready(which)
        return answer

    def forwarded(self, which):
        return self.devices[which].show('worker')['total'].get('forwarded', 0)


def stream(world, interval=0.002):
    """A UdpStream through the pair."""
    return UdpStream(world.client, (VIP, 7), interval)


__all__ = ['FailoverWorld', 'stream', 'VIP', 'GROUP', 'ORDER', 'TIMERS', 'other', 'check', 'wait_until']
