# SPDX-License-Identifier: Apache-2.0
"""Intake: how an event is measured, priced and charged. Reported usage has already happened, so nothing refuses it.

Source: services/ledger/README.md, "Reported usage".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Usage
from services.ledger.domain.crossings import alarm
from services.ledger.domain.errors import RateNotFound, TotalTooLarge
from services.ledger.domain.gate.decision import CREDITS_MAX, Entitlement
from services.ledger.domain.gate.spending import counted
from services.ledger.domain.gate.standing import PriceBook
from services.ledger.domain.gate.subjects import subjects_of
from services.ledger.domain.rating.metric import Aggregation, Seen, UniqueValue, increment, measure
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
from services.ledger.domain.usage.funding import fund
from services.ledger.domain.usage.meter import Meter, MeterKey, advance


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What an event reports of one product: a quantity or, for UNIQUE, a value; and at what price."""

    product: UsageProduct
    entitlement: Entitlement
    amount: Quantity | UniqueValue

    @property
    def meter_key(self) -> MeterKey:
        key = self.entitlement.price.meter_key
        assert key is not None
        return key


def measured(event: RecordEvent, books: Iterable[PriceBook]) -> tuple[Measured, ...] | EventResult:
    """Return what an event reports, by product; or its result, if there is nothing to charge.

    books: of the products whose metric matches the event. Products that the customer's contracts do not price at the
    event's timestamp are left out, unless none is priced.
    """
    lines: list[Measured] = []
    books = sorted(books, key=lambda book: book.product.product_id)
    try:
        for book in books:
            entitlement = book.entitlement_at(event.timestamp, event.properties)
            if entitlement is not None:
                amount = measure(book.product.metric, event.properties)
                lines.append(Measured(product=book.product, entitlement=entitlement, amount=amount))
    except PropertyProblem as problem:
        return unmeasurable(problem)
    except RateNotFound as problem:
        return rejected(RejectionReason.RATE_NOT_FOUND, detail=str(problem))
    if lines:
        return tuple(lines)
    if not books:
        return EventResult(status=EventStatus.NO_MATCH)
    if not books[0].is_under_contract(event.timestamp):
        return EventResult(status=EventStatus.NO_CONTRACT)
    return rejected(
        RejectionReason.RATE_NOT_FOUND,
        detail="the customer's rate card prices none of the products that match; add a rate in the Catalog service",
    )


def count(account: Account, line: Measured) -> tuple[Quantity, Meter, Credits] | EventResult:
    """Return what a line adds to its meter, the meter after it, and what that costs; or reject what is too much."""
    meter = line.entitlement.price.meter_in(account.meters)
    quantity = _increment(account, line, meter)
    try:
        after, cost = advance(meter, quantity)
    except TotalTooLarge as problem:
        return beyond_count(problem)
    if cost > CREDITS_MAX:
        return rejected(RejectionReason.QUANTITY_TOO_LARGE, detail="costs more than a billion credits")
    if isinstance(line.amount, Quantity):
        after = evolve(after, largest=max(after.largest, line.amount))
    return quantity, after, cost


def beyond_count(problem: TotalTooLarge) -> EventResult:
    """Return the rejection of an event that would take a total beyond what is counted."""
    return rejected(RejectionReason.QUANTITY_TOO_LARGE, detail=problem.message)


def unmeasurable(problem: PropertyProblem) -> EventResult:
    """Return the rejection of an event whose properties cannot be measured."""
    reason = RejectionReason(problem.problem.value)
    return rejected(reason, field=f"properties[{problem.property_name}]", detail=_DETAILS[reason])


def charge(
    account: Account, event: RecordEvent, line: Measured, *, at: datetime, correction_id: str | None = None
) -> tuple[Account, EventLine] | EventResult:
    """Count what an event reports of one product on its meter, and draw its cost; or reject what is beyond measure.

    correction_id: the request that amends the event, so that it reports this; None: it is new.
    """
    counted = count(account, line)
    if isinstance(counted, EventResult):
        return counted
    try:
        return _charged(account, event, line, *counted, at=at, correction_id=correction_id)
    except TotalTooLarge as problem:
        return beyond_count(problem)


def _charged(
    account: Account,
    event: RecordEvent,
    line: Measured,
    quantity: Quantity,
    after: Meter,
    cost: Credits,
    *,
    at: datetime,
    correction_id: str | None,
) -> tuple[Account, EventLine]:
    """after: the meter that counts `quantity`. Raises TotalTooLarge."""
    product = line.product
    group_values = group_values_of(product, event.properties)
    usage = Usage(
        product_id=product.product_id,
        contract_id=line.entitlement.contract_id,
        group_values=group_values,
        hold_id=None,
        quantity=quantity,
        meter_key=line.meter_key,
        dimension_values=line.entitlement.dimension_values,
        transaction_id=event.transaction_id,
        meter_position=after.position,
        meter_cost=after.cost,
    )
    sequence = account.sequence + 1
    account, uncovered = fund(
        account,
        cost,
        usage,
        cause_id=correction_id or event.transaction_id,
        used_time=event.timestamp,
        at=at,
        is_correction=correction_id is not None,
    )
    anchor = line.entitlement.anchor
    subjects = subjects_of(account, usage.group_values, product.product_id)
    spends = counted(account, subjects, cost, anchor=anchor, at=at, used_time=event.timestamp)
    account = account.with_changes(
        spends=spends, meters={line.meter_key: after}, values=values_after(account, line)
    )
    account = alarm.observe_spend(account, subjects, at=at, anchor=anchor)
    return account, EventLine(
        product_id=product.product_id,
        credit_type_id=account.credit_type_id,
        quantity=quantity,
        credits=cost,
        shortfall=uncovered.shortfall,
        sequence=sequence,
    )


def _increment(account: Account, line: Measured, meter: Meter) -> Quantity:
    values = frozenset[UniqueValue]()
    if isinstance(line.amount, str) and account.values.get((line.meter_key, line.amount)):
        values = frozenset({line.amount})
    return increment(line.product.metric.aggregation, line.amount, Seen(largest=meter.largest, values=values))


def values_after(account: Account, line: Measured) -> dict[tuple[MeterKey, UniqueValue], int] | None:
    """Return how many events have reported the value of a UNIQUE line, this one included."""
    if line.product.metric.aggregation is not Aggregation.UNIQUE:
        return None
    assert isinstance(line.amount, str)
    key = (line.meter_key, line.amount)
    return {key: account.values.get(key, 0) + 1}


def group_values_of(product: UsageProduct, properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties by which the product's metric groups usage."""
    return {key: properties[key] for key in product.metric.group_keys if key in properties}


_DETAILS = {
    RejectionReason.PROPERTY_MISSING: "is missing, and the metric of a matching product needs it",
    RejectionReason.PROPERTY_NOT_A_NUMBER: "must be a decimal number such as 12 or 0.5, without exponent",
    RejectionReason.QUANTITY_NEGATIVE: "must be >= 0; void or amend the event that was wrong instead",
    RejectionReason.QUANTITY_TOO_LARGE: "must be at most a trillion units in one event",
}
