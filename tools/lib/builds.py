# SPDX-License-Identifier: Apache-2.0
"""The build directories of tools/test and tools/quickstart."""

import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RELEASE = TOP / 'build-release'
ASAN = TOP / 'build-asan'
TSAN = TOP / 'build-tsan'

# What a backtrace, a profile or a sanitizer's report needs: names and lines. More costs a fifth of the
# compiler's time; reading a room's sources one by one costs as much again as all of it.
_OPTIMIZED = ['--buildtype=debugoptimized', '-Ddebug=false', '-Dcpp_args=-g1', '-Dunity_rooms=true']
_CLANG = {'CC': 'clang-14', 'CXX': 'clang++-14', 'CC_LD': 'lld', 'CXX_LD': 'lld'}
_SANITIZED = [*_OPTIMIZED, '-Db_lundef=false', '-Dbenchmarks=disabled']

# The ASan build can be told to make the known mistakes, so that the mutation gate needs no build of its
# own: meson test -C build-asan --suite mutation. Nobody uses or measures that one.
_SETUP = {
    RELEASE: (_OPTIMIZED, {}),
    ASAN: ([*_SANITIZED, '-Db_sanitize=address,undefined', '-Dmutation=true'], _CLANG),
    # Run for seconds: the compiler's time is what counts.
    TSAN: ([*_SANITIZED, '-Db_sanitize=thread', '-Doptimization=1'], _CLANG),
}

# libprotobuf and Abseil come from Debian without instrumentation: a container that they grew looks
# overflown to code that is instrumented.
SANITIZER_ENVIRONMENT = {
    'ASAN_OPTIONS': 'detect_container_overflow=0:abort_on_error=0',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
}


def build(directory, targets=(), log=None, prefix=()):
    """Configures `directory` when it is new and builds; output goes to `log` (a file) or nowhere.

    Targets are names, or a function that names them when `directory` is configured. `prefix` stands in
    front of the commands. Raises subprocess.CalledProcessError.
    """
    arguments, environment = _SETUP[directory]
    environment = {**os.environ, **environment}
    if not (directory / 'build.ninja').exists():
        subprocess.run([*prefix, 'meson', 'setup', directory, TOP, *arguments], check=True, env=environment,
                       stdout=log, stderr=subprocess.STDOUT)
    if callable(targets):
        targets = targets(directory)
    subprocess.run([*prefix, 'ninja', '-C', directory, *targets], check=True, env=environment,
                   stdout=log, stderr=subprocess.STDOUT)


def give_back(directory):
    """Hands what root built to the user behind sudo, so that a later build needs no root."""
    uid, gid = os.environ.get('SUDO_UID'), os.environ.get('SUDO_GID')
    if os.getuid() == 0 and uid and gid and directory.exists():
        subprocess.run(['chown', '-R', f'{uid}:{gid}', directory], check=True)


def program(directory, name):
    """The path of the executable `name` in `directory`."""
    found = [path for path in directory.glob(f'**/{name}') if path.is_file()]
    if len(found) != 1:
        raise FileNotFoundError(f'{name} in {directory}: found {len(found)}, wanted one')
    return found[0]
