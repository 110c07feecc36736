# SPDX-License-Identifier: Apache-2.0
"""The aims of Tandem beside what tools/bench/run found: reached, missed, not measured, or measured on CPUs that were
not equally far apart, and so not to be compared."""

import statistics
from dataclasses import dataclass

import failover_report
from run_distance import in_words
from run_extras import ADMITTED, ADMITTED_SMALL, ADMITTED_TOLD, MEMORY, MIRRORING_TITLE, each, gap_names, sized
from run_pairs import comparable, pairs


@dataclass
class Aim:
    text: str
    value: float | None  # None: not measured
    is_met: bool
    unit: str
    how: str             # what it was made of, and whose limit it was
    is_comparable: bool = True


class Found:
    """Pairs of rows, and figures, of a report, by what they are."""

    def __init__(self, rows, groups):
        self.pairs = pairs(rows)
        self.figures = {(group.title, figure.name): figure for group in groups for figure in group.figures}

    def figure(self, group, name):
        figure = self.figures.get((group, name))
        return figure.median if figure else None


def ratio(above, below):
    return above / below if above is not None and below else None


def at_least(text, least, value, unit, how):
    return Aim(text, value, value is not None and value >= least, unit, how)


def at_most(text, most, value, unit, how):
    return Aim(text, value, value is not None and value <= most, unit, how)


def of_pair(over, under, value_of):
    """Where the CPUs were equally far apart for both rows, the median of the ratios of what `value_of` says of a
    search; the searches of each that it was made of; and whether there were such."""
    each = [[one for one in row.counted() if value_of(one) is not None] if row else [] for row in (over, under)]
    if not all(each):
        return None, ((), ()), True
    alike = [two for two in comparable(over, under) if None not in map(value_of, two)]
    if not alike:
        return None, each, False
    return statistics.median(value_of(one) / value_of(other) for one, other in alike), tuple(zip(*alike)), True


def in_all(pair, used, words):
    """What both sides of a ratio were."""
    return '; '.join(f'{row.system.title} {words(row, its)}' for row, its in zip(pair, used) if its) or 'not measured'


def rate(row, searches):
    trips = in_words([trip for one in searches for trip in one.trips_ns])
    return (f'{statistics.median(one.rate for one in searches) / 1e6:.3f} M/s, limited by the {row.limited_by}'
            f'{", CPUs " + trips + " apart" if trips else ""}')


def of_rows(text, least, pair):
    """How many times as much the first row of `pair` carries as the other."""
    value, used, is_comparable = of_pair(*pair, lambda one: one.rate)
    more = f'; median of {len(used[0])} ratios' if is_comparable and len(used[0]) > 1 else ''
    return Aim(text, value, value is not None and value >= least, '×', in_all(pair, used, rate) + more, is_comparable)


def of_wire(found):
    for kind in ('full NAT', 'DNAT'):
        yield of_rows(f'6 times Open vSwitch ct(nat) or more, {kind}, 100 k flows', 6, found.pairs[f'switch, {kind}'])
    for point, share in (('1 k', 0.7), ('1 M', 0.5)):
        yield of_rows(f'{share:.0%} of testpmd 5tswap or more, {point} flows', share, found.pairs[f'wire, {point}'])
    yield tail(found.pairs['wire, 1 k'])


def tail(pair):
    def at_half(one):
        return one.latency_us[50]['p99_9'] if 50 in one.latency_us else None
    value, used, is_comparable = of_pair(*pair, at_half)
    how = in_all(pair, used, lambda _, its: f'{statistics.median(map(at_half, its)):.0f} µs')
    return Aim('99.9 % of round trips at half load within 3 times testpmd\'s, 1 k flows', value,
               value is not None and value <= 3, '×', how, is_comparable)


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


def of_mirroring(found):
    """Of new flows admitted with source translation and a persistence record, told of at their first packet: by what
    they take without mirroring, and by the aim of 3 M/s, where the records are mirrored too."""
    def of_case(name):
        return found.figure(MIRRORING_TITLE, name)
    taken = of_case(each(ADMITTED_TOLD))
    for names, packets in ((ADMITTED, '9000'), (ADMITTED_SMALL, '1500')):
        speeds = {name: of_case(name) for name in names if of_case(name)}
        yield at_least('mirroring on, 90 % of off or more, new flows with SNAT and a persistence record, '
                       f'{packets}-byte packets', 90, min(speeds.values(), default=None), '%',
                       ', '.join(f'{name} {speed:.1f} %' for name, speed in speeds.items()) or 'not measured')
    yield at_least('mirroring on, records too, 90 % of 3 M new flows a second and core', 2.7, ratio(1000, taken), 'M/s',
                   f'{taken:.0f} ns each, without I/O; {of_case(ADMITTED_TOLD):.1f} % of off' if taken
                   else 'not measured')


def aims(rows, groups):
    found = Found(rows, groups)
    result = [*of_packet_path(found), *of_lookup(found), *of_wire(found), *of_mirroring(found)]
    memory = found.figure('Memory', MEMORY)
    result.append(at_most('128 bytes a flow of IPv4 at most', 128, memory, 'bytes',
                          'measured' if memory else 'not measured'))
    for timer, (_, _, most) in failover_report.TIMERS.items():
        gap, last, lost = (found.figure('Failover', name) for name in gap_names(timer))
        how = f'99 %: {last:.1f} ms; {lost:.0f} sessions lost' if gap else 'not measured'
        result.append(at_most(f'failover gap of {most} ms at most, heartbeats {timer}, median', most, gap, 'ms', how))
    return result
