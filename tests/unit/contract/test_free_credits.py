# SPDX-License-Identifier: Apache-2.0
"""Which schedules are free, and until when. Source: services/contract/README.md, "Free credits"."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from meshkit.quantity import Credits, Ratio
from services.contract.domain.billing.tiers import SeatPrice, SeatTier, TieredSeatRate, TierPricing
from services.contract.domain.contract import BillingFrequency, Contract
from services.contract.domain.free_credits import free_schedules, may_charge_free_seats
from services.contract.domain.ids import CreditTypeId, GrantScheduleId, ProductId, SubscriptionId
from services.contract.domain.schedules import GrantFrequency, GrantSchedule, GrantTerms, PeriodProration
from tests.unit.contract.builders import JUNE, SUBSCRIPTION, a_billing_state, a_rate, day

SEPTEMBER = day(9, 1)


def _schedule(subscription_id: SubscriptionId | None = SUBSCRIPTION) -> GrantSchedule:
    return GrantSchedule(
        grant_schedule_id=GrantScheduleId("sch_1"),
        product_id=ProductId("prd_2"),
        credit_type_id=CreditTypeId("crt_1"),
        subscription_id=subscription_id,
        frequency=GrantFrequency.MONTHLY,
        interval_count=1,
        anchor_time=JUNE,
        end_time=None,
        terms=GrantTerms(
            unit_amount=Credits.of(100),
            priority=1,
            prorates_increases=True,
            period_proration=PeriodProration.FIRST_AND_LAST,
            commit_duration=1,
            scope_product_ids=(),
        ),
    )


def _contract(rates: Sequence[Any], *, schedule: GrantSchedule | None = None, **more: Any) -> Contract:
    state = a_billing_state(rates=rates, frequency=BillingFrequency.MONTHLY, **more)
    return replace(state.contract, grant_schedules=(schedule or _schedule(),))


def _tiers(*prices: int) -> TieredSeatRate:
    last = len(prices) - 1
    return TieredSeatRate(
        rate_id="rat_1",
        currency_code="USD",
        pricing=TierPricing.GRADUATED,
        tiers=tuple(
            SeatTier(up_to=None if n == last else n + 1, price=Ratio(price, 1))
            for n, price in enumerate(prices)
        ),
        effective_time=JUNE,
        end_time=None,
    )


def _free(contract: Contract) -> list[datetime | None]:
    return [one.charge_time for one in free_schedules(contract)]


@pytest.mark.parametrize(
    ("rates", "free"),
    [
        ([a_rate(0)], [None]),
        ([replace(a_rate(0), price=Ratio(1, 10**12))], []),
        ([_tiers(0, 0)], [None]),
        ([_tiers(0, 1)], []),  # its first seat costs nothing, but not the others
        ([a_rate(0, end=SEPTEMBER), a_rate(10, start=SEPTEMBER)], [SEPTEMBER]),
        ([a_rate(0, end=day(8, 31)), a_rate(10, start=day(8, 31))], [SEPTEMBER]),
        ([a_rate(0, end=day(9, 2)), a_rate(10, start=day(9, 2))], [day(10, 1)]),
        (
            [a_rate(10, end=SEPTEMBER), a_rate(0, start=SEPTEMBER)],
            [],
        ),  # until the period of September is billed
        ([], []),
    ],
)
def test_a_schedule_is_free_until_its_seats_have_a_price(
    rates: list[SeatPrice], free: list[datetime | None]
) -> None:
    assert _free(_contract(rates)) == free


def test_the_price_of_the_last_period_that_was_billed_counts() -> None:
    rates = [a_rate(10, end=SEPTEMBER), a_rate(0, start=SEPTEMBER)]

    assert _free(_contract(rates, periods_billed=4, billed_from=SEPTEMBER)) == [None]


def test_a_schedule_without_seats_is_free_because_nothing_is_charged_for_it() -> None:
    assert _free(_contract([a_rate(10)], schedule=_schedule(None))) == [None]


@pytest.mark.parametrize(
    ("stored", "read", "may"), [(10, 10, False), (0, 0, True), (0, 10, True), (10, 0, True)]
)
def test_seats_may_get_or_lose_a_price_if_it_is_nothing_before_or_after(
    stored: int, read: int, *, may: bool
) -> None:
    assert may_charge_free_seats(_contract([a_rate(stored)]), {SUBSCRIPTION: (a_rate(read),)}) == may
