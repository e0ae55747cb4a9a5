# SPDX-License-Identifier: Apache-2.0
"""Billed periods at a price that was corrected after they were billed. Pure.

Source: services/contract/README.md, "Corrected prices".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from meshkit.period import Period
from services.contract.domain.billing.price import SeatRate, rounded
from services.contract.domain.billing.state import BilledPeriod, BillingState, covered_span, known_price
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.contract import MoneyBack
from services.contract.domain.invoice import WHOLE, InvoiceLine, InvoiceLineKind, line
from services.contract.domain.plan_change import PlanChange


@dataclass(frozen=True, slots=True)
class RepricedPeriod:
    """A billed period with its corrected price. line: the difference; None if it makes none."""

    billed: BilledPeriod
    line: InvoiceLine | None


def reprice(state: BillingState, billed: BilledPeriod, rates: Iterable[SeatPrice]) -> RepricedPeriod | None:
    """Return a billed period at the price that `rates` have for it; None if that is the one it was billed at.

    rates: the Catalog's valid prices of the product and frequency. If none of them is in force, the period stays.
    """
    rate = known_price(state, billed.period, rates)
    if rate is None or rate.rate_id == billed.rate.rate_id:
        return None
    corrected = replace(billed, rate=rate)
    return RepricedPeriod(corrected, _difference(state, billed, corrected))


def has_paid_back(change: PlanChange, period: Period) -> bool:
    """Return whether a change of plan, or an end, gives money back for a billing period of the contract that ended."""
    return change.money_back is MoneyBack.CREDIT_UNUSED and any(
        paid.period == period and paid.charged for paid in change.paid
    )


def _difference(state: BillingState, before: BilledPeriod, after: BilledPeriod) -> InvoiceLine | None:
    """Return the line that makes the charges of a period what they are at its corrected price."""
    subscription, currency = state.subscription, after.rate.currency_code
    rounding = subscription.proration.rounding
    old = rounded(before.exact_micros, rounding, currency)
    total = rounded(after.exact_micros, rounding, currency) - old
    span = covered_span(state.contract, after.period)
    if not total or span is None:
        return None
    exact = after.exact_micros - before.exact_micros
    return line(
        kind=InvoiceLineKind.PRICE_CORRECTION,
        product_id=subscription.product_id,
        description=f"{subscription.product_name}: corrected price{_prices(before.rate, after.rate)}",
        quantity=1 if exact > 0 else -1,
        unit_price=total if exact > 0 else -total,
        share=WHOLE,
        exact=exact,
        total=total,
        subscription_id=subscription.subscription_id,
        span=span,
        billing_period_start=after.period.start,
    )


def _prices(before: SeatPrice, after: SeatPrice) -> str:
    if isinstance(before, SeatRate) and isinstance(after, SeatRate):
        return f", {after.described()} a seat instead of {before.described()}"
    return ""
