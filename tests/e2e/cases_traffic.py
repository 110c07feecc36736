# SPDX-License-Identifier: Apache-2.0
"""Ordinary clients: pages, transfers, datagrams, IPv6, a tagged wire, balancing, echo."""

import hashlib
import threading

from config import TAGGED_VIP, VIP, VIP6
from world import check, digest_of, pattern, wait_until

TRANSFER = 50_000_000  # bytes


def check_download(world, address, size, **options):
    headers, body = world.fetch(address, f'/bytes/{size}', timeout=120, **options)
    check(len(body) == size, f'{len(body)} bytes of {size} came')
    check(hashlib.sha256(body).hexdigest() == headers['Digest'] == digest_of(size),
          'the download was damaged')


def check_upload(world, address, size, **options):
    _, answer = world.fetch(address, '/', body=b''.join(pattern(size)), timeout=120, **options)
    check(answer.decode() == digest_of(size), 'the upload was damaged')


def check_spread(spread, shares, tolerance):
    """Each server's part of the pages is its share, give or take."""
    total = sum(spread.values())
    for server, share in shares.items():
        part = spread.get(server, 0) / total
        check(abs(part - share) <= tolerance, f'server{server} got {part:.2f}, not {share:.2f}: {spread}')


def check_echo(world, address, count, size):
    endpoint = world.udp((address, 7))
    for number in range(count):
        sent = number.to_bytes(4, 'big')[:size] + bytes(max(0, size - 4))
        endpoint.send(sent)
        check(endpoint.recv(65536) == sent, f'datagram {number} of {size} bytes came back changed')


def case_pages(world):
    """TCP: 300 pages, a connection each, spread evenly by round robin"""
    check_spread(world.pages(300, VIP), {1: 1 / 3, 2: 1 / 3, 3: 1 / 3}, 0.03)


def case_download(world):
    """TCP: a download of 50 MB arrives unharmed"""
    check_download(world, VIP, TRANSFER)


def case_upload(world):
    """TCP: an upload of 50 MB arrives unharmed"""
    check_upload(world, VIP, TRANSFER)


def case_parallel(world):
    """TCP: eight downloads at a time arrive unharmed"""
    errors = []

    def download():
        try:
            check_download(world, VIP, TRANSFER // 10)
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=download) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not errors, f'{len(errors)} of 8: {errors[:1]}')


def case_open_connections(world):
    """TCP: 500 connections open at a time all answer and all are shown"""
    connections = [world.connect(VIP) for _ in range(500)]
    shown = [c for c in world.connections('virtual', 'web') if c['state'] == 'established']
    for connection in connections:
        connection.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    for connection in connections:
        answer = b''
        while piece := connection.recv(4096):
            answer += piece
        check(b'hello from server' in answer, f'the page says {answer!r}')
        connection.close()
    check(len(shown) >= 500, f'{len(shown)} connections shown of 500')
    wait_until(lambda: not world.connections('virtual', 'web'), 'closed connections stay in the table')


def case_echo(world):
    """UDP: datagrams of every kind of size come back as they were"""
    for size in (0, 1, 2, 17, 512, 1300, 1372):
        check_echo(world, VIP, 50, size)


def case_many_clients(world):
    """UDP: 1000 clients at a time get their own answers"""
    endpoints = [world.udp((VIP, 7)) for _ in range(1000)]
    for number, endpoint in enumerate(endpoints):
        endpoint.send(b'client %d' % number)
    for number, endpoint in enumerate(endpoints):
        check(endpoint.recv(100) == b'client %d' % number, f'client {number} got what was not its own')
        endpoint.close()


def case_lookup(world):
    """UDP: dig looks names up"""
    for kind, answer in (('TXT', '"hello from server'), ('A', '192.0.2.1'), ('AAAA', '2001:db8::1')):
        text = world.client.run('dig', '+short', '+tries=1', f'@{VIP}', 'example.com', kind).stdout
        check(text.startswith(answer), f'dig {kind} says {text!r}')


def case_ipv6(world):
    """IPv6: pages, transfers both ways and datagrams"""
    check_spread(world.pages(90, VIP6), {1: 1 / 3, 2: 1 / 3, 3: 1 / 3}, 0.05)
    check_download(world, VIP6, TRANSFER // 5)
    check_upload(world, VIP6, TRANSFER // 5)
    check_echo(world, VIP6, 50, 1000)


def case_tagged(world):
    """VLAN: pages and transfers over a wire with 802.1Q tags"""
    check_spread(world.pages(30, TAGGED_VIP, space=world.tagged), {1: 1 / 3, 2: 1 / 3, 3: 1 / 3}, 0.1)
    check_download(world, TAGGED_VIP, TRANSFER // 25, space=world.tagged)
    check_upload(world, TAGGED_VIP, TRANSFER // 25, space=world.tagged)


def case_tagged_only(world):
    """VLAN: a virtual that listens on one VLAN is not there for the others"""
    check(len(world.pages(6, '10.1.0.100', space=world.tagged)) == 3, 'not all servers were reached')
    before = world.drops()
    world.client.run('curl', '-s', '--max-time', '1', 'http://10.1.0.100/', check=False)
    world.wait_for_drop('no_virtual', before)


def case_iperf(world):
    """iperf3: several streams meet one server by consistent hash"""
    seconds = 2
    text = world.client.run('iperf3', '-c', VIP, '-t', seconds, '-P', 4, '-f', 'm').stdout
    check('receiver' in text, f'iperf3 says {text}')
    text = world.client.run('iperf3', '-c', VIP, '-t', seconds, '-R', '-f', 'm').stdout
    check('receiver' in text, f'iperf3 -R says {text}')


def case_ratio(world):
    """Balancing: ratio 3:1:1"""
    check_spread(world.pages(100, '10.0.0.109', 80), {1: 0.6, 2: 0.2, 3: 0.2}, 0.06)


def case_least_connections(world):
    """Balancing: least connections fills up evenly"""
    connections = [world.connect('10.0.0.109', 81) for _ in range(30)]
    held = {}
    for connection in world.connections('virtual', 'least'):
        held[connection['member']] = held.get(connection['member'], 0) + 1
    for connection in connections:
        connection.close()
    check(sorted(held.values()) == [10, 10, 10] or
          world.workers > 1 and len(held) == 3 and min(held.values()) >= 8, f'members hold {held}')


def case_maglev(world):
    """Balancing: one 5-tuple finds one member again, and many find all"""
    names = set()
    for _ in range(3):
        headers, _ = world.fetch('10.0.0.109', port=82, source_port=40123)
        names.add(headers['X-Server'])
    check(len(names) == 1, f'one source port found {names}')
    check(len(world.pages(60, '10.0.0.109', 82)) == 3, 'sixty source ports found fewer than three')


def case_ping(world):
    """ICMP: self IPs and virtual addresses answer echo, both families"""
    for address in ('10.0.0.1', '10.0.1.1', VIP, '2001:db8::1', VIP6):
        world.client.run('ping', '-c', '3', '-i', '0.2', '-W', '2', address)
    world.client.run('ping', '-c', '2', '-i', '0.2', '-s', '1400', '-W', '2', VIP)
    world.tagged.run('ping', '-c', '2', '-i', '0.2', '-W', '2', '10.0.10.1')


def case_arp(world):
    """ARP and neighbour discovery: a client that forgot finds everything again"""
    for _ in range(5):
        world.client.run('ip', 'neighbour', 'flush', 'dev', 'eth0')
        world.pages(3, VIP)
        world.pages(3, VIP6)
    neighbours = {n['address']: n['state'] for n in world.device.show('arp')['neighbour']}
    for address in ('10.0.1.10', '10.0.2.10', '10.0.3.10', '2001:db8:1::10'):
        check(neighbours.get(address) in ('reachable', 'stale'), f'{address} is not in {neighbours}')


def case_both_workers(world):
    """Workers: each of them forwards, and none holds packets back"""
    before = world.device.show('worker')['worker']
    world.pages(60, VIP)
    after = world.device.show('worker')['worker']
    check(len(after) == world.workers, f'{len(after)} workers of {world.workers}')
    for old, new in zip(before, after):
        check(new.get('flows_created', 0) > old.get('flows_created', 0), f'a worker idles: {after}')
