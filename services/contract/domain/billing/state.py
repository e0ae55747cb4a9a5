# SPDX-License-Identifier: Apache-2.0
"""The billing state of a subscription: what was charged, and when the next charge is due. Pure.

Source: services/contract/README.md, "Billing".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import assert_never

from meshkit.period import Period
from services.contract.domain.billing.coverage import Charge, levels, owed, owed_from, seat_periods
from services.contract.domain.billing.price import SeatRate, rate_at
from services.contract.domain.billing.rhythm import rhythm_of
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.contract import (
    CollectionSchedule,
    Contract,
    ContractNow,
    SeatInvoicing,
    Subscription,
    SubscriptionNow,
)
from services.contract.domain.errors.catalog import RateNotFound
from services.contract.domain.seats.timeline import Timeline

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledPeriod:
    """A billing period that was charged: its nominal length, its price, and the charges so far.

    charged_micros: what the lines of the charges come to, in whole minor units. needed: what the period needs at least,
    because void seats were used for that long.
    """

    period: Period
    rate: SeatPrice
    charges: tuple[Charge, ...] = ()
    charged_micros: int = 0
    needed: tuple[Charge, ...] = ()

    @property
    def exact_micros(self) -> Fraction:
        """What the charges come to before rounding, exactly."""
        if isinstance(self.rate, SeatRate):
            return self.rate.exact_micros(1, seat_periods(self.charges, self.period))
        of_levels = levels(self.charges, self.period)
        return sum((self.rate.cost_micros(seats) * share for seats, share in of_levels), Fraction(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedCharges:
    """What voids of seat changes have changed of a billing period. needed: see BilledPeriod."""

    charges: tuple[Charge, ...]
    charged_micros: int
    needed: tuple[Charge, ...]


def with_voids(billed: BilledPeriod, voided: VoidedCharges | None) -> BilledPeriod:
    """Return a billing period with what voids have changed of it."""
    if voided is None:
        return billed
    return replace(
        billed,
        charges=(*billed.charges, *voided.charges),
        charged_micros=billed.charged_micros + voided.charged_micros,
        needed=voided.needed or billed.needed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingState:
    """A subscription with everything that billing needs to know about it.

    timeline: from the start of `billed` on, or from the contract's start. billed: the last period charged;
    None: no period was charged yet. ahead: what voids of seat changes have charged for the first period that is not
    billed yet. pending: what voids that the Ledger has not answered may give back of `billed`, at most.
    """

    contract: Contract
    subscription: Subscription
    timeline: Timeline
    billed: BilledPeriod | None
    ahead: "VoidedCharges | None" = None
    pending: "VoidedCharges | None" = None

    def is_billed(self, period: Period) -> bool:
        """Whether a period is the last one that was charged."""
        return self.billed is not None and self.billed.period == period

    @property
    def is_in_arrears(self) -> bool:
        return self.subscription.collection_schedule is CollectionSchedule.ARREARS

    @property
    def is_immediate(self) -> bool:
        return self.subscription.proration.invoicing is SeatInvoicing.BILL_IMMEDIATELY

    @property
    def is_prorated(self) -> bool:
        return self.subscription.proration.is_prorated


def unbilled_period(contract: Contract, subscription: Subscription) -> Period | None:
    """Return the first period not charged yet; None if the contract ends before that period begins."""
    rhythm = rhythm_of(contract, subscription)
    period = rhythm.nth(rhythm.index_at(contract.start_time) + subscription.periods_billed)
    return None if covered_span(contract, period) is None else period


def covered_span(contract: Contract, period: Period) -> Period | None:
    """Return the part of a billing period in which the contract is in force; None: it never is."""
    start = max(period.start, contract.start_time)
    end = period.end if contract.end_time is None else min(period.end, contract.end_time)
    return Period(start, end) if start < end else None


def period_due(contract: Contract, subscription: Subscription) -> datetime | None:
    """Return when the first period not charged yet is due; None: never.

    ADVANCE: at its start; ARREARS: at its end; at the contract's start or end if the contract cuts it there.
    """
    period = unbilled_period(contract, subscription)
    if period is None or (span := covered_span(contract, period)) is None:
        return None
    match subscription.collection_schedule:
        case CollectionSchedule.ADVANCE:
            return span.start
        case CollectionSchedule.ARREARS:
            return span.end
        case _:
            assert_never(subscription.collection_schedule)


def bills_period(contract: Contract, subscription: Subscription, due: datetime) -> bool:
    """Return whether billing at `due` charges a period, and so needs its price."""
    due_time = period_due(contract, subscription)
    return due_time is not None and due_time <= due


def next_due(state: BillingState) -> datetime | None:
    """Return the next instant at which the subscription has something to bill; None: never.

    When a period is due: period_due. A seat increase inside a period, and a later end of the contract, are due when
    they take effect; if they are billed on the next collection date, when the period or the contract ends. An end whose
    money is settled is due when it passes.
    """
    dues = []
    if state.contract.settles_end and state.contract.end_time is not None:
        dues.append(state.contract.end_time)
    if (due := period_due(state.contract, state.subscription)) is not None:
        dues.append(due)
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
    return owed(
        state.timeline,
        span,
        billed.charges,
        is_prorated=state.is_prorated,
        needed=billed.needed,
        through=through,
    )


def uncharged_from(state: BillingState, billed: BilledPeriod) -> datetime | None:
    """Return the first instant at which uncharged_increases are owed; None: there are none."""
    if (span := covered_span(state.contract, billed.period)) is None:
        return None
    return owed_from(
        state.timeline, span, billed.charges, is_prorated=state.is_prorated, needed=billed.needed
    )


def open_period(state: BillingState, at: datetime) -> BilledPeriod | None:
    """Return the billing period in force, with what was charged for it so far: in arrears only by voids.

    None: it was not billed yet, because it has no price.
    """
    period = current_period(state.contract, state.subscription, at)
    if not state.is_in_arrears:
        return state.billed if state.billed is not None and state.billed.period == period else None
    rate = known_price(state, period, state.subscription.rates)
    if rate is None:
        return None
    return with_voids(BilledPeriod(period=period, rate=rate), state.ahead)


def collection_time(contract: Contract, billed: BilledPeriod) -> datetime:
    """Return when the increases of a period are due that are billed on the next collection date."""
    end = contract.end_time
    return billed.period.end if end is None else min(billed.period.end, end)


def price_of(state: BillingState, period: Period, rates: Iterable[SeatPrice]) -> SeatPrice:
    """Return the price of a billing period: in force at its start, or at the contract's. Raises RateNotFound."""
    if (rate := known_price(state, period, rates)) is not None:
        return rate
    raise RateNotFound(
        rate_card_id=state.contract.rate_card_id,
        product_id=state.subscription.product_id,
        billing_frequency=state.subscription.billing_frequency.value,
        at=max(period.start, state.contract.start_time).isoformat(),
    )


def known_price(state: BillingState, period: Period, rates: Iterable[SeatPrice]) -> SeatPrice | None:
    """Return the price of a billing period, if `rates` have it."""
    rate = rate_at(rates, max(period.start, state.contract.start_time))
    return None if rate is None else rate.times(state.subscription.interval_count)


def current_period(contract: Contract, subscription: Subscription, at: datetime) -> Period:
    """Return the billing period in force at `at`; before the start the first, after the end the last."""
    inside = at if contract.end_time is None else min(at, contract.end_time - _TICK)
    return rhythm_of(contract, subscription).period_at(max(inside, contract.start_time))


def contract_now(contract: Contract, states: Iterable[BillingState], at: datetime) -> ContractNow:
    """Return a contract as it is at an instant. states: one per subscription, in the same order."""
    return ContractNow(
        contract=contract, subscriptions=tuple(subscription_now(state, at) for state in states)
    )


def subscription_now(state: BillingState, at: datetime) -> SubscriptionNow:
    """Return a subscription as it is at an instant, with the price of the last period billed.

    In arrears, the price of the current period is the one known when the last period was billed.
    """
    contract, subscription = state.contract, state.subscription
    period = current_period(contract, subscription, at)
    rate = None if state.billed is None else state.billed.rate
    if rate is None or state.is_in_arrears:
        rate = known_price(state, period, subscription.rates) or rate
    if rate is None:
        rate = price_of(state, period, subscription.rates)
    timeline, inside = state.timeline.until(contract.end_time), max(at, contract.start_time)
    quantity = timeline.quantity_at(inside)
    return SubscriptionNow(
        subscription=subscription,
        quantity=quantity,
        unit_price=rate.unit_price_at(quantity),
        current_period=period,
        assigned_quantity=timeline.assigned_at(inside),
    )
