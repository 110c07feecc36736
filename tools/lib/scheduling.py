# SPDX-License-Identifier: Apache-2.0
"""Who gets the CPUs of a machine on which polling devices, their clients and compilers share them."""

import contextlib
from pathlib import Path

# In front of a command that may only have the CPU that nobody else wants; of one that keeps others out; and of one
# that is over in a moment, and before which even those wait.
WHEN_IDLE = ('chrt', '--idle', '0')
URGENT = ('nice', '-n', '-20')
AT_ONCE = ('chrt', '--fifo', '50')

_AUTOGROUP = Path('/proc/sys/kernel/sched_autogroup_enabled')


@contextlib.contextmanager
def processes_alike():
    """The kernel schedules the processes begun meanwhile one by one, not by session, if root asks.

    Grouped by session, nice and the idle class count among processes of one session only. And Linux 6.18
    until .44 leaves other sessions without a CPU, for tenths of a second or for minutes, while the threads of
    one sleep and wake often, as those of a device do (mended by the kernel's 101f3498b4bd). What was set
    before is put back, unless this process is killed.
    """
    try:
        before = _AUTOGROUP.read_text()
        _AUTOGROUP.write_text('0')
    except OSError:  # not root, or a kernel that has no such groups
        before = None
    try:
        yield
    finally:
        if before is not None:
            _AUTOGROUP.write_text(before)


def threads_of(pid):
    """A line for each thread of a process: name, state, what it ran and what it waited for a CPU."""
    lines = []
    for task in sorted(Path(f'/proc/{pid}/task').glob('*')):
        try:
            name, _, state = task.joinpath('stat').read_text().split('(', 1)[1].rpartition(') ')
            ran_ns, waited_ns, _ = map(int, task.joinpath('schedstat').read_text().split())
            where = task.joinpath('wchan').read_text()
        except (OSError, ValueError, IndexError):
            continue  # it has ended
        lines.append(f'{name}: {state[0]} {where}, ran {ran_ns // 10**6} ms, waited {waited_ns // 10**6} ms')
    return '\n'.join(lines)
