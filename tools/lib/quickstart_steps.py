# SPDX-License-Identifier: Apache-2.0
"""How tools/quickstart shows what it does."""

import os
import re
import subprocess
import time


class Steps:
    """Prints each step's title, and how long it took once the next one begins."""

    def __init__(self, began):
        self.began = self.first = began
        self.title = 'packages'
        print('== packages', flush=True)

    def next(self, title):
        now = time.time()
        if self.title:
            print(f'   ({self.title}: {now - self.began:.1f} s)', flush=True)
        self.title, self.began = title, now
        if title:
            print(f'\n== {title}', flush=True)


def show(space, *command, quiet=False):
    """Prints a command as the user would type it, runs it, prints what it says and returns that."""
    words = [f"'{word}'" if re.search(r'[^\w./:=@+,-]', word) else word for word in map(str, command)]
    prefix = ['ip', 'netns', 'exec', space.name] if space else []
    print('$', *prefix, os.path.relpath(words[0]) if words[0].startswith('/') else words[0], *words[1:],
          flush=True)
    result = subprocess.run([*prefix, *map(str, command)], capture_output=True, text=True, timeout=60)
    if result.returncode:
        raise RuntimeError(f'exit status {result.returncode}\n{result.stdout}{result.stderr}')
    if not quiet:
        print(''.join(f'  {line}\n' for line in result.stdout.splitlines()), end='', flush=True)
    return result.stdout
