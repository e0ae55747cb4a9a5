# SPDX-License-Identifier: Apache-2.0
"""Corrections: usage that is taken back. Its quantity leaves the meter, and the difference in cost comes back.

Nothing is rewritten: CORRECTION entries reduce what is left of earlier entries, each naming the one it reduces. So for
every entry about usage, its cost and that of its corrections sum to what is left, which is never negative.
Source: services/ledger/README.md, "Corrections".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.rating.metric import ONE, UniqueValue
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.event import EventLine
from services.ledger.domain.usage.meter import Meter
from services.ledger.domain.usage.pieces import Left, Piece, total
from services.ledger.domain.usage.returning import end_returned, give_back, usage_of


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
    later: Sequence[Left] = (),
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> tuple[Account, EventLine]:
    """Write the corrections of a piece of usage; returns by how much its figures change too.

    The account must have the grants and spends of what is returned. The first entry has the piece's quantity, negated.
    later: the draws that may be replaced, newest first: see replaceable.
    """
    sequence = account.sequence + 1
    own = {left.entry.sequence for left in piece.lefts}
    corrected = list(returned)
    if not any(left.entry.sequence in own for left in returned):
        corrected.insert(0, replace(piece.lefts[0], credits=Credits(0)))
    for place, left in enumerate(corrected):
        usage = usage_of(left)
        if place == 0:
            usage = replace(
                usage,
                quantity=-removed.quantity,
                meter_position=removed.meter.position if removed.meter else None,
                meter_cost=removed.meter.cost if removed.meter else None,
            )
        account = give_back(account, product, left, usage, cause_id=cause_id, anchor=anchor, at=at)
    account = end_returned(account, returned, later, cause_id=cause_id, at=at)
    account = without(account, piece, removed)
    spenders = {*counted_values(product, piece, returned), *account.own_subjects}
    account = alarm.observe_spend(account, spenders, at=at, anchor=anchor)
    return account, EventLine(
        product_id=piece.usage.product_id,
        credit_type_id=account.credit_type_id,
        quantity=-removed.quantity,
        credits=-removed.credits,
        shortfall=-total(left for left in returned if left.entry.is_shortfall),
        sequence=sequence,
    )
