# SPDX-License-Identifier: Apache-2.0
"""The show behind tools/quickstart, which has installed the packages."""

import argparse
import collections
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import quickstart_pair
from builds import RELEASE, build, give_back
from device import Device
from netlab import Lab, existing_namespaces, remove_namespace
from quickstart_steps import Steps, show
from scheduling import processes_alike
from topology import build_network, start_servers

PREFIX = 'tandem-'
SPACES = {PREFIX + name for name in ('client', 'device', 'server1', 'server2', 'server3')} | {
    PREFIX + name for name in quickstart_pair.SPACES}
STATE = Path('/run/tandem-quickstart')  # configuration, logs, admin socket
HERE = Path(__file__).parent
PAGES = 12
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def fetch_pages(client, url):
    """Fetches the page PAGES times, each over a connection of its own, and says who answered."""
    answers = [show(client, 'curl', '-s', '--max-time', '10', url)]
    for _ in range(PAGES - 1):
        answers.append(client.run('curl', '-s', '--max-time', '10', url).stdout)
    counts = collections.Counter(answer.strip() for answer in answers)
    print(f'  {PAGES} pages:', ', '.join(f'{count} x "{text}"' for text, count in sorted(counts.items())))
    if len(counts) != 3:
        raise RuntimeError('round robin over three servers should have reached three')


def demonstrate(spaces, device, steps):
    client = spaces['client']
    steps.next('web pages: TCP virtual, round robin over three servers')
    fetch_pages(client, 'http://10.0.0.100/')
    steps.next('web pages over IPv6')
    fetch_pages(client, 'http://[2001:db8::100]/')
    steps.next('name lookup: UDP virtual, least connections')
    for name in ('www.example.com', 'example.org'):
        show(client, 'dig', '+short', '+tries=1', '@10.0.0.100', name, 'TXT')
    steps.next('iperf3: bulk transfer, consistent hash of the client')
    text = show(client, 'iperf3', '-c', '10.0.0.100', '-t', '3', '-f', 'm', quiet=True)
    for line in text.splitlines():
        if line.endswith(('sender', 'receiver')):
            print(f'  {line}')
    steps.next('what the device says: tandemctl, while a slow download is going on')
    client.start('curl', '-s', '-o', '/dev/null', '--limit-rate', '200k',
                 'http://10.0.0.100/bytes/10000000', log='download.log')
    client.run('curl', '-s', '--max-time', '10', 'http://10.0.0.100/')
    for words in (['show', 'virtual'], ['show', 'pool'], ['show', 'connection']):
        show(None, *device.command(*words))
        print()


def what_next(keep, device):
    if not keep:
        print('''What next
  sudo ./tools/quickstart --keep     the single device, left running to play with
  sudo ./tools/quickstart --pair --keep     the pair, left running
  sudo ./tools/test                  every test suite, the end-to-end cases too
  deploy/README.md                   a real machine: NICs, hugepages, the service
  dataplane/README.md                how it works inside''')
        return
    program, *rest = device.command()
    ctl = ' '.join([os.path.relpath(program), *rest])
    print(f'''It runs. Try
  sudo ip netns exec tandem-client curl http://10.0.0.100/
  sudo ip netns exec tandem-client iperf3 -c 10.0.0.100
  sudo {ctl} show connection
  sudo {ctl} show drops
  sudo {ctl} modify pool web member 10.0.1.10:80 state forced-offline
  sudo {ctl} --help
Change {device.config_path} and `load` it; the log is {device.log_path}.
Take it down with
  sudo ./tools/quickstart --down''')


def take_down():
    """Removes what a run with --keep, or one that was killed, has left."""
    left = [name for name in existing_namespaces(PREFIX) if name in SPACES]
    for name in left:
        remove_namespace(name)
    shutil.rmtree(STATE, ignore_errors=True)
    print('took down', ', '.join(left) if left else 'nothing: nothing was there')


def build_programs():
    RELEASE.mkdir(exist_ok=True)
    log_path = RELEASE / 'build.log'
    try:
        with open(log_path, 'w') as log:
            build(RELEASE, ['control/tandemd', 'tools/tandemctl/tandemctl'], log=log)
    except subprocess.CalledProcessError:
        print(log_path.read_text()[-4000:])
        raise
    finally:
        give_back(RELEASE)


def demonstrate_single(lab, steps):
    """Returns the device, which runs."""
    steps.next('network: client, device, three servers, a wire each')
    spaces = build_network(lab)
    start_servers(spaces, HERE / 'servers.py')
    steps.next('tandemd between them')
    device = Device(spaces['device'], RELEASE)
    device.start((HERE / 'quickstart.textproto').read_text())
    show(None, *device.command('show', 'port'))
    demonstrate(spaces, device, steps)
    return device


def play(act, steps, keep):
    """One act in a network of its own, which stays only when it is to be kept and all went well."""
    lab = Lab(PREFIX, STATE)
    result = None
    try:
        result = act(lab, steps)
        return result
    except BaseException:
        for log in sorted(STATE.glob('**/*.log')):
            if log.name in ('tandem.log', 'device-a.log', 'device-b.log'):
                tail = '\n'.join(log.read_text(errors='replace').splitlines()[-20:])
                print(f'\n{log.stem} said last:\n{tail}', file=sys.stderr)
        raise
    finally:
        if not (keep and result):
            # From here on nothing may stop the cleaning up.
            handlers = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
            steps.next('take down')
            lab.close()
            shutil.rmtree(STATE, ignore_errors=True)
            for number, handler in handlers.items():
                signal.signal(number, handler)


@processes_alike()
def run(keep, only_pair, began):
    steps = Steps(began)
    steps.next('build, into build-release/ (minutes, the first time)')
    build_programs()
    device = pair = None
    if not only_pair:
        device = play(demonstrate_single, steps, keep)
    if only_pair or not keep:
        pair = play(quickstart_pair.demonstrate_pair, steps, keep)
    steps.next('')
    print(f'\nAll of it took {time.time() - steps.first:.0f} s.\n')
    if keep and only_pair:
        quickstart_pair.what_next_pair(pair)
    else:
        what_next(keep, device)


def stop_on_signal(number, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--began', type=float, default=time.time())
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--pair', action='store_true')
    parser.add_argument('--down', action='store_true')
    arguments = parser.parse_args()
    if arguments.down:
        return take_down()
    left = [name for name in existing_namespaces(PREFIX) if name in SPACES]
    if left:
        sys.exit(f'quickstart: {", ".join(left)} exist: another run is going on or was kept.\n'
                 'Take it down with: sudo ./tools/quickstart --down')
    for number in STOP_SIGNALS:
        signal.signal(number, stop_on_signal)
    try:
        run(arguments.keep, arguments.pair, arguments.began)
    except KeyboardInterrupt:
        sys.exit('\nquickstart: stopped; everything is taken down')
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f'\nquickstart: {error}\neverything is taken down')


if __name__ == '__main__':
    main()
