# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with DPDK as a system of tools/bench/run: its userspace datapath between the same memif wires as
Tandem, with connection tracking that translates.

It runs from a directory of its own, with its own database, sockets and process ids, out of packages that were
unpacked and not installed: one that the machine has is left alone. Where it can be done in more than one way it
is done in the one that costs it least: a range of servers for it to hash over instead of a group of buckets,
only the destination MAC set, TTL left as it is.

A destination and a source cannot be translated by one ct(): full NAT takes two zones, and so one more pass."""

import os
import subprocess
import time

from builds import RELEASE
from run_systems import (BRIEF, CLIENTS, DEVICE_CPU, DEVICE_OUT, GENERATOR_CPU, PLAIN, PORT, SERVERS, VIRTUAL,
                         DeviceFailed, System, memif)

PACKAGES = RELEASE / 'packages'  # tools/bench/run unpacks them there
BRIEF_OUT = '198.19.255.253'     # so that replies of brief flows are told from others
SECONDS = 20                     # for a command
CONNECTIONS_MAX = 10_000_000
FLOW_SECONDS = 300
TO_SERVERS, TO_CLIENTS = '02:00:00:00:00:02', '02:00:00:00:00:03'  # the generator takes any


def flow(table, match, *actions, priority=10):
    """A line of OpenFlow."""
    return f'table={table},priority={priority},{match},actions={",".join(actions)}\n'


def dnat(table, address, zone):
    """Destination translation in one zone, in tables from `table` on."""
    back = table + 1
    track, to_server = f'ct(zone={zone},nat,table={{}})', f'mod_dl_dst:{TO_SERVERS}'
    return (flow(0, f'in_port=1,ip,nw_dst={address}', track.format(table))
            + flow(table, 'ct_state=+trk+new,ip', to_server, f'ct(commit,zone={zone},nat(dst={SERVERS}))', 'output:2')
            + flow(table, 'ct_state=+trk+est,ip', to_server, 'output:2')
            + flow(0, 'in_port=2,ip', track.format(back))
            + flow(back, 'ct_state=+trk+est,ip', f'mod_dl_dst:{TO_CLIENTS}', 'output:1'))


def full_nat(table, address, zone, source):
    """The same, and source translation in the next zone."""
    second, back, back_second = table + 1, table + 2, table + 3
    first_zone, then = (f'ct(zone={number},nat,table={{}})' for number in (zone, zone + 1))
    to_server = f'mod_dl_dst:{TO_SERVERS}'
    to_source = f'ct(commit,zone={zone + 1},nat(src={source}:1024-65535))'
    return (flow(0, f'in_port=1,ip,nw_dst={address}', first_zone.format(table))
            + flow(table, 'ct_state=+trk+new,ip', f'ct(commit,zone={zone},nat(dst={SERVERS}))', then.format(second))
            + flow(table, 'ct_state=+trk+est,ip', then.format(second))
            + flow(second, 'ct_state=+trk+new,ip', to_server, to_source, 'output:2')
            + flow(second, 'ct_state=+trk+est,ip', to_server, 'output:2')
            + flow(0, f'in_port=2,ip,nw_dst={source}', then.format(back), priority=20)
            + flow(back, 'ct_state=+trk+est,ip', first_zone.format(back_second))
            + flow(back_second, 'ct_state=+trk+est,ip', f'mod_dl_dst:{TO_CLIENTS}', 'output:1'))


FLOWS = dnat(10, PLAIN, 1) + full_nat(20, VIRTUAL, 2, DEVICE_OUT) + full_nat(30, BRIEF, 4, BRIEF_OUT)
TIMEOUTS = {1: FLOW_SECONDS, 2: FLOW_SECONDS, 3: FLOW_SECONDS, 4: 1, 5: 1}  # by zone, seconds


def _through(address):
    return {'virtual': f'{address}:{PORT}', 'clients': CLIENTS, 'servers': SERVERS, 'device_mac': '02:00:00:00:00:01'}


class OpenVSwitch(System):
    title = 'Open vSwitch ct(nat)'
    kinds = {'full NAT': _through(VIRTUAL), 'DNAT': _through(PLAIN), 'new, full NAT': _through(BRIEF)}
    # It sends by one queue for each thread that may, and its main thread has the first.
    generator_flags = {'queues': 2}
    open_per_second = 100_000

    def __init__(self, directory):
        super().__init__(directory)
        self.database = None
        self.said = []  # commands, for the report
        self.environment = {**os.environ, 'OVS_RUNDIR': str(self.directory), 'OVS_DBDIR': str(self.directory),
                            'OVS_LOGDIR': str(self.directory), 'OVS_SYSCONFDIR': str(self.directory)}

    def tool(self, where, name):
        path = PACKAGES / 'usr' / where / name
        if not path.exists():
            raise DeviceFailed('Open vSwitch is not there: apt could not download openvswitch-switch-dpdk')
        return path

    def run(self, where, name, *arguments, **options):
        command = [str(self.tool(where, name)), *map(str, arguments)]
        found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
                               env=self.environment, cwd=self.directory, **options)
        if found.returncode:
            raise DeviceFailed(f'{name} {" ".join(map(str, arguments))}: {found.stdout.strip()}')
        return found.stdout

    def configure(self, *arguments):
        """ovs-vsctl, without waiting for the daemon."""
        self.said.append('ovs-vsctl ' + ' '.join(arguments))
        self.run('bin', 'ovs-vsctl', f'--db=unix:{self.directory}/db.sock', '--no-wait', *arguments)

    def command(self):
        return [self.tool('lib/openvswitch-switch-dpdk', 'ovs-vswitchd-dpdk'), f'unix:{self.directory}/db.sock',
                f'--pidfile={self.directory}/vswitchd.pid', f'--unixctl={self.directory}/vswitchd.ctl']

    def start(self):
        for name in ('conf.db', 'db.sock', 'br0.mgmt', 'wire0.sock', 'wire1.sock'):
            (self.directory / name).unlink(missing_ok=True)
        self._start_database()
        self._configure()
        self.launch(self.command(), self.environment)
        self.said.append('ovs-appctl dpctl/ct-set-maxconns ' + str(CONNECTIONS_MAX))
        self.run('bin', 'ovs-appctl', '-t', self.directory / 'vswitchd.ctl', 'dpctl/ct-set-maxconns', CONNECTIONS_MAX)
        (self.directory / 'flows').write_text(FLOWS)
        self.run('bin', 'ovs-ofctl', 'add-flows', f'unix:{self.directory}/br0.mgmt', self.directory / 'flows')
        time.sleep(0.5)

    def _start_database(self):
        self.run('bin', 'ovsdb-tool', 'create', self.directory / 'conf.db',
                 PACKAGES / 'usr/share/openvswitch/vswitch.ovsschema')
        with open(self.directory / 'ovsdb.log', 'w') as log:
            self.database = subprocess.Popen(
                [self.tool('sbin', 'ovsdb-server'), self.directory / 'conf.db',
                 f'--remote=punix:{self.directory}/db.sock', f'--pidfile={self.directory}/ovsdb.pid',
                 f'--unixctl={self.directory}/ovsdb.ctl'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, cwd=self.directory)
        deadline = time.monotonic() + SECONDS
        while not (self.directory / 'db.sock').exists():
            if self.database.poll() is not None or time.monotonic() > deadline:
                raise DeviceFailed('ovsdb-server did not start: ' + (self.directory / 'ovsdb.log').read_text())
            time.sleep(0.05)

    def _configure(self):
        self.said = []
        self.configure('init')
        self.configure('set', 'Open_vSwitch', '.', 'other_config:dpdk-init=true', 'other_config:dpdk-socket-mem=1024',
                       'other_config:dpdk-extra="--no-pci --in-memory --file-prefix=tandem-bench-ovs"',
                       f'other_config:dpdk-lcore-mask={1 << GENERATOR_CPU:#x}',
                       f'other_config:pmd-cpu-mask={1 << DEVICE_CPU:#x}')
        self.configure('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', 'fail-mode=secure')
        for which in (0, 1):
            self.configure('add-port', 'br0', f'wire{which}', '--', 'set', 'Interface', f'wire{which}', 'type=dpdk',
                           f'ofport_request={which + 1}', 'options:n_rxq=2', 'options:n_rxq_desc=1024',
                           'options:n_txq_desc=1024',
                           f'options:dpdk-devargs="{memif(self.directory, which, "server")}"')
        self.configure('--', '--id=@datapath', 'create', 'Datapath', 'datapath_version=0', '--', 'set', 'Open_vSwitch',
                       '.', 'datapaths:netdev=@datapath')
        for zone, seconds in TIMEOUTS.items():
            self.configure('add-zone-tp', 'netdev', f'zone={zone}', f'udp_first={seconds}', f'udp_single={seconds}',
                           f'udp_multiple={seconds}')

    def is_up(self):
        return super().is_up() and (self.directory / 'br0.mgmt').exists()

    def stop(self):
        self._take_links_away()
        super().stop()
        if self.database is not None:
            self.database.terminate()
            self.database.wait(SECONDS)
            self.database = None

    def _take_links_away(self):
        """Ends the daemon in the way that leaves none of the links behind that its bridge made."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            self.run('bin', 'ovs-appctl', '-t', self.directory / 'vswitchd.ctl', 'exit', '--cleanup')
            self.process.wait(SECONDS)
        except (DeviceFailed, subprocess.TimeoutExpired):
            pass  # it is made to end all the same

    def configuration(self):
        return '\n'.join([*self.said, 'ovs-ofctl add-flows br0 - <<END', FLOWS + 'END'])

    def version(self):
        return ', '.join(self.run(self.command()[0].parent.relative_to(PACKAGES / 'usr'), 'ovs-vswitchd-dpdk',
                                  '--version').strip().splitlines())
