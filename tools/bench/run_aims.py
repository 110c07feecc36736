# SPDX-License-Identifier: Apache-2.0
"""The aims of Tandem beside what tools/bench/run found: reached, missed, or not measured."""

from dataclasses import dataclass

import failover_report
from run_extras import MEMORY, gap_names, sized


@dataclass
class Aim:
    text: str
    value: float | None  # None: not measured
    is_met: bool
    unit: str
    how: str             # what it was made of, and whose limit it was


class Found:
    """Rows and figures of a report, by what they are."""

    def __init__(self, rows, groups):
        self.rows = {(row.system.title, row.kind, row.plot, row.point): row for row in rows}
        self.figures = {(group.title, figure.name): figure for group in groups for figure in group.figures}

    def row(self, system, kind, point, plot='flows'):
        return self.rows.get((system, kind, plot, point))

    def figure(self, group, name):
        figure = self.figures.get((group, name))
        return figure.median if figure else None


def ratio(above, below):
    return above / below if above is not None and below else None


def at_least(text, least, value, unit, how):
    return Aim(text, value, value is not None and value >= least, unit, how)


def at_most(text, most, value, unit, how):
    return Aim(text, value, value is not None and value <= most, unit, how)


def rate(row):
    return f'{row.system.title} {row.value / 1e6:.3f} M/s, limited by the {row.limited_by}'


def of_rows(text, least, over, under):
    """How many times as much the row `over` carries as `under`."""
    if not (over and under and over.value and under.value):
        return at_least(text, least, None, '×', 'not measured')
    return at_least(text, least, over.value / under.value, '×', f'{rate(over)}; {rate(under)}')


def of_wire(found):
    tandem, wire, switch = 'Tandem', 'testpmd 5tswap', 'Open vSwitch ct(nat)'
    yield of_rows('6 times Open vSwitch ct(nat) or more, full NAT, 100 k flows', 6,
                  found.row(tandem, 'full NAT', '100 k'), found.row(switch, 'full NAT', '100 k'))
    yield of_rows('6 times Open vSwitch ct(nat) or more, DNAT, 100 k flows', 6,
                  found.row(tandem, 'DNAT', 'DNAT', 'translation'), found.row(switch, 'DNAT', 'DNAT', 'translation'))
    for point, share in (('1 k', 0.7), ('1 M', 0.5)):
        yield of_rows(f'{share:.0%} of testpmd 5tswap or more, {point} flows', share,
                      found.row(tandem, 'full NAT', point), found.row(wire, 'wire', point))
    yield tail(found.row(tandem, 'full NAT', '1 k'), found.row(wire, 'wire', '1 k'))


def tail(mine, wire):
    text = '99.9 % of round trips at half load within 3 times testpmd\'s, 1 k flows'
    values = [row.latency_us[50]['p99_9'] if row and 50 in row.latency_us else None for row in (mine, wire)]
    how = 'not measured' if None in values else f'{values[0]:.0f} µs; testpmd 5tswap {values[1]:.0f} µs'
    return at_most(text, 3, ratio(*values), '×', how)


def of_packet_path(found):
    group = 'Packet path without I/O'
    path, floor = (found.figure(group, sized(name, 1_000_000)) for name in ('established UDP', 'floor'))
    yield at_most('packet path at most twice the floor, 1 M flows', 2, ratio(path, floor), '×',
                  f'{path:.1f} ns; floor {floor:.1f} ns' if path and floor else 'not measured')
    for record in ('made', 'followed'):
        new = found.figure(group, sized(f'new UDP, a persistence record {record}', 1_000_000))
        yield at_least(f'3 M new flows a second and core with SNAT, 1 M flows, persistence record {record}', 3,
                       ratio(1000, new), 'M/s', f'{new:.0f} ns each, without I/O' if new else 'not measured')


def of_lookup(found):
    names = 'flow table', 'rte_hash, flow written', 'rte_hash alone'
    mine, same, alone = (found.figure('Lookup of a flow', sized(name, 1_000_000)) for name in names)
    how = 'not measured'
    if mine and same and alone:
        how = (f'{mine:.1f} ns; rte_hash {same:.1f} ns with the flow written, {alone:.1f} ns ({alone / mine:.2f} ×) '
               'without')
    yield at_least('lookup twice as fast as rte_hash_lookup_bulk, 1 M flows', 2, ratio(same, mine), '×', how)


def aims(rows, groups):
    found = Found(rows, groups)
    result = [*of_packet_path(found), *of_lookup(found), *of_wire(found)]
    speeds = [figure.median for (title, _), figure in found.figures.items()
              if title == 'Speed with mirroring on' and figure.values]
    result.append(at_least('mirroring on, 90 % of off or more', 90, min(speeds, default=None), '%',
                           f'the lowest of {len(speeds)}' if speeds else 'not measured'))
    memory = found.figure('Memory', MEMORY)
    result.append(at_most('128 bytes a flow of IPv4 at most', 128, memory, 'bytes',
                          'measured' if memory else 'not measured'))
    for timer, (_, _, most) in failover_report.TIMERS.items():
        gap, last, lost = (found.figure('Failover', name) for name in gap_names(timer))
        how = f'99 %: {last:.1f} ms; {lost:.0f} sessions lost' if gap else 'not measured'
        result.append(at_most(f'failover gap of {most} ms at most, heartbeats {timer}, median', most, gap, 'ms', how))
    return result
