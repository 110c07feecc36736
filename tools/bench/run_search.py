# SPDX-License-Identifier: Apache-2.0
"""The search for the highest rate that loses nothing, by trials at one rate each."""

import time
from dataclasses import dataclass

BEYOND = 1.08       # what comes through of too much, times this, is looked at first
STEP = 1.4          # as far as that was no good: from there, each step the square of the one before
STEP_MOST = 4
WITHIN = 1.03       # the search ends when the lowest rate that lost is so near the highest that did not
ATTEMPTS = 3
NEAR = 0.99         # what pauses of a machine leave of a trial at least; with so much,
ATTEMPTS_NEAR = 5   # there are so many
HOPELESS = 0.93     # with less, one is enough
CONFIRMATIONS, LATE_CONFIRMATIONS = 3, 2  # trials without loss that a rate needs, before more than so many with
LOWEST = 1000       # a second
BUSY_TURN_US = 2    # half of the turns of a generator that could do more do nothing, and take less


@dataclass
class Found:
    """The highest rate without loss."""

    rate: float                  # of the trials that confirmed it, the median; 0: none was found, and `why` says why
    trials: list                 # all, in order
    confirmed: list              # rates of the trials that confirmed it
    limited_by: str              # 'system' or 'generator': who was at its end just above it
    why: str = ''


class Search:
    """By halving, RFC 2544 section 26.1. What the host of a virtual machine takes away shows as loss that no device
    made, so a rate counts as lost only when each of ATTEMPTS trials lost, or more where hardly anything was lost; the
    rate that was found is confirmed by CONFIRMATIONS trials without loss, of twice as many at most. After `patience`
    seconds it hurries: what it has by then is confirmed, by fewer trials, or less is, in steps that grow."""

    def __init__(self, generator, kind, flag, tried=lambda trial: None, patience=float('inf'), **flags):
        self.generator = generator
        self.kind = kind
        self.flag = flag      # of the generator's, that is searched for
        self.tried = tried
        self.flags = flags
        self.patience = patience
        self.trials = []
        self.failed = None    # the last trial that lost

    def _trial(self, rate, **more):
        trial = self.generator.trial(self.kind, **{self.flag: int(rate)}, **self.flags, **more)
        self.trials.append(trial)
        self.tried(trial)
        if not trial.is_good():
            self.failed = trial
        return trial

    def guess(self, most, **more):
        """What comes through of `most` a second (0: of all that the generator can). A system that breaks down under
        too much says nothing of what it carries: it is offered half, and so on."""
        while True:
            came = self._trial(most, **more).achieved
            if came >= most / 2 or most < 2 * LOWEST:
                return max(came, LOWEST)
            most /= 2

    def _holds(self, rate):
        for attempt in range(ATTEMPTS_NEAR):
            trial = self._trial(rate)
            if trial.is_good():
                return True
            if trial.achieved < rate * (HOPELESS if attempt + 1 < ATTEMPTS else NEAR):
                return False
        return False

    def run(self, guess):
        """From `guess` outwards until a rate held and another did not, then between them."""
        deadline = time.monotonic() + self.patience
        low, high, rate, step = 0.0, 0.0, guess * BEYOND, STEP
        while rate >= LOWEST and time.monotonic() < deadline:
            if self._holds(rate):
                low = rate
            else:
                high = rate
            if low and high:
                if high <= low * WITHIN:
                    break
                rate = (low + high) / 2
            else:
                rate = low * step if low else high / step
                step = min(step * step, STEP_MOST)
        return self._confirm(low or max(rate, LOWEST), deadline)

    def _confirm(self, rate, deadline):
        less = 0.05
        while rate >= LOWEST:
            is_late = time.monotonic() >= deadline
            good = self._without_loss(rate, LATE_CONFIRMATIONS if is_late else CONFIRMATIONS)
            if good:
                return self._found(sorted(good))
            less = min(less * 1.5, 0.5) if is_late else less
            rate *= 1 - less
        return self._found([])

    def _without_loss(self, rate, wanted):
        """What came through in so many trials without loss; [] when more than so many lost before."""
        good, bad = [], 0
        while bad <= wanted:
            trial = self._trial(rate)
            if trial.is_good():
                good.append(trial.achieved)
            else:
                bad += 1 if trial.achieved >= HOPELESS * rate else 2
            if len(good) == wanted:
                return good
        return []

    def _found(self, good):
        by_generator = self.failed is not None and self.failed.own_turn_us > BUSY_TURN_US
        return Found(rate=good[len(good) // 2] if good else 0.0, trials=self.trials, confirmed=good,
                     limited_by='generator' if by_generator else 'system', why='' if good else self._why_none())

    def _why_none(self):
        least = min(self.trials, key=lambda trial: trial.asked or float('inf'))
        best = max(self.trials, key=lambda trial: trial.achieved)
        return (f'no rate was found at which nothing is lost, in {len(self.trials)} trials. At the lowest: '
                f'{least.account()}. Most came through of: {best.account()}')
