# SPDX-License-Identifier: Apache-2.0
"""An event that is the capture of a hold. Of the two the first takes effect; the other gets what it came to.

Source: services/ledger/README.md, "Reported usage".
"""

from collections.abc import Sequence
from datetime import datetime

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.decision import Amount, CapturedBefore
from services.ledger.domain.gate.hold import Hold, HoldState
from services.ledger.domain.rating.metric import matches, measure
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.properties import PropertyProblem
from services.ledger.domain.usage.event import (
    EventLine,
    EventResult,
    EventStatus,
    RecordEvent,
    RejectionReason,
    rejected,
)
from services.ledger.domain.usage.intake import unmeasurable

HOLD_NOT_FOUND = rejected(
    RejectionReason.HOLD_NOT_FOUND,
    field="hold_id",
    detail="this customer has no such hold; use the hold_id that Authorize returned",
)
HOLD_RELEASED = rejected(
    RejectionReason.HOLD_RELEASED,
    field="hold_id",
    detail="the hold was released; report what was used after all without hold_id",
)


def reported(event: RecordEvent, product: UsageProduct) -> Quantity | EventResult:
    """Return the units that an event reports of a hold's product; or its rejection."""
    if not matches(product.metric, event.event_type, event.properties):
        return rejected(
            RejectionReason.INVALID_FIELD,
            field="hold_id",
            detail=f"is a hold of product {product.product_id!r}, whose metric does not match this event",
        )
    try:
        amount = measure(product.metric, event.properties)
    except PropertyProblem as problem:
        return unmeasurable(problem)
    if isinstance(amount, Quantity):
        return amount
    return rejected(
        RejectionReason.INVALID_FIELD,
        field="hold_id",
        detail="is a hold of a product that counts distinct values, and an event has no quantity of those; use Capture",
    )


def capture(
    account: Account, hold: Hold, event: RecordEvent, quantity: Quantity, *, at: datetime
) -> tuple[Account, EventResult]:
    """Capture a hold for the units that an event reports. Raises HoldAlreadyResolved."""
    after, _ = gate.capture(
        account,
        hold,
        quantity,
        cause_id=event.transaction_id,
        transaction_id=event.transaction_id,
        at=at,
    )
    entries = [entry for entry in after.entries[len(account.entries) :] if entry.usage is not None]
    return after, EventResult(status=EventStatus.ACCEPTED, lines=(_line(after, hold, entries),))


def event_after_capture(
    account: Account, hold: Hold, entries: Sequence[Entry], event: RecordEvent, product: UsageProduct
) -> EventResult:
    """Return the result of an event whose hold was captured before. entries: those of that capture."""
    line = _line(account, hold, entries)
    return EventResult(
        status=EventStatus.ACCEPTED,
        lines=(line,),
        is_duplicate=True,
        differs=reported(event, product) != line.quantity,
    )


def capture_after_event(
    account: Account, hold: Hold, entries: Sequence[Entry], actual: Amount | None, *, at: datetime
) -> CapturedBefore | None:
    """Return the response to the Capture of a captured hold; None if it was not an event that captured it.

    actual: what the Capture reports.
    """
    if hold.state is not HoldState.CAPTURED or not any(_is_of_event(entry) for entry in entries):
        return None
    line = _line(account, hold, entries)
    if actual is None:
        actual = hold.whole
    is_late = entries[0].create_time >= hold.expire_time
    reserved = Credits(0) if is_late else hold.amount
    return CapturedBefore(
        captured=line.credits - line.shortfall,
        released=reserved - min(line.credits, reserved),
        shortfall=line.shortfall,
        is_late=is_late,
        credit_type_id=account.credit_type_id,
        available=account.available(at, hold.product_id),
        differs=actual != (line.quantity if isinstance(actual, Quantity) else line.credits),
    )


def _line(account: Account, hold: Hold, entries: Sequence[Entry]) -> EventLine:
    """Return what a capture came to, by its entries; a capture of nothing has none."""
    usages = [entry.usage for entry in entries if entry.usage is not None]
    return EventLine(
        product_id=hold.product_id,
        credit_type_id=account.credit_type_id,
        quantity=Quantity(sum(usage.quantity.micros for usage in usages)),
        credits=Credits(sum(entry.cost.micros for entry in entries)),
        shortfall=Credits(sum(entry.shortfall.micros for entry in entries)),
        sequence=entries[0].sequence if entries else 0,
    )


def _is_of_event(entry: Entry) -> bool:
    return entry.usage is not None and entry.usage.transaction_id is not None
