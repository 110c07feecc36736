# SPDX-License-Identifier: Apache-2.0
"""Which rows an aim sets against each other, and which of their searches bear it: those between CPUs that were as far
apart for one as for the other, best in one round."""

from run_distance import are_alike
from run_openvswitch import OpenVSwitch
from run_systems import FiveTupleSwap, Tandem


def _key(system, kind, point, plot='flows'):
    return (system.title, kind, plot, point)


# Over, and under; by what they show.
PAIRS = {
    'switch, full NAT': (_key(Tandem, 'full NAT', '100 k'), _key(OpenVSwitch, 'full NAT', '100 k')),
    'switch, DNAT': (_key(Tandem, 'DNAT', 'DNAT', 'translation'), _key(OpenVSwitch, 'DNAT', 'DNAT', 'translation')),
    'wire, 1 k': (_key(Tandem, 'full NAT', '1 k'), _key(FiveTupleSwap, 'wire', '1 k')),
    'wire, 1 M': (_key(Tandem, 'full NAT', '1 M'), _key(FiveTupleSwap, 'wire', '1 M')),
}


def key_of(row):
    return (row.system.title, row.kind, row.plot, row.point)


def is_compared(row):
    return any(key_of(row) in pair for pair in PAIRS.values())


def pairs(rows):
    """Two rows by the name of the pair; None for one that is not there."""
    by_key = {key_of(row): row for row in rows}
    return {name: (by_key.get(over), by_key.get(under)) for name, (over, under) in PAIRS.items()}


def comparable(over, under):
    """Two searches each: of one round or, where no round has such, of two."""
    alike = [(one, other) for one in over.counted() for other in under.counted()
             if are_alike(one.trips_ns + other.trips_ns)]
    return [(one, other) for one, other in alike if one.round == other.round] or alike


def lacking(rows):
    """Pairs of which each row was measured, but never both at one distance."""
    return [(over, under) for over, under in pairs(rows).values() if over and under and over.value and under.value
            and not comparable(over, under)]
