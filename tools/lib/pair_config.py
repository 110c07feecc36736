# SPDX-License-Identifier: Apache-2.0
"""The configuration of the devices of a pair, or of a group of three (pair.py), as text. All are on the same two
networks, clients (10.0.0.0/24) and servers (10.1.0.0/24), and have a mirroring network between them."""

VIP = '10.0.0.100'
GATEWAY = '10.0.0.1'  # floating self IPs
SERVER_GATEWAY = '10.1.0.1'
SNAT_ADDRESSES = ('10.1.0.201', '10.1.0.202')
GROUP = 'traffic-group-1'
MAC = '02:00:5e:00:00:01'
KEY = '00112233445566778899aabbccddeeff' * 2
# Addresses among clients and servers and on the mirroring network, and the unit id.
FIXED = {'a': ('10.0.0.2', '10.1.0.2', '10.255.0.1', 1),
         'b': ('10.0.0.3', '10.1.0.3', '10.255.0.2', 2),
         'c': ('10.0.0.4', '10.1.0.4', '10.255.0.3', 3)}
MANAGEMENT = {'a': '10.254.0.1', 'b': '10.254.0.2', 'c': '10.254.0.3'}


def virtual(name, port, pool, protocol='TCP', mirror=True, snat='SNAT', address=VIP, group=GROUP, **fields):
    translation = {'SNAT': 'source_address_translation { type: SNAT pool: "snat" }',
                   'AUTOMAP': 'source_address_translation { type: AUTOMAP }', 'NONE': ''}[snat]
    text = f'''
virtual {{
  name: "{name}"
  destination: "{address}:{port}"
  ip_protocol: {protocol}
  pool: "{pool}"
  traffic_group: "{group}"
  mirror: {'true' if mirror else 'false'}
  {translation}
'''
    text += ''.join(f'  {field}: {value}\n' for field, value in fields.items())
    return text + '}\n'


def pool(name, port, servers=(1, 2, 3)):
    members = ''.join(f'  member {{ address: "10.1.0.{10 + n}" port: {port} }}\n' for n in servers)
    return f'pool {{\n  name: "{name}"\n{members}}}\n'


def device_group(state_file, members='ab', vlans=False, **fields):
    """The devices decide between them who is active. `vlans`: heartbeats go over the traffic VLANs, too. `fields`:
    further ones of DeviceGroup."""
    def addresses(which):
        text = f'mirroring_address: "{FIXED[which][2]}" ' if len(members) > 2 else ''
        return text + ''.join(f'failover_address: "{FIXED[which][i]}" ' for i in (0, 1) if vlans)
    devices = ''.join(f'  device {{ name: "device-{which}" unit_id: {FIXED[which][3]} {addresses(which)}'
                      f'management_address: "{MANAGEMENT[which]}" }}\n' for which in members)
    return (f'device_group {{\n  name: "pair"\n{devices}  state_file: "{state_file}"\n'
            + ''.join(f'  {field}: {value}\n' for field, value in fields.items()) + '}\n')


def pair_config(which, workers, file_prefix, role=None, key=KEY, mirroring=True, masquerade=True, extra='',
                takeover=None, group_fields='', flows=65536, peers=True):
    """Of device `which`: with the role ACTIVE or STANDBY, or in the device group `takeover`, which says who the
    peers are unless `peers`: then it is the other one of a pair."""
    mac = f'mac: "{MAC}"' if masquerade else ''
    role = f'role: {role}' if takeover is None else group_fields
    client_ip, server_ip, mirror_ip, unit_id = FIXED[which]
    peer = f'peer: "{FIXED["b" if which == "a" else "a"][2]}"' if peers else ''
    text = f'''# SPDX-License-Identifier: Apache-2.0
device {{
  name: "device-{which}"
  workers: {workers}
  poll_mode: ADAPTIVE
  hugepages: false
  ipv4_flows_per_worker: {flows}
  ipv6_flows_per_worker: 16384
  eal_args: "--file-prefix={file_prefix}-{which}"
}}
traffic_group {{ name: "{GROUP}" {mac} {role} }}
{takeover or ''}port {{ name: "clients" device: "net_af_packet0,iface=clients,qpairs={workers}" promiscuous: true }}
port {{ name: "servers" device: "net_af_packet1,iface=servers,qpairs={workers}" promiscuous: true }}
vlan {{ name: "clients" port: "clients" facing: CLIENT }}
vlan {{ name: "servers" port: "servers" facing: SERVER }}
self_ip {{ name: "clients" vlan: "clients" address: "{client_ip}/24" }}
self_ip {{ name: "servers" vlan: "servers" address: "{server_ip}/24" }}
self_ip {{ name: "clients-floating" vlan: "clients" address: "{GATEWAY}/24" traffic_group: "{GROUP}" }}
self_ip {{ name: "servers-floating" vlan: "servers" address: "{SERVER_GATEWAY}/24" traffic_group: "{GROUP}" }}
snat_pool {{
  name: "snat"
  traffic_group: "{GROUP}"
{''.join(f'  members: "{address}"' + chr(10) for address in SNAT_ADDRESSES)}}}
profile_persistence {{ name: "source" type: SOURCE_ADDRESS mirror: true }}
'''
    if mirroring:
        text += f'''
mirroring {{
  device: "net_af_packet2,iface=mirror"
  mtu: 9000
  address: "{mirror_ip}/24"
  {peer}
  unit_id: {unit_id}
  key: "{key}"
}}
'''
    return text + ''.join([
        pool('web', 80), pool('echo', 7), pool('iperf', 5201),
        virtual('web', 80, 'web'),
        virtual('plain', 81, 'web', mirror=False),
        virtual('sticky', 82, 'web', persistence='"source"'),
        virtual('routed', 83, 'web', snat='NONE'),
        virtual('automap', 84, 'web', snat='AUTOMAP'),
        virtual('echo', 7, 'echo', 'UDP'),
        virtual('iperf', 5201, 'iperf'),
    ]) + extra
