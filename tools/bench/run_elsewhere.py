# SPDX-License-Identifier: Apache-2.0
"""A device of tools/bench/run that is there already, on another machine: the generator has the ports between which it
lies, NICs by PCI address or whatever else DPDK knows."""

from dataclasses import replace

from run_rows import rows
from run_systems import System, Tandem

LINK_SECONDS = 30  # until links are up that were started, and the device is found


class Elsewhere(System):
    """Made by `elsewhere`. Neither started nor stopped: its flows outlive what is measured, as it is configured."""

    title = 'Device'
    kinds = Tandem.kinds
    open_per_second = Tandem.open_per_second
    generator_flags = {'resolve_s': LINK_SECONDS}
    is_here = False
    ports = ()  # the generator's: the clients' and the servers'

    def generator_ports(self):
        return self.ports

    def start(self):
        pass

    def version(self):
        return f'on another machine, between {" and ".join(self.ports)} of this one'

    def configuration(self):
        return on_ports('…', '…')


def elsewhere(client_port, server_port, core):
    return type('Elsewhere', (Elsewhere,), {'ports': (client_port, server_port), 'generator_core': core})


def rows_of(system):
    """What is measured of Tandem here, of `system`."""
    return [replace(row, system=system) for row in rows() if row.system is Tandem]


class _OnPorts(Tandem):
    def __init__(self, *devices):
        self.devices = devices

    def device(self, which):
        return self.devices[which]


def on_ports(client_port, server_port):
    """The configuration of a device whose ports are these."""
    return _OnPorts(client_port, server_port).configuration()
