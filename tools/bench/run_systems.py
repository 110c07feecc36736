# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/run measures: systems that forward between two wires, memif or others, each on one core."""

import subprocess
import time
from pathlib import Path

from builds import RELEASE, program
from scheduling import URGENT

GENERATOR_CPU, DEVICE_CPU = 0, 1
FLOWS_MAX = 4 << 20
MEMBERS = 128
VIRTUAL = '198.18.255.1'   # with source translation
PLAIN = '198.18.255.2'     # without: servers answer by way of the device
BRIEF = '198.18.255.3'     # with, and flows that idle for a second end
DIRECT = '198.18.255.4'    # nothing is translated, servers answer clients themselves
VIRTUAL6 = '2001:2:0:1::f1'
CLIENTS, CLIENTS6 = '198.18.0.1-198.18.0.64', '2001:2:0:1::1-2001:2:0:1::40'
SERVERS = f'198.19.0.1-198.19.0.{MEMBERS}'
SERVERS6 = f'2001:2:0:2::1-2001:2:0:2::{MEMBERS:x}'
DEVICE_IN, DEVICE_OUT = '198.18.255.254', '198.19.255.254'
DEVICE_OUT6 = '2001:2:0:2::fffe'
PORT = 7
START_SECONDS = 30


class DeviceFailed(Exception):
    """The system did not start, or ended."""


def memif(directory, which, role):
    """A virtual device at one end of the wire `which`: 0, the clients', or 1, the servers'. The client's end, which is
    the generator's, has the frames in its own buffers, where the other end fetches and leaves them: only the device
    copies, as a NIC would for it."""
    zero_copy = ',zero-copy=yes' if role == 'client' else ''
    return (f'net_memif{which},role={role},id={which},socket={directory}/wire{which}.sock,socket-abstract=no,rsize=10'
            f'{zero_copy}')


class System:
    """Started and stopped once; what it says goes to a log."""

    title = ''
    # Flags of the generator's, by the name of what is measured; nothing else can be measured.
    kinds = {}
    generator_flags = {}
    open_per_second = 0  # flows that it can be given at first; 0: it keeps none
    generator_core = GENERATOR_CPU
    is_here = True       # on this machine, whose CPUs may be moved

    def __init__(self, directory):
        self.directory = Path(directory)
        self.log_path = self.directory / f'{type(self).__name__}.log'
        self.process = None

    def command(self):
        raise NotImplementedError

    def generator_ports(self):
        """The generator's ends of the wires."""
        return [memif(self.directory, which, 'client') for which in (0, 1)]

    def generator_prefix(self):
        """In front of its command."""
        return []

    def is_up(self):
        return all((self.directory / f'wire{which}.sock').exists() for which in (0, 1))

    def start(self):
        for socket in self.directory.glob('wire*.sock'):
            socket.unlink()
        self.launch(self.command())

    def launch(self, command, environment=None):
        with open(self.log_path, 'w') as log:
            self.process = subprocess.Popen([*URGENT, *map(str, command)], stdin=subprocess.PIPE, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=self.directory, env=environment)
        self.await_up()

    def await_up(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise DeviceFailed(f'{self.title} did not start:\n{self.log_tail()}')
            time.sleep(0.05)
        time.sleep(0.5)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def log_tail(self, lines=15):
        text = self.log_path.read_text(errors='replace') if self.log_path.exists() else ''
        return '\n'.join(text.splitlines()[-lines:])

    def configuration(self):
        """As text, for the report."""
        return ' '.join(map(str, self.command()))

    def version(self):
        raise NotImplementedError


def _virtual(name, address, protocol, pool, snat, timeout, more=''):
    translation = 'source_address_translation { type: AUTOMAP }' if snat else ''
    return (f'virtual {{ name: "{name}-{protocol}" destination: "{address}:{PORT}" ip_protocol: {protocol} '
            f'pool: "{pool}" profile: "{timeout}" {translation} {more} }}\n')


class Tandem(System):
    """Flows stay for five minutes, those of new connections for a second: by then their tuples come again."""

    title = 'Tandem'
    poll_mode = 'BUSY'
    flows_max = FLOWS_MAX
    flows6_max = FLOWS_MAX // 4
    open_per_second = 200_000
    file_prefix = 'tandem-bench-device'
    extra = ''  # configuration
    kinds = {
        'full NAT': {'virtual': f'{VIRTUAL}:{PORT}', 'clients': CLIENTS, 'servers': SERVERS},
        'DNAT': {'virtual': f'{PLAIN}:{PORT}', 'clients': CLIENTS, 'servers': SERVERS, 'server_gateway': DEVICE_OUT},
        'new, full NAT': {'virtual': f'{BRIEF}:{PORT}', 'clients': CLIENTS, 'servers': SERVERS},
        'DSR': {'virtual': f'{DIRECT}:{PORT}', 'clients': CLIENTS, 'servers': f'{SERVERS},{DIRECT}',
                'direct_return': 'true'},
        'full NAT, IPv6': {'virtual': f'[{VIRTUAL6}]:{PORT}', 'clients': CLIENTS6, 'servers': SERVERS6},
    }

    def __init__(self, directory):
        super().__init__(directory)
        self.config_path = self.directory / 'tandem.textproto'
        self.config_path.write_text(self.configuration())

    def device(self, which):
        return memif(self.directory, which, 'server')

    def configuration(self):
        def pool(name, addresses):
            members = ''.join(f'  member {{ address: "{address}" port: {PORT} }}\n' for address in addresses)
            return f'pool {{\n  name: "{name}"\n{members}}}\n'
        text = f'''device {{
  name: "bench" lcores: "0@{GENERATOR_CPU},1@{DEVICE_CPU}" poll_mode: {self.poll_mode}
  ipv4_flows_per_worker: {self.flows_max} ipv6_flows_per_worker: {self.flows6_max}
  eal_args: "--file-prefix={self.file_prefix}"
}}
port {{ name: "1.1" device: "{self.device(0)}" }}
port {{ name: "1.2" device: "{self.device(1)}" }}
vlan {{ name: "external" port: "1.1" facing: CLIENT }}
vlan {{ name: "internal" port: "1.2" facing: SERVER }}
self_ip {{ name: "e4" address: "{DEVICE_IN}/16" vlan: "external" }}
self_ip {{ name: "i4" address: "{DEVICE_OUT}/16" vlan: "internal" }}
self_ip {{ name: "e6" address: "2001:2:0:1::fffe/64" vlan: "external" }}
self_ip {{ name: "i6" address: "{DEVICE_OUT6}/64" vlan: "internal" }}
profile_fastl4 {{ name: "long" idle_timeout: 300 udp_idle_timeout: 300 }}
profile_fastl4 {{ name: "brief" udp_idle_timeout: 1 tcp_time_wait_timeout: 0 }}
'''
        text += pool('four', [f'198.19.0.{n}' for n in range(1, MEMBERS + 1)])
        text += pool('six', [f'2001:2:0:2::{n:x}' for n in range(1, MEMBERS + 1)])
        for protocol in ('UDP', 'TCP'):
            text += _virtual('full', VIRTUAL, protocol, 'four', True, 'long')
            text += _virtual('plain', PLAIN, protocol, 'four', False, 'long')
            text += _virtual('direct', DIRECT, protocol, 'four', False, 'long',
                             'translate_address: false translate_port: false')
            text += _virtual('brief', BRIEF, protocol, 'four', True, 'brief')
            text += _virtual('six', f'[{VIRTUAL6}]', protocol, 'six', True, 'long')
        return text + self.extra

    def command(self):
        return [program(RELEASE, 'tandemd'), '--config', self.config_path, '--admin_socket', self.directory / 'admin']

    def version(self):
        return subprocess.run([program(RELEASE, 'tandemd'), '--version'], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()


class Testpmd(System):
    """DPDK's own: reads frames, changes a little, and sends them, the limit of the wire."""

    mode = ''

    def command(self):
        return ['dpdk-testpmd', '--lcores', f'0@{GENERATOR_CPU},1@{DEVICE_CPU}', '--no-pci', '--in-memory',
                '--file-prefix=tandem-bench-testpmd', '-m', '512',
                '--vdev', memif(self.directory, 0, 'server'), '--vdev', memif(self.directory, 1, 'server'),
                '--', f'--forward-mode={self.mode}', '--nb-cores=1', '--auto-start', '--stats-period=3600',
                '--rxd=1024', '--txd=1024', '--burst=32']

    def version(self):
        return subprocess.run(['dpkg-query', '-W', '-f', 'DPDK ${Version}', 'dpdk'], stdout=subprocess.PIPE,
                              text=True, check=True).stdout


def _through_testpmd(servers):
    return {'wire': {'virtual': f'{PLAIN}:{PORT}', 'clients': CLIENTS, 'servers': servers,
                     'device_mac': '02:00:00:00:00:01'}}


class FiveTupleSwap(Testpmd):
    title = 'testpmd 5tswap'
    mode = '5tswap'
    kinds = _through_testpmd(CLIENTS)  # requests come with both ends swapped


class MacSwap(Testpmd):
    title = 'testpmd macswap'
    mode = 'macswap'
    kinds = _through_testpmd(PLAIN)
