# SPDX-License-Identifier: Apache-2.0
"""An operator at work while traffic flows: reload, modify, delete, save, telemetry."""

import errno
import json
import re
import socket
import subprocess
import threading
import time

from cases_traffic import check_download
from cases_translation import refusal
from config import VIP, virtual
from world import check, wait_until

RELOADS = 12


class Stream:
    """Numbered datagrams through a UDP virtual at a steady pace, and which came back."""

    def __init__(self, world, address, rate=1000):
        self.socket = world.udp((address, 7), timeout=0.5)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.rate = rate
        self.sent = 0
        self.received = set()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        began = time.monotonic()
        while not self.stopping.is_set():
            while self.sent < (time.monotonic() - began) * self.rate:
                self.socket.send(b'%d' % self.sent)
                self.sent += 1
            time.sleep(0.001)

    def _receive(self):
        quiet = 0
        while quiet < 4:
            try:
                self.received.add(int(self.socket.recv(100)))
                quiet = 0
            except TimeoutError:
                quiet += self.stopping.is_set()

    def stop(self):
        """How many were sent, and the numbers of those that did not come back."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.socket.close()
        return self.sent, sorted(set(range(self.sent)) - self.received)


def load(world, extra='', text=None, check_result=True):
    """Loads the base configuration with `extra`, or `text` in its place."""
    path = world.directory / 'next.textproto'
    path.write_text(world.config(extra) if text is None else text)
    return world.device.ctl('load', path, check=check_result)


def set_member(world, pool, member, state):
    world.device.ctl('modify', 'pool', pool, 'member', member, 'state', state)


def case_reload_loses_nothing(world):
    """Reload: adding and removing objects loses no packet of an untouched virtual"""
    stream = Stream(world, VIP)
    other = Stream(world, '10.0.0.106')
    time.sleep(0.5)
    for number in range(RELOADS):
        load(world, ''.join(virtual(f'new-{number}-{i}', f'10.0.5.{i + 1}:{80 + number}', 'web')
                            for i in range(20)) +
             f'pool {{ name: "new-{number}" member {{ address: "10.0.1.{20 + number}" port: 80 }} }}\n'
             f'vlan {{ name: "new" port: "clients" tag: {100 + number} }}\n'
             f'self_ip {{ name: "new" vlan: "new" address: "10.7.{number}.1/24" }}\n')
        time.sleep(0.1)
    load(world)
    for title, each in (('balanced', stream), ('any-port', other)):
        sent, lost = each.stop()
        check(sent > RELOADS * 100, f'only {sent} datagrams were sent')
        check(not lost, f'{title}: {len(lost)} of {sent} datagrams were lost: {lost[:20]}')


def case_reload_new_object(world):
    """Reload: a new virtual serves, and when it is removed its connections end and are counted"""
    load(world, virtual('new', '10.0.0.150:80', 'one'))
    check(world.pages(3, '10.0.0.150') == {1: 3}, 'the new virtual does not serve')
    connection = world.connect('10.0.0.150')
    load(world)
    wait_until(lambda: not any(c['cs_server']['address'] == '10.0.0.150' for c in world.connections()),
               'the deleted virtual keeps its connection')
    ends = {end['name']: end.get('total', 0) for end in world.device.show('drops').get('end', [])}
    check(any('delete' in name and count for name, count in ends.items()), f'not counted: {ends}')
    connection.close()
    check(refusal(world, '10.0.0.150') is not None, 'the deleted virtual serves')


def case_reload_during_download(world):
    """Reload: a download goes on through it unharmed"""
    errors = []

    def download():
        try:
            check_download(world, VIP, 30_000_000)
        except Exception as error:
            errors.append(error)
    thread = threading.Thread(target=download)
    thread.start()
    for number in range(RELOADS):
        load(world, virtual('new', f'10.0.0.150:{1000 + number}', 'web'))
    thread.join()
    load(world)
    check(not errors, f'{errors}')


def case_member_states(world):
    """modify pool: a disabled member gets no new connection, keeps the old; enabled, it gets some"""
    held = [world.connect(VIP) for _ in range(6)]
    for state in ('disabled', 'forced-offline'):
        set_member(world, 'web', '10.0.1.10:80', state)
        spread = world.pages(30, VIP)
        check(1 not in spread and len(spread) == 2, f'{state}: {spread}')
    members = world.device.show('pool', 'web')['pool'][0]['member']
    check(members[0]['name'] == '10.0.1.10:80' and members[0]['session'] == 'user-disabled',
          f'show pool says {members[0]}')
    set_member(world, 'web', '10.0.1.10:80', 'enabled')
    check(len(world.pages(30, VIP)) == 3, 'enabled again, it gets nothing')
    for connection in held:
        connection.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        check(b'200 OK' in connection.recv(4096), 'an old connection died')
        connection.close()


def case_no_member(world):
    """modify pool: without an available member, clients are refused and the drop is counted"""
    before = world.drops()
    for n in (1, 2, 3):
        set_member(world, 'web', f'10.0.{n}.10:80', 'disabled')
    check(refusal(world, VIP) is not None, 'somebody answered')
    check(world.virtual('web')['availability'] == 'OFFLINE', f'{world.virtual("web")}')
    for n in (1, 2, 3):
        set_member(world, 'web', f'10.0.{n}.10:80', 'enabled')
    world.wait_for_drop('no_member', before)
    world.pages(3, VIP)


def case_modify_virtual(world):
    """modify virtual: disabled it serves nobody new, enabled it serves"""
    held = world.connect(VIP)
    world.device.ctl('modify', 'virtual', 'web', 'disabled')
    check(refusal(world, VIP) is not None, 'it serves')
    held.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    check(b'200 OK' in held.recv(4096), 'its old connection died')
    held.close()
    world.device.ctl('modify', 'virtual', 'web', 'enabled')
    world.pages(3, VIP)


def case_delete_connection(world):
    """delete connection: only the one named, and its client learns of it"""
    first, second = world.connect(VIP), world.connect(VIP)
    # The client's kernel may have used the port for another address, or another service, before.
    its = ('cs-client-port', str(first.getsockname()[1]), 'cs-server-addr', VIP, 'cs-server-port', '80')
    shown = world.connections(*its)
    check(len(shown) == 1, f'the connection is not shown, or others: {shown}')
    world.device.ctl('delete', 'connection', *its)
    check(not world.connections(*its), 'it is still there')
    try:
        first.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        check(first.recv(100) == b'', 'the deleted connection answers')
    except ConnectionError:
        pass
    second.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    check(b'200 OK' in second.recv(4096), 'another connection was deleted')
    first.close()
    second.close()


BAD_CONFIGURATIONS = {
    'an unknown field': 'virtual { name: "x" destinatoin: "10.0.0.1:80" }',
    'a duplicate name': virtual('web', '10.0.0.151:80', 'web'),
    'a dangling reference': virtual('x', '10.0.0.151:80', 'nowhere'),
    'an overlapping self IP': 'self_ip { name: "x" vlan: "server1" address: "10.0.0.2/24" }',
    'a port that does not exist': 'vlan { name: "x" port: "eth7" }',
    'a pool without members': 'pool { name: "x" }',
    'an unfinished message': 'pool { name: "x"',
    'no text at all': 'port { name: 7 }',
}


def case_bad_configuration(world):
    """load and check: a bad configuration is refused with file:line:column, and the old one stays"""
    generation = world.device.show('version')['config_generation']
    for what, text in BAD_CONFIGURATIONS.items():
        for command in ('load', 'check'):
            path = world.directory / 'bad.textproto'
            path.write_text(world.config(text))
            result = world.device.ctl(command, path, check=False)
            said = result.stdout + result.stderr
            check(result.returncode != 0, f'{command} took {what}')
            check(re.search(r'bad\.textproto:\d+:\d+', said), f'{command}, {what}: no place in {said!r}')
    check(world.device.show('version')['config_generation'] == generation, 'the generation changed')
    path.write_text(world.config())
    world.device.ctl('check', path)
    world.pages(3, VIP)


def case_save(world):
    """save: writes what runs, which loads again and means the same"""
    load(world, virtual('kept', '10.0.0.152:80', 'one'))
    set_member(world, 'web', '10.0.2.10:80', 'disabled')
    world.device.ctl('save')
    saved = world.device.config_path.read_text()
    check('kept' in saved, 'the saved file lacks the new virtual')
    load(world)
    load(world, text=saved)
    check(world.pages(2, '10.0.0.152') == {1: 2}, 'the saved virtual does not serve')
    check(2 not in world.pages(12, VIP), 'the saved member state is lost')
    load(world)
    check(len(world.pages(12, VIP)) == 3, 'the member stays disabled')


def case_show_everything(world):
    """show: every table for people and every answer for programs"""
    connection = world.connect(VIP)
    for words in (['version'], ['virtual'], ['pool'], ['connection'], ['arp'], ['port'], ['worker'],
                  ['drops']):
        check(world.device.ctl('show', *words).stdout.strip(), f'show {words} says nothing')
        json.loads(world.device.ctl('--json', 'show', *words).stdout)
    connection.close()
    check('usage' in world.device.ctl('--help').stdout.lower(), '--help says no usage')
    for words in (['show', 'nonsense'], ['modify', 'pool', 'nowhere', 'member', 'a:1', 'state', 'enabled'],
                  ['show', 'virtual', 'nowhere']):
        check(world.device.ctl(*words, check=False).returncode != 0, f'{words} is no error')


def case_counters(world):
    """show virtual and reset stats: counts what passed, and begins anew"""
    world.device.ctl('reset', 'stats')
    world.pages(10, VIP)
    counted = world.virtual('web')
    check(counted['connections']['total'] == 10, f'show virtual says {counted}')
    check(counted['traffic']['packets_in'] >= 40 and counted['traffic']['packets_out'] >= 30,
          f'show virtual says {counted}')
    members = world.device.show('pool', 'web')['pool'][0]['member']
    check(sum(m['connections'].get('total', 0) for m in members) == 10, f'members say {members}')
    world.device.ctl('reset', 'stats')
    check(world.virtual('web')['connections'].get('total', 0) == 0, 'total did not begin anew')


def case_ports(world):
    """show port: every wire is up and counts what tandemd received and sent"""
    world.pages(6, VIP)
    for port in world.device.show('port')['port']:
        check(port.get('link_up'), f'{port["name"]} is down: {port}')
        if port['name'] != 'tagged':
            check(port.get('rx_packets', 0) > 0 and port.get('tx_packets', 0) > 0, f'{port}')


def case_telemetry(world):
    """dpdk-telemetry.py: works against the daemon"""
    for command in ('/', '/ethdev/list', '/ethdev/stats,0'):
        result = subprocess.run(
            ['dpdk-telemetry.py', '-f', world.file_prefix], input=f'{command}\nquit\n',
            capture_output=True, text=True, timeout=20)
        check(f'"{command.partition(",")[0]}"' in result.stdout,
              f'{command}: {result.stdout}{result.stderr}')


def case_unreachable_member(world):
    """Neighbours: a member that does not exist is counted as unresolved, others go on"""
    before = world.drops()
    pool = 'pool { name: "ghost" member { address: "10.0.1.99" port: 80 } }\n'
    load(world, pool + virtual('ghost', '10.0.0.153:80', 'ghost'))
    check(refusal(world, '10.0.0.153') in (errno.ETIMEDOUT, errno.EHOSTUNREACH), 'somebody answered')
    world.wait_for_drop('neighbour_unresolved', before)
    world.pages(3, VIP)
    load(world)
