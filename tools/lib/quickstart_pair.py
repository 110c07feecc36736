# SPDX-License-Identifier: Apache-2.0
"""The second act of tools/quickstart: a pair of devices, and a connection that outlives one of them."""

import os
import time

from builds import RELEASE
from pair import ACTIVE, STANDBY, Pair
from pair_config import VIP
from quickstart_steps import show

IN_SYNC_SECONDS = 30
SPACES = ('switch', 'client', 'device-a', 'device-b', 'server1', 'server2', 'server3')


def wait_in_sync(pair):
    deadline = time.monotonic() + IN_SYNC_SECONDS
    while not pair.in_sync():
        if time.monotonic() > deadline:
            raise RuntimeError(f'not in sync after {IN_SYNC_SECONDS} s: {pair.mirror("a")}')
        time.sleep(0.05)


def demonstrate_pair(lab, steps):
    """Returns the pair; its devices run."""
    steps.next('a pair of devices with a mirroring wire: a active, b standby')
    pair = Pair(lab, RELEASE, 'tandem-quickstart')
    for which, role in (('a', ACTIVE), ('b', STANDBY)):
        pair.start(which, role)
    wait_in_sync(pair)
    a, b = pair.devices['a'], pair.devices['b']
    show(None, *a.command('show', 'mirror'))
    steps.next('a slow download through a; the standby has the connection')
    download = pair.client.start('curl', '-sS', '--fail', '-o', '/dev/null', '--limit-rate', '6M',
                                 '-w', '%{size_download} bytes came, in %{time_total} s\n',
                                 f'http://{VIP}/bytes/30000000', log='download.log')
    time.sleep(1.5)
    for device in (a, b):
        show(None, *device.command('show', 'connection', 'type', 'mirror'))
    steps.next('kill -9 of a; b is made active: the download goes on')
    began = time.monotonic()
    pair.stop('a', kill=True)
    pair.load('b', ACTIVE)
    print(f'  a is dead, b active after {time.monotonic() - began:.2f} s')
    if download.wait(60) != 0:
        raise RuntimeError(f'the download broke: {(lab.directory / "download.log").read_text()}')
    print('  ' + (lab.directory / 'download.log').read_text().strip())
    return pair


def what_next_pair(pair):
    lines = [f'  sudo {" ".join([os.path.relpath(device.command()[0]), *device.command()[1:]])} show mirror'
             for device in pair.devices.values()]
    print('\n'.join(['b runs, a is dead. Try', '  sudo ip netns exec tandem-client curl http://10.0.0.100/',
                     *lines[1:], 'Take it down with', '  sudo ./tools/quickstart --down']))
