# SPDX-License-Identifier: Apache-2.0
"""A device that lives and is not fit: the traffic group moves, and its connections go on with the other one."""

import ctypes
import os
import time
from pathlib import Path

from cases_failover import check_same_servers, residents
from cases_mirror import close_all
from failover_world import FailoverWorld, check, wait_until

WORLD = FailoverWorld
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # waitpid: of any thread
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f'ptrace {request:#x} of thread {thread}')


class StoppedThread:
    """One thread of a process stands still, and the others run."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        ptrace(PTRACE_SEIZE, self.thread)
        ptrace(PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, WALL)

    def __exit__(self, *_):
        ptrace(PTRACE_DETACH, self.thread)


def workers_of(process):
    """Thread ids of a daemon's workers."""
    tasks = Path(f'/proc/{process.pid}/task')
    return [int(task.name) for task in tasks.iterdir() if 'worker' in (task / 'comm').read_text()]


def faults(world, which):
    """What a device says is wrong with it, without what is over."""
    return [(one['what'], one['object']) for one in world.devices[which].show('failover').get('fault', [])
            if not one.get('is_over')]


def check_moved(world, connections, servers, began, seconds):
    """The group moves from a to b, in time; the connections go on."""
    world.wait_active('b')
    took = time.monotonic() - began
    check_same_servers(connections, servers)
    print(f'     the group moved after {took:.2f} s')
    check(took < seconds, f'it took {took:.2f} s')
    check(world.state('a') == 'failed', f'a is {world.state("a")}')


def back_to_a(world, connections, servers):
    """What was wrong with a is over; the group stays with b, until it is told to go."""
    world.wait_ready('b')
    check_same_servers(connections, servers)
    check(faults(world, 'a') == [], f'a still says {faults(world, "a")}')
    close_all(connections)
    world.standby('b')
    world.wait_ready('a')


def case_worker_stall(world):
    """Faults: one worker of the active stands still while the process lives: the group moves"""
    connections, servers = residents(world, 50)
    began = time.monotonic()
    with StoppedThread(workers_of(world.devices['a'].process)[0]):
        # Half a second to find it out; the rest is the machine's.
        check_moved(world, connections, servers, began, 3)
        wait_until(lambda: [what for what, _ in faults(world, 'a')] == ['a worker stands still'],
                   lambda: f'a says {faults(world, "a")}')
    back_to_a(world, connections, servers)
