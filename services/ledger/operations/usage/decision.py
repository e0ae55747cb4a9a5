# SPDX-License-Identifier: Apache-2.0
"""The one decision about a usage event: timeliness → customer → metrics → price → charge, in each of its pools."""

from datetime import datetime

from meshkit.errors import MeshError
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.errors import (
    CustomerNotFound,
    HoldAlreadyResolved,
    HoldNotFound,
    TotalTooLarge,
)
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.rating.metric import matches
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage import hold_capture
from services.ledger.domain.usage.event import (
    EventLine,
    EventResult,
    EventStatus,
    RecordEvent,
    untimely,
)
from services.ledger.domain.usage.intake import (
    Measured,
    beyond_count,
    charge,
    group_values_of,
    measured,
)
from services.ledger.operations.gate.cache import CustomerState
from services.ledger.operations.gate.outcome import (
    Allowed,
    Denied,
    Fault,
    NotCached,
    Outcome,
    Uncharged,
    Unknown,
    View,
)


def decide_event(view: View, event: RecordEvent, *, at: datetime) -> Outcome:
    """Decide one event. Source: services/ledger/README.md, "Reported usage"."""
    late = untimely(event, at=event.receive_time or at)
    if late is not None:
        return Denied(late, None)
    key: PoolKey | None = None
    before: dict[PoolKey, Account] = {}
    after: dict[PoolKey, Account] = {}
    lines: list[EventLine] = []
    try:
        try:
            customer = view.customer(event.customer)
        except CustomerNotFound:
            if event.hold_id is not None:
                return Denied(hold_capture.HOLD_NOT_FOUND, None)
            return Uncharged(EventResult(status=EventStatus.UNATTACHED))
        if event.hold_id is not None:
            return _decide_capture(view, customer, event, HoldId(event.hold_id), at=at)
        found = lines_of(view, customer, event)
        if isinstance(found, EventResult):
            return Denied(found, None) if found.status is EventStatus.REJECTED else Uncharged(found)
        for line in found:
            key = pool_of(customer, line)
            if key not in before:
                before[key] = after[key] = view.account(customer, key)
            group_values = group_values_of(line.product, event.properties)
            view.require_usage(after[key], line, group_values, event.timestamp)
            view.require_seats(after[key], group_values)
            charged = charge(after[key], event, line, at=after[key].time_at(at))
            if isinstance(charged, EventResult):
                return Denied(charged, key)
            after[key], one = charged
            lines.append(one)
    except NotCached as unknown:
        return Unknown(unknown.cause, key)
    except MeshError as error:
        return Fault(error, key)
    result = EventResult(status=EventStatus.ACCEPTED, lines=tuple(lines))
    return Allowed(result, tuple((key, before[key], after[key]) for key in before))


def _decide_capture(
    view: View, customer: CustomerState, event: RecordEvent, hold_id: HoldId, *, at: datetime
) -> Outcome:
    """Decide an event that is the capture of a hold."""
    key: PoolKey | None = None
    try:
        key = view.pool_of(customer, hold_id)
        account = view.account(customer, key)
        hold = account.holds[hold_id]
        quantities = hold_capture.reported(event, hold, products_of_hold(view, customer, hold))
        if isinstance(quantities, EventResult):
            return Denied(quantities, key)
        view.require_overage(account, hold.counted_group_values, at)
        view.require_seats(account, hold.group_values)
        for part in hold.parts:
            view.require_meter(account, part.price)
        after, result = hold_capture.capture(account, hold, event, quantities, at=account.time_at(at))
    except NotCached as unknown:
        return Unknown(unknown.cause, key)
    except TotalTooLarge as problem:
        return Denied(beyond_count(problem), key)
    except HoldNotFound:
        return Denied(hold_capture.HOLD_NOT_FOUND, None)
    except HoldAlreadyResolved as error:
        return (
            Denied(hold_capture.HOLD_RELEASED, key) if hold.state is HoldState.RELEASED else Fault(error, key)
        )
    except MeshError as error:
        return Fault(error, key)
    return Allowed(result, ((key, account, after),))


def products_of_hold(view: View, customer: CustomerState, hold: Hold) -> dict[ProductId, UsageProduct]:
    """Return the products of a hold's lines. Raises what the view raises."""
    return {part.product_id: view.price_book(customer, part.product_id).product for part in hold.parts}


def lines_of(view: View, customer: CustomerState, event: RecordEvent) -> tuple[Measured, ...] | EventResult:
    """Return what an event reports, or its result if there is nothing to charge. Raises what the view raises."""
    books = [view.price_book(customer, product_id) for product_id in view.products_of(event.event_type)]
    return measured(
        event,
        [book for book in books if matches(book.product.metric, event.event_type, event.properties)],
    )


def pool_of(customer: CustomerState, line: Measured) -> PoolKey:
    """Return the pool that a line is charged to."""
    return customer.record.customer_id, line.entitlement.credit_type_id
