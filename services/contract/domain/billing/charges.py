# SPDX-License-Identifier: Apache-2.0
"""Charging what a subscription owes: the lines, and the billing state after them. Pure.

Source: services/contract/README.md, "Billing".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from math import floor

from meshkit.quantity import Money
from services.contract.domain.billing.coverage import Charge, level_at, share_of
from services.contract.domain.billing.price import SeatRate, rates_from, rounded
from services.contract.domain.billing.rhythm import rhythm_of
from services.contract.domain.billing.state import (
    BilledPeriod,
    BillingState,
    bills_period,
    collection_time,
    known_price,
    price_of,
    unbilled_period,
    uncharged_increases,
    with_voids,
)
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share, line


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingResult:
    """The billing state after a charge, and the lines of the charge. opened: the period charged first, if any."""

    state: BillingState
    lines: tuple[InvoiceLine, ...]
    opened: BilledPeriod | None = None


def charge_due(state: BillingState, due: datetime, rates: Sequence[SeatPrice]) -> BillingResult:
    """Charge what the subscription has to bill at `due`: uncharged increases, and the period that is due.

    rates: the Catalog's prices of the product and frequency, needed if a period is charged. Raises RateNotFound.
    """
    before = charge_increases(state, through=due if state.is_immediate else None, due=due)
    period = unbilled_period(state.contract, state.subscription)
    if period is None or not bills_period(state.contract, state.subscription, due):
        return before
    rate = price_of(state, period, rates)
    subscription = replace(
        state.subscription,
        rates=rates_from(rates, period.start),
        periods_billed=state.subscription.periods_billed + 1,
        billed_from=period.start,
    )
    opened = with_voids(BilledPeriod(period=period, rate=rate), state.ahead)
    through = None if state.is_in_arrears else max(period.start, state.contract.start_time)
    charges = uncharged_increases(state, opened, through=through)
    billed, seats = _charged(state, opened, charges, is_first=True)
    return BillingResult(
        state=replace(before.state, subscription=subscription, billed=billed, ahead=None),
        lines=(*seats, *before.lines),
        opened=billed,
    )


def charge_increases(state: BillingState, *, through: datetime | None, due: datetime) -> BillingResult:
    """Charge the increases of the billed period that took effect `through` an instant (None: all) and are due."""
    billed = state.billed
    if billed is None or not (state.is_immediate or collection_time(state.contract, billed) <= due):
        return BillingResult(state=state, lines=())
    charges = uncharged_increases(state, billed, through=through)
    billed, lines = _charged(state, billed, charges)
    return BillingResult(state=replace(state, billed=billed), lines=lines)


def preview(before: BillingState, after: BillingState, effective_time: datetime) -> tuple[InvoiceLine, ...]:
    """Return the lines that a seat change adds to the billing period it falls into, whenever they are billed.

    before, after: the billing state without and with the change.
    """
    period = rhythm_of(before.contract, before.subscription).period_at(effective_time)
    if before.billed is not None and before.billed.period == period:
        billed = before.billed
    else:
        rates = before.subscription.rates
        latest = before.billed.rate if before.billed else rates[-1].times(before.subscription.interval_count)
        billed = BilledPeriod(period=period, rate=known_price(before, period, rates) or latest)
    all_paid = replace(billed, charges=(*billed.charges, *uncharged_increases(before, billed)))
    charges = uncharged_increases(after, all_paid)
    return _charged(after, billed, charges, is_first=False)[1]


def _charged(
    state: BillingState, billed: BilledPeriod, charges: Sequence[Charge], *, is_first: bool | None = None
) -> tuple[BilledPeriod, tuple[InvoiceLine, ...]]:
    """Return the billed period with more charges, and their lines.

    is_first: whether they are the first ones of the period, so that not all are increases; None: if there are none yet.
    """
    start = max(billed.period.start, state.contract.start_time)
    if is_first is None:
        is_first = not billed.charges
    exact = billed.exact_micros
    lines = []
    for charge in charges:
        is_whole = is_first and charge.span.start == start
        kind = InvoiceLineKind.SUBSCRIPTION if is_whole else InvoiceLineKind.SEAT_INCREASE
        exact_before, exact = exact, _exact_with(billed, charge, exact)
        line = _line(state, billed, charge, kind, exact=exact - exact_before, exact_so_far=exact)
        billed = replace(
            billed,
            charges=(*billed.charges, charge),
            charged_micros=billed.charged_micros + line.total.micros,
        )
        lines.append(line)
    return billed, tuple(lines)


def _exact_with(billed: BilledPeriod, charge: Charge, exact: Fraction) -> Fraction:
    """Return what the charges of a period come to with one more. exact: without it."""
    if isinstance(billed.rate, SeatRate):
        return exact + billed.rate.exact_micros(charge.seats, share_of(charge.span, billed.period))
    return replace(billed, charges=(*billed.charges, charge)).exact_micros


def _line(
    state: BillingState,
    billed: BilledPeriod,
    charge: Charge,
    kind: InvoiceLineKind,
    *,
    exact: Fraction,
    exact_so_far: Fraction,
) -> InvoiceLine:
    """Return the line of one charge. exact: what it adds; exact_so_far: the period's charges with it."""
    share = share_of(charge.span, billed.period)
    subscription, currency_code = state.subscription, billed.rate.currency_code
    rounded_so_far = rounded(exact_so_far, subscription.proration.rounding, currency_code)
    shown = max(exact, Fraction(0))
    return line(
        kind=kind,
        product_id=subscription.product_id,
        description=f"{subscription.product_name}: {_description(state, billed, charge, kind, share)}",
        quantity=charge.seats,
        unit_price=_unit_price(billed.rate, shown / share / charge.seats),
        share=Share.of(share),
        exact=shown,
        carried_micros=floor(exact_so_far) - billed.charged_micros - floor(shown),
        # More may be charged than is due: if more seats made all of them cheaper, or if an earlier version rounded each
        # line separately.
        total=Money(currency_code, max(rounded_so_far.micros - billed.charged_micros, 0)),
        subscription_id=subscription.subscription_id,
        span=charge.span,
        billing_period_start=billed.period.start,
    )


def _unit_price(rate: SeatPrice, average_micros: Fraction) -> Money:
    """Return the price of one seat, of tiers the average of the line's seats, rounded down to the micro."""
    return rate.unit_price if isinstance(rate, SeatRate) else Money(rate.currency_code, floor(average_micros))


def _description(
    state: BillingState, billed: BilledPeriod, charge: Charge, kind: InvoiceLineKind, share: Fraction
) -> str:
    seats = "1 seat" if charge.seats == 1 else f"{charge.seats} seats"
    if kind is InvoiceLineKind.SEAT_INCREASE:
        is_later = charge.span.start > max(billed.period.start, state.contract.start_time)
        is_kept = is_later and not state.timeline.has_change_at(charge.span.start)
        seats += " kept longer" if is_kept else " added"
    if not isinstance(billed.rate, SeatRate):
        before = level_at(billed.charges, charge.span.start)
        seats += f" ({billed.rate.described(before, charge.seats)})"
    return seats if share == 1 else f"{seats}, {share} of the period"
