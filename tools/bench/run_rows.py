# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/run measures, row by row, and how."""

import statistics
from dataclasses import dataclass, field

from run_distance import are_alike
from run_openvswitch import OpenVSwitch
from run_search import Search
from run_systems import FiveTupleSwap, MacSwap, Tandem
from run_veth import Nftables, TandemOnVeth

LOADS = (10, 50, 90)  # per cent of the throughput, at which latency is looked at
LATENCY_TRIALS = 5    # of which the one counts that pauses of the machine disturbed least
QUICK_PATIENCE, PATIENCE = 12, 200  # seconds that a search takes its time
NEW_AT_FIRST = 1_000_000  # connections; more than most systems here open
# UDP's brief flows end by idling for a second. Before anything is measured some have to, or their end costs nothing.
NEW_WARM_UP = 1.2


@dataclass
class Searched:
    """One search for a row's figure, and what it was made on."""

    round: int               # of those in which systems take turns
    rate: float | None = None
    spread: tuple = ()       # of the trials that confirmed it
    limited_by: str = ''
    latency_us: dict = field(default_factory=dict)  # by load
    trials: list = field(default_factory=list)
    trips_ns: list = field(default_factory=list)    # between the CPUs: before, now and then, after
    took_seconds: float = 0.0
    why: str = ''

    def is_steady(self):
        return are_alike(self.trips_ns)


@dataclass
class Row:
    """One figure of one system. `point` is where it stands in its plot."""

    plot: str
    system: type
    kind: str
    point: str
    flags: dict
    is_quick: bool = True
    # What was found; None: not measured, and `why` says why.
    value: float | None = None
    unit: str = 'requests/s'
    spread: tuple = ()
    limited_by: str = ''
    latency_us: dict = field(default_factory=dict)  # by load
    searches: list = field(default_factory=list)
    why: str = ''

    def counted(self):
        """Of each round the last search that found something: one that the CPUs moved under only when all are."""
        found = [one for one in self.searches if one.rate]
        return list({one.round: one for one in [one for one in found if one.is_steady()] or found}.values())

    def figured(self):
        """Those of them that the figure is of: made with the CPUs as near as they were, or nearly."""
        counted = self.counted()
        nearest = min(counted, key=lambda one: max(one.trips_ns, default=0), default=None)
        return [one for one in counted if are_alike(one.trips_ns + nearest.trips_ns)] or counted

    def conclude(self):
        """The figure, from the searches: the median, or the lower one of the middle two."""
        its = self.figured()
        if not its:
            self.value, self.why = None, self.searches[-1].why if self.searches else ''
            return
        rates = [one.rate for one in its]
        self.value, self.why = statistics.median_low(rates), ''
        middle = its[rates.index(self.value)]
        self.spread = (min(rates), max(rates)) if len(rates) > 1 else middle.spread
        self.limited_by = middle.limited_by
        self.latency_us = next((one.latency_us for one in its if one.latency_us), {})


def short(number):
    for limit, letter in ((1_000_000, 'M'), (1000, 'k')):
        if number >= limit and number % limit == 0:
            return f'{number // limit} {letter}'
    return str(number)


def rows():
    """All, those of one system together."""
    made = []

    def add(plot, system, kind, point, is_quick=True, **flags):
        made.append(Row(plot, system, kind, point, flags, is_quick))

    for system, kind in ((Tandem, 'full NAT'), (FiveTupleSwap, 'wire'), (MacSwap, 'wire')):
        for flows in (1, 1000, 100_000, 1_000_000, 4_000_000):
            is_quick = (flows == 1000 or (flows == 1_000_000 and system is not MacSwap)
                        or (flows == 100_000 and system is Tandem))
            add('flows', system, kind, short(flows), is_quick, flows=flows)
    for flows in (1000, 100_000, 1_000_000):
        add('flows', OpenVSwitch, 'full NAT', short(flows), flows == 100_000, flows=flows)
    for system, kind in ((Tandem, 'DNAT'), (OpenVSwitch, 'DNAT'), (Tandem, 'DSR'), (Tandem, 'full NAT, IPv6')):
        add('translation', system, kind, kind, flows=100_000)
    for size in (128, 512, 1518, 'imix'):
        for system, kind in ((Tandem, 'full NAT'), (FiveTupleSwap, 'wire')):
            add('frame size', system, kind, str(size), size == 'imix' and system is Tandem, flows=1000,
                frame_size=size)
    add('popularity', Tandem, 'full NAT', 'zipf 1.1', False, flows=1_000_000, popularity='zipf:1.1')
    for protocol, warm_up in (('udp', {'warm_up_s': NEW_WARM_UP}), ('tcp', {})):
        add('new connections', Tandem, 'new, full NAT', protocol, flows=4_000_000, protocol=protocol, new_per_second=0,
            **warm_up)
    add('new connections', OpenVSwitch, 'new, full NAT', 'udp', False, flows=4_000_000, new_per_second=0,
        warm_up_s=NEW_WARM_UP)
    for system in (TandemOnVeth, Nftables):
        for flows in (1000, 100_000):
            add('veth', system, 'full NAT', f'full NAT, {short(flows)}', flows == 1000, flows=flows)
        add('veth', system, 'DNAT', 'DNAT, 1 k', False, flows=1000)
        add('veth', system, 'new, full NAT', 'new, full NAT', False, flows=1_000_000, new_per_second=0,
            warm_up_s=NEW_WARM_UP)
    order = (Tandem, FiveTupleSwap, MacSwap, OpenVSwitch, TandemOnVeth, Nftables)
    return sorted(made, key=lambda row: order.index(row.system))


def measure(row, generator, tried, is_quick, found):
    """Fills the search `found` in."""
    flags = dict(row.flags)
    patience = QUICK_PATIENCE if is_quick else PATIENCE
    is_new = flags.pop('new_per_second', None) is not None
    row.unit = 'connections/s' if is_new else 'requests/s'
    search = Search(generator, row.kind, 'new_per_second' if is_new else 'rate_pps', tried, patience, **flags)
    found.trials = search.trials
    # Flows are made once; the device keeps them from trial to trial.
    result = search.run(search.guess(NEW_AT_FIRST) if is_new
                        else search.guess(0, open_per_second=row.system.open_per_second))
    if result.rate == 0:
        found.why = result.why
        return
    found.rate, found.limited_by = result.rate, result.limited_by
    found.spread = (min(result.confirmed), max(result.confirmed))
    for load in loads(row, is_quick, found.round):
        trials = [generator.trial(row.kind, rate_pps=int(found.rate * load / 100), **flags)
                  for _ in range(LATENCY_TRIALS)]
        found.latency_us[load] = min((trial.latency_us for trial in trials), key=lambda one: one['p99_9'])


def loads(row, is_quick, number):
    """At which latency is looked at in the round `number`: from the second on only at the one that is compared."""
    if row.plot != 'flows' or not row.is_quick or (is_quick and row.flags['flows'] != 1000):
        return ()
    return LOADS if number == 0 else (50,) if row.flags['flows'] == 1000 else ()
