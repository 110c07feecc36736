# SPDX-License-Identifier: Apache-2.0
"""A client that notices every moment without service: a numbered datagram every so often, echoed by a server."""

import socket
import threading
import time

ANSWER_SECONDS = 30  # for the first one


class UdpStream:
    """From a namespace to (address, port); what came back, and when."""

    def __init__(self, space, endpoint, interval):
        self.socket = space.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(endpoint)
        self.socket.settimeout(0.5)
        self.interval = interval
        self.sent_at, self.came = [], {}  # moments; the second by number
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.came:
            if time.monotonic() > deadline:
                self.finish()
                raise RuntimeError('the echo server does not answer')
            time.sleep(0.01)

    def _send(self):
        while not self.stop.is_set():
            number = len(self.sent_at)
            self.sent_at.append(time.monotonic())
            try:
                self.socket.send(number.to_bytes(8, 'big'))
            except ConnectionError:
                pass  # an ICMP error about an earlier one
            time.sleep(self.interval)

    def _receive(self):
        while True:
            try:
                number = int.from_bytes(self.socket.recv(16), 'big')
            except socket.timeout:
                if self.stop.is_set():
                    return
                continue
            except ConnectionError:
                continue
            self.came.setdefault(number, time.monotonic())

    def finish(self):
        """Ends it; how many datagrams were not answered. Again: the same."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        self.socket.close()
        return len(self.sent_at) - len(self.came)

    def gap(self):
        """The longest time between two answers, in seconds."""
        times = sorted(self.came.values())
        return max((b - a for a, b in zip(times, times[1:])), default=0)

    def late(self, seconds):
        """How many answers took longer than that."""
        return sum(when - self.sent_at[number] > seconds for number, when in self.came.items())

    def first_after(self, moment):
        """Until the first answer to what was sent after `moment`, in seconds; None: not yet."""
        times = [when for number, when in list(self.came.items()) if self.sent_at[number] > moment]
        return min(times) - moment if times else None
