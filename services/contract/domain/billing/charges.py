# SPDX-License-Identifier: Apache-2.0
"""Charging what a subscription owes: the lines, and the billing state after them. Pure.

Source: services/contract/README.md, "Billing".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from meshkit.period import period_at
from services.contract.domain.billing.coverage import Charge, owed
from services.contract.domain.billing.price import SeatRate, rate_at, rates_from, rounded
from services.contract.domain.billing.state import (
    BilledPeriod,
    BillingState,
    collection_time,
    price_of,
    unbilled_period,
    uncharged_increases,
)
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share, line


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingResult:
    """The billing state after a charge, and the lines of the charge. opened: the period that it began, if any."""

    state: BillingState
    lines: tuple[InvoiceLine, ...]
    opened: BilledPeriod | None = None


def charge_due(state: BillingState, due: datetime, rates: Sequence[SeatRate]) -> BillingResult:
    """Charge what the subscription has to bill at `due`: uncharged increases, and the period that begins.

    rates: the Catalog's prices of the product and frequency, needed if a period begins. Raises RateNotFound.
    """
    before = charge_increases(state, through=due if state.is_immediate else None, due=due)
    period = unbilled_period(state.contract, state.subscription)
    if period is None or period.start > due:
        return before
    rate = price_of(state, period, rates)
    timeline = before.state.timeline.until(state.contract.end_time)
    charges = owed(timeline, period, (), is_prorated=state.is_prorated, through=period.start)
    opened = BilledPeriod(period=period, rate=rate, charges=charges)
    subscription = replace(
        state.subscription,
        rates=rates_from(rates, period.start),
        periods_billed=state.subscription.periods_billed + 1,
        billed_from=period.start,
    )
    seats = tuple(_line(state, opened, charge, InvoiceLineKind.SUBSCRIPTION) for charge in charges)
    return BillingResult(
        state=replace(before.state, subscription=subscription, billed=opened),
        lines=(*seats, *before.lines),
        opened=opened,
    )


def charge_increases(state: BillingState, *, through: datetime | None, due: datetime) -> BillingResult:
    """Charge the increases of the billed period that took effect `through` an instant (None: all) and are due."""
    billed = state.billed
    if billed is None or not (state.is_immediate or collection_time(state.contract, billed) <= due):
        return BillingResult(state=state, lines=())
    charges = uncharged_increases(state, billed, through=through)
    after = replace(billed, charges=(*billed.charges, *charges))
    lines = tuple(_line(state, billed, charge, InvoiceLineKind.SEAT_INCREASE) for charge in charges)
    return BillingResult(state=replace(state, billed=after), lines=lines)


def preview(before: BillingState, after: BillingState, effective_time: datetime) -> tuple[InvoiceLine, ...]:
    """Return the lines that a seat change adds to the billing period it falls into, whenever they are billed.

    before, after: the billing state without and with the change.
    """
    period = period_at(before.contract.start_time, before.months, effective_time)
    if before.billed is not None and before.billed.period == period:
        billed = before.billed
    else:
        rates = before.subscription.rates
        known = rate_at(rates, period.start) or (before.billed.rate if before.billed else rates[-1])
        billed = BilledPeriod(period=period, rate=known, charges=())
    all_paid = replace(billed, charges=(*billed.charges, *uncharged_increases(before, billed)))
    return tuple(
        _line(before, billed, charge, InvoiceLineKind.SEAT_INCREASE)
        for charge in uncharged_increases(after, all_paid)
    )


def _line(state: BillingState, billed: BilledPeriod, charge: Charge, kind: InvoiceLineKind) -> InvoiceLine:
    share = Fraction(1)
    if state.is_prorated:
        share = billed.period.fraction_left(charge.span.start) - billed.period.fraction_left(charge.span.end)
    exact = billed.rate.exact_micros(charge.seats, share)
    subscription = state.subscription
    return line(
        kind=kind,
        product_id=subscription.product_id,
        description=f"{subscription.product_name}: {_description(charge.seats, kind, share)}",
        quantity=charge.seats,
        unit_price=billed.rate.unit_price,
        share=Share.of(share),
        exact=exact,
        total=rounded(exact, subscription.proration.rounding, billed.rate.currency_code),
        subscription_id=subscription.subscription_id,
        span=charge.span,
        billing_period_start=billed.period.start,
    )


def _description(seats: int, kind: InvoiceLineKind, share: Fraction) -> str:
    counted = "1 seat" if seats == 1 else f"{seats} seats"
    if kind is InvoiceLineKind.SUBSCRIPTION:
        return counted
    return f"{counted} added" if share == 1 else f"{counted} added, {share} of the period"
