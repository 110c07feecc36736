# SPDX-License-Identifier: Apache-2.0
"""What the cases work with: the network, the device in its midst, and ways to use and question them."""

import contextlib
import http.client
import os
import socket
import struct
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'lib'
sys.path.insert(0, str(TOOLS))

from config import TAG, base_config  # noqa: E402
from device import Device  # noqa: E402
from netlab import Lab  # noqa: E402
from servers import digest_of, pattern  # noqa: E402,F401
from topology import build_network, start_servers  # noqa: E402

SETTLE_SECONDS = 10


class CaseFailed(AssertionError):
    pass


def mostly_waits(case):
    """Marks a case that is long because timers are; what it runs, shorter ones run as well."""
    case.mostly_waits = True
    return case


def check(condition, message):
    if not condition:
        raise CaseFailed(message)


def wait_until(condition, message, seconds=SETTLE_SECONDS):
    """Waits for `condition()`; returns its value. `message` may be a function that makes it."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise CaseFailed(f'after {seconds} s: {message() if callable(message) else message}')
        time.sleep(0.05)
    return value


def family_of(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


class World:
    def __init__(self, build, workers, directory):
        self.build = build
        self.workers = workers
        self.sanitized = 'asan' in build.name
        self.file_prefix = f'tandem-e2e-{os.getpid()}'
        self.lab = Lab(f'tandem-e2e-{os.getpid()}-', directory)
        self.directory = self.lab.directory
        self.device = None

    def open(self):
        self.spaces = build_network(self.lab)
        self.client = self.spaces['client']
        self.servers = {n: self.spaces[f'server{n}'] for n in (1, 2, 3)}
        self._add_tagged_client()
        self._add_bypass()
        start_servers(self.spaces, TOOLS / 'servers.py')
        self.device = Device(self.spaces['device'], self.build)
        self.start_device()

    def start_device(self):
        self.device.start(self.config())

    def config(self, extra=''):
        return base_config(self.workers, self.file_prefix, extra)

    def recover(self):
        """After a case that failed."""

    def alive(self):
        return self.device.process.poll() is None

    def log_tail(self):
        return self.device.log_tail()

    def close(self):
        self.lab.close()

    def _add_tagged_client(self):
        space = self.lab.namespace('tagged')
        self.tagged = space
        self.lab.wire(space, 'wire', self.spaces['device'], 'tagged')
        space.start('/usr/bin/python3', Path(__file__).parent / 'tagger.py', 'wire', 'eth0', TAG,
                    log='tagger.log')
        wait_until(lambda: space.run('ip', 'link', 'show', 'eth0', check=False).returncode == 0,
                   'the tagging interface is not there')
        space.address('eth0', '10.0.10.10/24')
        space.route('default', '10.0.10.1')

    def _add_bypass(self):
        """Server 1 answers clients past the device when it serves a virtual address itself (DSR)."""
        server = self.servers[1]
        self.lab.wire(self.client, 'bypass', server, 'bypass')
        server.address('lo', '10.0.0.103/32')
        server.address('bypass', '10.0.98.10/24')
        self.client.address('bypass', '10.0.98.1/24')
        server.run('ip', 'route', 'add', '10.0.0.10', 'via', '10.0.98.1', 'src', '10.0.0.103',
                   'table', '98')
        server.run('ip', 'rule', 'add', 'from', '10.0.0.103', 'lookup', '98')

    # ---- using it -----------------------------------------------------------------------------
    def connect(self, address, port=80, space=None, source='', source_port=0, timeout=10):
        """A TCP connection from `space` (the client)."""
        connection = (space or self.client).socket(family_of(address), socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if source_port:
                # Closed by a reset, so that no TIME_WAIT keeps the port from the next one.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                connection.bind((source, source_port))
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise
        return connection

    def fetch(self, address, path='/', port=80, body=None, timeout=60, connect_timeout=10,
              **connection_options):
        """One HTTP exchange over a connection of its own: (headers, body)."""
        exchange = http.client.HTTPConnection(address, port)
        exchange.sock = self.connect(address, port, timeout=connect_timeout, **connection_options)
        exchange.sock.settimeout(timeout)
        with contextlib.closing(exchange):
            exchange.request('POST' if body is not None else 'GET', path, body,
                             {'Connection': 'close'})
            response = exchange.getresponse()
            content = response.read()
        check(response.status == 200, f'{address}{path}: HTTP status {response.status}')
        return response.headers, content

    def pages(self, count, address, port=80, space=None):
        """Fetches `count` pages with curl, a connection each; how many came from each server."""
        host = f'[{address}]' if ':' in address else address
        curl = (space or self.client).run('curl', '-gsS', '--max-time', '60', '-H', 'Connection: close',
                                          *[f'http://{host}:{port}/'] * count, timeout=120)
        lines = curl.stdout.splitlines()
        check(len(lines) == count, f'{len(lines)} pages of {count} came: {curl.stderr}')
        spread = {}
        for line in lines:
            check(line.startswith('hello from server'), f'the page says {line!r}')
            spread[int(line[-1])] = spread.get(int(line[-1]), 0) + 1
        return spread

    def udp(self, address=None, space=None, timeout=5):
        """A UDP socket in `space`, connected when an (address, port) is given."""
        endpoint = (space or self.client).socket(family_of(address[0] if address else '0.0.0.0'),
                                                 socket.SOCK_DGRAM)
        endpoint.settimeout(timeout)
        if address:
            endpoint.connect(address)
        return endpoint

    def raw(self, space, interface):
        """An AF_PACKET socket that sends whole frames."""
        wire = space.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.bind((interface, 0))
        return wire

    # ---- questioning it -----------------------------------------------------------------------
    def totals(self):
        return self.device.show('worker')['total']

    def drops(self, device=None):
        """Drop counters by name, those that are not zero."""
        return {drop['name']: drop.get('total', 0) for drop in (device or self.device).show('drops').get('drop', [])}

    def virtual(self, name):
        return self.device.show('virtual', name)['virtual'][0]

    def connections(self, *filters):
        return self.device.show('connection', *filters).get('connection', [])

    def wait_for_drop(self, name, before, count=1):
        wait_until(lambda: self.drops().get(name, 0) - before.get(name, 0) >= count,
                   f'drop counter {name} did not rise by {count}; before {before}, now {self.drops()}')

    def check_conservation(self):
        """received == forwarded + consumed + drops, once no packet is on its way."""
        def settled():
            total = self.totals()
            get = lambda name: total.get(name, 0)  # noqa: E731
            came = get('received') + get('handed_in') + get('held_before')
            went = sum(get(name) for name in ('forwarded', 'consumed', 'held', 'handed_off', 'dropped'))
            dropped = sum(self.drops().values())
            state['said'] = f'{total} while the reasons sum to {dropped}'
            return came == went and get('handed_in') == get('handed_off') and dropped == get('dropped')
        state = {}
        try:
            wait_until(settled, '')
        except CaseFailed:
            raise CaseFailed(f'packets are not conserved: {state["said"]}') from None
