# SPDX-License-Identifier: Apache-2.0
"""Billing: what a subscription owes, and when. Pure; the operations do it.

Source: services/contract/README.md, "Billing".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from meshkit.period import Period, nth_period, period_at
from services.contract.domain.billing.coverage import Charge, owed
from services.contract.domain.billing.price import SeatRate, rate_at, rates_from, rounded
from services.contract.domain.contract import (
    Contract,
    ContractNow,
    SeatInvoicing,
    Subscription,
    SubscriptionNow,
)
from services.contract.domain.errors import RateNotFound
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share, line
from services.contract.domain.seats.timeline import Timeline

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledPeriod:
    """A billing period that was charged: at which price, and for which seats so far."""

    period: Period
    rate: SeatRate
    charges: tuple[Charge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One subscription as billing sees it.

    timeline: from the start of `billed` on, or from the contract's start. billed: the last period charged.
    """

    contract: Contract
    subscription: Subscription
    timeline: Timeline
    billed: BilledPeriod | None

    @property
    def months(self) -> int:
        return self.subscription.billing_frequency.months

    @property
    def is_immediate(self) -> bool:
        return self.subscription.proration.invoicing is SeatInvoicing.BILL_IMMEDIATELY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An account after what was due is charged, and the lines that charge it. opened: a period begun by it."""

    account: Account
    lines: tuple[InvoiceLine, ...]
    opened: BilledPeriod | None = None


def unbilled_period(contract: Contract, subscription: Subscription) -> Period | None:
    """Return the first period not charged yet; None when the contract ends before it begins."""
    months = subscription.billing_frequency.months
    period = nth_period(contract.start_time, months, subscription.periods_billed)
    return period if contract.end_time is None or period.start < contract.end_time else None


def begins_period(contract: Contract, subscription: Subscription, due: datetime) -> bool:
    """Tell whether billing at `due` begins a period, and needs its price."""
    period = unbilled_period(contract, subscription)
    return period is not None and period.start <= due


def next_due(account: Account) -> datetime | None:
    """Return the next instant at which the account has something to bill; None: never.

    A period is due at its start. A seat increase inside it is due when it takes effect, or, billed on the next
    collection date, where the period or the contract ends.
    """
    dues = []
    if (period := unbilled_period(account.contract, account.subscription)) is not None:
        dues.append(period.start)
    if account.billed is not None and (increases := _increases(account, account.billed)):
        dues.append(
            increases[0].span.start if account.is_immediate else _collection_time(account, account.billed)
        )
    return min(dues, default=None)


def next_due_of(accounts: Iterable[Account]) -> datetime | None:
    """Return the next instant at which any of a contract's accounts has something to bill."""
    return min((due for account in accounts if (due := next_due(account)) is not None), default=None)


def settle(account: Account, due: datetime, rates: Sequence[SeatRate]) -> Settled:
    """Charge what the account has to bill at `due`: increases left over, and the period that begins.

    rates: the Catalog's prices of the product and frequency, for a period that begins. Raises RateNotFound.
    """
    left = charge_increases(account, through=due if account.is_immediate else None, due=due)
    period = unbilled_period(account.contract, account.subscription)
    if period is None or period.start > due:
        return left
    rate = price_of(account, period, rates)
    timeline = left.account.timeline.until(account.contract.end_time)
    charges = owed(timeline, period, (), is_prorated=_prorates(account), through=period.start)
    opened = BilledPeriod(period=period, rate=rate, charges=charges)
    subscription = replace(
        account.subscription,
        rates=rates_from(rates, period.start),
        periods_billed=account.subscription.periods_billed + 1,
        billed_from=period.start,
    )
    seats = tuple(_line(account, opened, charge, InvoiceLineKind.SUBSCRIPTION) for charge in charges)
    return Settled(
        account=replace(left.account, subscription=subscription, billed=opened),
        lines=(*seats, *left.lines),
        opened=opened,
    )


def charge_increases(account: Account, *, through: datetime | None, due: datetime) -> Settled:
    """Charge the increases of the billed period that took effect `through` an instant (None: all) and are due."""
    billed = account.billed
    if billed is None or not (account.is_immediate or _collection_time(account, billed) <= due):
        return Settled(account=account, lines=())
    charges = _increases(account, billed, through=through)
    after = replace(billed, charges=(*billed.charges, *charges))
    lines = tuple(_line(account, billed, charge, InvoiceLineKind.SEAT_INCREASE) for charge in charges)
    return Settled(account=replace(account, billed=after), lines=lines)


def preview(before: Account, after: Account, effective_time: datetime) -> tuple[InvoiceLine, ...]:
    """Return the lines that a change makes the billing period it falls in cost, whenever they are billed.

    before, after: the account without and with the change.
    """
    period = period_at(before.contract.start_time, before.months, effective_time)
    if before.billed is not None and before.billed.period == period:
        billed = before.billed
    else:
        rates = before.subscription.rates
        known = rate_at(rates, period.start) or (before.billed.rate if before.billed else rates[-1])
        billed = BilledPeriod(period=period, rate=known, charges=())
    all_paid = replace(billed, charges=(*billed.charges, *_increases(before, billed)))
    return tuple(
        _line(before, billed, charge, InvoiceLineKind.SEAT_INCREASE) for charge in _increases(after, all_paid)
    )


def price_of(account: Account, period: Period, rates: Iterable[SeatRate]) -> SeatRate:
    """Return the price in force at a period's start. Raises RateNotFound."""
    rate = rate_at(rates, period.start)
    if rate is None:
        raise RateNotFound(
            rate_card_id=account.contract.rate_card_id,
            product_id=account.subscription.product_id,
            billing_frequency=account.subscription.billing_frequency.value,
            at=period.start.isoformat(),
        )
    return rate


def current_period(contract: Contract, subscription: Subscription, at: datetime) -> Period:
    """Return the billing period in force at `at`; before the start the first, after the end the last."""
    inside = at if contract.end_time is None else min(at, contract.end_time - _TICK)
    return period_at(
        contract.start_time, subscription.billing_frequency.months, max(inside, contract.start_time)
    )


def contract_now(contract: Contract, accounts: Iterable[Account], at: datetime) -> ContractNow:
    """Return a contract as it stands at an instant. accounts: one per subscription, in their order."""
    return ContractNow(
        contract=contract, subscriptions=tuple(subscription_now(account, at) for account in accounts)
    )


def subscription_now(account: Account, at: datetime) -> SubscriptionNow:
    """Return a subscription as it stands at an instant; its price is that of the last period billed."""
    contract, subscription = account.contract, account.subscription
    period = current_period(contract, subscription, at)
    rate = (
        account.billed.rate if account.billed is not None else price_of(account, period, subscription.rates)
    )
    return SubscriptionNow(
        subscription=subscription,
        quantity=account.timeline.until(contract.end_time).quantity_at(max(at, contract.start_time)),
        unit_price=rate.unit_price,
        current_period=period,
    )


def _increases(account: Account, billed: BilledPeriod, through: datetime | None = None) -> tuple[Charge, ...]:
    timeline = account.timeline.until(account.contract.end_time)
    return owed(timeline, billed.period, billed.charges, is_prorated=_prorates(account), through=through)


def _collection_time(account: Account, billed: BilledPeriod) -> datetime:
    """Return when the increases of a period are collected that do not go on invoices of their own."""
    end = account.contract.end_time
    return billed.period.end if end is None else min(billed.period.end, end)


def _prorates(account: Account) -> bool:
    return account.subscription.proration.is_prorated


def _line(account: Account, billed: BilledPeriod, charge: Charge, kind: InvoiceLineKind) -> InvoiceLine:
    share = Fraction(1)
    if _prorates(account):
        share = billed.period.fraction_left(charge.span.start) - billed.period.fraction_left(charge.span.end)
    exact = billed.rate.exact_micros(charge.seats, share)
    subscription = account.subscription
    return line(
        kind=kind,
        product_id=subscription.product_id,
        description=f"{subscription.product_name}: {_in_words(charge.seats, kind, share)}",
        quantity=charge.seats,
        unit_price=billed.rate.unit_price,
        share=Share.of(share),
        exact=exact,
        total=rounded(exact, subscription.proration.rounding, billed.rate.currency_code),
        subscription_id=subscription.subscription_id,
        span=charge.span,
        billing_period_start=billed.period.start,
    )


def _in_words(seats: int, kind: InvoiceLineKind, share: Fraction) -> str:
    counted = "1 seat" if seats == 1 else f"{seats} seats"
    if kind is InvoiceLineKind.SUBSCRIPTION:
        return counted
    return f"{counted} added" if share == 1 else f"{counted} added, {share} of the period"
