# SPDX-License-Identifier: Apache-2.0
"""One line of prices: which neighbours a rate may have, to the microsecond."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from meshkit.quantity import MICROS, Ratio
from services.catalog.domain.credit_type import USD, CreditTypeId
from services.catalog.domain.errors import (
    DimensionUnknown,
    DimensionValueUnknown,
    RateDoesNotSuitProduct,
    RateOverlaps,
)
from services.catalog.domain.product import ProductType
from services.catalog.domain.rate import (
    BillingFrequency,
    DimensionValues,
    Rate,
    RateTier,
    RateType,
    check_suits,
    check_type_suits,
)
from services.catalog.domain.rate_line import insert_into_line
from tests.unit.catalog.builders import (
    AI_CREDITS,
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


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        # The rate there is in force in February. Before it:
        (JANUARY, FEBRUARY - TICK, True),
        (JANUARY, FEBRUARY, True),
        (JANUARY, FEBRUARY + TICK, False),
        (JANUARY, None, False),
        # Within and around it:
        (FEBRUARY, MARCH, False),
        (FEBRUARY + TICK, MARCH - TICK, False),
        (FEBRUARY, FEBRUARY + TICK, False),
        (MARCH - TICK, MARCH, False),
        (JANUARY, MARCH + DAY, False),
        # After it:
        (MARCH - TICK, None, False),
        (MARCH, None, True),
        (MARCH, MARCH + TICK, True),
        (MARCH + TICK, None, True),
    ],
)
def test_a_rate_may_touch_its_neighbour_and_not_overlap_it(
    start: datetime, end: datetime | None, fits: bool
) -> None:
    there, new = a_rate("there", FEBRUARY, MARCH), a_rate("new", start, end)

    if fits:
        line = insert_into_line([there], new, end_previous=False)
        assert line == sorted([there, new], key=lambda rate: rate.effective_time)
    else:
        with pytest.raises(RateOverlaps) as refusal:
            insert_into_line([there], new, end_previous=False)
        assert refusal.value.metadata["other_effective_time"] == FEBRUARY.isoformat()


@pytest.mark.parametrize(
    ("start", "end", "ends_previous"),
    [
        # The rate there is in force from February on, without end.
        (JANUARY, FEBRUARY, False),
        (FEBRUARY - TICK, FEBRUARY, False),
        (FEBRUARY + TICK, None, True),
        (FEBRUARY + TICK, MARCH, True),
        (MARCH, None, True),
    ],
)
def test_end_previous_ends_an_open_ended_rate_that_began_earlier(
    start: datetime, end: datetime | None, ends_previous: bool
) -> None:
    there, new = a_rate("there", FEBRUARY), a_rate("new", start, end)

    line = insert_into_line([there], new, end_previous=True)

    ended = a_rate("there", FEBRUARY, start, ended_by="new")
    assert line == ([ended, new] if ends_previous else [new, there])


@pytest.mark.parametrize(
    ("there", "start", "end"),
    [
        (a_rate("same start", FEBRUARY), FEBRUARY, None),
        (a_rate("begins later", FEBRUARY), FEBRUARY - TICK, None),
        (a_rate("begins later", FEBRUARY), FEBRUARY - TICK, FEBRUARY + TICK),
        (a_rate("has an end", FEBRUARY, MARCH), MARCH - TICK, None),
    ],
)
def test_end_previous_is_no_leave_to_overlap(there: Rate, start: datetime, end: datetime | None) -> None:
    with pytest.raises(RateOverlaps):
        insert_into_line([there], a_rate("new", start, end), end_previous=True)


def test_an_open_ended_rate_is_refused_as_overlap_without_end_previous() -> None:
    with pytest.raises(RateOverlaps, match="set end_previous"):
        insert_into_line([a_rate("there", JANUARY)], a_rate("new", FEBRUARY), end_previous=False)


def test_a_rate_fits_exactly_between_two_others() -> None:
    line = [a_rate("first", JANUARY, FEBRUARY), a_rate("last", MARCH)]

    filled = insert_into_line(line, a_rate("gap", FEBRUARY, MARCH), end_previous=False)

    assert [rate.rate_id for rate in filled] == ["first", "gap", "last"]


span = st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(1, 8)))


@given(st.lists(st.tuples(span, st.booleans()), max_size=12))
def test_whatever_is_tried_one_rate_at_most_is_in_force_at_an_instant(
    tries: list[tuple[tuple[int, int | None], bool]],
) -> None:
    line: list[Rate] = []
    for n, ((start, length), end_previous) in enumerate(tries):
        end = None if length is None else JANUARY + (start + length) * DAY
        before = list(line)
        try:
            line = insert_into_line(
                line, a_rate(str(n), JANUARY + start * DAY, end), end_previous=end_previous
            )
        except RateOverlaps:
            assert line == before

    for day in range(40):
        at = JANUARY + day * DAY
        assert sum(rate.effective_time <= at and rate.reaches_past(at) for rate in line) <= 1


@pytest.mark.parametrize(
    ("product_type", "frequency", "credit_type_id", "suits"),
    [
        (ProductType.SUBSCRIPTION, BillingFrequency.MONTHLY, USD, True),
        (ProductType.SUBSCRIPTION, BillingFrequency.ANNUAL, USD, True),
        (ProductType.SUBSCRIPTION, None, USD, False),
        (ProductType.SUBSCRIPTION, BillingFrequency.ANNUAL, AI_CREDITS, False),
        (ProductType.USAGE, None, USD, True),
        (ProductType.USAGE, None, AI_CREDITS, True),
        (ProductType.USAGE, BillingFrequency.MONTHLY, USD, False),
        (ProductType.FIXED, None, USD, False),
        (ProductType.FIXED, BillingFrequency.MONTHLY, USD, False),
    ],
)
def test_seats_are_priced_in_usd_per_frequency_and_usage_in_anything_without(
    product_type: ProductType, frequency: BillingFrequency | None, credit_type_id: CreditTypeId, suits: bool
) -> None:
    terms = some_terms(frequency=frequency, credit_type_id=credit_type_id)

    if suits:
        check_suits(terms, a_product(product_type))
    else:
        with pytest.raises(RateDoesNotSuitProduct):
            check_suits(terms, a_product(product_type))


@pytest.mark.parametrize(
    ("rate_type", "of_usage", "of_seats"),
    [
        (RateType.FLAT, True, True),
        (RateType.GRADUATED, True, True),
        (RateType.PACKAGE, True, False),
        (RateType.VOLUME, False, True),
    ],
)
def test_usage_has_no_volumes_and_seats_have_no_packages(
    rate_type: RateType, *, of_usage: bool, of_seats: bool
) -> None:
    usage = some_terms(rate_type=rate_type), a_product()
    seats = (
        some_terms(frequency=BillingFrequency.ANNUAL, rate_type=rate_type),
        a_product(ProductType.SUBSCRIPTION),
    )

    for (terms, product), suits in ((usage, of_usage), (seats, of_seats)):
        if suits:
            check_suits(terms, product)
        else:
            with pytest.raises(RateDoesNotSuitProduct):
                check_suits(terms, product)


@pytest.mark.parametrize(("end", "suits"), [(10 * MICROS, True), (10 * MICROS + 1, False)])
def test_tiers_of_seats_end_at_whole_seats(end: int, *, suits: bool) -> None:
    price = Ratio(1, 1)
    tiers = (RateTier(up_to_micros=end, price=price), RateTier(up_to_micros=None, price=price))

    check_type_suits(RateType.GRADUATED, tiers, a_product())
    if suits:
        check_type_suits(RateType.GRADUATED, tiers, a_product(ProductType.SUBSCRIPTION))
    else:
        with pytest.raises(RateDoesNotSuitProduct):
            check_type_suits(RateType.GRADUATED, tiers, a_product(ProductType.SUBSCRIPTION))


def test_seats_have_no_dimensions() -> None:
    terms = some_terms(frequency=BillingFrequency.ANNUAL, dimension_values=(("model", "large"),))

    with pytest.raises(RateDoesNotSuitProduct):
        check_suits(terms, a_product(ProductType.SUBSCRIPTION))


@pytest.mark.parametrize(
    ("dimension_values", "fault"),
    [
        ((), None),
        ((("model", "anything"),), None),
        ((("kind", "output"), ("length", "short"), ("model", "large")), None),
        ((("colour", "red"),), DimensionUnknown),
        ((("prompt_tokens", "short"),), DimensionUnknown),
        ((("kind", "cached"),), DimensionValueUnknown),
        ((("length", "200000"),), DimensionValueUnknown),
    ],
)
def test_a_rate_names_dimensions_of_its_product_and_values_that_are_known(
    dimension_values: DimensionValues, fault: type[MeshError] | None
) -> None:
    product = a_product(dimensions=(MODEL, KIND, LENGTH))
    terms = some_terms(dimension_values=dimension_values)

    if fault is None:
        check_suits(terms, product)
    else:
        with pytest.raises(fault):
            check_suits(terms, product)
