# SPDX-License-Identifier: Apache-2.0
"""Pricing units, billable metrics and products."""

from decimal import Decimal
from typing import Annotated, Final, Literal

from purser.catalog.v1 import catalog_pb2 as pb
from services.edge.wire.amounts import credit_type_id_to_json, price_from_json
from services.edge.wire.fields import (
    UPPER,
    Body,
    CursorQuery,
    Instant,
    Number,
    Whole,
    name_of,
    one_violation,
    only,
    refused,
    time_to_json,
    without_absent,
)

AGGREGATIONS: Final = {
    "COUNT": pb.AGGREGATION_COUNT,
    "SUM": pb.AGGREGATION_SUM,
    "MAX": pb.AGGREGATION_MAX,
    "UNIQUE": pb.AGGREGATION_UNIQUE,
}
PRODUCT_TYPES: Final = {
    "SUBSCRIPTION": pb.PRODUCT_TYPE_SUBSCRIPTION,
    "USAGE": pb.PRODUCT_TYPE_USAGE,
    "FIXED": pb.PRODUCT_TYPE_FIXED,
}
ROUNDINGS: Final = {
    "ROUND_UP": pb.QUANTITY_ROUNDING_UP,
    "ROUND_DOWN": pb.QUANTITY_ROUNDING_DOWN,
    "ROUND_HALF_UP": pb.QUANTITY_ROUNDING_HALF_UP,
}
# Who created a thing: our records say it (ListAuditEvents), not the thing.
CREATED_BY: Final = "purser"


class CreateCreditType(Body):
    name: str


class EventTypeFilter(Body):
    in_values: tuple[str, ...]
    not_in_values: Annotated[None, refused("name the one event type in in_values")] = None


class PropertyFilter(Body):
    name: str
    exists: bool = False
    in_values: tuple[str, ...] = ()
    not_in_values: tuple[str, ...] = ()


class CreateMetric(Body):
    name: str
    aggregation_type: Annotated[Literal["COUNT", "SUM", "MAX", "UNIQUE"], UPPER]
    aggregation_key: str = ""
    event_type_filter: EventTypeFilter
    property_filters: tuple[PropertyFilter, ...] = ()
    group_keys: tuple[tuple[str, ...], ...] = ()
    sql: Annotated[None, refused("describe the metric by aggregation_type and filters")] = None


class ListMetrics(CursorQuery):
    include_archived: bool = False


class QuantityConversion(Body):
    operation: Annotated[Literal["MULTIPLY", "DIVIDE"], UPPER]
    conversion_factor: Number
    name: str = ""


class QuantityRounding(Body):
    rounding_method: Annotated[Literal["ROUND_UP", "ROUND_DOWN", "ROUND_HALF_UP"], UPPER]
    decimal_places: Annotated[Whole, only(0, "quantities are rounded to whole units")] = 0


class CreateProduct(Body):
    name: str
    type: Annotated[Literal["SUBSCRIPTION", "USAGE", "FIXED"], UPPER]
    billable_metric_id: str = ""
    presentation_group_key: tuple[str, ...] = ()
    pricing_group_key: tuple[str, ...] = ()
    quantity_conversion: QuantityConversion | None = None
    quantity_rounding: QuantityRounding | None = None


class UpdateProduct(Body):
    product_id: str
    starting_at: Instant
    name: str


class ArchiveProduct(Body):
    product_id: str


class ListProductsQuery(CursorQuery):
    pass


class ListProductsBody(Body):
    archive_filter: Annotated[Literal["ARCHIVED", "NOT_ARCHIVED", "ALL"], UPPER] = "NOT_ARCHIVED"


def credit_type_to_json(credit_type: pb.CreditType) -> dict[str, object]:
    is_currency = not credit_type.credit_type_id.startswith("crt_")
    name = "USD (cents)" if credit_type.credit_type_id == "USD" else credit_type.name
    return {
        "id": credit_type_id_to_json(credit_type.credit_type_id),
        "name": name,
        "is_currency": is_currency,
    }


def metric_from_json(body: CreateMetric, request_id: str) -> pb.CreateBillableMetricRequest:
    """Return the request. Group keys of several properties become one key per property."""
    if len(body.event_type_filter.in_values) != 1:
        raise one_violation(
            "event_type_filter.in_values", "must have one event type: create a metric for each"
        )
    return pb.CreateBillableMetricRequest(
        request_id=request_id,
        name=body.name,
        event_type=body.event_type_filter.in_values[0],
        aggregation=AGGREGATIONS[body.aggregation_type],
        aggregated_property="" if body.aggregation_type == "COUNT" else body.aggregation_key,
        filters=[
            pb.PropertyFilter(
                property=one.name,
                # Metronome's filters may name both; a property with a certain value is there.
                exists=one.exists and not one.in_values and not one.not_in_values,
                in_values=one.in_values,
                not_in_values=one.not_in_values,
            )
            for one in body.property_filters
        ],
        group_keys=list(dict.fromkeys(key for keys in body.group_keys for key in keys)),
    )


def metric_to_json(metric: pb.BillableMetric) -> dict[str, object]:
    archived = time_to_json(metric.archive_time) if metric.HasField("archive_time") else None
    return without_absent(
        {
            "id": metric.billable_metric_id,
            "name": metric.name,
            "aggregation_type": name_of(AGGREGATIONS, metric.aggregation),
            "aggregation_key": metric.aggregated_property or None,
            "event_type_filter": {"in_values": [metric.event_type]},
            "property_filters": [
                without_absent(
                    {
                        "name": one.property,
                        "exists": one.exists or None,
                        "in_values": list(one.in_values) or None,
                        "not_in_values": list(one.not_in_values) or None,
                    }
                )
                for one in metric.filters
            ],
            "group_keys": [[key] for key in metric.group_keys],
            "archived_at": archived,
        }
    )


def product_from_json(body: CreateProduct, request_id: str) -> pb.CreateProductRequest:
    return pb.CreateProductRequest(
        request_id=request_id,
        name=body.name,
        product_type=PRODUCT_TYPES[body.type],
        billable_metric_id=body.billable_metric_id,
        conversion=_conversion_from_json(body),
        pricing_dimensions=[pb.PricingDimension(key=key) for key in body.pricing_group_key],
    )


def _conversion_from_json(body: CreateProduct) -> pb.QuantityConversion | None:
    conversion, rounding = body.quantity_conversion, body.quantity_rounding
    if conversion is None and rounding is None:
        return None
    factor = Decimal(1) if conversion is None else conversion.conversion_factor
    numerator, denominator = price_from_json("quantity_conversion.conversion_factor", factor, "")
    if conversion is not None and conversion.operation == "DIVIDE":
        numerator, denominator = denominator, numerator
    return pb.QuantityConversion(
        priced_micros=numerator,
        per_micros=denominator,
        rounding=pb.QUANTITY_ROUNDING_UNSPECIFIED
        if rounding is None
        else ROUNDINGS[rounding.rounding_method],
    )


def product_to_json(product: pb.Product) -> dict[str, object]:
    current = without_absent(
        {
            "created_at": time_to_json(product.create_time),
            "created_by": CREATED_BY,
            "name": product.name,
            "billable_metric_id": product.billable_metric_id or None,
            "pricing_group_key": [one.key for one in product.pricing_dimensions] or None,
            **_conversion_to_json(product),
        }
    )
    archived = time_to_json(product.archive_time) if product.HasField("archive_time") else None
    return without_absent(
        {
            "id": product.product_id,
            "type": name_of(PRODUCT_TYPES, product.product_type),
            "initial": current,
            "current": current,
            "updates": [],
            "archived_at": archived,
        }
    )


def _conversion_to_json(product: pb.Product) -> dict[str, object]:
    if not product.HasField("conversion"):
        return {}
    conversion = product.conversion
    divides = conversion.per_micros > conversion.priced_micros
    larger, smaller = (
        (conversion.per_micros, conversion.priced_micros)
        if divides
        else (conversion.priced_micros, conversion.per_micros)
    )
    shown: dict[str, object] = {
        "quantity_conversion": {
            "operation": "DIVIDE" if divides else "MULTIPLY",
            "conversion_factor": Decimal(larger) / Decimal(smaller),
        }
    }
    if conversion.rounding != pb.QUANTITY_ROUNDING_UNSPECIFIED:
        method = name_of(ROUNDINGS, conversion.rounding)
        shown["quantity_rounding"] = {"rounding_method": method, "decimal_places": 0}
    return shown


def is_listed(product: pb.Product, archive_filter: str) -> bool:
    """Whether a list of products with this filter shows the product."""
    return archive_filter == "ALL" or product.HasField("archive_time") == (archive_filter == "ARCHIVED")
