# SPDX-License-Identifier: Apache-2.0
"""What the cases of a pair of devices work with: tools/lib/pair.py, and questions to both ends."""

from pair import ACTIVE, STANDBY, Pair
from pair_config import MAC
from world import World, check, wait_until

IN_SYNC_SECONDS = 30


class PairWorld(World):
    """Its `device` is the one that is active for the group."""

    members = 'ab'

    def open(self):
        self.pair = Pair(self.lab, self.build, self.file_prefix, self.workers, self.members)
        self.client = self.pair.client
        self.spaces = self.pair.spaces
        self.devices = self.pair.devices
        self.start_device()

    def start_device(self):
        """Both, freshly: a active, b standby."""
        for which in ('a', 'b'):
            self.pair.stop(which)
        for which, role in (('a', ACTIVE), ('b', STANDBY)):
            self.pair.start(which, role)
        self.device = self.devices['a']
        self.wait_in_sync()

    def recover(self):
        self.pair.mirror_cable(True)
        self.start_device()

    def alive(self):
        return all(device.process is not None and device.process.poll() is None
                   for device in self.devices.values())

    def log_tail(self):
        told = [f'device-{which}: {device.log_tail()}\n{self._counted(device)}'
                for which, device in self.devices.items()]
        # Where the switch has the address that moves.
        known = self.pair.switch.run('bridge', 'fdb', 'show', check=False).stdout.splitlines()
        return '\n'.join(told + [line for line in known if line.startswith(MAC)])

    def _counted(self, device):
        try:
            return f'its workers: {device.show("worker")["total"]}; dropped: {self.drops(device)}'
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            return f'it does not say what it dropped: {error}'

    def wait_in_sync(self, seconds=IN_SYNC_SECONDS):
        wait_until(self.pair.in_sync,
                   lambda: f'not in sync: {self.pair.mirror("a")}\n{self.pair.mirror("b")}', seconds)

    def flows(self, which, *filters):
        """The mirrored flows of a device, as comparable tuples."""
        def end(connection, name):
            return connection.get(name, {}).get('address'), connection.get(name, {}).get('port')
        shown = self.devices[which].show('connection', 'type', 'mirror', *filters)
        return sorted((c['protocol'], end(c, 'cs_client'), end(c, 'cs_server'), end(c, 'ss_client'),
                       end(c, 'ss_server'), c.get('virtual'), c.get('member'), c.get('worker', 0))
                      for c in shown.get('connection', []))

    def records(self, which):
        return sorted((r['key'], r.get('virtual'), r['member'])
                      for r in self.devices[which].show('persistence').get('record', []))

    def wait_equal(self, count=None, seconds=10, active='a', standby='b', filters=()):
        """Until both devices show the same mirrored flows, `count` of TCP if given."""
        def equal():
            flows = self.flows(active, *filters)
            connections = [flow for flow in flows if flow[0] == 'tcp']
            return flows == self.flows(standby, *filters) and (count is None or len(connections) == count)
        def difference():
            one, two = self.flows(active, *filters), self.flows(standby, *filters)
            oldest = max(self.devices[active].show('connection', 'type', 'mirror').get('connection', []),
                         key=lambda flow: int(flow.get('age_seconds', 0)), default=None)
            return (f'{len(one)} flows on {active}, {len(two)} on {standby}; '
                    f'only on {active}: {[f for f in one if f not in two][:3]}, '
                    f'only on {standby}: {[f for f in two if f not in one][:3]}; oldest on {active}: {oldest}')
        wait_until(equal, difference, seconds)

    def take_over(self, **options):
        """Device a dies; b becomes active by its configuration."""
        self.pair.stop('a', kill=True)
        self.pair.load('b', ACTIVE, **options)
        self.device = self.devices['b']

    def check_conservation(self):
        active = self.device
        try:
            for self.device in self.devices.values():
                super().check_conservation()
        finally:
            self.device = active


__all__ = ['PairWorld', 'ACTIVE', 'STANDBY', 'check', 'wait_until']
