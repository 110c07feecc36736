# SPDX-License-Identifier: Apache-2.0
"""A device group of three: each traffic group on a device of its own, mirrored to its next-active, and what is
left of them when one after the other dies."""

from cases_failover import check_same_servers, residents
from cases_mirror import close_all, open_many, use
from failover_world import FailoverWorld, GROUP, VIP, check, stream, wait_until
from pair_config import pool, virtual

SECOND = 'traffic-group-2'
SECOND_VIP = '10.0.0.120'
SECOND_TEXT = (f'''traffic_group {{ name: "{SECOND}" ha_order: "device-c" ha_order: "device-a" ha_order: "device-b" }}
snat_pool {{ name: "snat2" traffic_group: "{SECOND}" members: "10.1.0.220" }}
''' + virtual('web2', 80, 'web', snat='NONE', address=SECOND_VIP, group=SECOND,
              source_address_translation='{ type: SNAT pool: "snat2" }'))


class GroupWorld(FailoverWorld):
    """Devices a, b and c. The first traffic group prefers them in this order, the second one c, a, b."""

    members = 'abc'
    order = 'ha_order: "device-a" ha_order: "device-b" ha_order: "device-c"'

    def start(self, which, **options):
        super().start(which, **{'group_fields': self.order, 'extra': SECOND_TEXT, **options})

    def wait_group(self, active, heir, name=GROUP, seconds=30):
        """The group is active there, and mirrored to `heir`, which could take it over."""
        def is_so():
            group = self.group(active, name)
            return (group['state'] == 'active' and group['mirror'] == 'in-sync'
                    and group['next_active'] == f'device-{heir}' and self.state(heir, name) == 'standby')
        wait_until(is_so, lambda: f'{name}: ' + ', '.join(
            f'{which}: {self.group(which, name)}' for which in self.members if self.runs(which))
            + f'; {active} mirrors {self.pair.mirror(active)}, {heir} {self.pair.mirror(heir)}', seconds)
        if name == GROUP:
            self.device = self.devices[active]

    def bring_home(self):
        """Each group to the device that it prefers; who boots late does not take it by itself."""
        for name, home, heir in ((GROUP, 'a', 'b'), (SECOND, 'c', 'a')):
            wait_until(lambda: len(self.acting(name)) == 1, lambda: f'{name}: {self.acting(name)}')
            for _ in range(5):
                acting = self.acting(name)
                if acting == [home]:
                    break
                self.devices[acting[0]].ctl('run', 'failover', 'standby', name, 'device', f'device-{home}',
                                            check=False)
            self.wait_group(home, heir, name)

    def mirrored_to(self, which, name=GROUP):
        groups = self.pair.mirror(which)['group']
        return next(group for group in groups if group['traffic_group'] == name).get('peer')

    def flows_of(self, which, name):
        return [flow for flow in self.flows(which) if (flow[5] == 'web2') == (name == SECOND)]


WORLD = GroupWorld


def open_second(world, count):
    connections = open_many(world, count, 80, SECOND_VIP)
    return connections, [use(connection) for connection in connections]


def case_next_active(world):
    """Group: three devices, two traffic groups: each is mirrored to its next-active, and to nobody else"""
    first, first_servers = residents(world, 20)
    second, second_servers = open_second(world, 20)
    check(world.mirrored_to('a') == 'device-b', f'mirrored to {world.mirrored_to("a")}')
    check(world.mirrored_to('c', SECOND) == 'device-a', f'mirrored to {world.mirrored_to("c", SECOND)}')
    wait_until(lambda: len(world.flows_of('a', SECOND)) == 20, 'the second group is not on its next-active')
    check(not world.flows_of('c', GROUP), 'the first group is on a device that is not its next-active')
    check(not world.flows_of('b', SECOND), 'the second group is on a device that is not its next-active')
    check(world.state('c') == 'syncing', f'c is {world.state("c")} for what it is not told')
    peers = {peer['device']: peer['state'] for peer in world.pair.mirror('b')['peer']}
    check(peers == {'device-a': 'up', 'device-c': 'up'}, f'b knows {peers}')
    devices = world.devices['b'].show('device-group')['device']
    check([one['state'] for one in devices if not one.get('is_self')] == ['up', 'up'], f'b hears {devices}')
    check_same_servers(first + second, first_servers + second_servers)
    close_all(first + second)


def case_one_after_the_other(world):
    """Group: the active is killed, then its successor: every connection goes on, with the same server"""
    connections, servers = residents(world, 50)
    sticky = world.pages(5, VIP, 82)
    wait_until(lambda: world.records('a') and world.records('a') == world.records('b'), 'records are not mirrored')
    datagrams = stream(world)
    world.kill('a')
    world.wait_group('b', 'c')
    check_same_servers(connections, servers)
    check(world.records('b') == world.records('c'), f'{world.records("b")} {world.records("c")}')
    world.kill('b')
    world.wait_active('c')
    wait_until(lambda: world.state('c') == 'standalone', lambda: f'c is {world.state("c")}')
    check_same_servers(connections, servers)
    check(set(world.pages(5, VIP, 82)) == set(sticky), 'a client of a record goes to another server')
    lost, gap = datagrams.finish(), datagrams.gap()
    print(f'     UDP: {lost} datagrams lost in two takeovers, {gap * 1000:.0f} ms without an answer at most')
    for which, heir in (('b', 'b'), ('a', 'a')):
        world.start(which)
        world.wait_group('c', heir)
    check_same_servers(connections, servers)
    world.bring_home()
    wait_until(lambda: world.flows_of('b', GROUP) and not world.flows_of('c', GROUP),
               'what c had stays there, though b has it all')
    check_same_servers(connections, servers)
    close_all(connections)


def case_both_groups(world):
    """Group: the device that has one traffic group, and the shadow of the other, is killed: both go on"""
    first, first_servers = residents(world, 20)
    second, second_servers = open_second(world, 20)
    wait_until(lambda: len(world.flows_of('a', SECOND)) == 20, 'the second group is not on its next-active')
    world.kill('a')
    world.wait_group('b', 'c')
    world.wait_group('c', 'b', SECOND)
    check_same_servers(first + second, first_servers + second_servers)
    world.kill('c')
    world.wait_active('b', name=SECOND)
    check(world.acting() == ['b'], f'active: {world.acting()}')
    check_same_servers(first + second, first_servers + second_servers)
    close_all(first + second)
    for which in 'ac':
        world.start(which)
    world.wait_group('b', 'a')
    world.bring_home()


def case_named_device(world):
    """Group: handed over to a named device that had no shadow: mirrored there first, and nothing is lost"""
    connections, servers = residents(world, 50)
    check(world.mirrored_to('a') == 'device-b', f'mirrored to {world.mirrored_to("a")}')
    datagrams = stream(world, 0.001)
    world.standby('a', 'device', 'device-c')
    world.wait_group('c', 'a')
    lost, gap = datagrams.finish(), datagrams.gap()
    print(f'     {lost} of {len(datagrams.sent_at)} datagrams lost, {gap * 1000:.1f} ms without an answer')
    check(lost <= 5, f'{lost} datagrams were lost')
    check_same_servers(connections, servers)
    close_all(connections)
    world.bring_home()


def case_config_sync(world):
    """Group: config-sync brings a configuration to both others; who refuses, and who differs, is named"""
    extra = pool('extra', 80) + virtual('extra', 85, 'extra')

    def load(which, more=''):
        world.load(which, group_fields=world.order, extra=SECOND_TEXT + more)

    def run(direction, which='a', check_it=True):
        return world.devices[which].ctl('run', 'config-sync', direction, 'pair', check=check_it)

    def has_extra(which):
        return 'name: "extra"' in world.devices[which].config_path.read_text()

    load('a', extra)
    answer = run('to-group').stdout
    check(all(f'device-{which}: configuration taken and saved' in answer for which in 'bc'), answer)
    check(has_extra('b') and has_extra('c'), 'not saved')
    # Nobody but c has that VLAN.
    load('c', extra + 'vlan { name: "lab" port: "clients" tag: 77 }\n' + virtual('lab', 86, 'web', vlans='"lab"'))
    answer = run('to-group', 'c', check_it=False)
    check(answer.returncode == 1, answer.stdout)
    check(all(f'device-{which}: configuration of device-c' in answer.stderr for which in 'ab'), answer.stderr)
    # Those of b and c differ: which one is meant?
    answer = run('from-group', check_it=False)
    check(answer.returncode == 1 and 'virtual \'lab\'' in answer.stderr, answer.stderr)
    for which in 'abc':
        load(which)
    answer = run('from-group').stdout
    check('configuration taken and saved' in answer, answer)
    world.bring_home()
