# SPDX-License-Identifier: Apache-2.0
"""The headers that must compile alone.

    headers.py ROOT                  prints them, for the build to make a translation unit of each
    headers.py ROOT CONFIGURED...    fails when those are not what the build was configured with
"""

import sys
from pathlib import Path

root, configured = Path(sys.argv[1]), sys.argv[2:]
present = sorted(str(path.relative_to(root)) for folder in ('dataplane', 'control', 'tests/support')
                 for path in root.glob(f'{folder}/**/*.h'))
if not configured:
    print('\n'.join(present))
    sys.exit(0 if present else 'no headers found')
difference = set(present) ^ set(configured)
for header in sorted(difference):
    print(f'{header}: not what the build was configured with; run meson setup --reconfigure')
sys.exit(1 if difference else 0)
