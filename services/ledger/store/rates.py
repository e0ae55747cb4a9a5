# SPDX-License-Identifier: Apache-2.0
"""Rows of usage products, rates and prices: the Ledger's copies of what the Catalog owns."""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from meshkit.quantity import Ratio
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.rating.metric import Aggregation, Metric
from services.ledger.domain.rating.price import Conversion, FlatPrice, PackagePrice, Price
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.rating.tiers import GraduatedPrice
from services.ledger.store.formats import CONVERSION, DIMENSION, PROPERTY_FILTER, TIER

Row = Mapping[str, Any]

PRICE_COLUMNS: Final = "rate_type, price_micros, per_micros, tiers"
RATE_COLUMNS: Final = (
    f"rate_id, product_id, credit_type_id, {PRICE_COLUMNS}, dimension_values, effective_time, end_time,"
    " corrects_rate_id, create_time, is_withdrawn"
)
USAGE_PRODUCT_COLUMNS: Final = (
    "product_id, event_type, aggregation, sum_property, aggregated_property, filters, group_keys, conversion,"
    " pricing_dimensions"
)


def price_to_row(price: Price) -> tuple[Any, ...]:
    """Return the values of PRICE_COLUMNS. A graduated price has tiers and, as its ratio, that of the first tier."""
    match price:
        case FlatPrice(ratio):
            return "FLAT", ratio.numerator_micros, ratio.denominator_micros, None
        case PackagePrice(ratio):
            return "PACKAGE", ratio.numerator_micros, ratio.denominator_micros, None
        case GraduatedPrice(tiers):
            # The previous version reads no tiers. With the ratio of the first one it gives no usage away.
            ratio = tiers[0].ratio
            encoded = [TIER.encode(tier) for tier in tiers]
            return "GRADUATED", ratio.numerator_micros, ratio.denominator_micros, encoded
        case _:
            assert_never(price)


def price_from_row(row: Row) -> Price:
    match row["rate_type"]:
        case "FLAT":
            return FlatPrice(Ratio(row["price_micros"], row["per_micros"]))
        case "PACKAGE":
            return PackagePrice(Ratio(row["price_micros"], row["per_micros"]))
        case "GRADUATED":
            return GraduatedPrice(tuple(TIER.decode(tier) for tier in row["tiers"]))
        case unknown:
            raise ValueError(f"unknown rate_type {unknown!r}")


def rate_to_row(rate: Rate) -> tuple[Any, ...]:
    """Return the values of RATE_COLUMNS."""
    return (
        rate.rate_id,
        rate.product_id,
        rate.credit_type_id,
        *price_to_row(rate.price),
        dict(rate.dimension_values),
        rate.effective_time,
        rate.end_time,
        rate.corrects_rate_id,
        rate.create_time,
        rate.is_withdrawn,
    )


def rate_from_row(row: Row) -> Rate:
    return Rate(
        rate_id=row["rate_id"],
        product_id=ProductId(row["product_id"]),
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        price=price_from_row(row),
        effective_time=row["effective_time"],
        end_time=row["end_time"],
        dimension_values=row["dimension_values"],
        corrects_rate_id=row["corrects_rate_id"],
        create_time=row["create_time"],
        is_withdrawn=row["is_withdrawn"],
    )


def conversion_to_row(conversion: Conversion | None) -> dict[str, Any] | None:
    return None if conversion is None else CONVERSION.encode(conversion)


def conversion_from_row(stored: Mapping[str, Any] | None) -> Conversion | None:
    return None if stored is None else CONVERSION.decode(stored)


def usage_product_to_row(product: UsageProduct) -> tuple[Any, ...]:
    """Return the values of USAGE_PRODUCT_COLUMNS."""
    metric = product.metric
    return (
        product.product_id,
        metric.event_type,
        metric.aggregation.value,
        *_property_to_row(metric),
        [PROPERTY_FILTER.encode(one) for one in metric.filters],
        list(metric.group_keys),
        conversion_to_row(product.conversion),
        [DIMENSION.encode(one) for one in product.dimensions],
    )


def usage_product_from_row(row: Row) -> UsageProduct:
    return UsageProduct(
        product_id=ProductId(row["product_id"]),
        metric=Metric(
            event_type=row["event_type"],
            aggregation=Aggregation(row["aggregation"]),
            property=_property_from_row(row),
            filters=tuple(PROPERTY_FILTER.decode(one) for one in row["filters"]),
            group_keys=tuple(row["group_keys"]),
        ),
        conversion=conversion_from_row(row["conversion"]),
        dimensions=tuple(DIMENSION.decode(one) for one in row["pricing_dimensions"]),
    )


def _property_to_row(metric: Metric) -> tuple[str | None, str | None]:
    """Return sum_property and aggregated_property. The previous version knows the former only."""
    is_sum = metric.aggregation is Aggregation.SUM
    return (metric.property, None) if is_sum else (None, metric.property)


def _property_from_row(row: Row) -> str | None:
    aggregation = Aggregation(row["aggregation"])
    if aggregation is Aggregation.COUNT:
        return None
    column = "sum_property" if aggregation is Aggregation.SUM else "aggregated_property"
    found: str = row[column]
    return found
