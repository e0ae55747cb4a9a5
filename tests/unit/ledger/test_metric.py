# SPDX-License-Identifier: Apache-2.0
"""Which events a metric counts, what they report, what they add to a meter, and by which dimensions they are priced."""

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Quantity
from services.ledger.domain.rating.dimensions import Band, Dimension, dimension_values
from services.ledger.domain.rating.metric import (
    NOTHING_SEEN,
    ONE,
    QUANTITY_MAX,
    Aggregation,
    Metric,
    PropertyFilter,
    Seen,
    UniqueValue,
    increment,
    matches,
    measure,
)
from services.ledger.domain.rating.properties import ProblemReason, PropertyProblem, micros_of
from tests.unit.ledger.builders import PROPERTY

MISSING = ProblemReason.PROPERTY_MISSING
NOT_A_NUMBER = ProblemReason.PROPERTY_NOT_A_NUMBER


def a_metric(
    aggregation: Aggregation = Aggregation.SUM, *, filters: tuple[PropertyFilter, ...] = ()
) -> Metric:
    return Metric(
        event_type="ai_call",
        aggregation=aggregation,
        property=None if aggregation is Aggregation.COUNT else "tokens",
        filters=filters,
        group_keys=("user_id",),
    )


def exists(name: str) -> PropertyFilter:
    return PropertyFilter(property=name, values=(), is_negated=False)


def one_of(name: str, *values: str) -> PropertyFilter:
    return PropertyFilter(property=name, values=values, is_negated=False)


def none_of(name: str, *values: str) -> PropertyFilter:
    return PropertyFilter(property=name, values=values, is_negated=True)


@pytest.mark.parametrize(
    ("filters", "properties", "counts"),
    [
        ((), {}, True),
        ((exists("model"),), {"model": ""}, True),
        ((exists("model"),), {}, False),
        ((one_of("model", "large", "small"),), {"model": "small"}, True),
        ((one_of("model", "large", "small"),), {"model": "tiny"}, False),
        ((one_of("model", "large", "small"),), {}, False),
        ((none_of("region", "test"),), {"region": "eu"}, True),
        ((none_of("region", "test"),), {"region": "test"}, False),
        ((none_of("region", "test"),), {}, False),
        ((exists("model"), none_of("region", "test")), {"model": "x", "region": "eu"}, True),
        ((exists("model"), none_of("region", "test")), {"model": "x", "region": "test"}, False),
        ((exists("model"), none_of("region", "test")), {"region": "eu"}, False),
    ],
)
def test_an_event_counts_if_all_filters_accept_it(
    filters: tuple[PropertyFilter, ...], properties: Mapping[str, str], counts: bool
) -> None:
    assert matches(a_metric(filters=filters), "ai_call", properties) is counts


def test_an_event_of_another_type_does_not_count() -> None:
    assert not matches(a_metric(), "ai_calls", {})


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("7", 7_000_000),
        ("+7", 7_000_000),
        ("007", 7_000_000),
        ("1.5", 1_500_000),
        ("0.000001", 1),
        ("0.0000010", 1),
        ("0.0000001", 1),
        ("0.0000011", 2),
        ("0.30000000000000004", 300_001),
        ("-1.5", -1_500_000),
        ("-0.0000019", -1),
        ("-0.0000001", 0),
        ("9" * 40, int("9" * 40) * 1_000_000),
    ],
)
def test_a_number_is_read_in_micros_and_more_than_six_decimals_are_rounded_up(text: str, micros: int) -> None:
    assert micros_of({"tokens": text}, "tokens") == micros


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "x", "1e3", "1E3", "NaN", "Infinity", "-inf", "1,5", "1_000", "0x10", ".5", "5.", "--5"),
        *("+", "1.2.3", " 5", "5 ", "5\n", "٣", "9" * 41, "0." + "1" * 39),
    ],
)
def test_a_property_that_is_not_a_number_is_named(text: str) -> None:
    with pytest.raises(PropertyProblem) as problem:
        measure(a_metric(), {"tokens": text})

    assert (problem.value.problem, problem.value.property_name) == (NOT_A_NUMBER, "tokens")


@pytest.mark.parametrize("aggregation", [Aggregation.SUM, Aggregation.MAX, Aggregation.UNIQUE])
def test_a_missing_property_is_named(aggregation: Aggregation) -> None:
    with pytest.raises(PropertyProblem) as problem:
        measure(a_metric(aggregation), {"token": "5"})

    assert (problem.value.problem, problem.value.property_name) == (MISSING, "tokens")


@pytest.mark.parametrize("aggregation", [Aggregation.SUM, Aggregation.MAX])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-1", ProblemReason.QUANTITY_NEGATIVE),
        ("-0.000001", ProblemReason.QUANTITY_NEGATIVE),
        ("1000000000000.000001", ProblemReason.QUANTITY_TOO_LARGE),
        ("1000000000000.0000001", ProblemReason.QUANTITY_TOO_LARGE),
        ("9" * 40, ProblemReason.QUANTITY_TOO_LARGE),
    ],
)
def test_a_quantity_below_zero_or_above_a_trillion_units_is_named(
    aggregation: Aggregation, text: str, reason: ProblemReason
) -> None:
    with pytest.raises(PropertyProblem) as problem:
        measure(a_metric(aggregation), {"tokens": text})

    assert (problem.value.problem, problem.value.property_name) == (reason, "tokens")


@pytest.mark.parametrize("text", ["0", "-0", "-0.0000009", "1000000000000"])
def test_zero_and_a_trillion_units_are_measured(text: str) -> None:
    assert Quantity(0) <= measure(a_metric(), {"tokens": text}) <= QUANTITY_MAX  # type: ignore[operator]


@pytest.mark.parametrize(
    ("aggregation", "measured"),
    [
        (Aggregation.COUNT, Quantity.of(1)),
        (Aggregation.SUM, Quantity.of("2.5")),
        (Aggregation.MAX, Quantity.of("2.5")),
        (Aggregation.UNIQUE, "2.5"),
    ],
)
def test_each_aggregation_measures_what_it_needs(aggregation: Aggregation, measured: object) -> None:
    assert measure(a_metric(aggregation), {"tokens": "2.5"}) == measured


def test_a_count_ignores_the_properties() -> None:
    assert measure(a_metric(Aggregation.COUNT), {"tokens": "not a number"}) == ONE


def test_the_property_must_suit_the_aggregation() -> None:
    for aggregation, name in ((Aggregation.COUNT, "tokens"), (Aggregation.MAX, None)):
        with pytest.raises(ValueError, match=aggregation.name):
            Metric(event_type="e", aggregation=aggregation, property=name, filters=(), group_keys=())


def test_a_maximum_of_10_and_then_15_adds_10_and_5() -> None:
    ten, fifteen = Quantity.of(10), Quantity.of(15)

    assert increment(Aggregation.MAX, ten, NOTHING_SEEN) == Quantity.of(10)
    assert increment(Aggregation.MAX, fifteen, Seen(largest=ten)) == Quantity.of(5)
    # The 10 is voided: the largest of the others is still 15, so nothing comes back.
    assert increment(Aggregation.MAX, ten, Seen(largest=fifteen)) == Quantity.of(0)


def test_a_unique_value_adds_one_unit_when_it_is_new() -> None:
    ann, bob = UniqueValue("ann"), UniqueValue("bob")

    assert increment(Aggregation.UNIQUE, ann, Seen(values={bob})) == ONE
    assert increment(Aggregation.UNIQUE, ann, Seen(values={ann, bob})) == Quantity(0)


def _meter(aggregation: Aggregation, texts: tuple[str, ...]) -> Quantity:
    meter, seen = Quantity(0), NOTHING_SEEN
    for text in texts:
        measured = measure(a_metric(aggregation), {"tokens": text})
        meter += increment(aggregation, measured, seen)
        if isinstance(measured, Quantity):
            seen = Seen(largest=max(seen.largest, measured), values=seen.values)
        else:
            seen = Seen(largest=seen.largest, values={*seen.values, measured})
    return meter


@PROPERTY
@given(st.sampled_from(Aggregation), st.lists(st.integers(0, 5).map(str), max_size=5))
def test_events_in_any_order_give_the_same_meter(aggregation: Aggregation, texts: list[str]) -> None:
    numbers = [int(text) for text in texts]
    units = {
        Aggregation.COUNT: len(numbers),
        Aggregation.SUM: sum(numbers),
        Aggregation.MAX: max(numbers, default=0),
        Aggregation.UNIQUE: len(set(numbers)),
    }[aggregation]

    assert {_meter(aggregation, order) for order in permutations(texts)} == {Quantity.of(units)}


def test_only_maxima_and_unique_counts_keep_rates() -> None:
    assert [one.name for one in Aggregation if one.keeps_rates] == ["MAX", "UNIQUE"]


MODEL = Dimension(key="model", property="ai_model", bands=())
CONTEXT = Dimension(
    key="context",
    property="prompt_tokens",
    bands=(Band("short", Quantity.of(200_000)), Band("long", None)),
)


@pytest.mark.parametrize(
    ("prompt_tokens", "context"),
    [
        ("-1", "short"),
        ("0", "short"),
        ("199999.999999", "short"),
        ("200000", "short"),
        ("200000.0000001", "long"),
        ("200001", "long"),
        ("9" * 40, "long"),
    ],
)
def test_the_value_of_a_banded_dimension_is_the_first_band_that_contains_the_number(
    prompt_tokens: str, context: str
) -> None:
    values = dimension_values([MODEL, CONTEXT], {"ai_model": "large", "prompt_tokens": prompt_tokens})

    assert list(values.items()) == [("model", "large"), ("context", context)]


def test_a_dimension_whose_property_is_missing_is_left_out() -> None:
    assert dimension_values([MODEL], {"model": "large"}) == {}


@pytest.mark.parametrize(("properties", "reason"), [({}, MISSING), ({"prompt_tokens": "many"}, NOT_A_NUMBER)])
def test_a_band_of_a_missing_or_non_numeric_property_is_named(
    properties: Mapping[str, str], reason: ProblemReason
) -> None:
    with pytest.raises(PropertyProblem) as problem:
        dimension_values([MODEL, CONTEXT], properties)

    assert (problem.value.problem, problem.value.property_name) == (reason, "prompt_tokens")


@pytest.mark.parametrize(
    "bands",
    [
        (Band("short", Quantity(5)),),
        (Band("short", None), Band("long", None)),
        (Band("short", Quantity(5)), Band("middle", Quantity(5)), Band("long", None)),
    ],
)
def test_bands_that_do_not_ascend_to_an_endless_one_are_refused(bands: tuple[Band, ...]) -> None:
    with pytest.raises(ValueError, match="'context' must ascend"):
        Dimension(key="context", property="prompt_tokens", bands=bands)
