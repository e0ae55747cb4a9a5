# SPDX-License-Identifier: Apache-2.0
"""What Catalog may send to the Ledger: metrics with their dimensions, and rates of all types."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.quantity import INT64_MAX, Quantity, Ratio
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.rating.dimensions import Band, Dimension
from services.ledger.domain.rating.metric import Aggregation, Metric, PropertyFilter
from services.ledger.domain.rating.price import Conversion, FlatPrice, PackagePrice, Rounding
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from services.ledger.wire.copies.catalog import product_from_wire, rate_card_from_wire
from tests.unit.ledger.builders import AI, ASSISTANT, JULY, JUNE, fields_refused

UNIT = 1_000_000


def a_product(**more: Any) -> pb.ApplyMetricsRequest:
    told: dict[str, Any] = {
        "request_id": "r1",
        "product_id": ASSISTANT,
        "version": 1,
        "name": "Assistant",
        "billable_metric_id": "met_1",
        "event_type": "ai_call",
        "aggregation": pb.AGGREGATION_SUM,
        "aggregated_property": "tokens",
    }
    return pb.ApplyMetricsRequest(**(told | more))


def a_dimension(*ends: int | None, key: str = "model", name: str = "ai_model") -> pb.PricingDimension:
    """Return a dimension with a band per end, named by its place."""
    bands = [pb.DimensionBand(value=f"band_{n}", up_to_micros=end) for n, end in enumerate(ends)]
    return pb.PricingDimension(key=key, property=name, bands=bands)


def a_rate(rate_id: str = "rat_1", **more: Any) -> pb.UsageRate:
    told: dict[str, Any] = {
        "rate_id": rate_id,
        "product_id": ASSISTANT,
        "credit_type_id": AI,
        "effective_time": timestamp(JUNE),
    }
    if "tiers" not in more:
        told |= {"price_micros": 12, "per_micros": 1}
    return pb.UsageRate(**(told | more))


def a_tier(up_to: int | None, *, price_micros: int = 1, per_micros: int = 1) -> pb.RateTier:
    return pb.RateTier(up_to_micros=up_to, price_micros=price_micros, per_micros=per_micros)


def graduated(*ends: int | None, **more: Any) -> pb.UsageRate:
    return a_rate(rate_type=pb.RATE_TYPE_GRADUATED, tiers=[a_tier(end) for end in ends], **more)


def a_card(*rates: pb.UsageRate) -> pb.ApplyRateCardRequest:
    return pb.ApplyRateCardRequest(request_id="r1", rate_card_id="rcd_1", version=1, rates=rates)


def test_a_product_is_read_with_its_metric_conversion_and_dimensions() -> None:
    told = product_from_wire(
        a_product(
            aggregation=pb.AGGREGATION_MAX,
            filters=[pb.PropertyFilter(property="region", not_in_values=["test"])],
            group_keys=["user_id"],
            conversion=pb.QuantityConversion(
                priced_micros=1, per_micros=1_000, rounding=pb.QUANTITY_ROUNDING_UP
            ),
            pricing_dimensions=[a_dimension(), a_dimension(200_000 * UNIT, None, key="context", name="size")],
        )
    )

    assert told.product == UsageProduct(
        product_id=ASSISTANT,
        metric=Metric(
            event_type="ai_call",
            aggregation=Aggregation.MAX,
            property="tokens",
            filters=(PropertyFilter(property="region", values=("test",), is_negated=True),),
            group_keys=("user_id",),
        ),
        conversion=Conversion(Ratio(1, 1_000), Rounding.UP),
        dimensions=(
            Dimension(key="model", property="ai_model", bands=()),
            Dimension(
                key="context",
                property="size",
                bands=(Band("band_0", Quantity.of(200_000)), Band("band_1", None)),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("more", "aggregated"),
    [
        ({"aggregated_property": "", "sum_property": "units"}, "units"),
        ({"aggregated_property": "tokens", "sum_property": "units"}, "tokens"),
        ({"aggregation": pb.AGGREGATION_UNIQUE, "sum_property": "units"}, "tokens"),
        ({"aggregation": pb.AGGREGATION_COUNT, "aggregated_property": "", "sum_property": "units"}, None),
    ],
)
def test_the_aggregated_property_is_read_in_its_new_and_its_old_field(
    more: dict[str, Any], aggregated: str | None
) -> None:
    told = product_from_wire(a_product(**more)).product

    assert told.metric.property == aggregated
    assert (told.conversion, told.dimensions) == (None, ())


@pytest.mark.parametrize(
    ("rounding", "read"),
    [
        (pb.QUANTITY_ROUNDING_UNSPECIFIED, None),
        (pb.QUANTITY_ROUNDING_UP, Rounding.UP),
        (pb.QUANTITY_ROUNDING_DOWN, Rounding.DOWN),
        (pb.QUANTITY_ROUNDING_HALF_UP, Rounding.HALF_UP),
    ],
)
def test_every_rounding_is_read(rounding: Any, read: Rounding | None) -> None:
    conversion = pb.QuantityConversion(priced_micros=1, per_micros=1, rounding=rounding)

    assert product_from_wire(a_product(conversion=conversion)).product.conversion == Conversion(
        Ratio(1, 1), read
    )


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (a_product(aggregated_property=""), {"aggregated_property"}),
        (
            a_product(aggregation=pb.AGGREGATION_MAX, aggregated_property="", sum_property="units"),
            {"aggregated_property"},
        ),
        (a_product(aggregation=pb.AGGREGATION_COUNT), {"aggregated_property"}),
        (a_product(aggregation=0), {"aggregation"}),
        (
            a_product(conversion=pb.QuantityConversion(rounding=99)),  # type: ignore[arg-type]
            {"conversion.priced_micros", "conversion.per_micros", "conversion.rounding"},
        ),
        (
            a_product(pricing_dimensions=[pb.PricingDimension()]),
            {"pricing_dimensions[0].key", "pricing_dimensions[0].property"},
        ),
        (
            a_product(pricing_dimensions=[a_dimension(), a_dimension(name="other")]),
            {"pricing_dimensions[1].key"},
        ),
        (
            a_product(pricing_dimensions=[a_dimension(key=f"key_{n}") for n in range(6)]),
            {"pricing_dimensions"},
        ),
        (
            a_product(
                pricing_dimensions=[
                    a_dimension(5, 5, None),
                    a_dimension(None, None, key="b"),
                    a_dimension(5, key="c"),
                    pb.PricingDimension(key="d", property="p", bands=[pb.DimensionBand()]),
                ]
            ),
            {
                *(
                    "pricing_dimensions[0].bands[1].up_to_micros",
                    "pricing_dimensions[1].bands[0].up_to_micros",
                ),
                *("pricing_dimensions[2].bands[0].up_to_micros", "pricing_dimensions[3].bands[0].value"),
            },
        ),
    ],
)
def test_all_bad_fields_of_a_product_are_named(request_: pb.ApplyMetricsRequest, fields: set[str]) -> None:
    assert fields_refused(product_from_wire, request_) == fields


def test_five_dimensions_and_bands_that_ascend_are_read() -> None:
    dimensions = [a_dimension(-INT64_MAX, -5, 0, 1, INT64_MAX, None, key=f"key_{n}") for n in range(5)]

    told = product_from_wire(a_product(pricing_dimensions=dimensions)).product

    assert [one.key for one in told.dimensions] == [f"key_{n}" for n in range(5)]
    assert len(told.dimensions[0].bands) == 6


def test_rates_of_all_types_are_read() -> None:
    told = rate_card_from_wire(
        a_card(
            a_rate("rat_1"),
            a_rate("rat_2", rate_type=pb.RATE_TYPE_FLAT, dimension_values={"model": "small"}),
            a_rate("rat_3", rate_type=pb.RATE_TYPE_PACKAGE, dimension_values={"model": "large"}),
            a_rate(
                "rat_4",
                rate_type=pb.RATE_TYPE_GRADUATED,
                tiers=[a_tier(1, price_micros=0, per_micros=2), a_tier(None, price_micros=3, per_micros=4)],
                corrects_rate_id="rat_1",
                create_time=timestamp(JULY),
                end_time=timestamp(JULY),
                is_withdrawn=True,
            ),
        )
    ).rates

    assert [rate.price for rate in told] == [
        FlatPrice(Ratio(12, 1)),
        FlatPrice(Ratio(12, 1)),
        PackagePrice(Ratio(12, 1)),
        GraduatedPrice((Tier(Quantity(1), Ratio(0, 2)), Tier(None, Ratio(3, 4)))),
    ]
    assert told[2].dimension_values == {"model": "large"}
    assert told[0] == Rate(
        rate_id="rat_1",
        product_id=ASSISTANT,
        credit_type_id=AI,
        price=FlatPrice(Ratio(12, 1)),
        effective_time=JUNE,
        end_time=None,
    )
    last = told[3]
    assert (last.corrects_rate_id, last.create_time, last.end_time, last.is_withdrawn) == (
        *("rat_1", JULY),
        *(JULY, True),
    )


ZERO = Timestamp()


@pytest.mark.parametrize(
    ("rates", "fields"),
    [
        ([a_rate(rate_type=99)], {"rates[0].rate_type"}),
        ([a_rate(per_micros=0)], {"rates[0].per_micros"}),
        ([a_rate(rate_type=pb.RATE_TYPE_PACKAGE, per_micros=0)], {"rates[0].per_micros"}),
        ([a_rate(tiers=[a_tier(None)], price_micros=1, per_micros=1)], {"rates[0].tiers"}),
        ([graduated()], {"rates[0].tiers"}),
        ([graduated(*range(1, 21), None)], {"rates[0].tiers"}),
        ([graduated(0, None)], {"rates[0].tiers[0].up_to_micros"}),
        ([graduated(5, 5, None)], {"rates[0].tiers[1].up_to_micros"}),
        ([graduated(None, None)], {"rates[0].tiers[0].up_to_micros"}),
        ([graduated(5, 6)], {"rates[0].tiers[1].up_to_micros"}),
        (
            [a_rate(rate_type=pb.RATE_TYPE_GRADUATED, tiers=[a_tier(None, price_micros=-1, per_micros=0)])],
            {"rates[0].tiers[0].price_micros", "rates[0].tiers[0].per_micros"},
        ),
        ([a_rate(create_time=ZERO)], {"rates[0].create_time"}),
        ([a_rate(dimension_values={"": "x"})], {"rates[0].dimension_values"}),
        ([a_rate(dimension_values={"model": ""})], {"rates[0].dimension_values[model]"}),
        ([a_rate(dimension_values={str(n): "x" for n in range(6)})], {"rates[0].dimension_values"}),
        ([a_rate(), a_rate(effective_time=timestamp(JULY))], {"rates[1].rate_id"}),
        ([a_rate(), a_rate("rat_2")], {"rates[1].effective_time"}),
        (
            [a_rate(dimension_values={"a": "1"}), a_rate("rat_2", dimension_values={"a": "1"})],
            {"rates[1].effective_time"},
        ),
        ([a_rate(corrects_rate_id="rat_1")], {"rates[0].corrects_rate_id"}),
        ([a_rate(corrects_rate_id="rat_2")], {"rates[0].corrects_rate_id"}),
        (
            [a_rate(), a_rate("rat_2", corrects_rate_id="rat_1", product_id="prd_images")],
            {"rates[1].corrects_rate_id"},
        ),
        (
            [
                a_rate(),
                a_rate("rat_2", corrects_rate_id="rat_1"),
                a_rate("rat_3", corrects_rate_id="rat_2"),
            ],
            {"rates[2].corrects_rate_id"},
        ),
    ],
)
def test_all_bad_fields_of_a_rate_are_named(rates: list[pb.UsageRate], fields: set[str]) -> None:
    assert fields_refused(rate_card_from_wire, a_card(*rates)) == fields


@pytest.mark.parametrize(
    "rates",
    [
        [graduated(*range(1, 20), None)],
        [a_rate(dimension_values={str(n): "x" for n in range(5)})],
        [a_rate(), a_rate("rat_2", product_id="prd_images")],
        [
            a_rate(),
            a_rate("rat_2", dimension_values={"a": "1"}),
            a_rate("rat_3", dimension_values={"a": "2"}),
        ],
        [a_rate(), a_rate("rat_2", is_withdrawn=True)],
        [a_rate(is_withdrawn=True), a_rate("rat_2")],
        [a_rate("rat_2", corrects_rate_id="rat_1"), a_rate("rat_3", corrects_rate_id="rat_1"), a_rate()],
    ],
)
def test_rates_that_just_fit_together_are_read(rates: list[pb.UsageRate]) -> None:
    assert len(rate_card_from_wire(a_card(*rates)).rates) == len(rates)
