# SPDX-License-Identifier: Apache-2.0
"""What usage has come to, as corrected so far: the entries of an event or hold, and what is left of each.

Source: services/ledger/README.md, "Corrections".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.entry import Entry, Usage
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.usage.meter import MeterKey


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of the cost of an entry about usage, after its corrections so far.

    drawn_time: when its credits left the grant: with the entry, or before it with the hold that was captured.
    """

    entry: Entry
    credits: Credits
    drawn_time: datetime


def total(lefts: Iterable[Left]) -> Credits:
    """Return what is left of several entries."""
    return Credits(sum(left.credits.micros for left in lefts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one event or hold came to for one product, as corrected so far.

    usage: its quantity is what the piece has added to the meter. first: its first entry. lefts: oldest first.
    """

    usage: Usage
    first: Entry
    lefts: tuple[Left, ...]

    @property
    def cost(self) -> Credits:
        return total(self.lefts)


def lefts_of(
    entries: Iterable[Entry], corrections: Iterable[Entry], held: Mapping[int, datetime]
) -> list[Left]:
    """Return what is left of each entry, in the order given.

    corrections: all those of these entries. held: of those that captured what a hold had reserved, by sequence, the
    time of that hold.
    """
    reduced: dict[int, int] = defaultdict(int)
    for one in corrections:
        assert one.corrects is not None
        reduced[one.corrects] += one.cost.micros
    return [
        Left(
            entry,
            Credits(entry.cost.micros + reduced[entry.sequence]),
            held.get(entry.sequence, entry.create_time),
        )
        for entry in entries
    ]


def pieces_of(
    entries: Sequence[Entry], corrections: Sequence[Entry], held: Mapping[int, datetime]
) -> tuple[Piece, ...]:
    """Return what an event or hold came to, by product. entries: its own, in order; the others as for lefts_of.

    An event that was amended may have several pieces of one product, and only the last one still counts.
    """
    lefts: dict[_PieceKey, list[Left]] = defaultdict(list)
    quantities: dict[_PieceKey, int] = defaultdict(int)
    for left in lefts_of(entries, corrections, held):
        lefts[_key_of(left.entry)].append(left)
    for one in (*entries, *corrections):
        assert one.usage is not None
        quantities[_key_of(one)] += one.usage.quantity.micros
    pieces = []
    for key, of_piece in lefts.items():
        usage = of_piece[0].entry.usage
        assert usage is not None
        pieces.append(
            Piece(
                usage=replace(usage, quantity=Quantity(quantities[key])),
                first=of_piece[0].entry,
                lefts=tuple(of_piece),
            )
        )
    return tuple(pieces)


_Pairs = tuple[tuple[str, str], ...]
_PieceKey = tuple[ProductId, str | None, MeterKey | None, _Pairs, _Pairs, datetime]


def _key_of(entry: Entry) -> _PieceKey:
    usage = entry.usage
    assert usage is not None
    group_values, dimensions = (
        tuple(sorted(pairs.items())) for pairs in (usage.group_values, usage.dimension_values)
    )
    return usage.product_id, usage.hold_id, usage.meter_key, group_values, dimensions, entry.effective_time
