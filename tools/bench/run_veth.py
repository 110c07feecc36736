# SPDX-License-Identifier: Apache-2.0
"""Systems of tools/bench/run between two veth wires, for what forwards in the kernel: its nftables, and Tandem, too,
since this wire carries far less than memif does.

The generator is in one network namespace, the system in another, and af_packet between generator and veth. A veth
has no queue to poll: whoever sends does the receiver's work. RPS hands what arrives at the system to CPU 1, so that
the generator's CPU does not forward."""

import os
import subprocess
from pathlib import Path

from netlab import Lab
from run_systems import (BRIEF, DEVICE_CPU, DEVICE_IN, DEVICE_OUT, MEMBERS, PLAIN, VIRTUAL, DeviceFailed, System,
                         Tandem)

GENERATOR_ENDS, DEVICE_ENDS = ('clients', 'servers'), ('external', 'internal')
RING = 'framecnt=4096'
CONNECTIONS_MAX = 4 << 20
FLOW_SECONDS = 300
# Of the whole machine, and put back afterwards.
KERNEL_SETTINGS = {'/proc/sys/net/netfilter/nf_conntrack_max': CONNECTIONS_MAX,
                   '/proc/sys/net/netfilter/nf_conntrack_buckets': CONNECTIONS_MAX // 4,
                   '/proc/sys/net/core/netdev_max_backlog': 10_000}


def af_packet(which, interface):
    return f'net_af_packet{which},iface={interface},{RING}'


class Wires:
    """Two namespaces and two veth pairs between them."""

    def __init__(self, directory):
        self.lab = Lab(f'tandem-bench-{os.getpid()}-', directory)
        self.generator = self.lab.namespace('generator')
        self.device = self.lab.namespace('device')
        for here, there in zip(GENERATOR_ENDS, DEVICE_ENDS):
            self.lab.wire(self.generator, here, self.device, there)
        for space in (self.generator, self.device):
            space.sysctl(ipv6__conf__all__disable_ipv6=1)


class OnVeth(System):
    """Whose ports are DEVICE_ENDS in the namespace `wires.device`."""

    open_per_second = 20_000

    def __init__(self, directory):
        super().__init__(directory)
        self.wires = None

    def generator_ports(self):
        return [af_packet(which, interface) for which, interface in enumerate(GENERATOR_ENDS)]

    def generator_prefix(self):
        return self.wires.generator.command()

    def start(self):
        try:
            self.wires = Wires(self.directory / 'namespaces')
            self.start_device()
        except (RuntimeError, subprocess.SubprocessError) as error:
            raise DeviceFailed(f'{self.title}: {error}') from error

    def stop(self):
        super().stop()
        if self.wires is not None:
            self.wires.lab.close()
            self.wires = None


class TandemOnVeth(OnVeth, Tandem):
    """The same configuration, but for its ports."""

    title = 'Tandem over veth'

    def __init__(self, directory):
        OnVeth.__init__(self, directory)
        Tandem.__init__(self, directory)
        self.wires = None

    def device(self, which):
        return af_packet(which, DEVICE_ENDS[which])

    def is_up(self):
        return (self.directory / 'admin').exists()

    def start_device(self):
        (self.directory / 'admin').unlink(missing_ok=True)
        self.launch([*self.wires.device.command(), *self.command()])


RULES = f'''table ip bench {{
  ct timeout brief {{
    protocol udp; l3proto ip; policy = {{ unreplied : 1, replied : 1 }};
  }}
  chain brief {{
    type filter hook prerouting priority filter;
    ip daddr {BRIEF} ct timeout set "brief"
  }}
  chain destination {{
    type nat hook prerouting priority dstnat;
    ip daddr {{ {VIRTUAL}, {PLAIN}, {BRIEF} }} dnat to numgen inc mod {MEMBERS} map {{
      {", ".join(f"{n} : 198.19.0.{n + 1}" for n in range(MEMBERS))}
    }}
  }}
  chain source {{
    type nat hook postrouting priority srcnat;
    oifname "{DEVICE_ENDS[1]}" ct original ip daddr {{ {VIRTUAL}, {BRIEF} }} masquerade
  }}
}}
'''


class Nftables(OnVeth):
    title = 'Linux nftables over veth'
    kinds = {name: {**flags, 'server_gateway': DEVICE_OUT if name == 'DNAT' else ''}
             for name, flags in Tandem.kinds.items() if name in ('full NAT', 'DNAT', 'new, full NAT')}

    def __init__(self, directory):
        super().__init__(directory)
        self.said = []
        self.before = {}  # kernel settings

    def do(self, *command, **options):
        self.said.append(' '.join(map(str, command)))
        self.wires.device.run(*command, **options)

    def start_device(self):
        self.said = []
        for path, value in KERNEL_SETTINGS.items():
            self.before[path] = Path(path).read_text()
            Path(path).write_text(str(value))
            self.said.append(f'echo {value} > {path}')
        self.do('sysctl', '-qw', 'net.ipv4.ip_forward=1', f'net.netfilter.nf_conntrack_udp_timeout={FLOW_SECONDS}',
                f'net.netfilter.nf_conntrack_udp_timeout_stream={FLOW_SECONDS}')
        virtuals = (f'{address}/32' for address in (VIRTUAL, PLAIN, BRIEF))
        for interface, *addresses in ((DEVICE_ENDS[0], f'{DEVICE_IN}/16', *virtuals),
                                      (DEVICE_ENDS[1], f'{DEVICE_OUT}/16')):
            for address in addresses:
                self.do('ip', 'address', 'add', address, 'dev', interface)
            self.do('sh', '-c', f'echo {1 << DEVICE_CPU:x} > /sys/class/net/{interface}/queues/rx-0/rps_cpus')
        self.said.append('nft -f - <<END\n' + RULES + 'END')
        self.wires.device.run('nft', '-f', '-', input=RULES)

    def stop(self):
        super().stop()
        while self.before:
            path, value = self.before.popitem()
            Path(path).write_text(value)

    def configuration(self):
        return '\n'.join(self.said)

    def version(self):
        nft = subprocess.run(['nft', '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        return f'{nft}, Linux {os.uname().release}; checksum offload, TSO, GSO and GRO off'
