# SPDX-License-Identifier: Apache-2.0
"""What servers and clients see of each other: SNAT, DSR, ports, forwarding, ICMP, limits, refusals."""

import errno
import re
import socket
import struct
import time

from cases_traffic import check_download, check_upload
from config import SERVER3_MTU, SNAT_ADDRESSES, VIP, VIP6
from world import check, wait_until

CLIENT, CLIENT6 = '10.0.0.10', '2001:db8::10'


def seen_clients(world, address, count=9):
    """The client addresses that the servers saw, by server name."""
    seen = {}
    for _ in range(count):
        headers, _ = world.fetch(address)
        seen.setdefault(headers['X-Server'], set()).add(headers['X-Client'])
    return seen


def refusal(world, address, port=80):
    """The errno of a TCP connection that must not come about, or None when it did."""
    try:
        world.connect(address, port, timeout=1.5).close()
    except OSError as error:
        return error.errno or errno.ETIMEDOUT
    return None


def udp_refusal(world, address, port):
    """The errno a client gets for its datagram, or None."""
    endpoint = world.udp((address, port), timeout=2)
    endpoint.send(b'anyone?')
    try:
        endpoint.recv(100)
    except OSError as error:
        return error.errno
    return None


def case_automap(world):
    """SNAT automap: servers see the self IP of their own network"""
    seen = seen_clients(world, VIP)
    check(seen == {f'server{n}': {f'10.0.{n}.1'} for n in (1, 2, 3)}, f'servers saw {seen}')
    seen = seen_clients(world, VIP6)
    check(seen == {f'server{n}': {f'2001:db8:{n}::1'} for n in (1, 2, 3)}, f'servers saw {seen}')


def case_snat_pool(world):
    """SNAT pool: servers see an address of the pool"""
    for address, translated in (('10.0.0.102', SNAT_ADDRESSES[0]), ('2001:db8::102', SNAT_ADDRESSES[1])):
        seen = seen_clients(world, address)
        check(set().union(*seen.values()) == {translated}, f'servers saw {seen}')


def case_snat_none(world):
    """SNAT none: servers see the client, and their replies come back through the device"""
    for address, client in (('10.0.0.101', CLIENT), ('2001:db8::101', CLIENT6)):
        seen = seen_clients(world, address)
        check(len(seen) == 3 and set().union(*seen.values()) == {client}, f'servers saw {seen}')
    check_download(world, '10.0.0.101', 5_000_000)


def case_source_port(world):
    """Source port: preserve-strict keeps the client's or refuses, change does not keep it"""
    before = world.drops()
    clients = [f'10.0.0.{n}' for n in range(70, 82)]
    kept = []
    for port, client in enumerate(clients, 33001):
        headers, _ = world.fetch('10.0.0.108', port=81, source_port=port)
        check(int(headers['X-Client-Port']) != port, f'change: {port} stayed')
        world.client.address('eth0', f'{client}/32')
        try:
            headers, _ = world.fetch('10.0.0.108', source=client, source_port=port, connect_timeout=0.5)
            check(int(headers['X-Client-Port']) == port, f'strict: {port} became {headers}')
            kept.append(client)
        except TimeoutError:
            pass
        finally:
            world.client.run('ip', 'address', 'del', f'{client}/32', 'dev', 'eth0')
    # Refused is a client whose replies another worker would own: about every second one of two.
    check(kept == clients if world.workers == 1 else kept, f'served were {kept}')
    world.wait_for_drop('snat_port_exhausted', before, len(clients) - len(kept))


def case_dsr(world):
    """DSR: the server owns the virtual address and answers past the device"""
    spread = world.pages(10, '10.0.0.103')
    check(spread == {1: 10}, f'spread {spread}')
    headers, _ = world.fetch('10.0.0.103')
    check(headers['X-Client'] == CLIENT, f'the server saw {headers["X-Client"]}')
    traffic = world.virtual('dsr')['traffic']
    check(traffic.get('packets_in', 0) > 0 and traffic.get('packets_out', 0) == 0,
          f'replies came through the device: {traffic}')


def case_port_translation(world):
    """Ports: 8080 outside, 80 inside"""
    check(len(world.pages(6, '10.0.0.107', 8080)) == 3, 'not all servers were reached')


def case_any_port(world):
    """Ports: a virtual and members for any port and any protocol keep the client's choice"""
    check(len(world.pages(6, '10.0.0.106')) == 3, 'not all servers were reached')
    endpoint = world.udp(('10.0.0.106', 7))
    endpoint.send(b'any')
    check(endpoint.recv(10) == b'any', 'no echo')


def case_forwarding(world):
    """Forwarding virtual: the client reaches servers by their own addresses, both families"""
    for address, client in (('10.0.1.10', CLIENT), ('2001:db8:2::10', CLIENT6)):
        headers, _ = world.fetch(address)
        check(headers['X-Client'] == client, f'the server saw {headers["X-Client"]}')
        world.client.run('ping', '-c', '3', '-i', '0.2', '-W', '2', address)
    check_download(world, '10.0.2.10', 5_000_000)


def case_servers_reach_out(world):
    """Forwarding virtual: servers open connections of their own"""
    world.servers[1].run('ping', '-c', '2', '-i', '0.2', '-W', '2', '10.0.2.10')
    headers, _ = world.fetch('10.0.2.10', space=world.servers[1])
    check(headers['X-Client'] == '10.0.1.10', f'the server saw {headers["X-Client"]}')


def case_time_exceeded(world):
    """ICMP: a packet whose TTL ends here is answered from the self IP it came to"""
    before = world.drops()
    for address, router in (('10.0.1.10', '10.0.0.1'), ('2001:db8:1::10', '2001:db8::1')):
        text = world.client.run('ping', '-c', '1', '-t', '1', '-W', '2', address, check=False).stdout
        check(f'From {router}' in text and 'exceeded' in text.lower(), f'ping -t 1 says {text!r}')
    world.wait_for_drop('ttl_expired', before, 2)


def case_path_mtu(world):
    """ICMP: a packet too big for the way on is answered with the MTU, and TCP adapts"""
    before = world.drops()
    for address, header in (('10.0.3.10', 28), ('2001:db8:3::10', 48)):
        text = world.client.run('ping', '-c', '1', '-M', 'do', '-s', 1500 - header, '-W', '2', address,
                                check=False)
        text = text.stdout + text.stderr
        check(re.search(rf'mtu\s*=\s*{SERVER3_MTU}', text), f'ping of 1500 bytes says {text!r}')
    world.wait_for_drop('mtu_exceeded', before, 2)
    world.client.run('ip', 'route', 'flush', 'cache')
    for address in ('10.0.3.10', '10.0.0.101', VIP, VIP6):
        for _ in range(3):
            check_upload(world, address, 1_000_000)


def case_server_icmp(world):
    """ICMP: a member's port unreachable reaches the client as if from the virtual address"""
    for address in ('10.0.0.110', '2001:db8::110'):
        check(udp_refusal(world, address, 9) == errno.ECONNREFUSED, f'{address}: no error came')


def case_member_reset(world):
    """TCP: a member's reset reaches the client"""
    check(refusal(world, '10.0.0.106', 4444) == errno.ECONNREFUSED, 'not refused')


def case_reject(world):
    """Reject virtual: TCP gets a reset, UDP a port unreachable, and both are counted"""
    before = world.drops()
    for address in ('10.0.0.104', '2001:db8::104'):
        check(refusal(world, address) == errno.ECONNREFUSED, f'{address}: TCP not refused')
        check(udp_refusal(world, address, 5000) in (errno.ECONNREFUSED, errno.EHOSTUNREACH),
              f'{address}: UDP not refused')
    world.wait_for_drop('virtual_reject', before, 4)


def case_disabled(world):
    """Disabled virtual: serves nobody"""
    before = world.drops()
    check(refusal(world, '10.0.0.114') is not None, 'it answered')
    world.wait_for_drop('virtual_disabled', before)


def case_source_filter(world):
    """Source filter: a virtual for one client is not there for another"""
    world.client.address('eth0', '10.0.0.77/24')
    try:
        allowed = world.client.socket(socket.AF_INET, socket.SOCK_STREAM)
        allowed.settimeout(5)
        allowed.bind(('10.0.0.77', 0))
        allowed.connect(('10.0.0.115', 80))
        allowed.close()
    finally:
        world.client.run('ip', 'address', 'del', '10.0.0.77/24', 'dev', 'eth0')
    check(refusal(world, '10.0.0.115') is not None, 'another client was served')


def case_connection_limits(world):
    """Connection limits: of a virtual and of a member; the next is served when one has gone"""
    for port, reason in ((80, 'virtual_limit'), (81, 'member_limit')):
        before = world.drops()
        held = [world.connect('10.0.0.105', port) for _ in range(3)]
        check(refusal(world, '10.0.0.105', port) is not None, f'port {port}: a fourth was served')
        world.wait_for_drop(reason, before)
        held.pop().close()
        wait_until(lambda: refusal(world, '10.0.0.105', port) is None, f'port {port}: still full')
        for connection in held:
            connection.close()


def stray_ack(world, address, listen_seconds=1.0):
    """Sends an ACK of no connection from a raw socket; the TCP flags that come back, or None."""
    raw = world.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    raw.settimeout(0.1)
    port = 61000 + int(address.rpartition('.')[2])
    segment = struct.pack('!HHIIBBHHH', port, 80, 1000, 2000, 5 << 4, 0x10, 1000, 0, 0)
    pseudo = socket.inet_aton(CLIENT) + socket.inet_aton(address) + struct.pack('!BBH', 0, 6, len(segment))
    words = struct.unpack(f'!{len(pseudo + segment) // 2}H', pseudo + segment)
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    checksum = ~((total & 0xffff) + (total >> 16)) & 0xffff
    raw.sendto(segment[:16] + struct.pack('!H', checksum) + segment[18:], (address, 0))
    deadline = time.monotonic() + listen_seconds
    while time.monotonic() < deadline:
        try:
            packet = raw.recv(2048)
        except TimeoutError:
            continue
        header = (packet[0] & 15) * 4
        if packet[12:16] == socket.inet_aton(address) and packet[header + 2:header + 4] == \
                struct.pack('!H', port):
            return packet[header + 13]
    return None


def case_no_flow(world):
    """TCP of no connection: reset, dropped, or adopted, as the virtual says"""
    before = world.drops()
    check(stray_ack(world, VIP) == 0x04, 'no reset came')
    check(stray_ack(world, '10.0.0.111') is None, 'an answer came where none should')
    world.wait_for_drop('no_flow', before, 2)
    # Adopted, the segment reaches a server, which knows nothing of it and resets it itself.
    check(stray_ack(world, '10.0.0.112') == 0x04, 'the adopted segment found no server')
    check(not world.drops().get('no_flow', 0) > before.get('no_flow', 0) + 2, 'it was dropped')


def case_no_virtual(world):
    """No virtual: a packet that nobody wants is dropped, counted and not answered"""
    before = world.drops()
    check(refusal(world, '192.0.2.7') == errno.ETIMEDOUT, 'somebody answered')
    world.wait_for_drop('no_virtual', before)


def case_idle(world):
    """Idle timeout: a UDP flow that carries nothing is gone after its time"""
    endpoint = world.udp(('10.0.0.113', 7))
    endpoint.send(b'a')
    endpoint.recv(10)
    check(len(world.connections('virtual', 'short-lived')) == 1, 'the flow is not shown')
    wait_until(lambda: not world.connections('virtual', 'short-lived'), 'the flow is still there', 6)
    endpoint.send(b'b')
    check(endpoint.recv(10) == b'b', 'a new flow was not made')
