# SPDX-License-Identifier: Apache-2.0
"""The network of tools/quickstart and of the end-to-end tests: a client and three servers around a
device, a wire each.

    client 10.0.0.10 ── 10.0.0.1 device 10.0.N.1 ── 10.0.N.10 serverN        N = 1, 2, 3
    2001:db8::10          2001:db8::1    2001:db8:N::1    2001:db8:N::10
"""

import subprocess
import time

SERVERS = (1, 2, 3)


def build_network(lab):
    """Namespaces client, device, server1 to server3, wired and addressed. Dictionary by name."""
    spaces = {name: lab.namespace(name)
              for name in ('client', 'device', *(f'server{n}' for n in SERVERS))}
    device = spaces['device']
    # The kernel shares the device's wires with tandemd: without addresses it answers nothing.
    device.sysctl(ipv6__conf__all__disable_ipv6=1, ipv6__conf__default__disable_ipv6=1)
    for name, here, subnet in [('client', 'clients', 0),
                               *((f'server{n}', f'server{n}', n) for n in SERVERS)]:
        space = spaces[name]
        space.sysctl(ipv6__conf__all__accept_ra=0, ipv6__conf__default__accept_ra=0,
                     ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0)
        lab.wire(space, 'eth0', device, here)
        space.address('eth0', f'10.0.{subnet}.10/24', f'2001:db8:{subnet}::10/64')
        space.route('default', f'10.0.{subnet}.1')
        space.route('::/0', f'2001:db8:{subnet}::1')
    return spaces


def start_servers(spaces, script):
    """Starts web, DNS, echo and iperf3 on each server and waits until they serve."""
    for n in SERVERS:
        space = spaces[f'server{n}']
        space.start('/usr/bin/python3', script, space.name.rpartition('-')[2],
                    log=f'server{n}.log')
        space.start('iperf3', '--server', log=f'server{n}-iperf3.log')
    deadline = time.monotonic() + 15
    for n in SERVERS:
        space = spaces[f'server{n}']
        for port in (80, 5201):
            while not listens(space, port):
                if time.monotonic() > deadline:
                    raise RuntimeError(f'server{n} does not listen on port {port}')
                time.sleep(0.05)


def listens(space, port):
    listing = subprocess.run(space.command('ss', '-Hltn', f'sport = :{port}'),
                             capture_output=True, text=True)
    return bool(listing.stdout.strip())
