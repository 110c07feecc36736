# SPDX-License-Identifier: Apache-2.0
"""What two devices have configured differently is named, and config-sync brings it from one to the other."""

import time

from cases_failover import check_same_servers, residents
from cases_mirror import close_all
from failover_world import ORDER, TIMERS, FailoverWorld, check, wait_until
from pair_config import KEY, pool, virtual
from world import mostly_waits

WORLD = FailoverWorld
DEVICE_GROUP = 'pair'
# A comparison comes a second after a change, or 10 s after one that could not be had.
COMPARED_SECONDS = 20
EXTRA = pool('extra', 80) + virtual('extra', 85, 'extra')


def load(world, which, extra=''):
    device = world.devices[which]
    device.config_path.write_text(world.pair.group_config(
        which, timers={**TIMERS, **world.fields}, group_fields=ORDER, extra=extra))
    device.ctl('load')


def restore(world):
    for which in 'ab':
        load(world, which)
    world.wait_ready('a')
    wait_until(lambda: not differences(world, 'a') and not differences(world, 'b'),
               lambda: f'{differences(world, "a")} {differences(world, "b")}', COMPARED_SECONDS)


def differences(world, which):
    """What a device says differs on the other one, by object."""
    return {one['object']: one['text']
            for device in world.devices[which].show('device-group')['device']
            for one in device.get('config', {}).get('difference', [])}


def sync(world, which, direction, check_it=True):
    return world.devices[which].ctl('run', 'config-sync', direction, DEVICE_GROUP, check=check_it)


def virtuals(world, which):
    return {one['name'] for one in world.devices[which].show('virtual')['virtual']}


def state_of(world, which):
    device = world.devices[which]
    return device.ctl('show', 'running-config').stdout, device.config_path.read_text()


def check_own(world, which):
    """The device still has what is its own, in what runs and in its file."""
    for text in state_of(world, which):
        own = {'a': 'address: "10.0.0.2/24"', 'b': 'address: "10.0.0.3/24"'}[which]
        other = {'a': '10.0.0.3', 'b': '10.0.0.2'}[which]
        check(f'name: "device-{which}"' in text and own in text and other not in text,
              f'not what is {which}\'s own:\n{text}')
    check(KEY in world.devices[which].config_path.read_text(), 'the key is gone')


@mostly_waits
def case_named(world):
    """Config-sync: what differs is named on both devices, in the log once; to-group ends it, and mirroring goes on"""
    connections, servers = residents(world, 10)
    load(world, 'a', EXTRA)
    wanted = {'pool \'extra\'', 'virtual \'extra\''}
    wait_until(lambda: set(differences(world, 'a')) == wanted and set(differences(world, 'b')) == wanted,
               lambda: f'a says {differences(world, "a")}, b says {differences(world, "b")}',
               COMPARED_SECONDS)
    check(set(differences(world, 'a').values()) == {'only on this device'}, differences(world, 'a'))
    check(set(differences(world, 'b').values()) == {'only on device-a'}, differences(world, 'b'))
    shown = world.devices['b'].ctl('show', 'device-group').stdout
    check('differ in 2 objects' in shown and 'only on device-a' in shown, shown)
    time.sleep(2)
    for which in 'ab':
        log = world.devices[which].log_path.read_text()
        check(log.count('configuration: 2 objects differ from') == 1, f'{which} logged:\n{log}')
    answer = sync(world, 'a', 'to-group').stdout
    check('device-b: configuration taken and saved' in answer, answer)
    check('extra' in virtuals(world, 'b'), 'b lacks the virtual')
    for which in 'ab':
        check_own(world, which)
    check('name: "extra"' in world.devices['b'].config_path.read_text(), 'not saved')
    world.wait_in_sync()
    wait_until(lambda: not differences(world, 'a') and not differences(world, 'b'),
               lambda: f'{differences(world, "a")} {differences(world, "b")}', COMPARED_SECONDS)
    check_same_servers(connections, servers)
    last = world.devices['b'].show('device-group')['last_config_sync']
    check(last['what'] == 'to-group on device-a' and last['result']['device'][0]['done'], last)
    close_all(connections)
    restore(world)


def case_from_group(world):
    """Config-sync: from-group takes the other device's; a changed field is named with both values"""
    load(world, 'a', EXTRA)
    changed = EXTRA.replace('10.1.0.11', '10.1.0.14')
    load(world, 'b', changed)
    wait_until(lambda: 'pool \'extra\'' in differences(world, 'b'), 'nothing differs',
               COMPARED_SECONDS)
    text = differences(world, 'b')['pool \'extra\'']
    check('10.1.0.14' in text and '10.1.0.11' in text and 'on device-a' in text, text)
    answer = sync(world, 'b', 'from-group').stdout
    check('device-a: configuration taken and saved' in answer, answer)
    check('10.1.0.14' not in world.devices['b'].ctl('show', 'running-config').stdout, 'not taken')
    check_own(world, 'b')
    world.wait_in_sync()
    restore(world)


def case_refused(world):
    """Config-sync: a configuration that the peer cannot have is refused with object and value, and changes nothing"""
    here = ('vlan { name: "lab" port: "clients" tag: 77 }\n'
            + virtual('lab', 86, 'web', vlans='"lab"'))
    load(world, 'a', here)
    before = state_of(world, 'b')
    generation = world.devices['b'].show('version')['config_generation']
    answer = sync(world, 'a', 'to-group', check_it=False)
    check(answer.returncode == 1, f'exit status {answer.returncode}: {answer.stdout}')
    check('device-b: configuration of device-a' in answer.stderr and 'virtual \'lab\'' in answer.stderr
          and '\'lab\'' in answer.stderr.split('virtual \'lab\'')[1], answer.stderr)
    check(state_of(world, 'b') == before, 'b has changed')
    check(world.devices['b'].show('version')['config_generation'] == generation, 'b has applied something')
    last = world.devices['a'].show('device-group')['last_config_sync']
    check(not last['result']['device'][0].get('done'), last)
    restore(world)


@mostly_waits
def case_down(world):
    """Config-sync: a peer that is down, and a group that does not exist, are errors at once"""
    world.kill('b')
    wait_until(lambda: world.devices['a'].show('mirror')['peer'][0]['state'] != 'up', 'b is not down', 15)
    for direction in ('to-group', 'from-group'):
        began = time.monotonic()
        answer = sync(world, 'a', direction, check_it=False)
        check(answer.returncode == 1 and 'device-b: is down' in answer.stderr, answer.stderr)
        check(time.monotonic() - began < 5, 'too late')
    answer = world.devices['a'].ctl('run', 'config-sync', 'to-group', 'nobody', check=False)
    check(answer.returncode == 1 and 'nobody' in answer.stderr, answer.stderr)
    world.start('b')
    world.wait_ready('a')
