# SPDX-License-Identifier: Apache-2.0
"""SSH, FTP and Telnet servers for the sessions of tools/quickstart, each in a server's namespace, with keys
and files of their own.

    session_servers.py ftp DIRECTORY ADDRESS      what it serves, and the address that clients know it by
    session_servers.py telnet TELNETD             runs that program for each connection

Nothing of it is installed as a service of the machine: dropbear is the package without one, and of
telnetd's package there are only the files, in build-release/packages.
"""

import hashlib
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from pair_config import VIP, pool, virtual
from servers import pattern
from topology import listens

START_SECONDS = 15
PLAIN_PORT = 2323  # Telnet without mirroring
PASSIVE_PORTS = range(30000, 30100)

# In root's home of its own, an empty one, so that who logs in needs no key that the machine knows.
_SSHD = '''
mount -t tmpfs -o mode=700 none /root && mkdir -m 700 /root/.ssh &&
cp "$1/client_key.pub" /root/.ssh/authorized_keys && cd / &&
exec dropbear -F -E -s -j -k -m -r "$1/host_key" -p 22 -P "$1/pid"
'''

# It looks its clients' names up, and the machine's name server is out of reach here: none is better.
_TELNETD = '''
[ ! -e /etc/resolv.conf ] || mount --bind /dev/null /etc/resolv.conf
exec /usr/bin/python3 "$1" telnet "$2"
'''


def virtuals():
    """Of the configuration of a pair. The passive mode of FTP needs all ports that nothing else has."""
    members = (('ssh', 22, 1), ('ftp', 21, 2), ('ftp-data', 0, 2), ('telnet', 23, 3))
    mirrored = ''.join(pool(name, port, (server,)) + virtual(name, port or 'any', name)
                       for name, port, server in members)
    return mirrored + virtual('telnet-plain', PLAIN_PORT, 'telnet', mirror=False)


def start_session_servers(servers, directory, telnetd):
    """On servers 1 to 3: SSH, FTP and Telnet. Returns the arguments of ssh for a login."""
    ssh = directory / 'ssh'
    files = directory / 'ftp'
    for place in (ssh, files):
        place.mkdir()
    arguments = make_keys(ssh)
    servers[1].start('sh', '-c', _SSHD, 'sshd', ssh, log='ssh.log')
    servers[2].start('/usr/bin/python3', __file__, 'ftp', files, VIP, log='ftp.log')
    servers[3].start('sh', '-c', _TELNETD, 'telnet', __file__, telnetd, log='telnet.log')
    deadline = time.monotonic() + START_SECONDS
    for server, port in ((1, 22), (2, 21), (3, 23)):
        while not listens(servers[server], port):
            if time.monotonic() > deadline:
                raise RuntimeError(f'server{server} does not listen on port {port}')
            time.sleep(0.05)
    return arguments


def make_keys(directory):
    def run(*command):
        return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
    host = directory / 'host_key'
    client = directory / 'client_key'
    run('dropbearkey', '-t', 'ed25519', '-f', host)
    run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', client)
    public = re.search(r'^ssh-ed25519 \S+', run('dropbearkey', '-y', '-f', host), re.M)[0]
    (directory / 'known_hosts').write_text(f'{VIP} {public}\n')
    return ['-F', '/dev/null', '-i', str(client), '-o', f'UserKnownHostsFile={directory}/known_hosts',
            '-l', 'root']


def write_pattern(path, size):
    with open(path, 'wb') as file:
        for piece in pattern(size):
            file.write(piece)


def serve_ftp(directory, address):
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    class Handler(FTPHandler):
        proto_cmds = {**FTPHandler.proto_cmds,
                      'SITE SHA256': {'perm': 'r', 'auth': True, 'arg': True, 'help': 'SHA-256 of a file'}}

        def ftp_SITE_SHA256(self, path):
            self.respond(f'213 {hashlib.sha256(Path(path).read_bytes()).hexdigest()}')

    Handler.authorizer = DummyAuthorizer()
    Handler.authorizer.add_anonymous(directory)
    Handler.masquerade_address = address
    Handler.passive_ports = PASSIVE_PORTS
    # Source address translation may give the two connections of a client different addresses.
    Handler.permit_foreign_addresses = True
    FTPServer(('0.0.0.0', 21), Handler).serve_forever()


def serve_telnet(telnetd):
    listener = socket.create_server(('0.0.0.0', 23))
    while True:
        connection, _ = listener.accept()
        with connection:
            subprocess.Popen([telnetd, '--exec-login=/bin/sh', '--no-hostinfo'],
                             stdin=connection, stdout=connection, stderr=connection)


def main():
    kind, *arguments = sys.argv[1:]
    {'ftp': serve_ftp, 'telnet': serve_telnet}[kind](*arguments)


if __name__ == '__main__':
    main()
