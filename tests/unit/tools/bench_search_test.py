# SPDX-License-Identifier: Apache-2.0
"""How tools/bench/run searches for a rate, and what it measures again, with models of generator and device."""

import contextlib
import sys
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / 'tools/lib'), str(TOP / 'tools/bench')]

import run_sittings  # noqa: E402  (the path above comes first)
from run_generator import GeneratorFailed, Trial  # noqa: E402
from run_rows import Searched, rows  # noqa: E402
from run_search import LOWEST, Search  # noqa: E402
from run_sittings import Sittings  # noqa: E402

LIMIT = 123_456
NEAR, FAR = 100, 400


class FakeGenerator:
    """Loses what is above LIMIT, a packet of each trial whose number is in `unlucky`, and all while `full` says so;
    of more than `breaks` it carries nearly nothing."""

    def __init__(self, unlucky=(), seconds=0.0, full=lambda count: False, breaks=float('inf')):
        self.unlucky = unlucky
        self.seconds = seconds
        self.full = full
        self.breaks = breaks
        self.count = 0

    def trial(self, kind, rate_pps):
        time.sleep(self.seconds)
        sent = rate_pps or 2 * LIMIT
        came = 0 if self.full(self.count) else min(sent, LIMIT) if sent < self.breaks else 100
        lost = sent - came + (self.count in self.unlucky)
        self.count += 1
        return Trial(came, lost, True, 0, 0, 0, lost if came < 200 else 0, {}, 0.1, asked=rate_pps, sent=sent)


class SearchTest(unittest.TestCase):
    def search(self, generator, most=400_000, **options):
        search = Search(generator, 'kind', 'rate_pps', **options)
        return search.run(search.guess(most))

    def assert_found(self, found, within):
        self.assertLessEqual(found.rate, LIMIT)
        self.assertGreater(found.rate, LIMIT / within)
        self.assertEqual(len(found.confirmed), 3)

    def test_finds_the_limit(self):
        for most in (0, 400_000, 130_000):
            found = self.search(FakeGenerator(), most)
            self.assert_found(found, 1.04)
            self.assertEqual(found.limited_by, 'system')
            self.assertEqual(found.why, '')

    def test_finds_it_above_what_was_offered_first(self):
        self.assert_found(self.search(FakeGenerator(), 10_000), 1.04)

    def test_a_system_that_breaks_down_under_too_much_is_offered_less(self):
        self.assert_found(self.search(FakeGenerator(breaks=3 * LIMIT), 1_000_000), 1.04)

    def test_a_table_that_stays_full_for_a_while_is_not_the_limit(self):
        for trials in (1, 4, 7):
            found = self.search(FakeGenerator(full=lambda count, trials=trials: count < trials), 1_000_000)
            self.assert_found(found, 1.04)

    def test_a_lost_packet_now_and_then_is_no_limit(self):
        self.assert_found(self.search(FakeGenerator(unlucky=range(0, 1000, 5))), 1.1)

    def test_half_of_all_trials_may_lose_to_the_machine(self):
        self.assert_found(self.search(FakeGenerator(unlucky=range(0, 1000, 2))), 1.04)

    def test_a_rate_far_beyond_is_tried_once_and_one_that_loses_little_five_times(self):
        class Leaky(FakeGenerator):
            def trial(self, kind, rate_pps):
                trial = super().trial(kind, rate_pps)
                trial.lost = 1
                return trial
        for rate, trials in ((2 * LIMIT, 1), (1.05 * LIMIT, 3), (0.9 * LIMIT, 5)):
            generator = Leaky()
            self.assertFalse(Search(generator, 'kind', 'rate_pps')._holds(rate))
            self.assertEqual(generator.count, trials)

    def test_one_that_always_loses_ends_with_nothing_and_says_by_how_much(self):
        found = self.search(FakeGenerator(unlucky=range(10_000)))
        self.assertEqual((found.rate, found.confirmed), (0.0, []))
        self.assertEqual(len(found.trials), int(found.why.split(' in ')[1].split(' trials')[0]))
        self.assertIn('1 lost of', found.why)

    def test_one_whose_table_stays_full_says_so_of_its_lowest_rate(self):
        generator = FakeGenerator(full=lambda count: True)
        found = self.search(generator, 1_000_000)
        self.assertEqual(found.rate, 0.0)
        self.assertEqual(min(trial.asked for trial in found.trials), LOWEST)
        self.assertIn('At the lowest: 0 of 1,000 a second, 1,000 lost of 1,000 sent, 1,000 connections failed',
                      found.why)
        self.assertLess(generator.count, 30)

    def test_in_a_hurry_it_confirms_what_it_has_and_ends(self):
        generator = FakeGenerator(seconds=0.01)
        found = self.search(generator, patience=0.0)
        self.assertLessEqual(found.rate, LIMIT)
        self.assertGreater(found.rate, LIMIT * 0.6)
        self.assertLess(generator.count, 25)


class FakeSystem:
    title = 'system'
    is_here = True

    def __init__(self, _directory):
        pass

    def start(self):
        pass

    stop = start

    def version(self):
        return 'one'

    configuration = log_tail = version


class SittingsTest(unittest.TestCase):
    """Each reading of the distance is the next of `trips`, then the last one for ever; each search finds a rate, or
    what `fails` says."""

    def sit(self, wanted, trips, is_quick=True, spare=1000.0, fails='', looks=float('inf')):
        def measure(row, _generator, tried, _is_quick, found):
            self.order.append((row.system.title, row.point, found.round))
            found.trials.append(Trial(0, 5, False, 0, 0, 0, 0, {}, 0.1, asked=10, sent=10))
            if fails:
                raise GeneratorFailed(fails)
            tried(found.trials[0])
            found.rate, found.spread, found.limited_by = 1e6, (1e6, 1e6), 'system'

        self.order, self.said, trips = [], [], list(trips)
        kept = run_sittings.measure, run_sittings.line_trip_ns, run_sittings.say, run_sittings.LOOK_SECONDS
        run_sittings.measure, run_sittings.LOOK_SECONDS = measure, looks
        run_sittings.line_trip_ns = lambda: [trips.pop(0) if len(trips) > 1 else trips[0]]
        run_sittings.say = self.said.append
        try:
            sittings = Sittings(0.1, is_quick, Path('/nowhere'), lambda title: contextlib.nullcontext())
            sittings.spare = spare
            for system in {row.system for row in wanted}:
                fake = type('Fake', (FakeSystem,), {'title': system.title})
                for row in [row for row in wanted if row.system is system]:
                    row.system = fake
            sittings.run(wanted)
        finally:
            run_sittings.measure, run_sittings.line_trip_ns, run_sittings.say, run_sittings.LOOK_SECONDS = kept
        return sittings

    def pair(self):
        return [row for row in rows() if (row.kind, row.plot, row.point) == ('full NAT', 'flows', '100 k')]

    def single(self):
        return [row for row in rows() if (row.system.title, row.plot, row.point) == ('Tandem', 'flows', '1')]

    def test_a_quick_run_searches_once_where_the_cpus_stay(self):
        wanted = self.pair()
        self.sit(wanted, [NEAR])
        self.assertEqual([len(row.searches) for row in wanted], [1, 1])
        self.assertEqual(wanted[0].searches[0].trips_ns, [NEAR, NEAR])

    def test_otherwise_systems_take_turns_and_the_median_counts(self):
        wanted = self.pair() + self.single()
        self.sit(wanted, [NEAR], is_quick=False)
        both = 'Tandem', 'Open vSwitch ct(nat)'
        self.assertEqual(self.order, [*((title, '100 k', number) for number in range(3) for title in both),
                                      ('Tandem', '1', 0)])
        self.assertEqual(len(self.said), 9)
        self.assertIn('1.000 M requests/s    1.000 to 1.000 M   system    100 ns, median of 3', self.said[6])
        row = wanted[0]
        row.searches = [Searched(number, rate, (1, 1), who) for number, (rate, who)
                        in enumerate(((3e6, 'generator'), (1e6, 'system'), (2e6, 'system')))]
        row.conclude()
        self.assertEqual((row.value, row.spread, row.limited_by), (2e6, (1e6, 3e6), 'system'))

    def test_the_figure_is_of_the_searches_with_the_cpus_nearest(self):
        row = self.single()[0]
        row.searches = [Searched(number, rate, (1, 1), 'system', trips_ns=trips) for number, (rate, trips)
                        in enumerate(((1e6, [400, 400]), (3e6, [100, 110]), (2.5e6, [130, 120]), (2e6, [100, 400])))]
        row.conclude()
        self.assertEqual((row.value, row.spread), (2.5e6, (2.5e6, 3e6)))

    def test_a_search_under_which_the_cpus_moved_is_made_again(self):
        wanted = self.single()
        self.sit(wanted, [NEAR, FAR, FAR])
        self.assertEqual([one.trips_ns for one in wanted[0].searches], [[NEAR, FAR], [FAR, FAR]])
        self.assertEqual([one.trips_ns for one in wanted[0].counted()], [[FAR, FAR]])

    def test_it_is_made_again_twice_at_most_and_not_without_time(self):
        for spare, searches in ((1000.0, 3), (0.0, 1)):
            wanted = self.single()
            self.sit(wanted, [NEAR, FAR] * 10, spare=spare)
            self.assertEqual(len(wanted[0].searches), searches)
            self.assertEqual(wanted[0].value, 1e6)

    def test_one_is_given_up_when_they_move_under_it_but_for_the_last(self):
        wanted = self.single()
        self.sit(wanted, [NEAR, FAR] * 10, looks=0)
        self.assertEqual([one.rate for one in wanted[0].searches], [None, None, 1e6])
        self.assertEqual(wanted[0].searches[0].why, 'CPUs moved')
        self.assertEqual((wanted[0].value, wanted[0].why), (1e6, ''))

    def test_they_are_looked_at_during_a_search(self):
        wanted = self.single()
        self.sit(wanted, [NEAR, FAR, NEAR, NEAR], looks=0)
        self.assertEqual([one.trips_ns for one in wanted[0].searches], [[NEAR, FAR], [NEAR, NEAR, NEAR]])

    def test_a_pair_that_was_not_equally_far_apart_gets_another_round(self):
        wanted = self.pair()
        self.sit(wanted, [NEAR, NEAR, FAR])
        self.assertEqual([[one.round for one in row.searches] for row in wanted], [[0, 1], [0, 1]])
        for spare, rounds in ((1000.0, 3), (0.0, 1)):
            wanted = self.pair()
            self.sit(wanted, [NEAR, NEAR, FAR, FAR] * 10, spare=spare)
            self.assertEqual([len(row.searches) for row in wanted], [rounds, rounds])

    def test_new_connections_sit_alone(self):
        wanted = [row for row in rows() if row.system.title == 'Tandem']
        started = []
        kept = FakeSystem.start
        FakeSystem.start = lambda system: started.append(len(self.order))
        try:
            self.sit(wanted, [NEAR])
        finally:
            FakeSystem.start = kept
        self.assertEqual(len(started), 3)
        self.assertEqual({point for _, point, _ in self.order[started[-1]:]}, {'udp', 'tcp'})

    def test_what_failed_keeps_its_trials(self):
        wanted = self.single()
        self.sit(wanted, [NEAR], fails='it ended')
        self.assertIsNone(wanted[0].value)
        self.assertIn('it ended', wanted[0].why)
        self.assertEqual(len(wanted[0].searches[0].trials), 1)


if __name__ == '__main__':
    unittest.main()
