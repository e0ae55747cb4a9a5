# SPDX-License-Identifier: Apache-2.0
"""Amendments: an event reports something else than it did. What it was is taken back, and what it is now is charged.

Where both count on one meter, for the same group values and at the same time, only the difference is written.
Source: services/ledger/README.md, "Corrections".
"""

from dataclasses import replace
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate.spending import counted
from services.ledger.domain.gate.subjects import subjects_of
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage.corrections import Removal, without
from services.ledger.domain.usage.event import EventLine, EventResult, RecordEvent
from services.ledger.domain.usage.funding import fund
from services.ledger.domain.usage.intake import Measured, count, group_values_of, values_after
from services.ledger.domain.usage.pieces import Piece


def replaces(event: RecordEvent, line: Measured, piece: Piece) -> bool:
    """Whether a line of an amended event differs from a piece of it in the quantity only.

    What a hold captured never does: it counts as a quantity, whatever the metric, and an amended event does not.
    """
    usage = piece.usage
    return (
        usage.hold_id is None
        and usage.product_id == line.product.product_id
        and usage.meter_key == line.meter_key
        and usage.group_values == group_values_of(line.product, event.properties)
        and usage.dimension_values == line.entitlement.dimension_values
        and piece.first.effective_time == event.timestamp
    )


def replaced(account: Account, piece: Piece, removed: Removal, line: Measured) -> Removal | EventResult:
    """Return what the meter loses when a line replaces a piece of usage. removed: without the line."""
    between = without(account, piece, removed)
    counted = count(between, line)
    if isinstance(counted, EventResult):
        return counted
    quantity, after, cost = counted
    values = {value: events for (_, value), events in (values_after(between, line) or {}).items()}
    return Removal(
        quantity=removed.quantity - quantity,
        credits=removed.credits - cost,
        meter=after,
        values={**removed.values, **values},
    )


def charge_more(
    account: Account,
    product: UsageProduct,
    piece: Piece,
    change: Removal,
    *,
    cause_id: str,
    anchor: datetime,
    at: datetime,
) -> tuple[Account, EventLine]:
    """Draw what a piece of usage costs more, like late usage. change: its credits are ≤ 0."""
    cost = Credits(0) - change.credits
    group_values = product.counted(piece.usage.group_values)
    subjects = subjects_of(account, group_values, product.product_id)
    used_time = piece.first.effective_time
    usage = replace(
        piece.usage,
        quantity=-change.quantity,
        meter_position=change.meter.position if change.meter else None,
        meter_cost=change.meter.cost if change.meter else None,
    )
    sequence = account.sequence + 1
    account, uncovered = fund(
        account, cost, usage, cause_id=cause_id, used_time=used_time, at=at, is_correction=True
    )
    spends = counted(account, subjects, cost, anchor=anchor, at=at, used_time=used_time)
    account = without(account.with_changes(spends=spends), piece, change)
    account = alarm.observe_spend(account, subjects, at=at, anchor=anchor)
    return account, EventLine(
        product_id=usage.product_id,
        credit_type_id=account.credit_type_id,
        quantity=usage.quantity,
        credits=cost,
        shortfall=uncovered.shortfall,
        sequence=sequence,
    )
