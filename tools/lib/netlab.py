# SPDX-License-Identifier: Apache-2.0
"""Network namespaces joined by veth wires, and the processes in them; gone again after close()."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def existing_namespaces(prefix):
    """Names of the machine's namespaces that begin with `prefix`."""
    listing = subprocess.run(['ip', 'netns', 'list'], check=True, capture_output=True, text=True)
    return [line.split()[0] for line in listing.stdout.splitlines() if line.startswith(prefix)]


def remove_namespace(name):
    """Ends the processes in the namespace `name` and deletes it with its end of every wire."""
    def pids():
        listing = subprocess.run(['ip', 'netns', 'pids', name], capture_output=True, text=True)
        return [int(pid) for pid in listing.stdout.split()]

    for signal_number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 2)):
        for pid in pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        deadline = time.monotonic() + patience
        while pids() and time.monotonic() < deadline:
            time.sleep(0.02)
    subprocess.run(['ip', 'netns', 'delete', name], check=True)


class Namespace:
    """One network namespace. Commands run in it as `ip netns exec` does."""

    def __init__(self, name, directory, processes):
        self.name = name
        self.directory = directory  # logs of its processes
        self.processes = processes  # takes those that it starts
        subprocess.run(['ip', 'netns', 'add', name], check=True)
        self.run('ip', 'link', 'set', 'lo', 'up')

    def command(self, *arguments):
        return ['ip', 'netns', 'exec', self.name, *map(str, arguments)]

    def run(self, *arguments, check=True, timeout=60, **options):
        """Runs to the end; text output in .stdout and .stderr."""
        result = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                                timeout=timeout, **options)
        if check and result.returncode:
            raise RuntimeError(f'{" ".join(map(str, arguments))} in {self.name}: exit status '
                               f'{result.returncode}\n{result.stdout}{result.stderr}')
        return result

    def start(self, *arguments, log, environment=None):
        """Starts a process of its own session, so that the terminal's Ctrl-C passes it by."""
        with open(self.directory / log, 'ab') as output:
            process = subprocess.Popen(
                self.command(*arguments), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env={**os.environ, **(environment or {})})
        self.processes.append(process)
        return process

    def sysctl(self, **settings):
        for name, value in settings.items():
            self.run('sysctl', '-q', '-w', f'net.{name.replace("__", ".")}={value}')

    def address(self, interface, *addresses):
        """Gives the interface addresses with prefix lengths; an IPv6 one is usable at once."""
        for address in addresses:
            extra = ['nodad'] if ':' in address else []
            self.run('ip', 'address', 'add', address, 'dev', interface, *extra)

    def route(self, network, gateway):
        self.run('ip', 'route', 'add', network, 'via', gateway)

    def mac(self, interface):
        return self.run('cat', f'/sys/class/net/{interface}/address').stdout.strip()

    def socket(self, *arguments):
        """A socket that lives in this namespace, for use by this very process."""
        with open('/proc/thread-self/ns/net') as home, open(f'/run/netns/{self.name}') as there:
            _set_namespace(there)
            try:
                return socket.socket(*arguments)
            finally:
                _set_namespace(home)


def _set_namespace(file):
    if _LIBC.setns(file.fileno(), _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), 'setns')


class Lab:
    """The namespaces and wires of one set-up. `directory` takes logs and configuration."""

    def __init__(self, prefix, directory):
        self.prefix = prefix
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.names = []  # noted before they exist, so that an interrupted making leaves nothing
        self.processes = []

    def namespace(self, name):
        self.names.append(self.prefix + name)
        return Namespace(self.prefix + name, self.directory, self.processes)

    def wire(self, left, left_interface, right, right_interface):
        """A veth pair. Offloads are off at both ends: a packet on this wire is what a NIC would
        see, no larger than the MTU and with its checksums in place."""
        subprocess.run(['ip', 'link', 'add', left_interface, 'netns', left.name, 'type', 'veth',
                        'peer', 'name', right_interface, 'netns', right.name], check=True)
        for space, interface in ((left, left_interface), (right, right_interface)):
            space.run('ip', 'link', 'set', interface, 'addrgenmode', 'none')
            space.run('ethtool', '-K', interface, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro',
                      'off')
            space.run('ip', 'link', 'set', interface, 'up')

    def close(self):
        """Ends every process and removes every namespace, whatever state they are in."""
        for name in set(self.names) & set(existing_namespaces(self.prefix)):
            with contextlib.suppress(subprocess.CalledProcessError):
                remove_namespace(name)
        for process in self.processes:
            process.wait()
