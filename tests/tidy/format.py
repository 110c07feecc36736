# SPDX-License-Identifier: Apache-2.0
"""Every C++ file is as clang-format 14 writes it.

    format.py CLANG_FORMAT ROOT
"""

import subprocess
import sys

from tidy import project_files

clang_format, root = sys.argv[1:]
files = [path for path in project_files(root) if path.endswith(('.h', '.cc'))]
if not files:
    sys.exit('no C++ files found')
sys.exit(subprocess.run([clang_format, '--dry-run', '-Werror', *files], cwd=root).returncode)
