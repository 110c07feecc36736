# SPDX-License-Identifier: Apache-2.0
"""Sessions of clients (sessions.py) seen from outside: what their logs say, and the table of it."""

import time
from pathlib import Path

SCRIPT = Path(__file__).parent / 'sessions.py'
BEFORE_SECONDS = 2
WORDS = ('sent', 'alive', 'done', 'failed')


class Session:
    """One client process and its log."""

    def __init__(self, client, name, unit, kind, *arguments):
        self.name = name
        self.unit = unit  # what is numbered, or '' when its numbers are bytes
        self.log = client.directory / f'session-{name.replace(" ", "-")}.log'
        self.log.unlink(missing_ok=True)
        self.read = 0  # bytes of the log
        self.known = []
        self.latest = {}
        self.process = client.start('/usr/bin/python3', SCRIPT, kind, *arguments, log=self.log.name)

    def events(self):
        """(when, word, text) of each line so far; other programs' own words are left out."""
        with open(self.log, 'rb') as file:
            file.seek(self.read)
            new = file.read()
        end = new.rfind(b'\n') + 1  # the rest is half a line
        self.read += end
        for line in new[:end].decode(errors='replace').splitlines():
            when, _, rest = line.partition(' ')
            word, _, text = rest.partition(' ')
            if word in WORDS:
                self.known.append((float(when), word, text))
                self.latest[word] = float(when), text
        return self.known

    def last(self, word):
        """(when, text) of the last event of this kind, or None."""
        self.events()
        return self.latest.get(word)

    def came(self):
        """How much was answered, or how many bytes have come."""
        last = self.last('alive')
        return int(last[1]) if last else 0

    def alive_since(self, when):
        last = self.last('alive')
        return last is not None and last[0] > when

    def gap(self, since, until):
        """The longest time without a sign of life that was not over at `since`, in seconds."""
        times = [when for when, word, _ in self.events() if word == 'alive' and when < until]
        return max((b - a for a, b in zip(times, times[1:]) if b > since), default=0.0)

    def lost(self, since, until):
        """How much of what was sent in that time has no answer; None of a transfer."""
        if not self.unit:
            return None
        events = self.events()
        answered = {text for _, word, text in events if word == 'alive'}
        return sum(word == 'sent' and since <= when < until and text not in answered
                   for when, word, text in events)

    def outcome(self):
        """What it says of itself at its end; before that, that it goes on."""
        for word, prefix in (('failed', 'BROKEN: '), ('done', '')):
            if last := self.last(word):
                return prefix + last[1]
        return 'goes on'

    def broken(self):
        return self.last('failed') is not None or (
            self.process.poll() is not None and self.last('done') is None)


def wait_sessions(sessions, condition, what, seconds):
    """Until it holds of all of them; none may break, nor all be silent for so long, meanwhile."""
    began = time.monotonic()
    while True:
        for session in sessions:
            if session.broken():
                tail = session.log.read_text(errors='replace').splitlines()[-3:]
                raise RuntimeError(f'the {session.name} session broke: {tail}')
        left = [session for session in sessions if not condition(session)]
        if not left:
            return
        if not any(one.alive_since(time.monotonic() - seconds) for one in left) and \
                time.monotonic() > began + seconds:
            raise RuntimeError(f'{", ".join(one.name for one in left)}: {what}, {seconds} s long')
        time.sleep(0.05)


def table(rows):
    """Prints rows of row_of()."""
    rows = [('session', 'lost', 'gap', 'gap before', 'result'), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, *numbers, result in rows:
        cells = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(numbers, widths[1:])), result]
        print('  ' + '  '.join(cells), flush=True)


def row_of(session, since, until):
    """Name, what was lost, the longest gap, the longest one just before, and the outcome."""
    lost = session.lost(since, until)
    text = 'no byte' if lost is None else f'{lost or "no"} {session.unit}{"" if lost == 1 else "s"}'
    gaps = (session.gap(since, until), session.gap(since - BEFORE_SECONDS, since))
    return (session.name, text, *(f'{gap * 1000:.0f} ms' for gap in gaps), session.outcome())
