# SPDX-License-Identifier: Apache-2.0
"""Which rate applies to usage: by time, by dimensions, and after corrections."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import Quantity, Ratio
from services.ledger.domain.rating.price import FlatPrice, PackagePrice, Price
from services.ledger.domain.rating.rate import Rate, price_list, rate_for
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from tests.unit.ledger.builders import AI, ASSISTANT, AUGUST, JULY, JUNE, PROPERTY, TICK, when

FLAT = FlatPrice(Ratio(1, 1))
TIERS = GraduatedPrice((Tier(Quantity.of(1_000), Ratio(2, 1)), Tier(None, Ratio(1, 1))))
PACKAGE = PackagePrice(Ratio(1, 1))
MID_JULY = when("07-15")
IN_JULY = Period(JULY, AUGUST)
KEYS = ("model", "token_kind", "region")


def a_rate(
    rate_id: str = "rat_1",
    *,
    price: Price = FLAT,
    start: datetime = JUNE,
    end: datetime | None = None,
    corrects: str | None = None,
    created: datetime | None = None,
    is_withdrawn: bool = False,
    **dimension_values: str,
) -> Rate:
    return Rate(
        rate_id=rate_id,
        product_id=ASSISTANT,
        credit_type_id=AI,
        price=price,
        effective_time=start,
        end_time=end,
        dimension_values=dimension_values,
        corrects_rate_id=corrects,
        create_time=created,
        is_withdrawn=is_withdrawn,
    )


def chosen(
    rates: Iterable[Rate],
    at: datetime = MID_JULY,
    *,
    values: Mapping[str, str] | None = None,
    period: Period = IN_JULY,
    keeps: bool = False,
) -> str | None:
    rate = rate_for(price_list(rates, KEYS), values or {}, at=at, period=period, keeps=keeps)
    return None if rate is None else rate.rate_id


@pytest.mark.parametrize(
    ("at", "rate_id"),
    [
        (when("07-09 23:59:59.999999"), None),
        (when("07-10"), "rat_1"),
        (when("07-19 23:59:59.999999"), "rat_1"),
        (when("07-20"), "rat_2"),
        (when("07-24 23:59:59.999999"), "rat_2"),
        (when("07-25"), None),
    ],
)
def test_a_flat_rate_on_a_sum_applies_by_the_time_of_the_usage(at: datetime, rate_id: str | None) -> None:
    rates = [
        a_rate("rat_2", start=when("07-20"), end=when("07-25")),
        a_rate("rat_1", start=when("07-10"), end=when("07-20")),
    ]

    assert chosen(rates, at) == rate_id


@pytest.mark.parametrize(("price", "keeps"), [(TIERS, False), (PACKAGE, False), (FLAT, True), (TIERS, True)])
@pytest.mark.parametrize(
    ("changed", "at", "rate_id"),
    [
        # The first rate ends within July, and still prices the rest of July.
        (when("07-10"), when("07-09 23:59:59.999999"), "rat_1"),
        (when("07-10"), when("07-10"), "rat_1"),
        (when("07-10"), AUGUST - TICK, "rat_1"),
        (JULY + TICK, when("07-15"), "rat_1"),
        # It ends as July begins.
        (JULY, JULY, "rat_2"),
        (JULY, when("07-15"), "rat_2"),
    ],
)
def test_a_kept_rate_is_the_one_in_force_when_the_usage_period_begins(
    price: Price, keeps: bool, changed: datetime, at: datetime, rate_id: str
) -> None:
    rates = [a_rate("rat_1", price=price, end=changed), a_rate("rat_2", price=price, start=changed)]

    assert chosen(rates, at, keeps=keeps) == rate_id


def test_the_next_usage_period_keeps_the_next_rate() -> None:
    rates = [
        a_rate("rat_1", price=TIERS, end=when("07-10")),
        a_rate("rat_2", price=TIERS, start=when("07-10")),
    ]

    assert chosen(rates, AUGUST, period=Period(AUGUST, when("09-01"))) == "rat_2"


@pytest.mark.parametrize(
    ("at", "rate_id"),
    [
        (when("07-09 23:59:59.999999"), None),
        (when("07-10"), "rat_1"),
        (when("07-20"), "rat_1"),
        (when("07-30"), "rat_1"),
    ],
)
def test_without_a_rate_at_its_start_a_period_keeps_the_first_rate_in_it(
    at: datetime, rate_id: str | None
) -> None:
    rates = [
        a_rate("rat_0", price=TIERS, end=when("06-10")),
        a_rate("rat_1", price=TIERS, start=when("07-10"), end=when("07-20")),
        a_rate("rat_2", price=TIERS, start=when("07-25")),
    ]

    assert chosen(rates, at) == rate_id


@pytest.mark.parametrize(
    ("at", "rate_id"),
    [
        (when("07-04"), "rat_flat"),
        (when("07-10"), "rat_tiers"),
        (when("07-20"), "rat_tiers"),
        (when("07-30"), "rat_tiers"),
    ],
)
def test_tiers_that_follow_a_flat_rate_within_a_period_are_kept_for_its_rest(
    at: datetime, rate_id: str
) -> None:
    rates = [
        a_rate("rat_flat", end=when("07-10")),
        a_rate("rat_tiers", price=TIERS, start=when("07-10"), end=when("07-20")),
        a_rate("rat_flat_again", start=when("07-20")),
    ]

    assert chosen(rates, at) == rate_id


def test_a_withdrawn_rate_prices_nothing() -> None:
    assert chosen([a_rate("rat_1", is_withdrawn=True)]) is None
    assert chosen([a_rate("rat_1", is_withdrawn=True), a_rate("rat_2")]) == "rat_2"


@pytest.mark.parametrize("price", [FLAT, TIERS])
def test_of_a_rate_and_its_corrections_the_latest_created_one_applies(price: Price) -> None:
    root = a_rate("rat_9", price=price, created=JUNE)
    earlier = a_rate("rat_3", price=price, corrects="rat_9", created=when("07-02"))
    latest = a_rate("rat_2", price=price, corrects="rat_9", created=when("07-03"))
    withdrawn = a_rate("rat_4", corrects="rat_9", created=when("07-04"), is_withdrawn=True)

    assert chosen([latest, root]) == chosen([root, latest, earlier, withdrawn]) == "rat_2"
    assert chosen([earlier, root]) == "rat_3"
    assert chosen([root, withdrawn]) == "rat_9"


def test_a_rate_without_a_create_time_is_older_than_its_corrections() -> None:
    assert chosen([a_rate("rat_9"), a_rate("rat_1", corrects="rat_9", created=JUNE)]) == "rat_1"


def test_of_corrections_created_at_one_instant_the_greater_id_applies() -> None:
    same = [a_rate(f"rat_{n}", corrects="rat_9", created=JUNE) for n in (1, 2)]

    assert chosen([a_rate("rat_9", created=JUNE), *same]) == "rat_2"
    assert chosen([*reversed(same), a_rate("rat_9", created=JUNE)]) == "rat_2"


def test_a_correction_has_the_meter_of_the_rate_that_it_corrects() -> None:
    assert a_rate("rat_1").root_id == "rat_1"
    assert a_rate("rat_2", corrects="rat_1").root_id == "rat_1"


LARGE_INPUT = {"model": "large", "token_kind": "input"}


@pytest.mark.parametrize(
    ("values", "rate_id"),
    [
        (LARGE_INPUT, "rat_both"),
        (LARGE_INPUT | {"region": "eu"}, "rat_both"),
        ({"model": "large", "token_kind": "output"}, "rat_model"),
        ({"model": "large"}, "rat_model"),
        ({"model": "small", "token_kind": "input"}, "rat_kind"),
        ({"token_kind": "input"}, "rat_kind"),
        ({"model": "small", "token_kind": "output"}, "rat_any"),
        ({}, "rat_any"),
        # Both name one dimension; the model is the first dimension of the product.
        ({"model": "medium", "token_kind": "input"}, "rat_medium"),
    ],
)
def test_the_rate_that_names_most_dimensions_applies(values: Mapping[str, str], rate_id: str) -> None:
    rates = [
        a_rate("rat_any"),
        a_rate("rat_kind", token_kind="input"),
        a_rate("rat_medium", model="medium"),
        a_rate("rat_model", model="large"),
        a_rate("rat_both", token_kind="input", model="large"),
    ]

    assert chosen(rates, values=values) == rate_id
    assert chosen(reversed(rates), values=values) == rate_id


def test_of_equally_specific_rates_the_one_with_the_more_important_dimension_applies() -> None:
    first_and_last = a_rate("rat_1", model="large", region="eu")
    last_two = a_rate("rat_2", token_kind="input", region="eu")
    values = LARGE_INPUT | {"region": "eu"}

    assert chosen([last_two, first_and_last], values=values) == "rat_1"
    other_order = price_list([last_two, first_and_last], ("token_kind", "region", "model"))
    rate = rate_for(other_order, values, at=JULY, period=IN_JULY, keeps=False)
    assert rate is not None
    assert rate.rate_id == "rat_2"


def test_a_dimension_value_without_a_rate_has_none() -> None:
    rates = [a_rate("rat_1", model="large"), a_rate("rat_2", model="small", token_kind="input")]

    assert chosen(rates, values={"model": "medium"}) is None
    assert chosen(rates, values={"model": "small"}) is None
    assert chosen(rates, values={}) is None


def test_a_rate_with_a_dimension_that_the_product_does_not_have_never_applies() -> None:
    rates = [a_rate("rat_1", vendor="x")]

    assert chosen(rates, values={"vendor": "x"}) is None


@pytest.mark.parametrize(
    ("at", "rate_id"), [(when("07-09 23:59:59.999999"), "rat_any"), (when("07-10"), "rat_model")]
)
def test_a_specific_rate_that_is_not_yet_in_force_leaves_the_general_one(at: datetime, rate_id: str) -> None:
    rates = [a_rate("rat_any"), a_rate("rat_model", model="large", start=when("07-10"))]

    assert chosen(rates, at, values=LARGE_INPUT) == rate_id


DAYS = st.integers(0, 70).map(lambda days: JUNE + timedelta(days=days))


@st.composite
def lines(draw: st.DrawFn) -> list[Rate]:
    """Draw rates without overlaps in each line, with corrections and withdrawn rates among them."""
    rates: list[Rate] = []
    for values in draw(st.lists(st.sampled_from([{}, {"model": "large"}, LARGE_INPUT]), unique_by=str)):
        times = sorted(draw(st.sets(DAYS, min_size=1, max_size=4)))
        for start, end in zip(times, [*times[1:], None], strict=True):
            root = f"rat_{len(rates)}"
            for corrects in (None, *(root for _ in range(draw(st.integers(0, 2))))):
                rates.append(
                    a_rate(
                        f"rat_{len(rates)}",
                        price=draw(st.sampled_from([FLAT, TIERS, PACKAGE])),
                        start=start,
                        end=end,
                        corrects=corrects,
                        created=draw(DAYS),
                        is_withdrawn=draw(st.booleans()),
                        **values,
                    )
                )
    return rates


def plainly_chosen(rates: list[Rate], at: datetime, values: Mapping[str, str], keeps: bool) -> str | None:
    """Choose a rate in the plainest way, line by line."""
    living = [rate for rate in rates if not rate.is_withdrawn]
    winners = [
        max(
            (rate for rate in living if rate.root_id == root),
            key=lambda rate: (rate.create_time, rate.corrects_rate_id is not None, rate.rate_id),
        )
        for root in {rate.root_id for rate in living}
    ]
    for keys in (("model", "token_kind"), ("model",), ()):
        named = {key: values.get(key) for key in keys}
        line = [rate for rate in winners if dict(rate.dimension_values) == named]
        seen = [
            rate
            for rate in sorted(line, key=lambda rate: rate.effective_time)
            if rate.effective_time <= at and (rate.end_time is None or rate.end_time > JULY)
        ]
        kept = [rate for rate in seen if keeps or rate.price != FLAT]
        found = kept or [rate for rate in seen if rate.end_time is None or at < rate.end_time]
        if found:
            return found[0].rate_id
    return None


@PROPERTY
@given(
    lines(),
    st.integers(0, 30).map(lambda days: JULY + timedelta(days=days)),
    st.sampled_from([{}, {"model": "large"}, {"model": "small"}, LARGE_INPUT]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_choice_depends_on_the_rates_and_not_on_their_order(
    rates: list[Rate], at: datetime, values: Mapping[str, str], keeps: bool, dice: object
) -> None:
    expected = plainly_chosen(rates, at, values, keeps)
    dice.shuffle(rates)  # type: ignore[attr-defined]

    assert chosen(rates, at, values=values, keeps=keeps) == expected
