# SPDX-License-Identifier: Apache-2.0
"""Proves that every rule of tidy.py fires on what it forbids and is quiet on what it allows."""

import unittest

from tidy import BANNED, LINES_MAX, MIRROR_ROWS, RULES, SPDX, Tree

MARK = 'TO' + 'DO'
HOME = '/ho' + 'me/somebody'

# A table of rows and their tests, one in a file; both without the row that is left out.
def rows_tree(without_line=0, without_test=0):
    table = ''.join(f'| {row} | it failed | `a_test.cc` |\n' for row in MIRROR_ROWS
                    if row != without_line)
    tests = ''.join(f'TEST_CASE(\n    "row {row}: it works", "[a]") {{}}\n' for row in MIRROR_ROWS
                    if row != without_test)
    return {'tests/README.md': f'| row | failed | test |\n|---|---|---|\n{table}',
            'tests/a_test.cc': f'// {SPDX}\n{tests}', 'tests/meson.build': f"# {SPDX}\n'a_test.cc'\n"}


# rule -> trees that must be reported, each with the words the report must hold.
BAD = {
    'layering': [
        ({'dataplane/net/a.h': '#include "dataplane/flow/flow.h"\n'}, 'may not include'),
        ({'dataplane/flow/a.h': '#include "dataplane/config/snapshot.h"\n'}, 'may not include'),
        ({'dataplane/config/a.h': '#include "dataplane/flow/flow.h"\n'}, 'may not include'),
        ({'dataplane/neighbour/a.h': '#include "dataplane/flow/flow.h"\n'}, 'may not include'),
        ({'dataplane/lb/a.h': '#include "dataplane/nat/snat.h"\n'}, 'may not include'),
        ({'dataplane/ha/a.cc': '#include "dataplane/mirror/frame.h"\n'}, 'may not include'),
        ({'dataplane/unit/a.cc': '#include "dataplane/io/port.h"\n'}, 'may not include'),
        ({'dataplane/io/a.cc': '#include "control/flags.h"\n'}, 'may not include'),
        ({'dataplane/io/a.cc': '#include "proto/config.pb.h"\n'}, 'may not include'),
        ({'dataplane/mirror/a.cc': '#include "proto/mirror.pb.h"\n'}, 'may not include'),
        ({'dataplane/base/a.h': '# include "tests/support/packet.h"\n'}, 'may not include'),
        ({'control/a.cc': '#include "tests/support/packet.h"\n'}, 'may not include'),
        ({'tools/a.cc': '#include "tests/support/packet.h"\n'}, 'may not include'),
        ({'dataplane/net/a.cc': '#include <dataplane/base/time.h>\n'}, 'in quotes'),
        ({'dataplane/net/a.cc': '#include "time.h"\n'}, 'from the root'),
        ({'dataplane/unit/a.cc': '#include <google/protobuf/message.h>\n'}, 'stays out'),
        ({'dataplane/io/a.cc': '#include <gflags/gflags.h>\n'}, 'stays out'),
        ({'dataplane/unit/a.cc': '#include <rte_mbuf.h>\n'}, 'needs EAL'),
        ({'dataplane/misc/a.cc': '\n'}, 'not in a room'),
        ({'dataplane/a.cc': '\n'}, 'not in a room'),
    ],
    'includes-exist': [
        ({'control/a.cc': '#include "control/b.h"\n'}, 'there is no'),
        ({'control/a.cc': '#include "proto/b.pb.h"\n'}, 'there is no'),
    ],
    'banned': [
        ({'dataplane/net/a.cc': 'int x;\nthrow x;\n'}, 'a.cc:2: throw'),
        ({'dataplane/flow/a.cc': 'void* p = malloc(3);\n'}, 'malloc'),
        ({'dataplane/unit/a.h': 'std::printf("x");\n'}, 'printf'),
        ({'dataplane/base/a.h': 'std::fprintf(stderr, "x");\n'}, 'printf'),
        ({'dataplane/lb/a.cc': 'int i = rand();\n'}, 'rand'),
        ({'dataplane/config/a.h': 'std::mutex m;\n'}, 'mutex'),
        ({'dataplane/config/a.h': 'std::shared_mutex m;\n'}, 'mutex'),
        ({'dataplane/flow/a.cc': 'auto t = std::chrono::steady_clock::now();\n'}, 'clock'),
        ({'dataplane/flow/a.cc': 'auto t = rte_rdtsc();\n'}, 'clock'),
        ({'dataplane/pipeline/a.cc': 'LOG(INFO) << 1;\n'}, 'log'),
    ],
    'spdx': [
        ({'dataplane/base/a.h': '#pragma once\n'}, 'no "SPDX'),
        ({'tests/meson.build': "subdir('x')\n"}, 'no "SPDX'),
        ({'tools/run': '#!/bin/sh\n\ntrue\n'}, 'no "SPDX'),
        ({'.gitignore': '*.o\n'}, 'no "SPDX'),
    ],
    'length': [
        ({'control/a.cc': 'x\n' * (LINES_MAX + 1)}, '601 lines'),
        ({'tools/run': '#!/bin/sh\n' + 'x\n' * LINES_MAX}, '601 lines'),
    ],
    'built': [
        ({'control/a.cc': '\n', 'control/meson.build': "library('b.cc')\n"}, 'no meson.build'),
        ({'control/a.cc': '\n', 'meson.build': "library('a.cc')\n"}, 'no meson.build'),
        ({'control/a.cc': '\n'}, 'no meson.build'),
    ],
    'unfinished': [
        ({'control/a.cc': f'int x;  // {MARK}: later\n'}, 'without an issue'),
        ({'tools/a.py': '# FIX' + 'ME\n'}, 'without an issue'),
    ],
    'whitespace': [
        ({'README.md': 'a \n'}, 'trailing'),
        ({'control/a.cc': 'a\r\n'}, 'trailing'),
        ({'control/a.cc': 'a'}, 'without a newline'),
        ({'control/a.cc': 'a\n\n'}, 'empty line'),
    ],
    'machine-paths': [({'tools/a.py': f'open("{HOME}")\n'}, 'one machine')],
    'pragma-once': [({'control/a.h': '#ifndef A\n#endif\n'}, 'no #pragma')],
    'drop-reasons': [
        ({'dataplane/base/drop_reason.h': 'X(kLand, "land", "h")\nX(kNoFlow, "no_flow", "h")\n',
          'tests/golden/land/counters.txt': 'drop.land 1\n'}, 'counts no_flow'),
    ],
    'mirror-rows': [
        (rows_tree(without_test=MIRROR_ROWS[3]), f'row {MIRROR_ROWS[3]} has no test'),
        (rows_tree(without_test=MIRROR_ROWS[-1]), f'a_test.cc has no test of row {MIRROR_ROWS[-1]}'),
        (rows_tree(without_line=17), 'row 17 is not in the table'),
    ],
}

# Trees that every rule must accept.
GOOD = [
    {'dataplane/net/a.h': f'// {SPDX}\n#pragma once\n#include <rte_ip.h>\n'
                          '#include "dataplane/base/b.h"\n',
     'dataplane/base/b.h': f'// {SPDX}\n// We never throw, printf( or malloc( here.\n#pragma once\n'
                           'const char* kText = "rand() malloc(";\nint Throw();\nint snprintf(int);\n'},
    {'dataplane/flow/a.cc': f'// {SPDX}\n#include "dataplane/config/ids.h"\n',
     'dataplane/config/ids.h': f'// {SPDX}\n#pragma once\n',
     'dataplane/flow/meson.build': f"# {SPDX}\nlibrary('a.cc')\n"},
    {'dataplane/io/a.cc': f'// {SPDX}\n#include <rte_mbuf.h>\nvoid F() {{ printf("x"); throw 1; }}\n',
     'dataplane/io/meson.build': f"# {SPDX}\nforeach name : ['a']\n"},
    {'control/a.cc': f'// {SPDX}\n#include "absl/status/status.h"\n#include "proto/a.pb.h"\n// {MARK}(#7): more\nstd::mutex m;\n',
     'proto/a.proto': f'// {SPDX}\n', 'meson.build': f"# {SPDX}\n'control/a.cc'\n"},
    {'tools/run': f'#!/bin/sh\n# {SPDX}\ntrue\n', 'README.md': 'a\n', 'empty': ''},
    {'dataplane/base/assert.h': f'// {SPDX}\n#pragma once\nvoid F() {{ std::fprintf(stderr, "x"); }}\n'},
    {'tests/golden/x/out.txt': 'trailing \n', 'tests/golden/x/counters.txt': 'drop.land 1\n',
     'dataplane/base/drop_reason.h': f'// {SPDX}\n#pragma once\n  X(kLand, "land", "help")\n'},
    rows_tree(),
]


class TidyTest(unittest.TestCase):
    def test_every_rule_has_a_case(self):
        self.assertEqual(set(BAD), set(RULES))

    def test_every_banned_token_has_a_case(self):
        words = ' '.join(words for _, words in BAD['banned'])
        for name in BANNED:
            self.assertIn(name, words)

    def test_rules_fire(self):
        for rule, cases in BAD.items():
            for texts, words in cases:
                with self.subTest(rule=rule, tree=texts):
                    self.assertIn(words, '\n'.join(RULES[rule](Tree(texts))))

    def test_rules_are_quiet(self):
        for texts in GOOD:
            for rule, check in RULES.items():
                with self.subTest(rule=rule, tree=texts):
                    self.assertEqual(list(check(Tree(texts))), [])


if __name__ == '__main__':
    unittest.main()
