# SPDX-License-Identifier: Apache-2.0
"""tandem-pktgen around the device: its clients on one wire, its servers on the other."""

import json

from builds import program
from device import Device
from world import World, check

SERVERS = '10.1.0.11-10.1.0.14'
DIRECT = '10.0.0.101'  # servers behind it answer clients themselves
SERVERS6 = '2001:db8:1::11-2001:db8:1::14'
CLIENTS = '10.0.1.1-10.0.4.254'
CLIENTS6 = '2001:db8::1:1-2001:db8::1:ff'
RUN_SECONDS = 60


class PktgenWorld(World):
    def open(self):
        self.traffic = self.lab.namespace('traffic')
        space = self.lab.namespace('device')
        for name in ('clients', 'servers'):
            self.lab.wire(self.traffic, name, space, name)
        for one in (self.traffic, space):
            # What arrives is for the two programs, not for the kernel.
            one.sysctl(ipv6__conf__all__disable_ipv6=1)
        self.device = Device(space, self.build)
        self.start_device()

    def config(self, extra=''):
        pools = ''
        for name, prefix in (('v4', '10.1.0.'), ('v6', '2001:db8:1::')):
            members = ' '.join(f'member {{ address: "{prefix}{n}" port: 7 }}' for n in (11, 12, 13, 14))
            pools += f'pool {{ name: "{name}" {members} }}\n'
        virtuals = ''
        for protocol in ('UDP', 'TCP'):
            for pool, address in (('v4', '10.0.0.100'), ('v6', '[2001:db8::100]')):
                for port, snat in ((80, ''), (81, 'source_address_translation { type: AUTOMAP }')):
                    virtuals += (f'virtual {{ name: "{pool}-{protocol}-{port}" destination: "{address}:{port}" '
                                 f'ip_protocol: {protocol} pool: "{pool}" {snat} }}\n')
        virtuals += (f'virtual {{ name: "direct" destination: "{DIRECT}:80" ip_protocol: UDP pool: "v4" '
                     'translate_address: false translate_port: false }\n')
        return f'''
device {{
  name: "e2e" workers: {self.workers} poll_mode: ADAPTIVE hugepages: false
  ipv4_flows_per_worker: 65536 ipv6_flows_per_worker: 16384
  eal_args: "--file-prefix={self.file_prefix}"
}}
port {{ name: "clients" device: "net_af_packet0,iface=clients,qpairs={self.workers}" }}
port {{ name: "servers" device: "net_af_packet1,iface=servers,qpairs={self.workers}" }}
vlan {{ name: "clients" port: "clients" facing: CLIENT }}
vlan {{ name: "servers" port: "servers" facing: SERVER }}
self_ip {{ name: "clients" vlan: "clients" address: "10.0.0.1/16" }}
self_ip {{ name: "clients-6" vlan: "clients" address: "2001:db8::1/64" }}
self_ip {{ name: "servers" vlan: "servers" address: "10.1.0.1/16" }}
self_ip {{ name: "servers-6" vlan: "servers" address: "2001:db8:1::1/64" }}
{pools}{virtuals}{extra}'''

    def rate(self, divisor=1):
        """A second, well within what any machine does."""
        return (500 if self.sanitized else 2000) // divisor

    def generate(self, *flags, port=80, ipv6=False, status=0):
        """A run of tandem-pktgen; its result, or what it says when `status` is not 0."""
        path = self.directory / 'pktgen.json'
        addresses = ('--virtual', f'[2001:db8::100]:{port}', '--clients', CLIENTS6, '--servers', SERVERS6) \
            if ipv6 else ('--virtual', f'10.0.0.100:{port}', '--clients', CLIENTS, '--servers', SERVERS)
        result = self.traffic.run(
            program(self.build, 'tandem-pktgen'), '--client_port', 'net_af_packet0,iface=clients',
            '--server_port', 'net_af_packet1,iface=servers', '--hugepages=false', '--json', path,
            '--warm_up_s', '0.2', '--duration_s', '1', *addresses, *flags, check=False, timeout=RUN_SECONDS)
        check(result.returncode == status,
              f'exit status {result.returncode}\n{result.stdout}{result.stderr}')
        return json.loads(path.read_text()) if status == 0 else result.stderr


WORLD = PktgenWorld


def check_clean(result):
    check(result['lost']['total'] == 0, result['lost'])
    check(result['corrupt'] == 0 and result['misdelivered'] == 0, result)
    sent, came = result['clients'], result['servers']
    check(sent['requests_sent'] == came['requests_received'] > 0, (sent, came))
    check(sent['replies_received'] == came['replies_sent'], (sent, came))


def case_udp(world):
    """Pktgen: UDP by Zipf's law through the device, IPv4 and IPv6, with and without SNAT: nothing lost, nothing astray"""
    for port in (80, 81):
        for ipv6 in (False, True):
            result = world.generate('--rate_pps', world.rate(), '--flows', '500', '--popularity', 'zipf:1.1',
                                    '--frame_size', 'imix', port=port, ipv6=ipv6)
            check_clean(result)
            check(result['round_trip_ns']['count'] == result['clients']['replies_received'], result)


def case_direct_return(world):
    """Pktgen: servers that answer past the device get the virtual server's own address, and clients everything"""
    result = world.generate('--rate_pps', world.rate(), '--virtual', f'{DIRECT}:80', '--servers',
                            f'{SERVERS},{DIRECT}', '--direct_return')
    check_clean(result)
    check(result['clients']['replies_received'] == result['clients']['requests_sent'], result['clients'])


def case_several_queues(world):
    """Pktgen: what the kernel spreads over two receive queues of a port is all received"""
    result = world.generate('--rate_pps', world.rate(), '--queues', '2', '--client_port',
                            'net_af_packet0,iface=clients,qpairs=2', '--server_port',
                            'net_af_packet1,iface=servers,qpairs=2')
    check_clean(result)


def case_tcp(world):
    """Pktgen: TCP connections open, carry data and close through the device"""
    for port, ipv6 in ((80, False), (81, False), (81, True)):
        result = world.generate('--protocol', 'tcp', '--rate_pps', world.rate(), '--flows', '200', port=port, ipv6=ipv6)
        check_clean(result)
        check(result['opening']['open_flows'] == 200 and result['opening']['left_open'] == 0,
              result['opening'])


def case_new_connections(world):
    """Pktgen: new connections at a rate, each with two requests, all closed"""
    result = world.generate('--protocol', 'tcp', '--new_per_second', world.rate(4), '--requests_per_connection', '2',
                            '--flows', '20000', port=81)
    check_clean(result)
    clients = result['clients']
    check(clients['connections_started'] == clients['connections_closed'] > 50, clients)
    check(clients['requests_sent'] == 2 * clients['connections_closed'], clients)


def case_nobody_there(world):
    """Pktgen: an address that nobody answers for, or no virtual server, is a clear error"""
    error = world.generate('--client_gateway', '10.0.0.77', '--resolve_s', '1', status=1)
    check('nobody answers for 10.0.0.77 (ARP) on --client_port within 1000 ms' in error, error)
    error = world.generate('--protocol', 'tcp', '--flows', '50', port=99, status=1)
    check('no connection could be opened: 50 SYN sent' in error, error)
