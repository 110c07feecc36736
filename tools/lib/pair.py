# SPDX-License-Identifier: Apache-2.0
"""A pair of devices, or a group of three, between clients and servers, with a mirroring wire: the network of
`tools/quickstart --pair` and of the end-to-end cases of mirroring and takeover.

    client 10.0.0.10 ──┐                    ┌── device a ──┐                    ┌── server1 10.1.0.11
                       ├── switch: clients ─┤    ║ mirror  ├─ switch: servers ──┼── server2 10.1.0.12
                       │                    └── device b ──┘                    └── server3 10.1.0.13

The mirroring wire, too, goes over the switch, so that its cable can be pulled without either end's
interface being taken away; and so does the management network, 10.254.0.0/24, which is the kernel's.
"""

import os
import signal
from pathlib import Path

from device import Device
from netlab import Lab
from pair_config import GATEWAY, MANAGEMENT, SERVER_GATEWAY, device_group, pair_config
from topology import SERVERS, start_servers

ACTIVE, STANDBY = 'ACTIVE', 'STANDBY'
BRIDGES = ('clients', 'servers')
MIRROR_MTU = 9000


def other(which):
    return 'b' if which == 'a' else 'a'


class Pair:
    """Devices 'a' and 'b' (or all of `members`) on one network; none is started yet."""

    def __init__(self, lab, build, file_prefix, workers=1, members='ab'):
        self.lab = lab
        self.members = members
        self.build = build
        self.file_prefix = file_prefix
        self.workers = workers
        self.spaces = {}
        self.switch = lab.namespace('switch')
        self.switch.sysctl(ipv6__conf__all__disable_ipv6=1, ipv6__conf__default__disable_ipv6=1)
        for bridge in (*BRIDGES, 'mirror', 'management'):
            self.switch.run('ip', 'link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0')
            self.switch.run('ip', 'link', 'set', bridge, 'up')
        self.client = self._host('client', 'clients', '10.0.0.10/24', GATEWAY)
        self.servers = {n: self._host(f'server{n}', 'servers', f'10.1.0.{10 + n}/24', SERVER_GATEWAY)
                        for n in SERVERS}
        self.devices = {which: self._device(which) for which in members}
        start_servers(self.spaces, Path(__file__).parent / 'servers.py')

    def _host(self, name, bridge, address, gateway):
        space = self.lab.namespace(name)
        space.sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0)
        self._plug(space, bridge, name, 'eth0')
        space.address('eth0', address)
        space.route('default', gateway)
        self.spaces[name] = space
        return space

    def on_management(self, name, address):
        """Another host on the management network; nothing else of the pair knows it."""
        space = self.lab.namespace(name)
        self._plug(space, 'management', f'beside-{name}', 'management')
        space.address('management', f'{address}/24')
        self.spaces[name] = space
        return space

    def _device(self, which):
        # A directory of its own for configuration, log and socket.
        lab = Lab(self.lab.prefix, self.lab.directory / which)
        lab.processes, lab.names = self.lab.processes, self.lab.names
        space = lab.namespace(f'device-{which}')
        space.sysctl(ipv6__conf__all__disable_ipv6=1, ipv6__conf__default__disable_ipv6=1)
        for bridge in (*BRIDGES, 'mirror', 'management'):
            self._plug(space, bridge, f'{bridge}-{which}', bridge)
        space.address('management', f'{MANAGEMENT[which]}/24')
        for there, interface in ((space, 'mirror'), (self.switch, f'mirror-{which}')):
            there.run('ip', 'link', 'set', interface, 'mtu', MIRROR_MTU)
        return Device(space, self.build, f'device-{which}')

    def _plug(self, space, bridge, port, interface):
        self.lab.wire(space, interface, self.switch, port)
        self.switch.run('ip', 'link', 'set', port, 'master', bridge)

    def start(self, which, role, workers=None, **options):
        self.devices[which].start(
            pair_config(which, workers or self.workers, self.file_prefix, role, **options))

    def group_config(self, which, group_fields='', timers=None, **options):
        """The configuration of a device that decides with its peer who is active."""
        group = device_group(self.state_file(which), self.members, **(timers or {}))
        return pair_config(which, self.workers, self.file_prefix, takeover=group,
                           group_fields=group_fields, peers=len(self.members) == 2, **options)

    def state_file(self, which):
        return self.devices[which].directory / 'state' / 'failover'

    def stop(self, which, kill=False):
        """Ends it as an operator would, or (kill) as a power failure does. Nothing when it does not run."""
        device = self.devices[which]
        if device.process is None or device.process.poll() is not None:
            return
        if kill:
            os.killpg(device.process.pid, signal.SIGKILL)
            device.process.wait(20)
        else:
            device.stop()

    def load(self, which, role, **options):
        """Applies a changed configuration, with this role, to the running device."""
        device = self.devices[which]
        device.config_path.write_text(
            pair_config(which, self.workers, self.file_prefix, role, **options))
        device.ctl('load')

    def cable(self, network, up, which='a'):
        """Pulls the cable of a device, at the switch, or puts it in again."""
        self.switch.run('ip', 'link', 'set', f'{network}-{which}', 'up' if up else 'down')

    def mirror_cable(self, up):
        self.cable('mirror', up)

    def mirror(self, which='a'):
        return self.devices[which].show('mirror')

    def in_sync(self):
        """Whether both ends say so, of every traffic group."""
        return all(self._says_in_sync(which) for which in ('a', 'b'))

    def _says_in_sync(self, which):
        groups = self.mirror(which).get('group', [])
        return bool(groups) and all(group.get('state') == 'in-sync' for group in groups)
