# SPDX-License-Identifier: Apache-2.0
"""The billing state of a subscription: what was charged, and when the next charge is due. Pure.

Source: services/contract/README.md, "Billing".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from meshkit.period import Period, nth_period, period_at
from services.contract.domain.billing.coverage import Charge, owed, owed_from, seat_periods
from services.contract.domain.billing.price import SeatRate, rate_at
from services.contract.domain.contract import (
    Contract,
    ContractNow,
    SeatInvoicing,
    Subscription,
    SubscriptionNow,
)
from services.contract.domain.errors import RateNotFound
from services.contract.domain.seats.timeline import Timeline

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledPeriod:
    """A billing period that was charged: its nominal length, its price, and the charges so far.

    charged_micros: what the lines of the charges come to, in whole minor units.
    """

    period: Period
    rate: SeatRate
    charges: tuple[Charge, ...] = ()
    charged_micros: int = 0

    @property
    def exact_micros(self) -> Fraction:
        """What the charges come to before rounding, exactly."""
        return self.rate.exact_micros(1, seat_periods(self.charges, self.period))


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingState:
    """A subscription with everything that billing needs to know about it.

    timeline: from the start of `billed` on, or from the contract's start. billed: the last period charged;
    None: no period was charged yet.
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

    @property
    def is_prorated(self) -> bool:
        return self.subscription.proration.is_prorated


def unbilled_period(contract: Contract, subscription: Subscription) -> Period | None:
    """Return the first period not charged yet; None if the contract ends before that period begins."""
    months = subscription.billing_frequency.months
    period = nth_period(contract.start_time, months, subscription.periods_billed)
    return None if covered_span(contract, period) is None else period


def covered_span(contract: Contract, period: Period) -> Period | None:
    """Return the part of a billing period in which the contract is in force; None: it never is."""
    end = period.end if contract.end_time is None else min(period.end, contract.end_time)
    return Period(period.start, end) if period.start < end else None


def begins_period(contract: Contract, subscription: Subscription, due: datetime) -> bool:
    """Return whether billing at `due` begins a period, and so needs its price."""
    period = unbilled_period(contract, subscription)
    return period is not None and period.start <= due


def next_due(state: BillingState) -> datetime | None:
    """Return the next instant at which the subscription has something to bill; None: never.

    A period is due at its start. A seat increase inside a period, and a later end of the contract, are due when they
    take effect; if they are billed on the next collection date, they are due when the period or the contract ends.
    """
    dues = []
    if (period := unbilled_period(state.contract, state.subscription)) is not None:
        dues.append(period.start)
    if state.billed is not None and (owed_since := uncharged_from(state, state.billed)) is not None:
        dues.append(owed_since if state.is_immediate else collection_time(state.contract, state.billed))
    return min(dues, default=None)


def next_due_of(states: Iterable[BillingState]) -> datetime | None:
    """Return the next instant at which any of a contract's subscriptions has something to bill."""
    return min((due for state in states if (due := next_due(state)) is not None), default=None)


def uncharged_increases(
    state: BillingState, billed: BilledPeriod, through: datetime | None = None
) -> tuple[Charge, ...]:
    """Return the seats of a billed period that are not charged yet. through: as in coverage.owed."""
    if (span := covered_span(state.contract, billed.period)) is None:
        return ()
    return owed(state.timeline, span, billed.charges, is_prorated=state.is_prorated, through=through)


def uncharged_from(state: BillingState, billed: BilledPeriod) -> datetime | None:
    """Return the first instant at which uncharged_increases are owed; None: there are none."""
    if (span := covered_span(state.contract, billed.period)) is None:
        return None
    return owed_from(state.timeline, span, billed.charges, is_prorated=state.is_prorated)


def collection_time(contract: Contract, billed: BilledPeriod) -> datetime:
    """Return when the increases of a period are due that are billed on the next collection date."""
    end = contract.end_time
    return billed.period.end if end is None else min(billed.period.end, end)


def price_of(state: BillingState, period: Period, rates: Iterable[SeatRate]) -> SeatRate:
    """Return the price in force at the start of a period. Raises RateNotFound."""
    rate = rate_at(rates, period.start)
    if rate is None:
        raise RateNotFound(
            rate_card_id=state.contract.rate_card_id,
            product_id=state.subscription.product_id,
            billing_frequency=state.subscription.billing_frequency.value,
            at=period.start.isoformat(),
        )
    return rate


def current_period(contract: Contract, subscription: Subscription, at: datetime) -> Period:
    """Return the billing period in force at `at`; before the start the first, after the end the last."""
    inside = at if contract.end_time is None else min(at, contract.end_time - _TICK)
    return period_at(
        contract.start_time, subscription.billing_frequency.months, max(inside, contract.start_time)
    )


def contract_now(contract: Contract, states: Iterable[BillingState], at: datetime) -> ContractNow:
    """Return a contract as it is at an instant. states: one per subscription, in the same order."""
    return ContractNow(
        contract=contract, subscriptions=tuple(subscription_now(state, at) for state in states)
    )


def subscription_now(state: BillingState, at: datetime) -> SubscriptionNow:
    """Return a subscription as it is at an instant, with the price of the last period billed."""
    contract, subscription = state.contract, state.subscription
    period = current_period(contract, subscription, at)
    rate = state.billed.rate if state.billed is not None else price_of(state, period, subscription.rates)
    return SubscriptionNow(
        subscription=subscription,
        quantity=state.timeline.until(contract.end_time).quantity_at(max(at, contract.start_time)),
        unit_price=rate.unit_price,
        current_period=period,
    )
