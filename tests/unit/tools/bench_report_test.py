# SPDX-License-Identifier: Apache-2.0
"""The report of tools/bench/run, without a device: what it says of aims, and its page."""

import json
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from dataclasses import asdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / 'tools/lib'), str(TOP / 'tools/bench')]

import failover_report  # noqa: E402  (the path above comes first)
import run_extras  # noqa: E402
import run_instructions  # noqa: E402
import run_openvswitch  # noqa: E402
from run_aims import aims  # noqa: E402
from run_distance import line_of_trips  # noqa: E402
from run_elsewhere import elsewhere, on_ports, rows_of  # noqa: E402
from run_extras import Figure, Group, groups  # noqa: E402
from run_generator import Generator, GeneratorFailed, Trial  # noqa: E402
from run_html import to_html  # noqa: E402
from run_instructions import Profile, per_packet  # noqa: E402
from run_pairs import is_compared  # noqa: E402
from run_report import as_json, is_complete, report_of, verdict  # noqa: E402
from run_rows import Searched, rows  # noqa: E402
from run_sittings import trips_ns  # noqa: E402


def searched(row, *found):
    """A search a round, of a rate and the distances around it."""
    latencies = {50: {name: 10.0 for name in ('p50', 'p90', 'p99', 'p99_9', 'max')}} if row.plot == 'flows' else {}
    trials = [Trial(2e6, 0, True, 0, 0, 0, 0, {}, 0.1)]
    row.searches = [Searched(number, rate, (0.95 * rate, rate), 'system', latencies, trials, trips)
                    for number, (rate, trips) in enumerate(found)]
    row.conclude()


def filled():
    """Rows and groups as if every figure were 2."""
    made, extras = rows(), groups()
    for row in made:
        searched(row, (2e6, [100, 110]))
    for group in extras:
        for figure in group.figures:
            figure.values = [2.0]
    return made, extras


def page(made, extras):
    its = {'tandem': 'v<1>', 'when': 'now', 'cpu': 'a', 'cpus': 2, 'memory_gib': 1, 'kernel': 'k', 'hugepages_2m': 1,
           'processes_before': 0.1}
    report = {'machine': its, 'trial_seconds': 1, 'host_took_percent': 0, 'took_seconds': 42,
              'parts': [{'title': 'Open <vSwitch>', 'seconds': 41.5}], 'systems': [
        {'title': 'Tandem', 'version': '', 'configuration': 'a < b', 'failed': 'no & never'}],
        'line_trips': line_of_trips(made), 'setting': 'by <wire>.',
        **report_of(made, extras, aims(made, extras))}
    return to_html(json.loads(json.dumps(report, default=as_json)))


class AimsTest(unittest.TestCase):
    def verdicts(self, made, extras):
        return {aim.text: aim for aim in aims(made, extras)}

    def test_all_are_measured_when_all_figures_are_there(self):
        for text, aim in self.verdicts(*filled()).items():
            self.assertIsNotNone(aim.value, text)

    def test_met_and_missed_follow_the_figures(self):
        made, extras = filled()
        switch = '6 times Open vSwitch ct(nat) or more, full NAT, 100 k flows'
        floor = 'packet path at most twice the floor, 1 M flows'
        self.assertFalse(self.verdicts(made, extras)[switch].is_met)
        self.assertTrue(self.verdicts(made, extras)[floor].is_met)
        for row in made:
            if row.system.title.startswith('Open vSwitch'):
                searched(row, (0.3e6, [100, 100]))
        for figure in extras[0].figures:
            if figure.name == 'floor, 1 M flows':
                figure.values = [0.9, 0.5, 0.9]
        self.assertAlmostEqual(self.verdicts(made, extras)[switch].value, 2 / 0.3)
        self.assertTrue(self.verdicts(made, extras)[switch].is_met)
        self.assertFalse(self.verdicts(made, extras)[floor].is_met)

    def ratio(self, over, under):
        """The aim of full NAT beside Open vSwitch, whose rows were found so."""
        made, extras = filled()
        for row in made:
            if (row.kind, row.plot, row.point) == ('full NAT', 'flows', '100 k'):
                searched(row, *(over if row.system.title == 'Tandem' else under))
        return self.verdicts(made, extras)['6 times Open vSwitch ct(nat) or more, full NAT, 100 k flows']

    def test_a_ratio_is_the_median_of_those_of_each_round(self):
        aim = self.ratio([(3e6, [100, 100]), (2e6, [300, 300]), (2.8e6, [90, 100])],
                         [(3e5, [100, 100]), (2.5e5, [310, 300]), (4e5, [100, 100])])
        self.assertAlmostEqual(aim.value, 8)
        self.assertEqual(verdict(aim), 'met')
        self.assertIn('median of 3 ratios', aim.how)

    def test_rounds_in_which_the_cpus_moved_do_not_count(self):
        aim = self.ratio([(3e6, [100, 100]), (2e6, [100, 110])], [(3e5, [400, 400]), (4e5, [110, 149])])
        self.assertAlmostEqual(aim.value, 5)
        self.assertEqual(verdict(aim), 'MISSED')

    def test_rows_that_were_never_measured_at_one_distance_are_not_compared(self):
        near, far, moved = (3e6, [100, 100]), (3e5, [400, 400]), (3e5, [100, 400])
        for over, under in (([near], [far]), ([near], [moved]), ([near, moved], [moved, far])):
            aim = self.ratio(over, under)
            self.assertIsNone(aim.value)
            self.assertFalse(aim.is_met)
            self.assertEqual(verdict(aim), 'not comparable')
        self.assertIn('CPUs 100 ns apart; Open vSwitch ct(nat) 0.300 M/s, limited by the system, CPUs 400 ns apart',
                      self.ratio([near], [far]).how)

    def test_where_no_round_will_do_a_ratio_is_of_two(self):
        aim = self.ratio([(3e6, [100, 100]), (2e6, [400, 400])], [(4e5, [410, 400]), (5e5, [100, 400])])
        self.assertAlmostEqual(aim.value, 5)
        self.assertEqual(verdict(aim), 'MISSED')

    def test_where_the_distance_is_unknown_rows_are_compared(self):
        self.assertEqual(verdict(self.ratio([(3e6, [])], [(3e5, [])])), 'met')

    def test_mirroring_is_as_good_as_the_slower_admission(self):
        made, extras = filled()
        figures = next(group for group in extras if group.title == run_extras.MIRRORING_TITLE).figures
        by_name = {figure.name: figure for figure in figures}
        for figure in figures:
            figure.values = [84.5]
        for name, speed in zip((*run_extras.ADMITTED, *run_extras.ADMITTED_SMALL), (92.5, 91.0, 90.5, 90.0)):
            by_name[name].values = [speed]
        by_name[run_extras.each(run_extras.ADMITTED_TOLD)].values = [340.0]
        def of():
            return [aim for aim in aims(made, extras) if aim.text.startswith('mirroring on')]
        self.assertEqual([verdict(aim) for aim in of()], ['met'] * 3)
        self.assertEqual([round(aim.value, 2) for aim in of()], [91.0, 90.0, 2.94])
        self.assertIn('84.5 % of off', of()[2].how)
        for names in run_extras.ADMITTED, run_extras.ADMITTED_SMALL:
            by_name[names[0]].values = [89.0]
        by_name[run_extras.each(run_extras.ADMITTED_TOLD)].values = [380.0]
        self.assertEqual([verdict(aim) for aim in of()], ['MISSED'] * 3)

    def test_mirroring_says_what_a_connection_takes(self):
        kept = run_extras.mirror_report.run
        run_extras.mirror_report.run = lambda _name, _what, case: (
            f'{case}   off   250.0 ns  on   275.0 ns  speed  90.9 %\n    each: 1.00 creates\n')
        try:
            found = run_extras.mirroring(True, None)
        finally:
            run_extras.mirror_report.run = kept
        name = run_extras.ADMITTED[0]
        self.assertEqual((found[name], found[run_extras.each(name)]), ([90.9] * 3, [275.0] * 3))

    def test_what_was_not_measured_is_neither(self):
        for text, aim in self.verdicts(rows(), groups()).items():
            self.assertIsNone(aim.value, text)
            self.assertFalse(aim.is_met, text)
            self.assertEqual(verdict(aim), 'not measured')


class GroupTest(unittest.TestCase):
    def test_figures_that_do_not_come_keep_their_place_and_say_why(self):
        def fail(_is_quick, _directory):
            raise RuntimeError('no hugepages')
        group = Group('title', '', [Figure('one', 'ns')], fail)
        group.run(True, None)
        self.assertEqual((group.figures[0].values, group.figures[0].why), ([], 'RuntimeError: no hugepages'))

    def test_every_group_asks_its_benchmark_for_the_figures_that_it_names(self):
        def counters(_name, wanted):
            return {row[0]: 1e-9 for row in wanted}
        kept = run_extras.mirror_report.counters, failover_report.measure
        run_extras.mirror_report.counters = counters
        failover_report.measure = lambda *_: ([1.0, 2.0], 0, 0, 0)
        try:
            for is_quick in (True, False):
                for group in groups():
                    if group.measure not in (run_extras.packet_path, run_extras.flow_table, run_extras.failover):
                        continue
                    wanted = group.only(is_quick, '')
                    wanted.run(is_quick, None)
                    for figure in wanted.figures:
                        self.assertTrue(figure.values, f'{group.title}: {figure.name}')
        finally:
            run_extras.mirror_report.counters, failover_report.measure = kept


class InstructionsTest(unittest.TestCase):
    PROFILE = Path(__file__).with_name('established_tcp.callgrind').read_text()
    NEW, OLD = (next(case for case in run_instructions.CASES if case.title == title)
                for title in ('new TCP', 'established TCP'))

    def test_a_call_counts_with_all_that_it_calls_and_by_the_packet(self):
        found = per_packet(Profile(self.PROFILE), self.OLD)
        self.assertEqual(set(found), {f'established TCP: {name}' for name in self.OLD.functions})
        packets = 1840 * 32
        self.assertEqual(found['established TCP: all'], [(1701788 + 25521868) / packets])  # of two places that call it
        self.assertEqual(found['established TCP: Arrive'], [10186016 / packets])
        self.assertEqual(found['established TCP: ProbeFind'], [(2076094 + 25760) / packets])  # of IPv4 and of IPv6
        self.assertEqual(found['established TCP: SettleOnce'], [14655600 / packets])

    def test_packets_of_another_kind_are_not_counted_as_one(self):
        with self.assertRaisesRegex(ValueError, 'new TCP: 58880 packets, and 0 found no flow'):
            per_packet(Profile(self.PROFILE), self.NEW)
        warm_up = self.PROFILE + (
            'fn=void tandem::pipeline::Worker::SettleOnce<tandem::flow::FlowHot4>()\n'
            'cfn=bool tandem::pipeline::Worker::Begin<tandem::flow::FlowHot4>(tandem::pipeline::Work&, bool)\n'
            'calls=1000 160\n136 50000\n')
        with self.assertRaisesRegex(ValueError, 'established TCP: 58880 packets, and 1000 found no flow'):
            per_packet(Profile(warm_up), self.OLD)

    def test_a_file_without_calls_is_no_count(self):
        with self.assertRaisesRegex(ValueError, '0 packets'):
            per_packet(Profile('events: Ir\nsummary: 0\n'), self.OLD)

    def test_a_function_that_was_inlined_is_left_out(self):
        inlined = self.PROFILE.replace('::ProbeFind(', '::Other(')
        self.assertNotIn('established TCP: ProbeFind', per_packet(Profile(inlined), self.OLD))

    def test_a_report_lacks_totals_but_no_inlined_function(self):
        made, extras = filled()
        group = next(one for one in extras if one.measure is run_instructions.instructions)
        by_name = {figure.name: figure for figure in group.figures}
        by_name['new UDP: ProbeFind'].values = []
        self.assertTrue(is_complete(made, extras))
        by_name['new UDP: all'].values = []
        self.assertFalse(is_complete(made, extras))

    def test_without_valgrind_each_figure_says_so(self):
        kept, run_instructions.shutil.which = run_instructions.shutil.which, lambda _: None
        try:
            group = next(one for one in groups() if one.measure is run_instructions.instructions)
            group.run(True, None)
            for figure in group.figures:
                self.assertEqual(figure.values, [])
                self.assertIn('apt-get install valgrind', figure.why)
        finally:
            run_instructions.shutil.which = kept


class TripsTest(unittest.TestCase):
    def test_says_when_the_machine_was_another_for_another_system(self):
        made = rows()
        self.assertIn('not measured', line_of_trips(made))
        for row in made:
            searched(row, (2e6, [100, 110]))
        self.assertTrue(line_of_trips(made).endswith('in 100 to 110 ns'))
        made[-1].searches[0].trips_ns = [120, 500]
        self.assertIn('in 100 to 500 ns: Tandem 100 to 110 ns;', line_of_trips(made))
        self.assertIn('nftables over veth 100 to 500 ns. ROWS WERE MEASURED', line_of_trips(made))


class PageTest(unittest.TestCase):
    def test_plots_are_well_formed_and_every_reason_is_there(self):
        made, extras = filled()
        made[3].value, made[3].spread, made[3].why = None, (), 'it <fell> over'
        made[4].searches[0].trips_ns = [200, 301]
        text = page(made, extras)
        plots = re.findall(r'<svg.*?</svg>', text, re.S)
        self.assertGreater(len(plots), 6)
        for plot in plots:
            xml.etree.ElementTree.fromstring(plot)
        self.assertIn('it &lt;fell&gt; over', text)
        self.assertIn('<td class="n">200 to 301 ns</td>', text)
        self.assertIn('ROWS WERE MEASURED ON CPUS OF DIFFERENT DISTANCE', text)
        self.assertIn('v&lt;1&gt;', text)
        self.assertIn('by &lt;wire&gt;.', text)
        self.assertIn('<td>Open &lt;vSwitch&gt;</td><td class="n">41.5</td>', text)
        for aim in map(asdict, aims(made, extras)):
            self.assertIn(aim['text'].replace("'", '&#x27;'), text)

    def test_a_report_without_any_figure_is_a_page(self):
        self.assertIn('not measured', page(rows(), groups()))


class ElsewhereTest(unittest.TestCase):
    """A device on another machine."""

    def setUp(self):
        self.system = elsewhere('0000:03:00.0', '0000:03:00.1', 3)
        self.rows = rows_of(self.system)

    def test_all_that_is_measured_of_tandem_is_measured_of_it(self):
        self.assertEqual([(row.plot, row.kind, row.point) for row in self.rows],
                         [(row.plot, row.kind, row.point) for row in rows() if row.system.title == 'Tandem'])
        for row in self.rows:
            self.assertIn(row.kind, self.system.kinds)
            self.assertFalse(is_compared(row))

    def test_the_generator_gets_its_ports_and_core(self):
        with tempfile.TemporaryDirectory() as directory:
            generator = Generator(self.system(directory), 1, Path(directory) / 'log', '/bin/true')
            with self.assertRaises(GeneratorFailed):
                generator.trial('full NAT')
            said = (Path(directory) / 'log').read_text().split()
        for word in ('--core=3', '--client_port=0000:03:00.0', '--server_port=0000:03:00.1', '--virtual=198.18.255.1:7'):
            self.assertIn(word, said)

    def test_how_far_cpus_are_apart_here_is_not_asked(self):
        self.assertEqual(trips_ns(self.rows[0]), [])

    def test_its_configuration_has_its_ports(self):
        text = on_ports('0000:01:00.0', '0000:01:00.1')
        self.assertIn('port { name: "1.1" device: "0000:01:00.0" }', text)
        self.assertIn('port { name: "1.2" device: "0000:01:00.1" }', text)
        self.assertNotIn('memif', text)

    def test_its_report_is_a_page(self):
        for row in self.rows:
            searched(row, (2e6, []))
        text = page(self.rows, [])
        self.assertIn('Device', text)


class OpenFlowTest(unittest.TestCase):
    def test_each_table_that_is_sent_to_has_a_rule(self):
        lines = run_openvswitch.FLOWS.splitlines()
        tables = {int(re.match(r'table=(\d+),', line)[1]) for line in lines}
        for line in lines:
            for target in re.findall(r'[(,]table=(\d+)\)', line):
                self.assertIn(int(target), tables, line)
        self.assertEqual(len({line.split(',actions')[0] for line in lines}), len(lines), 'two rules match the same')


if __name__ == '__main__':
    unittest.main()
