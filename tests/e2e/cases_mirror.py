# SPDX-License-Identifier: Apache-2.0
"""A pair of devices: what the active forwards, the standby holds, whatever happens to the wire between
them; and forwards, when its turn comes."""

import threading
import time

from pair_config import VIP
from pair_world import ACTIVE, STANDBY, PairWorld, check, wait_until
from world import mostly_waits
from cases_traffic import check_download

WORLD = PairWorld


def open_many(world, count, port=80, address=VIP):
    connections = [world.connect(address, port) for _ in range(count)]
    for connection in connections:
        use(connection)
    return connections


def use(connection):
    """One exchange over a connection that stays open; which server answered."""
    connection.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    answer = b''
    while b'hello from server' not in answer or not answer.endswith(b'\n'):
        piece = connection.recv(65536)
        check(piece, 'the connection was closed')
        answer += piece
    return answer.rpartition(b'server')[2].strip()


def close_all(connections):
    for connection in connections:
        connection.close()


def case_same_flows(world):
    """Mirror: the standby shows the flows of the active: member, SNAT address and port, worker"""
    connections = open_many(world, 100)
    world.wait_equal(100)
    close_all(connections)
    world.wait_equal(0)


def case_kinds(world):
    """Mirror: flows with SNAT pool, automap, without SNAT, and UDP; not those of other virtuals"""
    connections = open_many(world, 5) + open_many(world, 5, 83) + open_many(world, 5, 84)
    plain = open_many(world, 5, 81)
    echo = world.udp((VIP, 7))
    echo.send(b'x')
    echo.recv(10)
    world.wait_equal(15)
    check(any(flow[0] == 'udp' for flow in world.flows('b')), 'the UDP flow is not on the standby')
    close_all(connections + plain + [echo])


def case_silent_standby(world):
    """Mirror: the standby answers no ARP for the group's addresses and forwards nothing"""
    before = world.devices['b'].show('worker')['total'].get('forwarded', 0)
    answers = world.client.run('arping', '-c', '3', '-w', '4', '-I', 'eth0', VIP, check=False).stdout
    check(answers.count('reply from') <= 3, f'more than one device answers ARP: {answers}')
    world.pages(30, VIP)
    after = world.devices['b'].show('worker')['total'].get('forwarded', 0)
    check(after == before, f'the standby forwarded {after - before} packets')


def case_persistence(world):
    """Mirror: persistence records appear on the standby, with the same member"""
    spread = world.pages(20, VIP, 82)
    check(len(spread) == 1, f'one client went to several servers: {spread}')
    wait_until(lambda: world.records('a') and world.records('a') == world.records('b'),
               lambda: f'records differ: {world.records("a")} {world.records("b")}')
    world.device.ctl('delete', 'persistence', 'all')
    wait_until(lambda: not world.records('b'), 'the record stays on the standby')


def case_enable_at_run_time(world):
    """Mirror: enabling it on a virtual takes in the connections that exist"""
    connections = open_many(world, 20, 81)
    check(not world.flows('b', 'virtual', 'plain'), 'flows of a virtual without mirror are on the peer')
    world.device.ctl('modify', 'virtual', 'plain', 'mirror', 'enabled')
    wait_until(lambda: len(world.flows('b', 'virtual', 'plain')) == 20, 'not all came to the standby')
    world.device.ctl('modify', 'virtual', 'plain', 'mirror', 'disabled')
    wait_until(lambda: not world.flows('b', 'virtual', 'plain'), 'they stay on the standby')
    close_all(connections)


def case_cable(world):
    """Mirror: the cable out for a while under load, then in: in sync again, no blip in forwarding"""
    stop = threading.Event()
    errors = []

    def churn():
        while not stop.is_set():
            try:
                world.pages(50, VIP)
            except Exception as error:
                errors.append(error)
    thread = threading.Thread(target=churn)
    long_lived = open_many(world, 20)
    thread.start()
    world.pair.mirror_cable(False)
    try:
        time.sleep(5)  # of silence, three are a lag
        later = open_many(world, 20)
        check(not world.pair.in_sync(), 'in sync without a cable')
    finally:
        world.pair.mirror_cable(True)
        stop.set()
        thread.join()
    world.wait_in_sync()
    check(not errors, f'forwarding suffered: {errors[:1]}')
    world.wait_equal(40)
    for connection in long_lived + later:
        use(connection)
    close_all(long_lived + later)


def case_standby_restarts(world):
    """Mirror: a standby killed and started anew gets everything again"""
    connections = open_many(world, 200)
    world.pair.stop('b', kill=True)
    more = open_many(world, 50)
    world.pair.start('b', STANDBY)
    world.wait_in_sync()
    world.wait_equal(250)
    close_all(connections + more)


def case_take_over(world):
    """Mirror: the active is killed, the standby made active: every connection goes on, both ways"""
    connections = open_many(world, 100) + open_many(world, 20, 83) + open_many(world, 20, 84)
    servers = [use(connection) for connection in connections]
    world.wait_equal(140)
    world.take_over()
    for connection, server in zip(connections, servers):
        check(use(connection) == server, 'another server answers')
    close_all(connections)
    world.start_device()


def case_take_over_in_transfer(world):
    """Mirror: row 14: a download survives the death of the active, whatever its windows are by then"""
    failure = []

    def download():
        try:
            check_download(world, VIP, 200_000_000)
        except Exception as error:
            failure.append(error)
    thread = threading.Thread(target=download)
    thread.start()
    wait_until(lambda: len(world.flows('b')) == 1, 'the flow did not come to the standby')
    time.sleep(0.2)
    check(thread.is_alive(), 'the transfer was over too early to tell')
    world.take_over()
    thread.join()
    check(not failure, f'the transfer broke: {failure}')
    world.start_device()


@mostly_waits
def case_other_platform(world):
    """Mirror: row 16: a peer with another number of workers: no flows, said once, but persistence"""
    world.pair.stop('b')
    world.pair.start('b', STANDBY, workers=world.workers + 1)
    wait_until(lambda: 'workers' in world.pair.mirror('a')['peer'][0].get('incompatible', ''),
               lambda: f'not told: {world.pair.mirror("a")}', 20)
    connections = open_many(world, 10)
    world.pages(3, VIP, 82)
    wait_until(lambda: world.records('b') and world.records('a') == world.records('b'),
               'records are not mirrored')
    check(not world.flows('b'), 'flows were mirrored to another platform')
    said = world.device.log_path.read_text().count('workers ')
    time.sleep(3)
    check(world.device.log_path.read_text().count('workers ') == said, 'said again and again')
    close_all(connections)
    world.start_device()


@mostly_waits
def case_wrong_key(world):
    """Mirror: a peer with another key is a stranger; forwarding goes on"""
    world.pair.stop('b')
    world.pair.start('b', STANDBY, key='ff' * 32)
    world.pages(30, VIP)
    time.sleep(3)  # three Hellos
    check(world.pair.mirror('a')['peer'][0]['state'] != 'up', 'a peer with another key is up')
    check(not world.pair.in_sync(), 'in sync with a stranger')
    world.start_device()


def case_another_key(world):
    """Mirror: another key, on one device and later on the other: in sync all along, in the same sessions"""
    def sessions():
        return [stream['session'] for stream in world.pair.mirror('a')['stream']]

    def pending():
        return [which for which in ('a', 'b') if world.pair.mirror(which)['peer'][0].get('key_pending')]
    connections = open_many(world, 20)
    world.wait_equal(20)
    before = sessions()
    world.pair.load('a', ACTIVE, key='ee' * 32)
    wait_until(lambda: pending() == ['a'], lambda: f'the new key waits on {pending()}')
    connections += open_many(world, 20)
    world.wait_equal(40)
    check(world.pair.in_sync(), 'not in sync while the key waits')
    world.pair.load('b', STANDBY, key='ee' * 32)
    wait_until(lambda: not pending(), 'the new key is not used')
    connections += open_many(world, 20)
    world.wait_equal(60)
    check(world.pair.in_sync(), 'not in sync with the new key')
    check(sessions() == before, f'sessions were {before}, are {sessions()}')
    close_all(connections)
    world.start_device()


def case_configured_later(world):
    """Mirror: row 17: a virtual that the standby does not have yet: flows wait and are bound later"""
    from pair_config import virtual
    extra = virtual('late', 90, 'web')
    world.pair.load('a', ACTIVE, extra=extra)
    connections = open_many(world, 20, 90)
    wait_until(lambda: len(world.flows('b')) == 20, 'the flows are not on the standby')
    check(not world.pair.in_sync(), 'in sync with another configuration')
    world.pair.load('b', STANDBY, extra=extra)
    world.wait_in_sync()
    world.wait_equal(20)
    close_all(connections)
    world.start_device()
