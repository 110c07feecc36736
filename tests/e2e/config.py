# SPDX-License-Identifier: Apache-2.0
"""The configuration of the end-to-end tests, as text. The network is tools/lib/topology.py's, plus a
client behind an 802.1Q wire (10.0.10.0/24, tag 10)."""

VIP = '10.0.0.100'
VIP6 = '2001:db8::100'
SNAT_ADDRESSES = ('10.0.99.1', '2001:db8:99::1')
TAG = 10
TAGGED_VIP = '10.0.10.100'
SERVER3_MTU = 1400  # so that path MTU discovery has something to discover

_SERVERS = (1, 2, 3)


def _device(workers, file_prefix):
    return f'''
device {{
  name: "e2e"
  workers: {workers}
  poll_mode: ADAPTIVE
  hugepages: false
  ipv4_flows_per_worker: 65536
  ipv6_flows_per_worker: 16384
  eal_args: "--file-prefix={file_prefix}"
}}
limits {{ reset_rate: 1000 }}
'''


def _ports(workers):
    names = ['clients', *(f'server{n}' for n in _SERVERS), 'tagged']
    return ''.join(
        f'port {{ name: "{name}" device: "net_af_packet{i},iface={name},qpairs={workers}" }}\n'
        for i, name in enumerate(names))


def _interfaces():
    text = 'vlan { name: "clients" port: "clients" facing: CLIENT }\n'
    text += f'vlan {{ name: "tagged" port: "tagged" tag: {TAG} facing: CLIENT }}\n'
    text += 'self_ip { name: "clients" vlan: "clients" address: "10.0.0.1/24" }\n'
    text += 'self_ip { name: "clients-6" vlan: "clients" address: "2001:db8::1/64" }\n'
    text += 'self_ip { name: "tagged" vlan: "tagged" address: "10.0.10.1/24" }\n'
    for n in _SERVERS:
        mtu = f' mtu: {SERVER3_MTU}' if n == 3 else ''
        text += f'vlan {{ name: "server{n}" port: "server{n}" facing: SERVER{mtu} }}\n'
        text += f'self_ip {{ name: "server{n}" vlan: "server{n}" address: "10.0.{n}.1/24" }}\n'
        text += f'self_ip {{ name: "server{n}-6" vlan: "server{n}" address: "2001:db8:{n}::1/64" }}\n'
    return text


def pool(name, port, servers=_SERVERS, mode='ROUND_ROBIN', ipv6=False, ratios=None, extra=''):
    members = ''
    for n in servers:
        address = f'2001:db8:{n}::10' if ipv6 else f'10.0.{n}.10'
        ratio = f' ratio: {ratios[n]}' if ratios else ''
        members += f'  member {{ address: "{address}" port: {port}{ratio}{extra} }}\n'
    return f'pool {{\n  name: "{name}"\n  load_balancing_mode: {mode}\n{members}}}\n'


def virtual(name, destination, pool_name='', protocol='TCP', snat='AUTOMAP', **fields):
    text = f'virtual {{\n  name: "{name}"\n  destination: "{destination}"\n  ip_protocol: {protocol}\n'
    if pool_name:
        text += f'  pool: "{pool_name}"\n'
    if snat:
        of_pool = ' pool: "snat"' if snat == 'SNAT' else ''
        text += f'  source_address_translation {{ type: {snat}{of_pool} }}\n'
    text += ''.join(f'  {field}: {value}\n' for field, value in fields.items())
    return text + '}\n'


def _pools():
    return ''.join([
        pool('web', 80), pool('web6', 80, ipv6=True), pool('dns', 53), pool('echo', 7),
        pool('echo6', 7, ipv6=True), pool('any', 0), pool('iperf', 5201, mode='MAGLEV_SOURCE'),
        pool('maglev-flow', 80, mode='MAGLEV_FIVE_TUPLE'),
        pool('ratio', 80, mode='RATIO_MEMBER', ratios={1: 3, 2: 1, 3: 1}),
        pool('least', 80, mode='LEAST_CONNECTIONS_MEMBER'),
        pool('one', 80, servers=(1,)), pool('one-echo', 7, servers=(1,)),
        pool('closed', 9, servers=(1,)), pool('closed6', 9, servers=(1,), ipv6=True),
        pool('limited', 80, servers=(1,), extra=' connection_limit: 3'),
    ])


def _virtuals():
    return ''.join([
        virtual('web', f'{VIP}:80', 'web'),
        virtual('web6', f'[{VIP6}]:80', 'web6'),
        virtual('web-tagged', f'{TAGGED_VIP}:80', 'web', vlans='"tagged"'),
        virtual('tagged-only', '10.1.0.100:80', 'web', vlans='"tagged"'),
        virtual('dns', f'{VIP}:53', 'dns', 'UDP'),
        virtual('echo', f'{VIP}:7', 'echo', 'UDP'),
        virtual('echo6', f'[{VIP6}]:7', 'echo6', 'UDP'),
        virtual('iperf', f'{VIP}:5201', 'iperf'),
        virtual('web-none', '10.0.0.101:80', 'web', snat='NONE'),
        virtual('web6-none', '[2001:db8::101]:80', 'web6', snat='NONE'),
        virtual('web-snat', '10.0.0.102:80', 'web', snat='SNAT'),
        virtual('web6-snat', '[2001:db8::102]:80', 'web6', snat='SNAT'),
        virtual('dsr', '10.0.0.103:80', 'one', snat='NONE', translate_address='false',
                translate_port='false'),
        virtual('reject', '10.0.0.104:any', protocol='ANY', snat='', type='REJECT'),
        virtual('reject6', '[2001:db8::104]:any', protocol='ANY', snat='', type='REJECT'),
        virtual('limited', '10.0.0.105:80', 'one', connection_limit=3),
        virtual('limited-member', '10.0.0.105:81', 'limited'),
        virtual('any-port', '10.0.0.106:any', 'any', 'ANY'),
        virtual('other-port', '10.0.0.107:8080', 'web'),
        virtual('strict', '10.0.0.108:80', 'one', source_port='PRESERVE_STRICT'),
        virtual('change', '10.0.0.108:81', 'one', source_port='CHANGE'),
        virtual('ratio', '10.0.0.109:80', 'ratio'),
        virtual('least', '10.0.0.109:81', 'least'),
        virtual('maglev-flow', '10.0.0.109:82', 'maglev-flow'),
        virtual('closed', '10.0.0.110:9', 'closed', 'UDP'),
        virtual('closed6', '[2001:db8::110]:9', 'closed6', 'UDP'),
        virtual('drop-no-flow', '10.0.0.111:80', 'one', no_flow_action='DROP'),
        virtual('loose', '10.0.0.112:80', 'one', snat='NONE', no_flow_action='LOOSE_INITIATION'),
        virtual('short-lived', '10.0.0.113:7', 'one-echo', 'UDP', profile='"short"'),
        virtual('off', '10.0.0.114:80', 'one', enabled='false'),
        virtual('for-one-client', '10.0.0.115:80', 'one', source='"10.0.0.77/32"'),
        virtual('forward', '10.0.0.0/16:any', protocol='ANY', snat='', type='FORWARDING_IP'),
        virtual('forward6', '[2001:db8::/32]:any', protocol='ANY', snat='', type='FORWARDING_IP'),
    ])


def base_config(workers, file_prefix, extra=''):
    """All objects of the ordinary cases; `extra` is further objects as text."""
    snat = ''.join(f'  members: "{address}"\n' for address in SNAT_ADDRESSES)
    return ('# SPDX-License-Identifier: Apache-2.0\n' + _device(workers, file_prefix) +
            _ports(workers) + _interfaces() + f'snat_pool {{\n  name: "snat"\n{snat}}}\n' +
            'profile_fastl4 { name: "short" udp_idle_timeout: 1 }\n' +
            _pools() + _virtuals() + extra)
