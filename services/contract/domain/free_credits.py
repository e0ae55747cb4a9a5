# SPDX-License-Identifier: Apache-2.0
"""Which grant schedules are free: nothing is charged for what they grant.

Source: services/contract/README.md, "Free credits".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.contract.domain.billing.price import SeatRate, rate_at
from services.contract.domain.billing.rhythm import rhythm_of
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.contract import Contract, Subscription, find_subscription
from services.contract.domain.ids import GrantScheduleId, SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSchedule:
    """charge_time: the start of the first billing period that is known to cost something; None: of none."""

    grant_schedule_id: GrantScheduleId
    charge_time: datetime | None


def free_schedules(contract: Contract) -> tuple[FreeSchedule, ...]:
    """Return the schedules of a contract that are free by the prices that are known of its seats.

    The price of the latest billing period that was billed counts; before that, the price at the contract's start.
    """
    found = []
    for one in contract.grant_schedules:
        if one.subscription_id is None:
            found.append(FreeSchedule(grant_schedule_id=one.grant_schedule_id, charge_time=None))
            continue
        seats = find_subscription(contract, one.subscription_id)
        since = max(seats.billed_from or contract.start_time, contract.start_time)
        rate = rate_at(seats.rates, since)
        if rate is not None and _costs_nothing(rate):
            charge_time = _charge_time(contract, seats, since)
            found.append(FreeSchedule(grant_schedule_id=one.grant_schedule_id, charge_time=charge_time))
    return tuple(found)


def may_charge_free_seats(contract: Contract, rates: Mapping[SubscriptionId, Iterable[SeatPrice]]) -> bool:
    """Return whether seats that bring credits cost nothing by the stored prices, or by the ones that are billed now."""
    return any(
        _costs_nothing(rate)
        for schedule in contract.grant_schedules
        if schedule.subscription_id is not None
        for rate in (
            *find_subscription(contract, schedule.subscription_id).rates,
            *rates.get(schedule.subscription_id, ()),
        )
    )


def with_prices(contract: Contract, rates: Mapping[SubscriptionId, tuple[SeatPrice, ...]]) -> Contract:
    """Return a contract with other prices of its seats, past ones included; where none are given, with its own."""
    subscriptions = (
        replace(one, rates=rates.get(one.subscription_id, one.rates)) for one in contract.subscriptions
    )
    return replace(contract, subscriptions=tuple(subscriptions))


def _charge_time(contract: Contract, seats: Subscription, since: datetime) -> datetime | None:
    """Return the start of the first billing period after `since` that has a price."""
    rhythm = rhythm_of(contract, seats)
    starts = []
    for rate in seats.rates:
        if rate.effective_time > since and not _costs_nothing(rate):
            period = rhythm.period_at(rate.effective_time)
            starts.append(period.start if period.start == rate.effective_time else period.end)
    return min(starts, default=None)


def _costs_nothing(rate: SeatPrice) -> bool:
    """Return whether no number of seats costs anything."""
    prices = [rate.price] if isinstance(rate, SeatRate) else [tier.price for tier in rate.tiers]
    return not any(price.numerator_micros for price in prices)
