# SPDX-License-Identifier: Apache-2.0
"""One client session through Tandem that keeps a log of what it saw.

    sessions.py ssh|telnet|echo|web ADDRESS PORT [SSH ARGUMENT]...     until SIGTERM
    sessions.py download|ftp ADDRESS PORT BYTES BYTES_PER_SECOND       until all is there

On standard output a line each, with the machine's monotonic clock in seconds:
  T sent N        line, datagram or request number N is under way
  T alive N       its answer came; of a transfer: N bytes have come
  T done TEXT     ended as it should
  T failed TEXT   ended otherwise

ssh and telnet ask a shell, by a command each 20 ms, for its process ID: another one would be another
session. echo sends datagrams, web asks for pages over one connection. Transfers are checked: the
download against the SHA-256 that the server says, FTP against the one asked for over the control
connection.
"""

import ftplib
import hashlib
import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time

RECEIVE_BUFFER = 1 << 19  # small: what waits in it hides a gap
ANSWER_SECONDS = 20
LOG_SECONDS = 0.001  # between signs of life of a transfer

stopping = threading.Event()


def log(word, text):
    # One write, so that a reader never sees half of it with the next one's beginning.
    sys.stdout.write(f'{time.monotonic():.6f} {word} {text}\n')
    sys.stdout.flush()


class Numbered:
    """Sends number after number and notes what is answered, until it is told to stop."""

    interval = 0.02
    patience = ANSWER_SECONDS  # for the last answers

    def __init__(self):
        self.answered = set()
        self.sent = 0
        self.broken = threading.Event()

    def run(self):
        receiver = threading.Thread(target=self.receive_all, daemon=True)
        receiver.start()
        while not stopping.wait(self.interval) and not self.broken.is_set():
            log('sent', self.sent)
            self.sent += 1
            self.send(self.sent - 1)
        deadline = time.monotonic() + self.patience
        while len(self.answered) < self.sent and time.monotonic() < deadline and not self.broken.is_set():
            time.sleep(0.01)
        if not self.broken.is_set():
            log('done', self.result())

    def receive_all(self):
        try:
            while True:
                for number in self.receive():
                    if number not in self.answered:
                        self.answered.add(number)
                        log('alive', number)
        except (OSError, RuntimeError) as error:
            log('failed', error)
            self.broken.set()


class Shell(Numbered):
    """A login on a terminal, over the two files of a connection."""

    def __init__(self):
        super().__init__()
        self.shell = None
        self.text = b''

    def send(self, number):
        try:
            self.write(f'echo pid=$$,{number}\n'.encode())
        except OSError:
            pass  # the receiver says why

    def receive(self):
        data = self.read()
        if not data:
            raise RuntimeError('the connection was closed')
        self.text += data
        *lines, self.text = self.text.split(b'\n')
        for line in lines:
            # Of the terminal's echo of the command there is `$$` in place of the number.
            found = re.search(rb'pid=(\d+),(\d+)', line)
            if found:
                self.shell = self.shell or found[1]
                if found[1] != self.shell:
                    raise RuntimeError('another shell answers')
                yield int(found[2])

    def result(self):
        return f'the same shell, process {self.shell.decode()}'


class Ssh(Shell):
    def __init__(self, address, port, *arguments):
        super().__init__()
        self.process = subprocess.Popen(['ssh', *arguments, '-tt', '-p', port, address], bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def run(self):
        super().run()
        self.process.terminate()

    def write(self, data):
        self.process.stdin.write(data)

    def read(self):
        return self.process.stdout.read(65536)


class Telnet(Shell):
    """RFC 854, as a terminal that refuses every option but the server's echo."""

    IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
    ECHO, SUPPRESS_GO_AHEAD = 1, 3

    def __init__(self, address, port):
        super().__init__()
        self.socket = socket.create_connection((address, int(port)), ANSWER_SECONDS)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = b''

    def write(self, data):
        self.socket.sendall(data.replace(b'\n', b'\r\n'))

    def read(self):
        """At least one byte of text, unless the connection ends."""
        while True:
            data = self.socket.recv(65536)
            if not data:
                return b''
            text = self.strip(self.waiting + data)
            if text:
                return text

    def strip(self, data):
        """Answers the commands in it; returns the text. What is incomplete waits for more."""
        text = bytearray()
        at = 0
        while at < len(data):
            if data[at] != self.IAC:
                text.append(data[at])
                at += 1
                continue
            size = self.command_size(data, at)
            if size == 0:
                break
            self.answer(data[at:at + size])
            at += size
        self.waiting = data[at:]
        return bytes(text)

    def command_size(self, data, at):
        """0 when there is more to come."""
        kind = data[at + 1] if at + 1 < len(data) else None
        if kind == self.SB:
            return data.find(bytes([self.IAC, self.SE]), at) + 2 - at if \
                bytes([self.IAC, self.SE]) in data[at:] else 0
        size = 3 if kind in (self.DO, self.DONT, self.WILL, self.WONT) else 2
        return size if at + size <= len(data) else 0

    def answer(self, command):
        kind, option = command[1], command[-1]
        if kind == self.DO:
            self.socket.sendall(bytes([self.IAC, self.WONT, option]))
        elif kind == self.WILL:
            wanted = option in (self.ECHO, self.SUPPRESS_GO_AHEAD)
            self.socket.sendall(bytes([self.IAC, self.DO if wanted else self.DONT, option]))


class Echo(Numbered):
    interval = 0.002
    patience = 1

    def __init__(self, address, port):
        super().__init__()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, int(port)))

    def send(self, number):
        try:
            self.socket.send(number.to_bytes(8, 'big'))
        except OSError:
            pass  # not answered, then

    def receive(self):
        try:
            yield int.from_bytes(self.socket.recv(100)[:8], 'big')
        except ConnectionError:
            return

    def result(self):
        return f'{self.sent - len(self.answered)} of {self.sent} datagrams lost in all'


class Web(Numbered):
    """Pages, one after the other, over one connection."""

    def __init__(self, address, port):
        super().__init__()
        self.connection = http.client.HTTPConnection(address, int(port), timeout=ANSWER_SECONDS)
        self.connection.connect()
        self.wanted = threading.Semaphore(0)
        self.server = None

    def send(self, number):
        self.wanted.release()
        while len(self.answered) < self.sent and not self.broken.is_set() and not stopping.is_set():
            time.sleep(0.001)

    def receive(self):
        self.wanted.acquire()
        try:
            self.connection.request('GET', '/')
            answer = self.connection.getresponse()
            server = answer.read()
        except http.client.HTTPException as error:
            raise RuntimeError(repr(error)) from error
        self.server = self.server or server
        if server != self.server or self.connection.sock is None:
            raise RuntimeError('it was another connection')
        yield len(self.answered)

    def result(self):
        return 'the same connection'


class Transfer:
    """A number of bytes at a steady rate, hashed."""

    def __init__(self, address, port, size, rate):
        self.address, self.port, self.size, self.rate = address, int(port), int(size), int(rate)

    def run(self):
        try:
            total = hashlib.sha256()
            came = 0
            began = logged = time.monotonic()
            for piece in self.pieces():
                total.update(piece)
                came += len(piece)
                now = time.monotonic()
                if now - logged >= LOG_SECONDS:
                    log('alive', came)
                    logged = now
                ahead = came / self.rate - (now - began)
                if ahead > 0:
                    time.sleep(ahead)
            self.check(came, total.hexdigest())
            log('done', f'{came // 1_000_000} MB, SHA-256 right')
        except (OSError, EOFError, RuntimeError, ftplib.Error, http.client.HTTPException) as error:
            log('failed', repr(error))

    def check(self, came, digest):
        if came != self.size:
            raise RuntimeError(f'{came} of {self.size} bytes came')
        if digest != self.digest():
            raise RuntimeError('SHA-256 wrong')


class Download(Transfer):
    def pieces(self):
        connection = http.client.HTTPConnection(self.address, self.port, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        connection.request('GET', f'/bytes/{self.size}')
        self.answer = connection.getresponse()
        while piece := self.answer.read1(65536):
            yield piece

    def digest(self):
        return self.answer.headers['Digest']


class Ftp(Transfer):
    def pieces(self):
        self.control = ftplib.FTP()
        self.control.connect(self.address, self.port, ANSWER_SECONDS)
        self.control.login()
        self.control.voidcmd('TYPE I')
        data = self.control.transfercmd(f'RETR {self.size}')
        data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        while piece := data.recv(65536):
            yield piece
        data.close()
        self.control.voidresp()

    def digest(self):
        return self.control.sendcmd(f'SITE SHA256 {self.size}').split()[-1]


KINDS = {'ssh': Ssh, 'telnet': Telnet, 'echo': Echo, 'web': Web, 'download': Download, 'ftp': Ftp}


def main():
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        session = KINDS[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        return log('failed', error)
    session.run()


if __name__ == '__main__':
    main()
