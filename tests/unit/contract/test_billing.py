# SPDX-License-Identifier: Apache-2.0
"""What a subscription owes and when: the guide's figures, and the rules around periods."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import Money
from services.contract.domain.billing import charges
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.billing.state import BillingState, next_due, subscription_now
from services.contract.domain.contract import BillingFrequency, SeatInvoicing
from services.contract.domain.errors.catalog import RateNotFound
from services.contract.domain.errors.seats import SeatsBelowZero
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share
from tests.unit.contract.builders import (
    JUNE,
    a_billing_state,
    a_rate,
    billed_through,
    changed,
    counted,
    day,
    received,
)

TICK = timedelta(microseconds=1)
NEXT_DATE = SeatInvoicing.BILL_ON_NEXT_COLLECTION_DATE


def _dollars(line: InvoiceLine) -> str:
    return f"{line.total.micros // 1_000_000}.{line.total.micros % 1_000_000 // 10_000:02d}"


def _ledger(charged: list[tuple[datetime, InvoiceLine]]) -> list[tuple[datetime, str]]:
    return [(due, _dollars(line)) for due, line in charged]


def test_golden_four_annual_seats_at_100_dollars_are_400_at_once() -> None:
    state, charged = billed_through(a_billing_state(4), JUNE)

    [(due, line)] = charged
    assert (due, _dollars(line), line.kind) == (JUNE, "400.00", InvoiceLineKind.SUBSCRIPTION)
    assert (line.quantity, line.unit_price, line.share) == (4, Money.of("USD", 100), Share(1, 1))
    assert line.span == Period(JUNE, day(6, 1, 2026))
    assert next_due(state) == day(6, 1, 2026)


def test_golden_a_seat_added_on_3_july_costs_333_of_365_days() -> None:
    _, [line] = received(a_billing_state(4), day(7, 3), 1, now=day(7, 3))

    assert line.share == Share(333, 365)
    assert line.exact_micros == 91_232_876
    assert _dollars(line) == "91.23"
    assert line.kind is InvoiceLineKind.SEAT_INCREASE
    assert line.span == Period(day(7, 3), day(6, 1, 2026))
    assert line.description == "Team Plan: 1 seat added, 333/365 of the period"


def test_golden_down_and_up_again_costs_nothing_more_and_renewal_charges_the_seats_in_force() -> None:
    state, added = received(a_billing_state(4), day(7, 3), 1, now=day(7, 3))
    state, removed = received(state, day(7, 10), -1, now=day(7, 10))
    _, renewed_without = billed_through(state, day(6, 1, 2026))
    state, again = received(state, day(7, 20), 1, now=day(7, 20))
    _, renewed_with = billed_through(state, day(6, 1, 2026))

    assert [_dollars(line) for line in added] == ["91.23"]
    assert removed == []
    assert again == []
    assert _ledger(renewed_without) == [(day(6, 1, 2026), "400.00")]
    assert _ledger(renewed_with) == [(day(6, 1, 2026), "500.00")]


def test_golden_five_on_20_june_then_six_on_10_june_cost_54_dollars_in_all() -> None:
    state = a_billing_state(4, frequency=BillingFrequency.MONTHLY, rates=[a_rate(10)])
    state, first = billed_through(state, day(6, 25))
    five = charges.charge_increases(counted(state, day(6, 20), 5), through=day(6, 25), due=day(6, 25))
    six = charges.charge_increases(counted(five.state, day(6, 10), 6), through=day(6, 25), due=day(6, 25))

    lines = [*(line for _, line in first), *five.lines, *six.lines]
    assert sum(line.total.micros for line in lines) == 54_000_000
    assert _ledger(billed_through(six.state, day(7, 1))[1]) == [(day(7, 1), "50.00")]


def test_monthly_seats_at_10_dollars_are_billed_every_month_from_the_contract_s_start() -> None:
    start = datetime.fromisoformat("2024-01-31T00:00:00Z")
    rate = a_rate(10, start)
    state = a_billing_state(4, start=start, frequency=BillingFrequency.MONTHLY, rates=[rate])

    _, charged = billed_through(state, datetime.fromisoformat("2024-05-31T00:00:00Z"))

    months = ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]
    assert _ledger(charged) == [(datetime.fromisoformat(f"{one}T00:00:00Z"), "40.00") for one in months]


def test_a_monthly_seat_added_with_29_of_31_days_left_costs_29_of_31() -> None:
    state = a_billing_state(4, frequency=BillingFrequency.MONTHLY, rates=[a_rate(10)])

    _, [line] = received(state, day(7, 3), 1, now=day(7, 3))

    assert (line.share, _dollars(line), line.exact_micros) == (Share(29, 31), "9.35", 9_354_838)


def test_a_period_is_due_at_its_first_instant() -> None:
    state, _ = billed_through(a_billing_state(4), JUNE)

    assert billed_through(state, day(6, 1, 2026) - TICK)[1] == []
    assert len(billed_through(state, day(6, 1, 2026))[1]) == 1


def test_without_proration_a_seat_costs_the_whole_price_whenever_it_comes() -> None:
    _, [line] = received(a_billing_state(4, is_prorated=False), day(7, 3), 1, now=day(7, 3))

    assert (line.share, _dollars(line)) == (Share(1, 1), "100.00")
    assert line.description == "Team Plan: 1 seat added"


@pytest.mark.parametrize(
    ("rounding", "total"),
    [(Rounding.HALF_UP, "91.23"), (Rounding.FLOOR, "91.23"), (Rounding.CEILING, "91.24")],
)
def test_money_is_rounded_as_the_subscription_says(rounding: Rounding, total: str) -> None:
    _, [line] = received(a_billing_state(4, rounding=rounding), day(7, 3), 1, now=day(7, 3))

    assert (_dollars(line), line.exact_micros) == (total, 91_232_876)


def test_a_backdated_increase_is_charged_from_its_effective_time() -> None:
    _, [line] = received(a_billing_state(4), day(7, 3), 1, now=day(9, 1))

    assert (line.share, _dollars(line)) == (Share(333, 365), "91.23")


def test_an_increase_dated_ahead_is_charged_when_it_takes_effect() -> None:
    state, at_once = received(a_billing_state(4), day(7, 3), 1, now=JUNE)
    early, nothing = billed_through(state, day(7, 3) - TICK)
    _, charged = billed_through(early, day(7, 3))

    assert (at_once, nothing) == ([], [])
    assert _ledger(charged) == [(day(7, 3), "91.23")]


def test_an_increase_dated_ahead_and_taken_back_in_time_costs_nothing() -> None:
    state, _ = received(a_billing_state(4), day(7, 3), 5, now=JUNE)
    state, _ = received(state, day(7, 3), -5, now=day(6, 20))

    assert billed_through(state, day(5, 31, 2026))[1] == []


def test_an_increase_on_the_day_of_renewal_is_part_of_the_renewal() -> None:
    state, _ = received(a_billing_state(4), day(6, 1, 2026), 1, now=JUNE)

    assert _ledger(billed_through(state, day(6, 1, 2026))[1]) == [(day(6, 1, 2026), "500.00")]


def test_on_the_next_collection_date_increases_go_on_the_next_period_s_invoice() -> None:
    state, at_once = received(a_billing_state(4, invoicing=NEXT_DATE), day(7, 3), 1, now=day(7, 3))
    _, charged = billed_through(state, day(6, 1, 2026))

    assert at_once == []
    assert [(due, line.kind, _dollars(line)) for due, line in charged] == [
        (day(6, 1, 2026), InvoiceLineKind.SUBSCRIPTION, "500.00"),
        (day(6, 1, 2026), InvoiceLineKind.SEAT_INCREASE, "91.23"),
    ]
    assert charged[1][1].span == Period(day(7, 3), day(6, 1, 2026))


def test_on_the_next_collection_date_seats_come_at_the_price_of_their_own_period() -> None:
    rates = [a_rate(100, JUNE, day(1, 1, 2026), "old"), a_rate(120, day(1, 1, 2026), None, "new")]
    state, _ = received(
        a_billing_state(4, invoicing=NEXT_DATE, rates=rates), day(2, 1, 2026), 1, now=day(2, 1, 2026)
    )

    charged = billed_through(state, day(6, 1, 2026))[1]

    assert [line.unit_price for _, line in charged] == [Money.of("USD", 120), Money.of("USD", 100)]


def test_where_the_contract_ends_what_waited_for_the_next_date_is_collected() -> None:
    state = a_billing_state(4, invoicing=NEXT_DATE, end=day(9, 1))
    state, _ = received(state, day(7, 3), 1, now=day(7, 3))

    assert next_due(state) == day(9, 1)
    state, charged = billed_through(state, day(9, 1))
    assert _ledger(charged) == [(day(9, 1), "16.44")]
    assert charged[0][1].share == Share(12, 73)
    assert next_due(state) is None


def _cut(state: BillingState, end: datetime | None) -> BillingState:
    return replace(state, contract=replace(state.contract, end_time=end))


def _monthly(end: datetime | None, **terms: Any) -> BillingState:
    rates = terms.pop("rates", [a_rate(10)])
    return a_billing_state(4, frequency=BillingFrequency.MONTHLY, rates=rates, end=end, **terms)


def test_golden_a_last_period_that_the_end_cuts_short_costs_its_share() -> None:
    state, charged = billed_through(_monthly(day(7, 11)), day(7, 1))

    assert _ledger(charged) == [(JUNE, "40.00"), (day(7, 1), "12.90")]
    _, line = charged[1]
    assert (line.share, line.exact_micros, line.carried_micros) == (Share(10, 31), 12_903_225, 0)
    assert line.span == Period(day(7, 1), day(7, 11))
    assert line.description == "Team Plan: 4 seats, 10/31 of the period"
    assert billed_through(state, day(12, 1))[1] == []


def test_golden_a_seat_added_in_a_cut_period_costs_the_time_before_the_end() -> None:
    _, [line] = received(_monthly(day(7, 11)), day(7, 2), 1, now=day(7, 2))

    assert (line.share, line.exact_micros, line.carried_micros) == (Share(9, 31), 2_903_225, 3_226)
    assert _dollars(line) == "2.91"
    assert line.span == Period(day(7, 2), day(7, 11))


def test_without_proration_an_added_seat_costs_as_much_of_a_cut_period_as_the_others() -> None:
    state, charged = billed_through(_monthly(day(7, 11), is_prorated=False), day(7, 1))
    _, [line] = received(state, day(7, 10), 1, now=day(7, 10))

    assert _ledger(charged)[1] == (day(7, 1), "12.90")
    assert (line.share, _dollars(line)) == (Share(10, 31), "3.23")
    assert line.description == "Team Plan: 1 seat added, 10/31 of the period"


@pytest.mark.parametrize("is_prorated", [True, False])
def test_a_later_end_charges_the_difference_and_an_earlier_one_refunds_nothing(is_prorated: bool) -> None:
    state, _ = billed_through(_monthly(day(7, 11), is_prorated=is_prorated), day(7, 5))

    earlier = charges.charge_increases(_cut(state, day(7, 6)), through=day(7, 5), due=day(7, 5))
    later = charges.charge_increases(_cut(earlier.state, day(7, 21)), through=day(7, 5), due=day(7, 5))
    removed = charges.charge_increases(_cut(later.state, None), through=day(7, 5), due=day(7, 5))

    assert earlier.lines == ()
    [ten_days] = later.lines
    assert (ten_days.share, ten_days.span) == (Share(10, 31), Period(day(7, 11), day(7, 21)))
    assert ten_days.description == "Team Plan: 4 seats kept longer, 10/31 of the period"
    [rest] = removed.lines
    assert [_dollars(one) for one in (ten_days, rest)] == ["12.91", "14.19"]
    assert next_due(removed.state) == day(8, 1)


def test_a_removed_end_brings_back_the_changes_that_it_cut_off() -> None:
    state, _ = received(_monthly(None), day(7, 20), 1, now=JUNE)
    state, charged = billed_through(_cut(state, day(7, 11)), day(7, 5))
    result = charges.charge_increases(_cut(state, None), through=day(7, 5), due=day(7, 5))

    assert _ledger(charged)[-1] == (day(7, 1), "12.90")
    assert [_dollars(line) for line in result.lines] == ["27.10"]
    # 12 of 31 days of one seat: $3.870967…
    assert _ledger(billed_through(result.state, day(7, 31))[1]) == [(day(7, 20), "3.87")]


def test_on_the_next_collection_date_the_difference_of_a_later_end_waits_too() -> None:
    state, _ = billed_through(_monthly(day(7, 11), invoicing=NEXT_DATE), day(7, 5))
    later = _cut(state, day(7, 21))

    assert charges.charge_increases(later, through=day(7, 5), due=day(7, 5)).lines == ()
    assert _ledger(billed_through(later, day(8, 1))[1]) == [(day(7, 21), "12.91")]


def test_a_contract_that_ends_when_a_period_begins_owes_nothing_for_it() -> None:
    assert billed_through(_monthly(day(7, 1)), day(8, 1))[1][1:] == []
    [_, (_, a_tick)] = billed_through(_monthly(day(7, 1) + TICK), day(8, 1))[1]
    assert (a_tick.quantity, a_tick.total.micros, a_tick.exact_micros) == (4, 0, 0)


def test_golden_a_thousand_seats_added_one_by_one_near_a_month_s_end_cost_what_they_cost_together() -> None:
    state, _ = billed_through(_monthly(None), day(7, 31))
    late = day(8, 1) - timedelta(minutes=22)
    one_by_one: list[InvoiceLine] = []
    for _ in range(1_000):
        state, lines = received(state, late, 1, now=late)
        one_by_one += lines
    _, [together] = received(billed_through(_monthly(None), day(7, 31))[0], late, 1_000, now=late)

    assert _dollars(together) == "4.93"
    assert sum(line.total.micros for line in one_by_one) == 4_930_000
    assert {line.total.micros for line in one_by_one} == {0, 10_000}


def test_golden_the_cents_of_two_increases_do_not_depend_on_their_order() -> None:
    in_time = received(_monthly(None), day(6, 12), 1, now=day(6, 12))
    then = received(in_time[0], day(6, 18), 1, now=day(6, 18))
    later_first = received(_monthly(None), day(6, 18), 1, now=day(6, 18))
    then_earlier = received(later_first[0], day(6, 12), 1, now=day(6, 18))

    # 19/30 and 13/30 of $10: 6.333… and 4.333… are $10.67 together.
    assert [_dollars(line) for line in (*in_time[1], *then[1])] == ["6.33", "4.34"]
    assert [_dollars(line) for line in (*later_first[1], *then_earlier[1])] == ["4.33", "6.34"]


@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(1, 3)), min_size=1, max_size=8),
    st.randoms(),
    st.sampled_from(Rounding),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 29)),
)
def test_neither_order_nor_splitting_of_increases_changes_what_they_cost_in_total(
    rises: list[tuple[int, int]],
    chance: Random,
    rounding: Rounding,
    is_prorated: bool,
    cut: int | None,
) -> None:
    """The sum of the lines is the exact sum, rounded once; each seat alone, in any order, costs the same."""
    end = None if cut is None else JUNE + timedelta(days=cut)
    rises = [(at, delta) for at, delta in rises if cut is None or at < cut]
    state = _monthly(end, rounding=rounding, is_prorated=is_prorated, rates=[a_rate(10)])
    now = JUNE + timedelta(days=29 if cut is None else cut - 1)
    split = [(at, 1) for at, delta in rises for _ in range(delta)]
    chance.shuffle(split)

    sums = []
    for moves in (rises, split):
        now_state, lines = billed_through(state, now)
        paid = sum(line.total.micros for _, line in lines)
        for at, delta in moves:
            now_state, more = received(now_state, JUNE + timedelta(days=at), delta, now=now)
            paid += sum(line.total.micros for line in more)
        assert now_state.billed is not None
        assert paid == now_state.billed.charged_micros
        exact = now_state.billed.exact_micros
        assert paid == rounded(exact, rounding, "USD").micros
        sums.append(paid)
        seats = 4 + sum(delta for _, delta in rises)
        assert exact <= seats * 10_000_000 * Fraction(30 if cut is None else cut, 30)

    assert len(set(sums)) == 1


def test_lines_that_were_rounded_separately_are_evened_out_but_never_below_zero() -> None:
    state, _ = billed_through(_monthly(None), JUNE)
    assert state.billed is not None
    too_much = replace(state, billed=replace(state.billed, charged_micros=40_050_000))

    # 1/30 of $10 is 33.3 cents, of which 5 are charged already; 1/1440 of it is 0.02 cents.
    _, [line] = received(too_much, day(6, 30), 1, now=day(6, 30))
    assert (_dollars(line), line.carried_micros) == ("0.28", -50_000)
    _, [none] = received(too_much, day(7, 1) - timedelta(minutes=1), 1, now=day(7, 1) - timedelta(minutes=1))
    assert _dollars(none) == "0.00"


def test_no_period_begins_at_the_end() -> None:
    until_may = a_billing_state(4, end=day(5, 1, 2026))
    until_renewal = a_billing_state(4, end=day(6, 1, 2026))
    past_renewal = a_billing_state(4, end=day(6, 1, 2026) + TICK)

    assert [
        len(billed_through(one, day(6, 1, 2030))[1]) for one in (until_may, until_renewal, past_renewal)
    ] == [
        1,
        1,
        2,
    ]


def test_a_change_dated_past_the_end_is_never_charged() -> None:
    state, _ = received(a_billing_state(4), day(9, 1), 1, now=day(7, 3))
    ended = replace(state, contract=replace(state.contract, end_time=day(9, 1)))

    assert next_due(ended) is None


def test_a_price_change_reaches_a_subscription_at_its_next_period() -> None:
    rates = [a_rate(100, JUNE, day(7, 1), "old"), a_rate(120, day(7, 1), None, "new")]
    state, [line] = received(a_billing_state(4, rates=rates), day(7, 3), 1, now=day(7, 3))

    assert line.unit_price == Money.of("USD", 100)
    assert _ledger(billed_through(state, day(6, 1, 2026))[1]) == [(day(6, 1, 2026), "600.00")]


def test_a_period_without_a_price_is_not_billed() -> None:
    state, _ = billed_through(a_billing_state(4, rates=[a_rate(100, JUNE, day(1, 1, 2026))]), JUNE)

    with pytest.raises(RateNotFound) as refusal:
        billed_through(state, day(6, 1, 2026))
    assert refusal.value.metadata["at"] == day(6, 1, 2026).isoformat()


def test_an_account_shows_its_seats_price_and_period_at_an_instant() -> None:
    state, _ = billed_through(changed(a_billing_state(4, end=day(9, 1, 2026)), day(7, 3), 1), JUNE)

    before, then, after = (subscription_now(state, at) for at in (day(5, 1), day(7, 3), day(1, 1, 2027)))

    assert [one.quantity for one in (before, then, after)] == [4, 5, 5]
    first, second = Period(JUNE, day(6, 1, 2026)), Period(day(6, 1, 2026), day(6, 1, 2027))
    assert [one.current_period for one in (before, then, after)] == [first, first, second]
    assert then.unit_price == Money.of("USD", 100)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(-3, 3).filter(bool)), max_size=6),
    st.integers(0, 364),
    st.integers(0, 300),
    st.integers(-3, 4).filter(bool),
    st.booleans(),
    st.sampled_from(SeatInvoicing),
)
def test_a_preview_tells_what_the_change_adds_to_its_period(
    earlier: list[tuple[int, int]],
    now_days: int,
    ahead: int,
    delta: int,
    is_prorated: bool,
    invoicing: SeatInvoicing,
) -> None:
    now = JUNE + timedelta(days=now_days)
    state = a_billing_state(4, is_prorated=is_prorated, invoicing=invoicing)
    for days, move in sorted(earlier):
        try:
            state, _ = received(
                state, JUNE + timedelta(days=days), move, now=min(JUNE + timedelta(days=days), now)
            )
        except SeatsBelowZero:
            continue
    state, _ = billed_through(state, now)
    at = now + timedelta(days=ahead)
    try:
        after = changed(state, at, delta)
    except SeatsBelowZero:
        return

    previewed = charges.preview(state, after, at)

    if delta < 0:
        # It may save an increase dated ahead from being charged; it costs nothing itself.
        assert previewed == ()
        return
    # Lines are rounded down to the micro one by one.
    assert _exact_in_period_of(at, after) - _exact_in_period_of(at, state) == pytest.approx(
        sum(line.exact_micros for line in previewed), abs=20
    )


def _exact_in_period_of(at: datetime, state: BillingState) -> int:
    """What is charged for the billing period of `at` until it is over, in micros."""
    index = 0 if at < day(6, 1, 2026) else 1
    start = JUNE if index == 0 else day(6, 1, 2026)
    _, charged = billed_through(state, day(6, 1, 2027 + index) - TICK if index else day(6, 1, 2026))
    billed = state.billed
    already = 0
    if billed is not None and billed.period.start == start:
        for charge in billed.charges:
            already += int(billed.rate.exact_micros(charge.seats, _share_of(state, charge.span)))
    return already + sum(line.exact_micros for _, line in charged if line.billing_period_start == start)


def _share_of(state: BillingState, span: Period) -> Fraction:
    assert state.billed is not None
    if not state.subscription.proration.is_prorated:
        return Fraction(1)
    period = state.billed.period
    return period.fraction_left(span.start) - period.fraction_left(span.end)


@given(
    st.lists(st.tuples(st.integers(0, 364), st.integers(-3, 4).filter(bool)), max_size=8),
    st.booleans(),
)
def test_with_floor_rounding_a_period_never_costs_more_than_its_highest_seats(
    moves: list[tuple[int, int]], is_prorated: bool
) -> None:
    state, charged = billed_through(
        a_billing_state(4, is_prorated=is_prorated, rounding=Rounding.FLOOR), JUNE
    )
    lines = [line for _, line in charged]
    for days, delta in sorted(moves):
        at = JUNE + timedelta(days=days)
        try:
            state, more = received(state, at, delta, now=at)
        except SeatsBelowZero:
            continue
        lines += more

    highest = max((quantity for _, quantity in state.timeline.running()), default=4)
    assert sum(line.total.micros for line in lines) <= max(highest, 4) * 100_000_000
