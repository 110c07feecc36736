# SPDX-License-Identifier: Apache-2.0
"""House rules as a test: each rule reads the tree and reports every place that breaks it.

    tidy.py [--root DIR] RULE...     check; prints path:line: message, exits 1 when there is any
    tidy.py --list                   the rules' names

A rule is a function from a Tree (path -> text) to messages. tidy_test.py proves that each fires.
"""

import argparse
import posixpath
import re
import subprocess
import sys
from pathlib import Path

LINES_MAX = 600

# Room -> rooms and single headers of other rooms it may include; its own room goes without saying.
LEFT_OF_LB = ['base', 'net', 'config', 'flow']
LEFT_OF_MIRROR = LEFT_OF_LB + ['persist']
LEFT_OF_PIPELINE = LEFT_OF_LB + ['neighbour', 'persist', 'lb', 'nat', 'mirror', 'ha']
ROOMS = {
    'base': [],
    'net': ['base'],
    'config': ['base', 'net'],
    'flow': ['base', 'net', 'config/ids.h'],
    'neighbour': ['base', 'net', 'config', 'flow/neighbour_ref.h'],
    'persist': LEFT_OF_LB,
    'lb': LEFT_OF_LB,
    'nat': LEFT_OF_LB,
    'mirror': LEFT_OF_MIRROR,
    'ha': ['base', 'net', 'config'],
    'witness': ['base', 'ha', 'mirror/frame.h', 'mirror/keys.h', 'mirror/seal.h'],
    'pipeline': LEFT_OF_PIPELINE,
    'unit': LEFT_OF_PIPELINE + ['witness', 'pipeline'],
    'io': LEFT_OF_PIPELINE + ['witness', 'pipeline', 'unit'],
}

# Top-level directory -> top-level directories it may include.
HOUSES = {
    'dataplane': ['dataplane'],
    'control': ['control', 'dataplane', 'proto'],
    'tools': ['tools', 'control', 'dataplane', 'proto'],
    'tests': ['tests', 'dataplane', 'control', 'proto', 'tools'],
}

# The one place of a room that may see generated code.
CODECS = {('dataplane/mirror/control_codec.cc', 'proto/mirror.pb.h'),
          ('dataplane/ha/heartbeat_codec.cc', 'proto/ha.pb.h')}

# DPDK headers that need no EAL: structures, constants, inline functions.
EAL_FREE = {f'rte_{name}.h' for name in (
    'byteorder', 'ether', 'ip', 'tcp', 'udp', 'icmp', 'arp', 'thash', 'prefetch',
    'branch_prediction', 'common', 'pause', 'rcu_qsbr', 'ring', 'ring_elem', 'vect')}

# Libraries whose types stay at the edges, never in dataplane/.
EDGE_INCLUDES = re.compile(r'^(google/protobuf|gflags)/')

# Libraries that are customarily included in quotes.
THIRD_PARTY = re.compile(r'^(absl|google|gflags|catch2|benchmark)/')

# What the packet path never does. `io` and control may.
BANNED = {
    'throw': r'\bthrow\b',
    'malloc': r'\b(malloc|calloc|realloc)\s*\(',
    'printf': r'\b[fv]*printf\s*\(',
    'rand': r'\b(rand|random)\s*\(',
    'mutex': r'\bstd::(\w*mutex|lock_guard|unique_lock|scoped_lock)\b|\babsl::Mutex\b',
    'clock': r'\b\w*clock::now\b|\b(clock_gettime|gettimeofday|rte_rdtsc\w*|absl::Now)\s*\(',
    'log': r'\b(LOG|RTE_LOG)\s*\(|\brte_log\s*\(',
}
BANNED_EXCEPT = {('printf', 'dataplane/base/assert.h')}

SPDX = 'SPDX-License-Identifier: Apache-2.0'
SPDX_SUFFIXES = {'.cc', '.h', '.in', '.py', '.sh', '.proto', '.textproto', '.service', '.yaml',
                 '.yml', '.html', '.css', '.js', '.lua'}
SPDX_NAMES = {'meson.build', 'meson_options.txt', '.clang-format', '.clang-tidy', '.editorconfig',
              '.gitignore'}
SOURCE_SUFFIXES = {'.cc', '.h', '.py', '.sh', '.proto', '.lua'}

# Recorded or generated: their bytes are data, not style.
DATA = re.compile(r'^(tests/golden/.*\.(txt|hex|counters)|tests/fuzz/corpus/.*|tests/fuzz/.*_corpus/.*)$')


def project_files(root):
    """Paths of the project's own files: what git tracks or would add; of a tree without git, all."""
    if Path(root, '.git').exists():
        # Root may check the tree of a user, which git takes for an attack unless told otherwise.
        listing = subprocess.run(
            ['git', '-c', 'safe.directory=*', '-C', root, 'ls-files', '-z', '--cached', '--others',
             '--exclude-standard'], check=True, capture_output=True).stdout.decode().split('\0')
    else:
        listing = [str(path.relative_to(root)) for path in Path(root).glob('**/*')
                   if not path.relative_to(root).parts[0].startswith('build')]
    files = (Path(root, path) for path in sorted(set(filter(None, listing))))
    return [str(file.relative_to(root)) for file in files if file.is_file() and not file.is_symlink()]


class Tree:
    """Paths (relative, with /) and texts of the files under test; binary files are left out."""

    def __init__(self, texts):
        self.texts = texts

    @staticmethod
    def load(root):
        texts = {}
        for path in project_files(root):
            data = Path(root, path).read_bytes()
            if b'\0' not in data:
                texts[path] = data.decode('utf-8', 'replace')
        return Tree(texts)

    def lines(self, pattern):
        """(path, line number, line) of files whose path matches."""
        for path, text in self.texts.items():
            if re.search(pattern, path):
                for number, line in enumerate(text.splitlines(), 1):
                    yield path, number, line


def is_source(path, text):
    return posixpath.splitext(path)[1] in SOURCE_SUFFIXES or text.startswith('#!')


def room_of(path):
    parts = path.split('/')
    return parts[1] if parts[0] == 'dataplane' and len(parts) > 2 else None


def includes(tree, pattern):
    """(path, line number, included path, whether it is quoted) of C++ files."""
    for path, number, line in tree.lines(pattern):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield path, number, match.group(2), match.group(1) == '"'


def may_include(path, target):
    """Whether the layering lets `path` include the project's own `target`."""
    if (path, target) in CODECS:
        return True
    if target.split('/')[0] not in HOUSES.get(path.split('/')[0], []):
        return False
    here, there = room_of(path), room_of(target)
    if here is None or here == there:
        return True
    allowed = ROOMS.get(here, [])
    return there in allowed or target.removeprefix('dataplane/') in allowed


def rule_layering(tree):
    """A room includes only rooms to its left; only io may need EAL; protobuf stops at the edges."""
    for path, number, target, quoted in includes(tree, r'^(dataplane|control|tools|tests)/.*\.(h|cc)$'):
        if target.split('/')[0] in (*HOUSES, 'proto'):
            if not may_include(path, target):
                yield f'{path}:{number}: may not include {target}'
            elif not quoted:
                yield f'{path}:{number}: {target} is ours: write it in quotes'
        elif quoted and not THIRD_PARTY.match(target):
            yield f'{path}:{number}: "{target}" is not written from the root'
        if path.startswith('dataplane/') and EDGE_INCLUDES.match(target):
            yield f'{path}:{number}: {target} stays out of dataplane/'
        if path.startswith('dataplane/') and room_of(path) != 'io' and target.startswith('rte_') \
                and target not in EAL_FREE:
            yield f'{path}:{number}: {target} needs EAL: only dataplane/io may include it'
    for path in tree.texts:
        if path.endswith(('.h', '.cc')) and path.startswith('dataplane/') \
                and room_of(path) not in ROOMS:
            yield f'{path}:1: not in a room that the layering knows'


def rule_includes_exist(tree):
    """A quoted include names a file of the tree, or what protoc makes of one."""
    for path, number, target, quoted in includes(tree, r'\.(h|cc)$'):
        made_from = re.sub(r'\.pb\.h$', '.proto', target)
        if quoted and not THIRD_PARTY.match(target) and not {target, made_from} & tree.texts.keys():
            yield f'{path}:{number}: there is no {target}'


def blank_comments_and_strings(text):
    """C++ text with comments and literals blanked; lines keep their numbers."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda match: re.sub(r'[^\n]', ' ', match.group(0)), text)


def rule_banned(tree):
    """No exception, allocation, lock, clock or log left of io."""
    for path, text in tree.texts.items():
        if room_of(path) in (None, 'io') or not path.endswith(('.h', '.cc')):
            continue
        for number, line in enumerate(blank_comments_and_strings(text).splitlines(), 1):
            for name, pattern in BANNED.items():
                if re.search(pattern, line) and (name, path) not in BANNED_EXCEPT:
                    yield f'{path}:{number}: {name} has no place left of io'


def rule_spdx(tree):
    """Every file that has comments says its licence in its first line (or behind its #!)."""
    for path, text in tree.texts.items():
        name = posixpath.basename(path)
        wanted = name in SPDX_NAMES or posixpath.splitext(name)[1] in SPDX_SUFFIXES \
            or text.startswith('#!')
        if wanted and not DATA.match(path) and not any(SPDX in line for line in text.splitlines()[:2]):
            yield f'{path}:1: no "{SPDX}"'


def rule_length(tree):
    """A file does one thing."""
    for path, text in tree.texts.items():
        count = len(text.splitlines())
        if is_source(path, text) and count > LINES_MAX:
            yield f'{path}:{count}: {count} lines; {LINES_MAX} is the most'


def rule_built(tree):
    """Every .cc is named in a meson.build beside or above it."""
    for path in tree.texts:
        if not path.endswith('.cc'):
            continue
        folder = posixpath.dirname(path)
        while True:
            build = tree.texts.get(posixpath.join(folder, 'meson.build'), '')
            name = posixpath.relpath(path, folder or '.')
            if f"'{name}'" in build or f"'{name.removesuffix('.cc')}'" in build:
                break
            if not folder:
                yield f'{path}:1: no meson.build names it'
                break
            folder = posixpath.dirname(folder)


def rule_unfinished(tree):
    """Marks of unfinished work carry the number of an issue: mark(#12)."""
    mark = re.compile(r'\b(TO' r'DO|FIX' r'ME|X' r'XX|HA' r'CK)\b(?!\(#\d+\))')
    for path, number, line in tree.lines(r''):
        if not DATA.match(path) and mark.search(line):
            yield f'{path}:{number}: {mark.search(line).group(1)} without an issue number'


def rule_whitespace(tree):
    """No trailing white space, no CR, a newline at the end and only one."""
    for path, text in tree.texts.items():
        if DATA.match(path) or path == 'LICENSE' or not text:
            continue
        for number, line in enumerate(text.split('\n'), 1):
            if line != line.rstrip():
                yield f'{path}:{number}: trailing white space'
        if not text.endswith('\n') or text.endswith('\n\n'):
            yield f'{path}:{text.count(chr(10)) + 1}: ends without a newline, or with an empty line'


def rule_machine_paths(tree):
    """Nothing names a path of one machine."""
    pattern = re.compile(r'(?<![\w.])/(?:work|home|farm|Users)/\w')
    for path, number, line in tree.lines(r''):
        if not DATA.match(path) and pattern.search(line):
            yield f'{path}:{number}: a path of one machine'


def rule_pragma_once(tree):
    """Every header guards itself."""
    for path, text in tree.texts.items():
        if path.endswith('.h') and not re.search(r'^#pragma once$', text, re.M):
            yield f'{path}:1: no #pragma once'


# Drop reasons that take two devices to show, and the test that does.
DROPS_OF_PAIRS = {'commit_full': ('kCommitFull', 'tests/unit/unit/commit_test.cc')}


def rule_drop_reasons(tree):
    """Every drop reason has a golden case that counts it, or a test of two devices."""
    golden = '\n'.join(text for path, text in tree.texts.items()
                       if path.startswith('tests/golden/') and not path.endswith('.md'))
    if not golden:
        return
    header = 'dataplane/base/drop_reason.h'
    for match in re.finditer(r'X\((k\w+), "(\w+)", "', tree.texts.get(header, '')):
        symbol, name = match.groups()
        shown_as, test = DROPS_OF_PAIRS.get(name, ('', ''))
        if shown_as and shown_as in tree.texts.get(test, ''):
            continue
        if not re.search(rf'\b({symbol}|{name})\b', golden):
            yield f'{header}:1: no golden case counts {name}'


# Failures of mirroring that others shipped, by their number in tests/README.md.
MIRROR_ROWS = range(1, 35)


def rule_mirror_rows(tree):
    """Every failure of mirroring in tests/README.md has a test that is named after its row."""
    readme = 'tests/README.md'
    if readme not in tree.texts:
        return
    tests = {}  # row -> files with a test of it
    named = re.compile(r'TEST_CASE\(\s*"row (\d+): |"""\w+: row (\d+): ')
    for path, text in tree.texts.items():
        if re.match(r'tests/(.*_test\.cc|e2e/cases_.*\.py)$', path):
            for match in named.finditer(text):
                tests.setdefault(int(match.group(1) or match.group(2)), set()).add(path)
    listed = {}  # row -> line number, files
    for _, number, line in tree.lines(f'^{readme}$'):
        match = re.match(r'\| (\d+) \|.*\|([^|]+)\|$', line)
        if match:
            files = {f'tests/{name}' for name in re.findall(r'`([^`]+)`', match.group(2))}
            listed[int(match.group(1))] = number, files
    for row in sorted({*MIRROR_ROWS, *listed}):
        number, files = listed.get(row, (1, set()))
        if row not in listed:
            yield f'{readme}:1: row {row} is not in the table'
        if row not in tests:
            yield f'{readme}:{number}: row {row} has no test'
        for path in sorted(files - tests.get(row, set())):
            yield f'{readme}:{number}: {path} has no test of row {row}'


RULES = {name.removeprefix('rule_').replace('_', '-'): function
         for name, function in list(globals().items()) if name.startswith('rule_')}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', default='.')
    parser.add_argument('--list', action='store_true', help='print the rules and stop')
    parser.add_argument('rules', nargs='*', choices=[*RULES, []], metavar='RULE')
    arguments = parser.parse_args()
    if arguments.list:
        for name, function in RULES.items():
            print(f'{name:16} {function.__doc__}')
        return 0
    tree = Tree.load(arguments.root)
    if not tree.texts:
        print(f'{arguments.root}: no files to check')
        return 1
    messages = [f'{message} [{name}]' for name in arguments.rules or RULES
                for message in RULES[name](tree)]
    print('\n'.join(messages))
    return 1 if messages else 0


if __name__ == '__main__':
    sys.exit(main())
