# SPDX-License-Identifier: Apache-2.0
"""Rerating: a meter gets the rate that applies to it now, and its usage is corrected to what that rate costs.

The meter changes first, so new usage is priced right at once; `Meter.unrated` says by how much the entries before it
are still wrong. They are corrected one piece of usage after the other, the oldest first. The cost of a piece is the
difference that it makes to the cost of all usage up to it, so the sum is the meter's exact cost, rounded up once, and
does not depend on how the work is divided. Source: services/ledger/README.md, "Rerating".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry, Usage
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.spending import counted
from services.ledger.domain.gate.subjects import subjects_of
from services.ledger.domain.rating.price import Pricing, cost_at, cost_between
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.funding import fund
from services.ledger.domain.usage.meter import Meter
from services.ledger.domain.usage.pieces import Left, Piece, pieces_of
from services.ledger.domain.usage.returning import cause_of, end_returned, give_back, returns


@dataclass(frozen=True, slots=True)
class Repriced:
    """A piece of usage, and how much more (negative: less) it costs now than what is left of it."""

    piece: Piece
    difference: Credits

    def returned(self) -> list[Left]:
        """Return from which of its entries the difference comes back; nothing if it costs more."""
        return returns(-self.difference, self.piece, ()) if self.difference < Credits(0) else []


def difference(meter: Meter, pricing: Pricing) -> Credits:
    """Return how much more (negative: less) a meter would cost at another price."""
    return cost_at(pricing, meter.position) - meter.cost


def switched(meter: Meter, rate_id: str, pricing: Pricing) -> Meter:
    """Return the meter at another rate, its entries not corrected yet."""
    return evolve(meter, rate_id=rate_id, pricing=pricing, unrated=-difference(meter, pricing))


def pieces_by_use(
    entries: Iterable[Entry], corrections: Iterable[Entry], held: Mapping[int, datetime]
) -> list[Piece]:
    """Return the pieces of usage of one meter, the oldest first.

    entries: all those of these uses, in order; corrections, held: as for corrections.lefts_of.
    """
    own: dict[_UseName, list[Entry]] = defaultdict(list)
    correcting: dict[_UseName, list[Entry]] = defaultdict(list)
    names: dict[int | None, _UseName] = {}
    for entry in entries:
        names[entry.sequence] = _name_of(entry)
        own[names[entry.sequence]].append(entry)
    for one in corrections:
        correcting[names[one.corrects]].append(one)
    pieces = [piece for name in own for piece in pieces_of(own[name], correcting[name], held)]
    return sorted(pieces, key=lambda piece: piece.first.sequence)


def reprice(
    pieces: Iterable[Piece], pricing: Pricing, *, position: Quantity, total: Quantity
) -> tuple[list[Repriced], Quantity]:
    """Return what pieces of usage cost at a price, and the position after them.

    position: of the usage before them. total: of the whole meter. A piece whose quantity was corrected to less than
    nothing, as it happens to MAX and UNIQUE, costs nothing, and so do the latest pieces beyond the total.
    """
    repriced = []
    for piece in pieces:
        after = position + max(Quantity(0), piece.usage.quantity)
        cost = cost_between(pricing, min(position, total), min(after, total))
        repriced.append(Repriced(piece, cost - piece.cost))
        position = after
    return repriced, position


def counted_values(product: UsageProduct, repriced: Iterable[Repriced]) -> set[GroupValue]:
    """Return the group values whose spends change."""
    return {value for one in repriced for value in product.counted(one.piece.usage.group_values).items()}


def correct(
    account: Account,
    product: UsageProduct,
    repriced: Sequence[Repriced],
    *,
    later: Sequence[Left] = (),
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> Account:
    """Write the corrections of pieces of usage of one meter. later: as for take_back.

    Of what costs less, shortfall and credits come back as in other corrections; what costs more is drawn like late
    usage. The account must have the grants and spends of these.
    """
    for one in repriced:
        if one.difference:
            account = _correct(account, product, one, cause_id=cause_id, anchor=anchor, at=at)
    returned = [left for one in repriced for left in one.returned()]
    account = end_returned(account, returned, later, cause_id=cause_id, at=at)
    spenders = {*counted_values(product, repriced), *account.own_subjects}
    return alarm.observe_spend(account, spenders, at=at, anchor=anchor)


def _correct(
    account: Account,
    product: UsageProduct,
    one: Repriced,
    *,
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> Account:
    key = one.piece.usage.meter_key
    assert key is not None
    meter = account.meters[key]
    meter = evolve(meter, cost=meter.cost + one.difference, unrated=meter.unrated + one.difference)
    group_values = product.counted(one.piece.usage.group_values)
    subjects = subjects_of(account, group_values, product.product_id)
    usage = replace(
        one.piece.usage,
        quantity=Quantity(0),
        meter_position=meter.position,
        meter_cost=meter.cost,
    )
    if one.difference < Credits(0):
        for left in one.returned():
            account = give_back(
                account, product, left, _like(left, usage), cause_id=cause_id, anchor=anchor, at=at
            )
    else:
        used_time = one.piece.first.effective_time
        account, _ = fund(
            account,
            one.difference,
            usage,
            cause_id=cause_of(one.piece.first, cause_id),
            used_time=used_time,
            at=at,
            is_correction=True,
        )
        spends = counted(account, subjects, one.difference, anchor=anchor, at=at, used_time=used_time)
        account = account.with_changes(spends=spends)
    return account.with_changes(meters={key: meter})


def _like(left: Left, usage: Usage) -> Usage:
    """Return what the correction of an entry says of its usage."""
    assert left.entry.usage is not None
    return replace(
        left.entry.usage,
        quantity=Quantity(0),
        meter_position=usage.meter_position,
        meter_cost=usage.meter_cost,
    )


# What all entries of one event, one hold or one debit have in common.
_UseName = tuple[str, str]


def _name_of(entry: Entry) -> _UseName:
    usage = entry.usage
    assert usage is not None
    if usage.transaction_id is not None:
        return "event", usage.transaction_id
    if usage.hold_id is not None:
        return "hold", usage.hold_id
    return "debit", entry.cause_id
