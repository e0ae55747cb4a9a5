# SPDX-License-Identifier: Apache-2.0
"""What a usage product is priced by: its conversion and its pricing dimensions."""

from collections.abc import Sequence

import pytest

from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import CatalogStub, Shop
from tests.support.faults import bad_fields

USAGE = pb.PRODUCT_TYPE_USAGE
UP = pb.QUANTITY_ROUNDING_UP
SHORT = pb.DimensionBand(value="short", up_to_micros=200_000_000_000)
MIDDLE = pb.DimensionBand(value="middle", up_to_micros=200_000_000_001)
SAME = pb.DimensionBand(value="same", up_to_micros=200_000_000_000)
LONG = pb.DimensionBand(value="long")
MODEL = pb.PricingDimension(key="model", property="model_name")
KIND = pb.PricingDimension(key="token_kind", values=["input", "output"])
LENGTH = pb.PricingDimension(key="length", property="prompt_tokens", bands=[SHORT, MIDDLE, LONG])
THOUSANDS = pb.QuantityConversion(priced_micros=1_000_000, per_micros=1_000_000_000, rounding=UP)


def _request(
    *dimensions: pb.PricingDimension,
    conversion: pb.QuantityConversion | None = None,
    metric: str = "met_1",
    product_type: pb.ProductType = USAGE,
) -> pb.CreateProductRequest:
    return pb.CreateProductRequest(
        request_id="r1",
        name="AI tokens",
        product_type=product_type,
        billable_metric_id=metric,
        conversion=conversion,
        pricing_dimensions=dimensions,
    )


async def test_a_product_keeps_its_conversion_and_dimensions_when_it_is_renamed(
    catalog: CatalogStub, shop: Shop
) -> None:
    metric = await shop.metric()
    request = _request(MODEL, KIND, LENGTH, conversion=THOUSANDS, metric=metric.billable_metric_id)

    made = (await catalog.CreateProduct(request)).product
    rename = pb.UpdateProductRequest(request_id="r2", product_id=made.product_id, name="Tokens")
    renamed = (await catalog.UpdateProduct(rename)).product

    kind = pb.PricingDimension(key="token_kind", property="token_kind", values=["input", "output"])
    assert list(made.pricing_dimensions) == [MODEL, kind, LENGTH]
    assert made.conversion == THOUSANDS
    made.name = "Tokens"
    assert renamed == made
    assert (await catalog.GetProduct(pb.GetProductRequest(product_id=made.product_id))).product == made


async def test_a_product_without_conversion_and_dimensions_has_none(shop: Shop) -> None:
    product = await shop.usage()

    assert not product.HasField("conversion")
    assert not product.pricing_dimensions


def _dimension(**fields: object) -> pb.PricingDimension:
    return pb.PricingDimension(**({"key": "model"} | fields))  # type: ignore[arg-type]


def _bands(*bands: pb.DimensionBand) -> pb.PricingDimension:
    return _dimension(bands=bands)


MANY_BANDS = [pb.DimensionBand(value=str(n), up_to_micros=n) for n in range(20)]


@pytest.mark.parametrize(
    ("dimensions", "fields"),
    [
        ([pb.PricingDimension()], ["[0].key"]),
        ([_dimension(key="x" * 101)], ["[0].key"]),
        ([_dimension(property=" ")], ["[0].property"]),
        ([MODEL, _dimension()], ["[1].key"]),
        ([_dimension(key=str(n)) for n in range(6)], [""]),
        ([_dimension(values=["a", "b", "a"])], ["[0].values[2]"]),
        ([_dimension(values=["", "x" * 101])], ["[0].values[0]", "[0].values[1]"]),
        ([_dimension(values=[str(n) for n in range(201)])], ["[0].values"]),
        ([_dimension(values=["a"], bands=[LONG])], ["[0].values"]),
        ([_bands(SHORT)], ["[0].bands[0].up_to_micros"]),
        ([_bands(LONG, SHORT)], ["[0].bands[0].up_to_micros", "[0].bands[1].up_to_micros"]),
        ([_bands(MIDDLE, SHORT, LONG)], ["[0].bands[1].up_to_micros"]),
        ([_bands(SHORT, SAME, LONG)], ["[0].bands[1].up_to_micros"]),
        ([_bands(pb.DimensionBand(value="less", up_to_micros=-1), LONG)], ["[0].bands[0].up_to_micros"]),
        ([_bands(SHORT, pb.DimensionBand(value="short"))], ["[0].bands[1].value"]),
        ([_bands(pb.DimensionBand())], ["[0].bands[0].value"]),
        ([_bands(*MANY_BANDS, LONG)], ["[0].bands"]),
    ],
)  # fmt: skip
async def test_all_bad_fields_of_dimensions_are_named_at_once(
    catalog: CatalogStub, dimensions: Sequence[pb.PricingDimension], fields: list[str]
) -> None:
    request = _request(*dimensions, metric="")

    with bad_fields("billable_metric_id", *(f"pricing_dimensions{field}" for field in fields)):
        await catalog.CreateProduct(request)


async def test_five_dimensions_of_200_values_or_20_bands_are_the_most(
    catalog: CatalogStub, shop: Shop
) -> None:
    dimensions = [
        _dimension(key="x" * 100, values=[f"{n:0100}" for n in range(200)]),
        _dimension(key="bands", bands=[*MANY_BANDS[:19], LONG]),
        *(_dimension(key=str(n)) for n in range(3)),
    ]
    metric = await shop.metric()

    made = await catalog.CreateProduct(_request(*dimensions, metric=metric.billable_metric_id))

    assert [len(one.values) for one in made.product.pricing_dimensions] == [200, 0, 0, 0, 0]
    assert [len(one.bands) for one in made.product.pricing_dimensions] == [0, 20, 0, 0, 0]


@pytest.mark.parametrize(
    ("conversion", "fields"),
    [
        (pb.QuantityConversion(), ["priced_micros", "per_micros"]),
        (pb.QuantityConversion(priced_micros=-1, per_micros=-1), ["priced_micros", "per_micros"]),
        (pb.QuantityConversion(priced_micros=1, per_micros=1, rounding=4), ["rounding"]),  # type: ignore[arg-type]
    ],
)
async def test_a_conversion_is_a_ratio_above_nothing_with_a_known_rounding(
    catalog: CatalogStub, conversion: pb.QuantityConversion, fields: list[str]
) -> None:
    with bad_fields(*(f"conversion.{field}" for field in fields)):
        await catalog.CreateProduct(_request(conversion=conversion))


@pytest.mark.parametrize("product_type", [pb.PRODUCT_TYPE_SUBSCRIPTION, pb.PRODUCT_TYPE_FIXED])
async def test_only_usage_has_a_conversion_and_dimensions(
    catalog: CatalogStub, product_type: pb.ProductType
) -> None:
    request = _request(MODEL, conversion=THOUSANDS, metric="", product_type=product_type)

    with bad_fields("conversion", "pricing_dimensions"):
        await catalog.CreateProduct(request)
