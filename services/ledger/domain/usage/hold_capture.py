# SPDX-License-Identifier: Apache-2.0
"""An event that is the capture of a hold. Of the two the first takes effect; the other gets what it came to.

Source: services/ledger/README.md, "Reported usage".
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Entry, EntryKind
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.gate.capturing import available_to, capture_lines, released_by
from services.ledger.domain.gate.decision import Amount, CapturedBefore, LineResult
from services.ledger.domain.gate.hold import HeldPart, Hold, names_of
from services.ledger.domain.rating.dimensions import dimension_values
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
COUNTS_VALUES = rejected(
    RejectionReason.INVALID_FIELD,
    field="hold_id",
    detail="is a hold of a product that counts distinct values, and an event has no quantity of those; use Capture",
)


def reported(
    event: RecordEvent, hold: Hold, products: Mapping[ProductId, UsageProduct]
) -> tuple[Quantity, ...] | EventResult:
    """Return the units that an event reports of each line of a hold; or its rejection.

    Of several lines it reports those whose product's metric matches and whose dimension values are its own, and 0 of
    the others. The one line of a hold is that of the event, whatever its dimension values. products: of the hold.
    """
    quantities: list[Quantity] = []
    is_reported = False
    for part in hold.parts:
        product = products[part.product_id]
        try:
            if not _reports(event, product, part, is_one_of_many=bool(hold.lines)):
                quantities.append(Quantity(0))
                continue
            amount = measure(product.metric, event.properties)
        except PropertyProblem as problem:
            return unmeasurable(problem)
        if not isinstance(amount, Quantity):
            return COUNTS_VALUES
        quantities.append(amount)
        is_reported = True
    if is_reported:
        return tuple(quantities)
    return rejected(
        RejectionReason.INVALID_FIELD,
        field="hold_id",
        detail=f"is a hold of {names_of(hold)}, which this event does not match",
    )


def _reports(event: RecordEvent, product: UsageProduct, part: HeldPart, *, is_one_of_many: bool) -> bool:
    if not matches(product.metric, event.event_type, event.properties):
        return False
    return (
        not is_one_of_many or dimension_values(product.dimensions, event.properties) == part.dimension_values
    )


def capture(
    account: Account, hold: Hold, event: RecordEvent, quantities: Sequence[Quantity], *, at: datetime
) -> tuple[Account, EventResult]:
    """Capture a hold for the units that an event reports of each of its lines. Raises HoldAlreadyResolved."""
    after, _ = capture_lines(
        account,
        hold,
        quantities,
        cause_id=event.transaction_id,
        transaction_id=event.transaction_id,
        at=at,
    )
    entries = [entry for entry in after.entries[len(account.entries) :] if entry.usage is not None]
    lines = _event_lines(after, hold, entries)
    return after, EventResult(status=EventStatus.ACCEPTED, lines=_used(hold, lines))


def event_after_capture(
    account: Account,
    hold: Hold,
    entries: Sequence[Entry],
    event: RecordEvent,
    products: Mapping[ProductId, UsageProduct],
) -> EventResult:
    """Return the result of an event whose hold was captured before. entries: those of that capture."""
    lines = _event_lines(account, hold, entries)
    return EventResult(
        status=EventStatus.ACCEPTED,
        lines=_used(hold, lines),
        is_duplicate=True,
        differs=reported(event, hold, products) != tuple(line.quantity for line in lines),
    )


def capture_after_event(
    account: Account,
    hold: Hold,
    entries: Sequence[Entry],
    used: Sequence[Amount],
    *,
    at: datetime,
) -> CapturedBefore:
    """Return the response to the Capture of a hold that an event has captured. used: what it reports of each line."""
    lines = _event_lines(account, hold, entries)
    credits = Credits(sum(line.credits.micros for line in lines))
    shortfall = Credits(sum(line.shortfall.micros for line in lines))
    is_late = entries[0].create_time >= hold.expire_time
    return CapturedBefore(
        captured=credits - shortfall,
        overage=_overage(entries),
        released=Credits(0) if is_late else released_by(hold, entries),
        shortfall=shortfall,
        is_late=is_late,
        credit_type_id=account.credit_type_id,
        available=available_to(account, hold, at),
        differs=any(
            amount != (line.quantity if isinstance(amount, Quantity) else line.credits)
            for amount, line in zip(used, lines, strict=True)
        ),
        lines=_results(hold, lines, entries),
    )


def _event_lines(account: Account, hold: Hold, entries: Sequence[Entry]) -> tuple[EventLine, ...]:
    """Return what a capture came to, line by line, by its entries; a line that was not used has none."""
    return tuple(
        _line(account, part, [entry for entry in entries if not hold.lines or _is_of(entry, part)])
        for part in hold.parts
    )


def _line(account: Account, part: HeldPart, entries: Sequence[Entry]) -> EventLine:
    usages = [entry.usage for entry in entries if entry.usage is not None]
    return EventLine(
        product_id=part.product_id,
        credit_type_id=account.credit_type_id,
        quantity=Quantity(sum(usage.quantity.micros for usage in usages)),
        credits=Credits(sum(entry.cost.micros for entry in entries)),
        shortfall=Credits(sum(entry.shortfall.micros for entry in entries if entry.is_shortfall)),
        sequence=entries[0].sequence if entries else 0,
    )


def _is_of(entry: Entry, part: HeldPart) -> bool:
    usage = entry.usage
    return (
        usage is not None
        and usage.product_id == part.product_id
        and usage.dimension_values == part.dimension_values
    )


def _used(hold: Hold, lines: tuple[EventLine, ...]) -> tuple[EventLine, ...]:
    """Return the lines of a capture that an event's result has: of several, those that were used."""
    used = [line for line in lines if line.sequence or not hold.lines]
    return tuple(sorted(used, key=lambda line: line.product_id))


def _overage(entries: Iterable[Entry]) -> Credits:
    return Credits(sum(entry.shortfall.micros for entry in entries if entry.kind is EntryKind.OVERAGE))


def _results(hold: Hold, lines: Sequence[EventLine], entries: Sequence[Entry]) -> tuple[LineResult, ...]:
    if not hold.lines:
        return ()
    return tuple(
        LineResult(
            product_id=part.product_id,
            dimension_values=part.dimension_values,
            quantity=line.quantity,
            credits=line.credits - line.shortfall,
            shortfall=line.shortfall,
            overage=_overage(entry for entry in entries if _is_of(entry, part)),
        )
        for part, line in zip(hold.lines, lines, strict=True)
    )


def is_of_event(entries: Sequence[Entry]) -> bool:
    """Whether the capture that has left these entries was an event."""
    return any(entry.usage is not None and entry.usage.transaction_id is not None for entry in entries)
