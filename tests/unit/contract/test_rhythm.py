# SPDX-License-Identifier: Apache-2.0
"""Billing rhythms: where periods begin, anchors, several periods in one, and arrears."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import INT64_MAX, Money, Ratio
from services.contract.domain.billing.charges import charge_due
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.rhythm import Rhythm, anchor_from
from services.contract.domain.billing.state import BillingState, next_due, subscription_now
from services.contract.domain.contract import BillingFrequency, CollectionSchedule, SeatInvoicing
from services.contract.domain.errors.contracts import AnchorAfterStart
from services.contract.domain.errors.invoices import AmountTooLarge
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share
from tests.unit.contract.builders import JUNE, a_billing_state, a_rate, billed_through, changed, day

TICK = timedelta(microseconds=1)
ARREARS = {
    "collection_schedule": CollectionSchedule.ARREARS,
    "invoicing": SeatInvoicing.BILL_ON_NEXT_COLLECTION_DATE,
}
SUBSCRIPTION, INCREASE = InvoiceLineKind.SUBSCRIPTION, InvoiceLineKind.SEAT_INCREASE


def _rhythm(frequency: BillingFrequency, count: int = 1, anchor: datetime = JUNE) -> Rhythm:
    return Rhythm(cadence=frequency.cadence.times(count), anchor_time=anchor)


def _shown(charged: list[tuple[datetime, InvoiceLine]]) -> list[tuple[datetime, InvoiceLineKind, float]]:
    return [(due, line.kind, line.total.micros / 1_000_000) for due, line in charged]


def _monthly(**more: object) -> BillingState:
    return a_billing_state(
        **{"frequency": BillingFrequency.MONTHLY, "rates": [a_rate(10)], **more}  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("rhythm", "starts"),
    [
        (_rhythm(BillingFrequency.WEEKLY), [day(6, 1), day(6, 8), day(6, 15)]),
        (_rhythm(BillingFrequency.WEEKLY, 2), [day(6, 1), day(6, 15), day(6, 29)]),
        (_rhythm(BillingFrequency.MONTHLY, 2), [day(6, 1), day(8, 1), day(10, 1)]),
        (_rhythm(BillingFrequency.QUARTERLY), [day(6, 1), day(9, 1), day(12, 1)]),
        (_rhythm(BillingFrequency.QUARTERLY, anchor=day(1, 31)), [day(1, 31), day(4, 30), day(7, 31)]),
        (_rhythm(BillingFrequency.ANNUAL, 3), [day(6, 1), day(6, 1, 2028), day(6, 1, 2031)]),
    ],
)
def test_periods_are_counted_from_the_anchor(rhythm: Rhythm, starts: list[datetime]) -> None:
    assert [rhythm.nth(index).start for index in range(3)] == starts
    assert rhythm.period_at(starts[1]) == Period(starts[1], starts[2])
    assert rhythm.period_at(starts[1] - TICK) == Period(starts[0], starts[1])
    assert rhythm.index_at(starts[0] - TICK) == -1


@given(
    st.sampled_from(BillingFrequency),
    st.integers(1, 100),
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)),
)
def test_every_instant_lies_in_the_period_that_its_index_names(
    frequency: BillingFrequency, count: int, anchor: datetime, at: datetime
) -> None:
    rhythm = _rhythm(frequency, count, anchor.replace(tzinfo=JUNE.tzinfo))
    moment = at.replace(tzinfo=JUNE.tzinfo)

    index = rhythm.index_at(moment)

    assert rhythm.nth(index).contains(moment)
    assert rhythm.nth(index).end == rhythm.nth(index + 1).start


@pytest.mark.parametrize(
    ("start", "anchor_day", "anchor"),
    [
        (day(6, 16), 1, day(6, 1)),
        (day(6, 16), 16, day(6, 16)),
        (day(6, 16), 17, day(5, 17)),
        (day(6, 16) + TICK, 16, day(6, 16)),
        (day(6, 16) - TICK, 16, day(5, 16)),
        (day(2, 28), 31, day(1, 31)),
        (day(3, 1), 30, day(1, 30)),
        (day(3, 30), 31, day(1, 31)),
        (day(1, 5), 31, day(12, 31, 2024)),
        (day(3, 1, 2024), 29, day(2, 29, 2024)),
    ],
)
def test_an_anchor_day_is_the_last_such_day_by_the_start(
    start: datetime, anchor_day: int, anchor: datetime
) -> None:
    assert anchor_from(None, anchor_day, start_time=start, field="x") == anchor


def test_an_anchor_time_is_not_after_the_start() -> None:
    assert anchor_from(None, None, start_time=JUNE, field="x") is None
    assert anchor_from(JUNE, None, start_time=JUNE, field="x") == JUNE
    with pytest.raises(AnchorAfterStart) as refusal:
        anchor_from(JUNE + TICK, None, start_time=JUNE, field="subscriptions[0].anchor_time")
    assert refusal.value.metadata["field"] == "subscriptions[0].anchor_time"


def test_a_first_period_that_the_start_cuts_short_costs_its_share() -> None:
    # The price begins with the contract, after the period's nominal start.
    state = _monthly(start=day(6, 16), anchor_time=JUNE, rates=[a_rate(10, day(6, 16))])

    state, charged = billed_through(state, day(7, 1))

    assert _shown(charged) == [(day(6, 16), SUBSCRIPTION, 20.0), (day(7, 1), SUBSCRIPTION, 40.0)]
    [first, _] = [line for _, line in charged]
    assert (first.share, first.span) == (Share(1, 2), Period(day(6, 16), day(7, 1)))
    assert first.description == "Team Plan: 4 seats, 1/2 of the period"
    assert next_due(state) == day(8, 1)


def test_an_increase_in_a_cut_first_period_costs_what_is_left_of_the_nominal_one() -> None:
    state, _ = billed_through(_monthly(start=day(6, 16), anchor_time=JUNE), day(6, 16))
    _, charged = billed_through(changed(state, day(6, 21), 1), day(6, 21))

    assert [(line.share, line.total) for _, line in charged] == [(Share(1, 3), Money("USD", 3_330_000))]


def test_a_period_that_both_start_and_end_cut_costs_the_time_between() -> None:
    state = _monthly(start=day(6, 16), end=day(6, 19), anchor_time=JUNE)

    _, charged = billed_through(state, day(8, 1))

    assert _shown(charged) == [(day(6, 16), SUBSCRIPTION, 4.0)]


def test_several_periods_in_one_cost_as_many_times_the_rate() -> None:
    state, charged = billed_through(_monthly(interval_count=2), day(8, 1))

    assert _shown(charged) == [(JUNE, SUBSCRIPTION, 80.0), (day(8, 1), SUBSCRIPTION, 80.0)]
    assert charged[0][1].unit_price == Money.of("USD", 20)
    now = subscription_now(state, day(9, 15))
    assert (now.unit_price, now.current_period) == (Money.of("USD", 20), Period(day(8, 1), day(10, 1)))


def test_a_price_that_no_amount_can_hold_makes_the_period_wait() -> None:
    dear = SeatRate(
        rate_id="rat_1",
        currency_code="USD",
        price=Ratio(INT64_MAX, INT64_MAX),
        effective_time=JUNE,
        end_time=None,
    )

    with pytest.raises(AmountTooLarge):
        charge_due(_monthly(interval_count=2), JUNE, [dear])


def test_in_arrears_a_period_is_charged_at_its_end_with_all_that_was_added_in_it() -> None:
    state = changed(changed(_monthly(**ARREARS), day(6, 16), 1), day(6, 20), -3)

    state, early = billed_through(state, day(7, 1) - TICK)
    state, charged = billed_through(state, day(7, 1))

    assert early == []
    assert _shown(charged) == [(day(7, 1), SUBSCRIPTION, 40.0), (day(7, 1), INCREASE, 5.0)]
    # July has the two seats in force at its start.
    assert _shown(billed_through(state, day(8, 1))[1]) == [(day(8, 1), SUBSCRIPTION, 20.0)]


def test_in_arrears_an_early_end_charges_the_share_of_time_then() -> None:
    state = changed(_monthly(end=day(7, 11), **ARREARS), day(7, 6), 1)

    state, charged = billed_through(state, day(9, 1))

    assert _shown(charged) == [
        (day(7, 1), SUBSCRIPTION, 40.0),
        (day(7, 11), SUBSCRIPTION, 12.9),
        (day(7, 11), INCREASE, 1.62),
    ]
    assert next_due(state) is None


def test_in_arrears_a_period_comes_at_the_price_of_its_start() -> None:
    rates = [a_rate(10, JUNE, day(6, 15), "old"), a_rate(20, day(6, 15), None, "new")]

    state, charged = billed_through(_monthly(rates=rates, **ARREARS), day(8, 1))

    assert _shown(charged) == [(day(7, 1), SUBSCRIPTION, 40.0), (day(8, 1), SUBSCRIPTION, 80.0)]
    assert subscription_now(_monthly(rates=rates, **ARREARS), day(6, 20)).unit_price == Money.of("USD", 10)
    assert subscription_now(state, day(8, 1)).unit_price == Money.of("USD", 20)


def test_in_arrears_a_contract_that_ends_when_a_period_begins_owes_nothing_for_it() -> None:
    _, charged = billed_through(_monthly(end=day(7, 1), **ARREARS), day(9, 1))

    assert _shown(charged) == [(day(7, 1), SUBSCRIPTION, 40.0)]


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 3)), max_size=6),
    st.booleans(),
    st.integers(1, 85),
    st.integers(0, 29),
)
def test_in_arrears_increases_cost_what_they_cost_in_advance(
    rises: list[tuple[int, int]], is_prorated: bool, end: int, anchor_before: int
) -> None:
    """Only the dates differ: the periods' totals are the same, cut or not."""
    totals = []
    for terms in ({}, ARREARS):
        state = _monthly(
            end=JUNE + timedelta(days=end),
            is_prorated=is_prorated,
            anchor_time=JUNE - timedelta(days=anchor_before),
            **terms,
        )
        for at, delta in rises:
            if at < end:
                state = changed(state, JUNE + timedelta(days=at), delta)
        _, charged = billed_through(state, day(12, 1))
        sums: dict[datetime | None, int] = {}
        for _, line in charged:
            start = line.billing_period_start
            sums[start] = sums.get(start, 0) + line.total.micros
        totals.append(sums)

    assert totals[0] == totals[1]
