# SPDX-License-Identifier: Apache-2.0
"""Corrections: usage that is taken back. Its quantity leaves the meter, and the difference in cost comes back.

Nothing is rewritten: CORRECTION entries reduce what is left of earlier entries, each naming the one it reduces. So for
every entry about usage, its cost and that of its corrections sum to what is left, which is never negative.
Source: services/ledger/README.md, "Corrections".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits import due
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry, EntryKind, Usage
from services.ledger.domain.credits.grant import ProductId, return_captured, void_amount
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.spending import less_spent
from services.ledger.domain.rating.metric import ONE, UniqueValue
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.event import EventLine
from services.ledger.domain.usage.meter import Meter, MeterKey


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of the cost of an entry about usage, after its corrections so far.

    drawn_time: when its credits left the grant: with the entry, or before it with the hold that was captured.
    """

    entry: Entry
    credits: Credits
    drawn_time: datetime


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
        return _sum(left.credits for left in self.lefts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What a piece of usage takes from its meter: quantity, and the meter's cost. meter None: it is on no meter.

    An amendment takes less away than the event had added, or adds more: then both are negative. values: of a UNIQUE
    metric, how many events report them afterwards.
    """

    quantity: Quantity
    credits: Credits
    meter: Meter | None
    values: Mapping[UniqueValue, int] = field(default_factory=dict)


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


def removal(
    piece: Piece,
    meter: Meter | None,
    *,
    largest: Quantity | None = None,
    value: tuple[UniqueValue, int] | None = None,
) -> Removal:
    """Return what the meter is without a piece of usage.

    largest: for an event of a MAX metric, the largest value that the other events of the meter report. value: for one
    of a UNIQUE metric, its value, and how many events have reported that, this one included.
    """
    if meter is None:
        return Removal(quantity=Quantity(0), credits=piece.cost, meter=None)
    quantity = piece.usage.quantity
    if largest is not None:
        quantity = meter.largest - min(largest, meter.largest)
        meter = evolve(meter, largest=meter.largest - quantity)
    values = {}
    if value is not None:
        values = {value[0]: value[1] - 1}
        quantity = Quantity(0) if values[value[0]] else ONE
    position = meter.position - quantity
    after = evolve(meter, position=position, cost=meter.cost_at(position))
    return Removal(quantity=quantity, credits=meter.cost - after.cost, meter=after, values=values)


def returns(amount: Credits, piece: Piece, others: Sequence[Left]) -> list[Left]:
    """Return from which entries an amount comes back, and how much from each.

    First the shortfall of the piece, then its draws in reverse order, then the latest entries of its meter. others: of
    the meter, newest first; needed if the amount is more than what is left of the piece.
    """
    own = sorted(piece.lefts, key=lambda left: (left.entry.grant_id is not None, -left.entry.sequence))
    found = []
    rest = amount
    for left in (*own, *others):
        taken = min(left.credits, rest)
        if taken:
            found.append(replace(left, credits=taken))
            rest -= taken
    assert not rest
    return found


def counted_values(product: UsageProduct, piece: Piece, returned: Iterable[Left]) -> set[GroupValue]:
    """Return the group values whose spends a correction may change."""
    usages = [piece.usage, *(left.entry.usage for left in returned)]
    return {value for usage in usages if usage for value in product.counted(usage.group_values).items()}


def without(account: Account, piece: Piece, removed: Removal) -> Account:
    """Return the account with the meter and the values as a removal leaves them. It writes no entry."""
    key = piece.usage.meter_key
    if key is None or removed.meter is None:
        return account
    values = {(key, value): events for value, events in removed.values.items()}
    return account.with_changes(meters={key: removed.meter}, values=values)


def take_back(
    account: Account,
    product: UsageProduct,
    piece: Piece,
    removed: Removal,
    returned: Sequence[Left],
    *,
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> tuple[Account, EventLine]:
    """Write the corrections of a piece of usage; returns by how much its figures change too.

    The account must have the grants and spends of what is returned. The first entry has the piece's quantity, negated.
    """
    sequence = account.sequence + 1
    own = {left.entry.sequence for left in piece.lefts}
    corrected = list(returned)
    if not any(left.entry.sequence in own for left in returned):
        corrected.insert(0, replace(piece.lefts[0], credits=Credits(0)))
    for place, left in enumerate(corrected):
        usage = _usage_of(left)
        if place == 0:
            usage = replace(
                usage,
                quantity=-removed.quantity,
                meter_position=removed.meter.position if removed.meter else None,
                meter_cost=removed.meter.cost if removed.meter else None,
            )
        account = give_back(account, product, left, usage, cause_id=cause_id, anchor=anchor, at=at)
    account = without(account, piece, removed)
    account = alarm.observe_spend(account, counted_values(product, piece, returned), at=at, anchor=anchor)
    return account, EventLine(
        product_id=piece.usage.product_id,
        credit_type_id=account.credit_type_id,
        quantity=-removed.quantity,
        credits=-removed.credits,
        shortfall=-_sum(left.credits for left in returned if left.entry.grant_id is None),
        sequence=sequence,
    )


def give_back(
    account: Account,
    product: UsageProduct,
    left: Left,
    usage: Usage,
    *,
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> Account:
    """Take `left.credits` of an entry back: to its grant or from the shortfall, and from the spends. usage: of the
    correction.
    """
    account = _correct(account, left, usage, cause_id=cause_id, at=at)
    return _count_less(account, product, left, anchor=anchor, at=at)


def _usage_of(left: Left) -> Usage:
    """Return what an entry says of its usage, without quantity and meter."""
    usage = left.entry.usage
    assert usage is not None
    return replace(usage, quantity=Quantity(0), meter_position=None, meter_cost=None)


def _correct(account: Account, left: Left, usage: Usage, *, cause_id: str, at: datetime) -> Account:
    entry, amount = left.entry, left.credits
    grant_id = entry.grant_id if amount else None
    correction = account.next_entry(
        EntryKind.CORRECTION,
        grant_id=grant_id,
        amount=amount if grant_id is not None else -amount,
        effective_time=entry.effective_time,
        create_time=at,
        cause_id=cause_id,
        usage=usage,
        corrects=entry.sequence,
    )
    if grant_id is None:
        return account.with_changes(entries=[correction])
    grant = return_captured(account.grants[grant_id], amount, at=at)
    account = account.with_changes(grants=[grant], entries=[correction])
    if grant.voids_what_returns(left.drawn_time):
        voided = void_amount(grant, amount)
        return due.write_void(account, voided, amount, effective_time=at, cause_id=grant_id, at=at)
    if grant.is_over(at):
        return due.lose_rest(account, grant, effective_time=at, at=at)
    return account if grant.expire_time is None else account.due_no_later_than(grant.expire_time)


def _count_less(
    account: Account, product: UsageProduct, left: Left, *, anchor: datetime, at: datetime
) -> Account:
    assert left.entry.usage is not None
    group_values = product.counted(left.entry.usage.group_values)
    spends = less_spent(
        account, group_values, left.credits, anchor=anchor, at=at, used_time=left.entry.effective_time
    )
    return account.with_changes(spends=spends)


def _sum(amounts: Iterable[Credits]) -> Credits:
    return Credits(sum(amount.micros for amount in amounts))
