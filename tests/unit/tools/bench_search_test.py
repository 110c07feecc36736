# SPDX-License-Identifier: Apache-2.0
"""How tools/bench/run searches for a rate, with a model of generator and device."""

import sys
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / 'tools/lib'), str(TOP / 'tools/bench')]

from run_generator import Trial  # noqa: E402  (the path above comes first)
from run_search import LOWEST, Search  # noqa: E402

LIMIT = 123_456


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
        for rate, trials in ((2 * LIMIT, 1), (1.1 * LIMIT, 3), (0.9 * LIMIT, 5)):
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
        self.assertIn('At the lowest: 0 of 1,000 a second, 1,000 lost of 1,000 sent, 1,000 connections failed', found.why)
        self.assertLess(generator.count, 30)

    def test_in_a_hurry_it_confirms_what_it_has_and_ends(self):
        generator = FakeGenerator(seconds=0.01)
        found = self.search(generator, patience=0.0)
        self.assertLessEqual(found.rate, LIMIT)
        self.assertGreater(found.rate, LIMIT * 0.6)
        self.assertLess(generator.count, 25)


if __name__ == '__main__':
    unittest.main()
