# SPDX-License-Identifier: Apache-2.0
"""tandemd in a namespace, and tandemctl to talk to it."""

import json
import re
import subprocess
import time

from builds import program
from scheduling import threads_of

START_SECONDS = 30  # enough for a sanitized daemon on a busy machine


class Device:
    """One daemon with its configuration file, its log and its admin socket in one directory."""

    def __init__(self, space, build, name='tandem'):
        self.space = space
        self.name = name
        self.directory = space.directory
        self.config_path = self.directory / f'{name}.textproto'
        self.log_path = self.directory / f'{name}.log'
        self.socket_path = self.directory / f'{name}.sock'
        self.daemon = program(build, 'tandemd')
        self.tandemctl = program(build, 'tandemctl')
        self.process = None
        self.nice = 0

    def start(self, config_text, environment=None):
        """Writes the configuration, starts the daemon and waits until it answers."""
        self.config_path.write_text(config_text)
        self.process = self.space.start(
            'nice', '-n', self.nice, self.daemon, '--config', self.config_path, '--admin_socket', self.socket_path,
            log=self.log_path.name, environment=environment)
        deadline = time.monotonic() + START_SECONDS
        while self.ctl('show', 'version', check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f'tandemd did not start:\n{self.log_tail()}')
            time.sleep(0.05)

    def stop(self, timeout=20):
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(timeout)

    def command(self, *arguments):
        return [str(self.tandemctl), '--socket', str(self.socket_path), *map(str, arguments)]

    def ctl(self, *arguments, check=True, timeout=30):
        try:
            result = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f'{error}; its daemon:\n{threads_of(self.process.pid)}') from error
        if check and result.returncode:
            raise RuntimeError(f'tandemctl {" ".join(map(str, arguments))}: exit status '
                               f'{result.returncode}\n{result.stdout}{result.stderr}')
        return result

    def show(self, *arguments):
        """The answer of `show ...` as Python data, its counts as integers."""
        return _with_integers(json.loads(self.ctl('--json', 'show', *arguments).stdout))

    def log_tail(self, lines=40):
        text = self.log_path.read_text(errors='replace') if self.log_path.exists() else ''
        return '\n'.join(text.splitlines()[-lines:])


def _with_integers(value):
    """Protobuf writes 64-bit integers as strings in JSON; here they are integers again."""
    if isinstance(value, dict):
        return {name: _with_integers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_integers(member) for member in value]
    if isinstance(value, str) and re.fullmatch(r'-?\d+', value):
        return int(value)
    return value
