# SPDX-License-Identifier: Apache-2.0
"""Bad clients on the admin socket: an error or a closed connection, forwarding unaffected."""

import contextlib
import os
import random
import select
import socket
import struct
import subprocess
import time

from cases_operation import Stream
from config import VIP
from world import check, wait_until

CLIENTS_MAX = 32  # proto/admin.proto
PERMISSION_DENIED = bytes([8, 5])  # Response{code: PERMISSION_DENIED}
SHOW_DROPS = bytes([0x42, 2, 8, 1])  # Request{show_drops{all: true}}


def admin(world, timeout=15):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout)
    client.connect(str(world.device.socket_path))
    return client


def frame(message):
    return struct.pack('!I', len(message)) + message


def read_to_end(client):
    """Everything the daemon says until it closes."""
    said = b''
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65536):
            said += piece
    return said


def check_lives(world):
    """Forwards, and answers a decent client."""
    world.pages(3, VIP)
    check(world.device.show('version')['pid'] > 0, 'no version')


def case_good_frame(world):
    """Admin socket: two requests in one go get two answers in order"""
    with admin(world) as client:
        client.sendall(frame(SHOW_DROPS) * 2)
        for _ in range(2):
            length, = struct.unpack('!I', client.recv(4, socket.MSG_WAITALL))
            check(100 < length < 1 << 20, f'the answer has {length} bytes')
            client.recv(length, socket.MSG_WAITALL)


def case_oversized(world):
    """Admin socket: a frame beyond the limit is refused and the connection closed"""
    for length in (0xffffffff, (16 << 20) + 1):
        with admin(world) as client:
            client.sendall(struct.pack('!I', length) + b'x' * 100)
            read_to_end(client)
    check_lives(world)


def case_truncated(world):
    """Admin socket: clients that hang up in the middle of a frame do no harm"""
    message = frame(SHOW_DROPS)
    for length in range(len(message)):
        with admin(world) as client:
            client.sendall(message[:length])
    check_lives(world)


def case_garbage(world):
    """Admin socket: two hundred frames and streams of noise do no harm"""
    chance = random.Random(7)
    for number in range(200):
        noise = chance.randbytes(chance.randrange(1, 300))
        with admin(world) as client, contextlib.suppress(ConnectionError):
            client.sendall(frame(noise) if number % 2 else noise)
            client.shutdown(socket.SHUT_WR)
            read_to_end(client)
    check_lives(world)


def case_unknown_request(world):
    """Admin socket: a request that the daemon does not know gets an error"""
    with admin(world) as client:
        client.sendall(frame(bytes([0xa2, 0x3f, 0])))  # field 1012, empty
        length, = struct.unpack('!I', client.recv(4, socket.MSG_WAITALL))
        answer = client.recv(length, socket.MSG_WAITALL)
        check(answer[:1] == b'\x08' and answer[1] != 0, f'the answer is {answer!r}')


def case_never_reads(world):
    """Admin socket: clients that ask and never read stop neither traffic nor other clients"""
    stream = Stream(world, VIP, rate=500)
    deaf = []
    for _ in range(4):
        client = admin(world, timeout=0.5)
        deaf.append(client)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                client.sendall(frame(SHOW_DROPS) * 10)
    began = time.monotonic()
    check_lives(world)
    check(time.monotonic() - began < 10, 'others had to wait')
    sent, lost = stream.stop()
    check(not lost, f'{len(lost)} of {sent} datagrams were lost')
    for client in deaf:
        client.close()


def case_too_many(world):
    """Admin socket: clients beyond the limit are turned away, and there is room when some go"""
    crowd = [admin(world) for _ in range(CLIENTS_MAX + 8)]
    # Who is turned away has something to read: an answer, or the end.
    def turned_away():
        return len(select.select(crowd, [], [], 0.1)[0])
    wait_until(lambda: turned_away() >= 8, lambda: f'{turned_away()} of {len(crowd)} were turned away')
    for client in crowd:
        client.close()
    wait_until(lambda: world.device.ctl('show', 'version', check=False).returncode == 0, 'no room again')
    check_lives(world)


def case_unprivileged(world):
    """Admin socket: a user without privileges is refused"""
    result = subprocess.run(
        ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
         *world.device.command('show', 'version')], capture_output=True, text=True, timeout=20)
    check(result.returncode != 0 and not result.stdout, f'nobody was told {result.stdout!r}')
    os.chmod(world.directory, 0o755)
    mode = os.stat(world.device.socket_path).st_mode & 0o777
    os.chmod(world.device.socket_path, 0o777)  # past the file's mode: the daemon itself must refuse
    try:
        result = subprocess.run(
            ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
             '/usr/bin/python3', '-c', UNPRIVILEGED, str(world.device.socket_path)],
            capture_output=True, timeout=20)
    finally:
        os.chmod(world.device.socket_path, mode)
        os.chmod(world.directory, 0o700)
    check(result.stdout[4:6] in (PERMISSION_DENIED, b''), f'nobody was told {result.stdout!r}')
    check_lives(world)


UNPRIVILEGED = f'''
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(5)
client.connect(sys.argv[1])
try:
    client.sendall({frame(SHOW_DROPS)!r})
    sys.stdout.buffer.write(client.recv(65536))
except ConnectionError:
    pass
'''
