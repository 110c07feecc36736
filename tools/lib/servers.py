# SPDX-License-Identifier: Apache-2.0
"""A small server to balance over: HTTP on port 80, DNS on UDP port 53, echo on UDP port 7.

    servers.py NAME

Every answer says NAME, so that a client sees which server it got.
  GET /             hello from NAME
  GET /bytes/N      N bytes, the same every time; the header Digest has their SHA-256
  POST /            the SHA-256 of the body
  DNS               TXT: "hello from NAME"; A: 192.0.2.1; AAAA: 2001:db8::1
"""

import hashlib
import http.server
import itertools
import socket
import struct
import sys
import threading

CHUNK = b''.join(hashlib.sha256(str(n).encode()).digest() for n in range(2048))


def pattern(size):
    """`size` bytes in pieces, the same for every caller."""
    for offset in itertools.count(0, len(CHUNK)):
        if offset >= size:
            return
        yield CHUNK[:size - offset]


def digest_of(size):
    total = hashlib.sha256()
    for piece in pattern(size):
        total.update(piece)
    return total.hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    name = ''

    def reply(self, pieces, size, digest=''):
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(size))
        self.send_header('X-Server', self.name)
        self.send_header('X-Client', self.client_address[0].removeprefix('::ffff:'))
        self.send_header('X-Client-Port', str(self.client_address[1]))
        if digest:
            self.send_header('Digest', digest)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def do_GET(self):
        if self.path.startswith('/bytes/'):
            size = int(self.path.removeprefix('/bytes/'))
            self.reply(pattern(size), size, digest_of(size))
        else:
            text = f'hello from {self.name}\n'.encode()
            self.reply([text], len(text))

    def do_POST(self):
        left = int(self.headers['Content-Length'])
        total = hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                return
            total.update(piece)
            left -= len(piece)
        text = total.hexdigest().encode()
        self.reply([text], len(text))

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 512
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def dns_answer(query, name):
    """The answer to one question (RFC 1035 section 4), or None when it is not one."""
    if len(query) < 17 or query[4:6] != b'\0\1' or query[2] & 0x80:
        return None
    end = 12
    while end < len(query) and query[end]:
        end += query[end] + 1
    question = query[12:end + 5]
    if len(question) < end - 7:
        return None
    kind, = struct.unpack('!H', question[-4:-2])
    text = f'hello from {name}'.encode()
    data = {1: bytes([192, 0, 2, 1]), 16: bytes([len(text)]) + text,
            28: socket.inet_pton(socket.AF_INET6, '2001:db8::1')}.get(kind)
    header = query[:2] + struct.pack('!HHHHH', 0x8580, 1, 1 if data else 0, 0, 0)
    if not data:
        return header + question
    return header + question + struct.pack('!HHHLH', 0xc00c, kind, 1, 0, len(data)) + data


def serve_udp(port, answer):
    """Answers datagrams to any of the machine's addresses from that address."""
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    listener.bind(('::', port))
    while True:
        data, ancillary, _, peer = listener.recvmsg(65536, 64)
        reply = answer(data)
        if reply is not None:
            try:
                listener.sendmsg([reply], ancillary, 0, peer)
            except OSError:
                pass  # the peer went away; the next one matters


def main():
    name = sys.argv[1]
    Handler.name = name
    for port, answer in ((53, lambda data: dns_answer(data, name)), (7, lambda data: data)):
        threading.Thread(target=serve_udp, args=(port, answer), daemon=True).start()
    Server(('::', 80), Handler).serve_forever()


if __name__ == '__main__':
    main()
