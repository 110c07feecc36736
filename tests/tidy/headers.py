# SPDX-License-Identifier: Apache-2.0
"""The headers that must compile alone, but for those that a source of their name includes first: it
does not compile either when they do not (unless it is built with others, -Dunity_rooms=true).

    headers.py ROOT                          prints them; the build makes a unit of each
    headers.py ROOT BUILD TARGET HEADER...   builds TARGET of the directory BUILD, the units of
                                             HEADER..., and checks that no header is missing there
"""

import re
import subprocess
import sys
from pathlib import Path

root, arguments = Path(sys.argv[1]), sys.argv[2:]


def is_first_of_its_source(header):
    source = header.with_suffix('.cc')
    first = source.exists() and re.search(r'^#include (\S+)', source.read_text(), re.MULTILINE)
    return bool(first) and first.group(1) == f'"{header.relative_to(root)}"'


present = sorted(str(path.relative_to(root)) for folder in ('dataplane', 'control', 'tests/support')
                 for path in root.glob(f'{folder}/**/*.h') if not is_first_of_its_source(path))
if not arguments:
    print('\n'.join(present))
    sys.exit(0 if present else 'no headers found')

build, target, *configured = arguments
difference = set(present) ^ set(configured)
for header in sorted(difference):
    print(f'{header}: not what the build was configured with; run meson setup --reconfigure')
built = subprocess.run(['ninja', '--quiet', '-C', build, '-k', '0', target])
sys.exit(1 if difference or built.returncode else 0)
