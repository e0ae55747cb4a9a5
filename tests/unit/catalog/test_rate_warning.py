# SPDX-License-Identifier: Apache-2.0
"""What a card leaves without a price is found when a rate is written."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain import rate_book
from services.catalog.domain.dimension import PricingDimension
from services.catalog.domain.errors import RateOverlaps
from services.catalog.domain.product import ProductId
from services.catalog.domain.rate import (
    BillingFrequency,
    DimensionValues,
    Pricing,
    Rate,
    RateId,
    RateTerms,
    RateType,
)
from services.catalog.domain.rate_book import RateBook, open_book
from services.catalog.domain.rate_warning import RateWarning, RateWarningType, warnings_of
from tests.unit.catalog.builders import (
    ASSISTANT,
    FEBRUARY,
    JANUARY,
    KIND,
    LENGTH,
    MARCH,
    MODEL,
    a_product,
    a_rate,
    some_terms,
)

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
APRIL = MARCH + 31 * DAY
GAP, UNPRICED = RateWarningType.GAP, RateWarningType.UNPRICED_DIMENSION_VALUE
LARGE: DimensionValues = (("model", "large"),)
SMALL: DimensionValues = (("model", "small"),)
INPUT: DimensionValues = (("kind", "input"),)
OUTPUT: DimensionValues = (("kind", "output"),)

Brief = tuple[RateWarningType, DimensionValues, datetime, datetime | None]


def _warned(
    present: Sequence[Rate],
    *asked: RateTerms,
    dimensions: tuple[PricingDimension, ...] = (),
    at: datetime = JANUARY,
) -> list[Brief]:
    """The warnings of adding rates."""
    before = open_book(present)
    new = [(RateId(f"new {n}"), terms) for n, terms in enumerate(asked)]
    return _brief(_between(before, rate_book.add_rates(before, new, at=at), dimensions, at))


def _between(
    before: RateBook, after: RateBook, dimensions: tuple[PricingDimension, ...] = (), at: datetime = JANUARY
) -> tuple[RateWarning, ...]:
    change = rate_book.difference(before, after)
    return warnings_of(after, change, [a_product(dimensions=dimensions)], at=at)


def _brief(warnings: Sequence[RateWarning]) -> list[Brief]:
    return [(one.warning_type, one.dimension_values, one.start_time, one.end_time) for one in warnings]


@pytest.mark.parametrize(
    ("asked", "gaps"),
    [
        ([some_terms(JANUARY)], []),
        ([some_terms(FEBRUARY)], []),  # before its first rate a product is not sold
        ([some_terms(JANUARY, FEBRUARY)], [(FEBRUARY, None)]),
        ([some_terms(JANUARY, FEBRUARY), some_terms(FEBRUARY)], []),
        ([some_terms(JANUARY, FEBRUARY - TICK), some_terms(FEBRUARY)], [(FEBRUARY - TICK, FEBRUARY)]),
        ([some_terms(JANUARY, FEBRUARY), some_terms(MARCH, APRIL)], [(FEBRUARY, MARCH), (APRIL, None)]),
    ],
)
def test_a_line_has_a_gap_between_two_rates_and_after_the_last_one(
    asked: list[RateTerms], gaps: list[tuple[datetime, datetime | None]]
) -> None:
    assert _warned([], *asked) == [(GAP, (), start, stop) for start, stop in gaps]


@pytest.mark.parametrize(("at", "gaps"), [(FEBRUARY - TICK, 1), (FEBRUARY, 0)])
def test_a_gap_that_is_over_is_not_reported(at: datetime, gaps: int) -> None:
    assert len(_warned([a_rate("there", FEBRUARY)], some_terms(JANUARY, JANUARY + DAY), at=at)) == gaps


def test_a_gap_is_reported_of_lines_that_change_and_of_no_others() -> None:
    with_gap = a_rate("other", JANUARY, FEBRUARY, product_id=ProductId("prd_other"))

    assert _warned([with_gap], some_terms(JANUARY)) == []


def test_ending_withdrawing_and_correcting_report_what_has_no_price_then() -> None:
    book = open_book([a_rate("first", JANUARY, FEBRUARY, ended_by="second"), a_rate("second", FEBRUARY)])
    first, second = RateId("first"), RateId("second")

    ended = rate_book.end(book, second, MARCH, at=JANUARY)
    alone = open_book([a_rate("second", FEBRUARY, MARCH)])
    gone = rate_book.withdraw(alone, second, at=JANUARY)
    pricing = Pricing(rate_type=RateType.FLAT, price=some_terms().price)
    corrected = rate_book.correct(ended, RateId("third"), first, pricing, at=JANUARY)

    assert _brief(_between(book, ended)) == [(GAP, (), MARCH, None)]
    assert _brief(_between(book, rate_book.withdraw(book, second, at=JANUARY))) == []
    assert _brief(_between(alone, gone)) == [(GAP, (), FEBRUARY, None)]
    assert _brief(_between(ended, corrected)) == [(GAP, (), MARCH, None)]


def test_a_more_general_rate_closes_the_gap_of_a_special_one() -> None:
    special = some_terms(JANUARY, FEBRUARY, dimension_values=LARGE)

    assert _warned([a_rate("all", JANUARY)], special, dimensions=(MODEL,)) == []
    assert _warned([a_rate("all", JANUARY, MARCH)], special, dimensions=(MODEL,)) == [
        (GAP, LARGE, MARCH, None)
    ]
    more_special = a_rate("more", JANUARY, dimension_values=(*INPUT, *LARGE))
    assert (GAP, LARGE, FEBRUARY, None) in _warned([more_special], special, dimensions=(MODEL, KIND))


@pytest.mark.parametrize(
    ("dimensions", "asked", "unpriced"),
    [
        ((KIND,), [INPUT], [OUTPUT]),
        ((KIND,), [INPUT, OUTPUT], []),
        ((KIND,), [()], []),
        ((LENGTH,), [(("length", "short"),)], [(("length", "long"),)]),
        # Of a dimension without known values, known are those that rates name.
        ((MODEL,), [LARGE], []),
        ((MODEL, KIND), [LARGE], []),
        ((MODEL, KIND), [(*INPUT, *LARGE), (*OUTPUT, *SMALL)], [(*OUTPUT, *LARGE), (*INPUT, *SMALL)]),
        ((MODEL, KIND), [LARGE, (*INPUT, *SMALL)], [(*OUTPUT, *SMALL)]),
        ((MODEL, KIND), [LARGE, INPUT, (*OUTPUT, *SMALL)], []),
    ],
)
def test_a_combination_of_known_values_that_no_rate_prices_is_reported(
    dimensions: tuple[PricingDimension, ...],
    asked: list[DimensionValues],
    unpriced: list[DimensionValues],
) -> None:
    terms = [some_terms(JANUARY, dimension_values=values) for values in asked]

    assert _warned([], *terms, dimensions=dimensions) == [
        (UNPRICED, values, JANUARY, None) for values in unpriced
    ]


def test_only_the_part_of_the_written_span_that_has_no_price_is_reported() -> None:
    output = a_rate("there", FEBRUARY, MARCH, dimension_values=OUTPUT)
    written = some_terms(JANUARY, APRIL, dimension_values=INPUT)

    assert _warned([output], written, dimensions=(KIND,)) == [
        (GAP, INPUT, APRIL, None),
        (UNPRICED, OUTPUT, JANUARY, FEBRUARY),
        (UNPRICED, OUTPUT, MARCH, APRIL),
    ]


def test_a_gap_is_not_reported_once_more_for_its_combinations() -> None:
    both = [a_rate("in", dimension_values=INPUT), a_rate("out", dimension_values=OUTPUT)]
    book = open_book(both)

    ended = rate_book.end(book, RateId("in"), MARCH, at=JANUARY)

    assert _brief(_between(book, ended, (KIND,))) == [(GAP, INPUT, MARCH, None)]


def test_values_that_only_withdrawn_rates_name_are_not_known() -> None:
    withdrawn = replace(a_rate("gone", dimension_values=SMALL), withdraw_time=JANUARY)

    assert _warned([withdrawn], some_terms(dimension_values=LARGE), dimensions=(MODEL,)) == []


@pytest.mark.parametrize(("values", "warnings"), [(100, 99), (101, 100), (102, 100)])
def test_a_hundred_warnings_are_the_most(values: int, warnings: int) -> None:
    many = PricingDimension(key="model", property="model", values=tuple(str(n) for n in range(values)))
    priced = some_terms(dimension_values=(("model", "0"),))

    assert len(_warned([], priced, dimensions=(many,))) == warnings


def test_no_more_than_so_many_combinations_are_examined() -> None:
    keys = ("a", "b", "c", "d", "e")
    many = tuple(
        PricingDimension(key=key, property=key, values=tuple(str(n) for n in range(200))) for key in keys
    )
    # All 200^4 combinations below each value of "a" would have to be examined to find none without a price.
    priced = [some_terms(dimension_values=(("e", str(n)),)) for n in range(200)]

    assert _warned([], *priced, dimensions=many) == []


@pytest.mark.parametrize(
    ("frequency", "sentence"),
    [
        (
            None,
            "no rate of the card prices product 'prd_assistant', model=large from 2025-02-01T00:00:00+00:00 on;"
            " add a rate for this time, or usage in it is refused",
        ),
        (
            BillingFrequency.MONTHLY,
            "no rate of the card prices MONTHLY seats of product 'prd_assistant' from 2025-02-01T00:00:00+00:00 to"
            " 2025-03-01T00:00:00+00:00; add a rate for this time, or billing periods that begin in it wait for one",
        ),
    ],
)
def test_a_warning_says_what_is_missing_and_what_to_do(
    frequency: BillingFrequency | None, sentence: str
) -> None:
    values = LARGE if frequency is None else ()
    asked = [some_terms(JANUARY, FEBRUARY, frequency=frequency, dimension_values=values)]
    if frequency is not None:
        asked.append(some_terms(MARCH, frequency=frequency))
    before = open_book([])
    after = rate_book.add_rates(
        before, [(RateId(str(n)), terms) for n, terms in enumerate(asked)], at=JANUARY
    )

    (warning,) = _between(before, after)

    assert (warning.product_id, warning.billing_frequency) == (ASSISTANT, frequency)
    assert warning.description == sentence


some_values = st.sampled_from([(), LARGE, SMALL, INPUT, OUTPUT, (*INPUT, *LARGE), (*OUTPUT, *SMALL)])
some_span = st.tuples(st.integers(0, 8), st.one_of(st.none(), st.integers(1, 4)))


@given(st.lists(st.tuples(some_values, some_span), min_size=1, max_size=8))
def test_an_instant_has_a_price_or_a_warning_as_counted_day_by_day(
    tries: list[tuple[DimensionValues, tuple[int, int | None]]],
) -> None:
    before = book = open_book([])
    for n, (values, (start, length)) in enumerate(tries):
        stop = None if length is None else JANUARY + (start + length) * DAY
        terms = some_terms(JANUARY + start * DAY, stop, dimension_values=values)
        try:
            book = rate_book.add_rates(book, [(RateId(str(n)), terms)], at=JANUARY)
        except RateOverlaps:
            continue
    warnings = _between(before, book, (MODEL, KIND))

    rates = [rate for line in book.lines.values() for rate in line]
    models = {value for rate in rates for key, value in rate.dimension_values if key == "model"}
    for day in range(15):
        at = JANUARY + day * DAY
        written = any(rate.effective_time <= at and rate.reaches_past(at) for rate in rates)
        for model in sorted(models) or [None]:
            for kind in ("input", "output"):
                usage = {("kind", kind)} | ({("model", model)} if model else set())
                is_priced = any(
                    rate.effective_time <= at
                    and rate.reaches_past(at)
                    and usage >= set(rate.dimension_values)
                    for rate in rates
                )
                warned = [
                    one.warning_type
                    for one in warnings
                    if one.start_time <= at
                    and (one.end_time is None or at < one.end_time)
                    and usage >= set(one.dimension_values)
                ]
                if is_priced:  # a gap of a general line may be closed by a more special one
                    assert UNPRICED not in warned
                elif written:
                    assert warned
