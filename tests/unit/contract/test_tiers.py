# SPDX-License-Identifier: Apache-2.0
"""Prices of seats by tiers: each part at its tier's price, or all at the price of their number's tier."""

from datetime import datetime, timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidFields
from meshkit.quantity import MICROS, Money, Ratio
from services.contract.domain.billing.price import MONEY_MICROS_MAX, Rounding, refuse_unpayable, rounded
from services.contract.domain.billing.state import BillingState, subscription_now
from services.contract.domain.billing.tiers import SeatTier, TieredSeatRate, TierPricing
from services.contract.domain.contract import BillingFrequency
from services.contract.domain.invoice import InvoiceLine
from tests.unit.contract.builders import JUNE, a_billing_state, billed_through, day, received

GRADUATED, VOLUME = TierPricing.GRADUATED, TierPricing.VOLUME


def _rate(pricing: TierPricing, *tiers: tuple[int | None, int]) -> TieredSeatRate:
    """Tiers from last seats and dollars; by default up to 10 at $10, the others at $8."""
    return TieredSeatRate(
        rate_id="rat_1",
        currency_code="USD",
        pricing=pricing,
        tiers=tuple(
            SeatTier(up_to=up_to, price=Ratio(dollars * MICROS, MICROS))
            for up_to, dollars in tiers or ((10, 10), (None, 8))
        ),
        effective_time=JUNE,
        end_time=None,
    )


def _monthly(seats: int, pricing: TierPricing, **more: object) -> BillingState:
    return a_billing_state(
        seats,
        **{"frequency": BillingFrequency.MONTHLY, "rates": [_rate(pricing)], **more},  # type: ignore[arg-type]
    )


def _dollars(lines: list[InvoiceLine]) -> list[float]:
    return [line.total.micros / MICROS for line in lines]


@pytest.mark.parametrize(
    ("pricing", "costs"),
    [
        (GRADUATED, {0: 0, 1: 10, 10: 100, 11: 108, 12: 116}),
        (VOLUME, {0: 0, 1: 10, 10: 100, 11: 88, 12: 96}),
    ],
)
def test_a_number_of_seats_costs_what_its_tiers_say(pricing: TierPricing, costs: dict[int, int]) -> None:
    rate = _rate(pricing)

    assert {seats: rate.cost_micros(seats) / MICROS for seats in costs} == costs
    assert [rate.unit_price_at(seats) for seats in (0, 10, 11)] == [
        Money.of("USD", dollars) for dollars in (10, 10, 8)
    ]
    assert rate.times(3).cost_micros(12) == 3 * rate.cost_micros(12)


def test_graduated_seats_cost_the_price_of_their_own_tier() -> None:
    state, [(_, first)] = billed_through(_monthly(9, GRADUATED), JUNE)
    state, more = received(state, day(6, 16), 3, now=day(6, 16))

    assert (_dollars([first]), _dollars(more)) == ([90.0], [13.0])
    assert first.description == "Team Plan: 9 seats (9 at 10 USD)"
    [line] = more
    assert line.description == "Team Plan: 3 seats added (1 at 10, 2 at 8 USD), 1/2 of the period"
    # The average of the line's seats: 26 / 3.
    assert (line.unit_price, line.exact_micros) == (Money("USD", 8_666_666), 13_000_000)
    assert _dollars([line for _, line in billed_through(state, day(7, 1))[1]]) == [116.0]
    assert subscription_now(state, day(6, 20)).unit_price == Money.of("USD", 8)


def test_a_volume_price_that_falls_is_charged_only_above_what_was_paid() -> None:
    state, [(_, first)] = billed_through(_monthly(10, VOLUME), JUNE)
    state, [cheaper] = received(state, day(6, 16), 1, now=day(6, 16))
    state, [dearer] = received(state, day(6, 16), 2, now=day(6, 16))

    assert _dollars([first, cheaper, dearer]) == [100.0, 0.0, 2.0]
    # Half a month at $100 and half at $88 are $94, $6 less than was paid.
    assert (cheaper.exact_micros, cheaper.carried_micros) == (0, -6_000_000)
    assert cheaper.description == "Team Plan: 1 seat added (all 11 at 8 USD), 1/2 of the period"
    # Then $102 in all.
    assert dearer.exact_micros + dearer.carried_micros == 2_000_000
    assert dearer.description == "Team Plan: 2 seats added (all 13 at 8 USD), 1/2 of the period"
    assert _dollars([line for _, line in billed_through(state, day(7, 1))[1]]) == [104.0]


def test_a_price_by_tiers_is_part_of_the_description() -> None:
    seven_and_a_half = SeatTier(up_to=None, price=Ratio(15 * MICROS, 2 * MICROS))
    rate = TieredSeatRate(
        rate_id="rat_1",
        currency_code="USD",
        pricing=VOLUME,
        tiers=(seven_and_a_half,),
        effective_time=JUNE,
        end_time=None,
    )

    assert rate.described(0, 4) == "all 4 at 7.5 USD"
    assert _rate(GRADUATED, (2, 10), (4, 8), (None, 100)).described(1, 4) == "1 at 10, 2 at 8, 1 at 100 USD"


def test_seats_that_cost_more_than_an_invoice_can_hold_are_refused() -> None:
    rate = _rate(GRADUATED, (1, 1), (None, MONEY_MICROS_MAX // MICROS - 1))

    refuse_unpayable(rate, 2, field="x")
    with pytest.raises(InvalidFields):
        refuse_unpayable(rate, 3, field="x")


RISES = st.lists(st.tuples(st.integers(0, 29), st.integers(1, 5)), min_size=1, max_size=6)


def _charged(
    state: BillingState, moves: list[tuple[int, int]], now: datetime
) -> tuple[BillingState, list[int]]:
    state, first = billed_through(state, JUNE)
    totals = [line.total.micros for _, line in first]
    for at, delta in moves:
        state, lines = received(state, JUNE + timedelta(days=at), delta, now=now)
        totals += [line.total.micros for line in lines]
    return state, totals


@given(RISES, st.randoms(), st.sampled_from(Rounding), st.booleans())
def test_neither_order_nor_splitting_changes_what_graduated_seats_cost(
    rises: list[tuple[int, int]], chance: Random, rounding: Rounding, is_prorated: bool
) -> None:
    now = JUNE + timedelta(days=29)
    split = [(at, 1) for at, delta in rises for _ in range(delta)]
    chance.shuffle(split)
    sums = []
    for moves in (rises, split):
        state, totals = _charged(
            _monthly(8, GRADUATED, rounding=rounding, is_prorated=is_prorated), moves, now
        )
        assert state.billed is not None
        assert sum(totals) == rounded(state.billed.exact_micros, rounding, "USD").micros
        sums.append(sum(totals))

    assert sums[0] == sums[1]
    if is_prorated:
        seats, exact, last = 8, Fraction(0), 0
        for at, delta in [*sorted(rises), (30, 0)]:
            exact += _rate(GRADUATED).cost_micros(seats) * Fraction(at - last, 30)
            seats, last = seats + delta, at
        assert sums[0] == rounded(exact, rounding, "USD").micros


@given(RISES, st.booleans())
def test_volume_seats_never_refund_and_cost_at_least_what_they_come_to(
    rises: list[tuple[int, int]], is_prorated: bool
) -> None:
    state, totals = _charged(_monthly(8, VOLUME, is_prorated=is_prorated), rises, JUNE + timedelta(days=29))

    assert min(totals) >= 0
    assert state.billed is not None
    assert sum(totals) >= rounded(state.billed.exact_micros, Rounding.HALF_UP, "USD").micros
    most = max(_rate(VOLUME).cost_micros(seats) for seats in range(8, 8 + sum(d for _, d in rises) + 1))
    assert sum(totals) <= most
