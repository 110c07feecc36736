# SPDX-License-Identifier: Apache-2.0
"""Clients that go on whatever happens to the devices, each with a log of its own; and what must hold of the logs
of all. No device's word goes into it."""

import dataclasses
import hashlib
import socket
import threading
import time

from pair_config import VIP
from world import check

# How long a connection may exist before a crash without being mirrored: the lag, on a busy machine.
YOUNG_SECONDS = 1
# How late a busy client notes that it is connected.
BUSY_SECONDS = 0.2
TIMEOUT_SECONDS = 20


@dataclasses.dataclass
class Exchange:
    began: float
    ended: float = 0
    server: str = ''
    error: str = ''


@dataclasses.dataclass
class Conversation:
    began: float
    opened: float = 0  # 0: never was
    error: str = ''
    exchanges: list = dataclasses.field(default_factory=list)

    def failure(self):
        return next((one for one in (self.error, *(exchange.error for exchange in self.exchanges)) if one), '')


def keep_alive(connection):
    """Who only waits for an answer hears that a device took the connection with it when it sends a packet; nothing
    else tells it. Mostly such clients ask after the other end now and again."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        connection.setsockopt(socket.IPPROTO_TCP, option, 1)


def exchange(connection, body, log):
    """Sends the body, which a server answers with its hash: every byte counts, in both directions."""
    head = f'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n'
    connection.sendall(head.encode() + body)
    answer = b''
    while len(answer.partition(b'\r\n\r\n')[2]) < 64:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError('closed by the other end')
        answer += piece
    header, _, digest = answer.partition(b'\r\n\r\n')
    log.server = header.partition(b'X-Server: ')[2].partition(b'\r\n')[0].decode()
    if digest.decode() != hashlib.sha256(body).hexdigest():
        raise ValueError(f'a wrong byte: the server got {digest}')


class Clients:
    """`residents` keep one connection each; `newcomers` open one after the other, for three exchanges."""

    def __init__(self, world, residents=20, newcomers=4, interval=0.02):
        self.world, self.interval = world, interval
        self.stop = threading.Event()
        self.logs = [[] for _ in range(residents + newcomers)]
        self.threads = [threading.Thread(target=self._live, args=(number, number < residents))
                        for number in range(residents + newcomers)]
        for thread in self.threads:
            thread.start()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not all(log and log[0].exchanges for log in self.logs) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _live(self, number, is_resident):
        while not self.stop.is_set():
            conversation = Conversation(time.monotonic())
            self.logs[number].append(conversation)
            try:
                with self.world.connect(VIP, timeout=TIMEOUT_SECONDS) as connection:
                    conversation.opened = time.monotonic()
                    keep_alive(connection)
                    self._talk(connection, conversation, number, None if is_resident else 3)
            except (OSError, ValueError) as error:
                conversation.error = f'{type(error).__name__}: {error}'
            self.stop.wait(self.interval)

    def _talk(self, connection, conversation, number, count):
        while len(conversation.exchanges) != count and not self.stop.is_set():
            log = Exchange(time.monotonic())
            conversation.exchanges.append(log)
            body = f'{number}/{len(self.logs[number])}/{len(conversation.exchanges)} '.encode() * 300
            try:
                exchange(connection, body, log)
            except (OSError, ValueError) as error:
                log.error = f'{type(error).__name__}: {error}'
                return
            finally:
                log.ended = time.monotonic()
            self.stop.wait(self.interval)

    def finish(self, crashes=(), most_seconds=5):
        """Ends them, checks the logs, prints what they say. `crashes`: when a device died that was active."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        conversations = [one for log in self.logs for one in log]
        young = check_logs(conversations, crashes, most_seconds)
        exchanges = [one for conversation in conversations for one in conversation.exchanges]
        slowest = max(one.ended - one.began for one in exchanges)
        print(f'     {len(conversations)} connections, {len(exchanges)} exchanges; the slowest took '
              f'{slowest * 1000:.0f} ms; {young} connections failed that were younger than {YOUNG_SECONDS} s')


def check_logs(conversations, crashes, most_seconds):
    """Every connection goes on, with one server, without a wrong byte or a long wait. But for those that a device
    took with it that died before its peer could know of them: how many that were."""
    young = 0
    for one in conversations:
        servers = {exchange.server for exchange in one.exchanges if exchange.server}
        check(len(servers) <= 1, f'one connection, several servers: {one}')
        check('wrong byte' not in one.failure(), f'{one.failure()}')
        for exchange in one.exchanges:
            check(exchange.ended - exchange.began <= most_seconds,
                  f'it took long: {exchange}, number {len(one.exchanges)} of a connection open since {one.opened:.3f}, '
                  f'crashes {crashes}')
        if not one.failure():
            continue
        was_young = any(crash - YOUNG_SECONDS <= (one.opened or one.began) <= crash + BUSY_SECONDS
                        for crash in crashes)
        check(was_young, f'a connection failed: {one.failure()}; open since {one.opened:.3f}, '
              f'last exchange {one.exchanges[-1:]}, crashes {crashes}')
        young += 1
    return young
