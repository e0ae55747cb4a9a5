# SPDX-License-Identifier: Apache-2.0
"""The one decision about a usage event: timeliness → customer → metrics → price → charge, in each of its pools."""

from datetime import datetime

from meshkit.errors import MeshError
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.errors import CustomerNotFound
from services.ledger.domain.rating.metric import matches
from services.ledger.domain.usage.event import (
    EventLine,
    EventResult,
    EventStatus,
    RecordEvent,
    untimely,
)
from services.ledger.domain.usage.intake import Measured, charge, group_values_of, measured
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
            return Uncharged(EventResult(status=EventStatus.UNATTACHED))
        found = lines_of(view, customer, event)
        if isinstance(found, EventResult):
            return Denied(found, None) if found.status is EventStatus.REJECTED else Uncharged(found)
        for line in found:
            key = pool_of(customer, line)
            if key not in before:
                before[key] = after[key] = view.account(customer, key)
            view.require_usage(after[key], line, group_values_of(line.product, event.properties))
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
