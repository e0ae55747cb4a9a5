# SPDX-License-Identifier: Apache-2.0
"""Updates from Catalog: products with their metrics, and rate cards."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meshkit.quantity import INT64_MAX, Quantity, Ratio
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import ProductUpdate, RateCardUpdate
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.rating.dimensions import DIMENSIONS_MAX, Band, Dimension
from services.ledger.domain.rating.metric import Aggregation, Metric, PropertyFilter
from services.ledger.domain.rating.price import Conversion, FlatPrice, PackagePrice, Price, Rounding
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.rating.tiers import TIERS_MAX, GraduatedPrice, Tier
from services.ledger.wire.copies.values import version_from_wire

_AGGREGATIONS: Final[Mapping[int, Aggregation]] = {
    pb.AGGREGATION_COUNT: Aggregation.COUNT,
    pb.AGGREGATION_SUM: Aggregation.SUM,
    pb.AGGREGATION_MAX: Aggregation.MAX,
    pb.AGGREGATION_UNIQUE: Aggregation.UNIQUE,
}
_ROUNDINGS: Final[Mapping[int, Rounding | None]] = {
    pb.QUANTITY_ROUNDING_UNSPECIFIED: None,
    pb.QUANTITY_ROUNDING_UP: Rounding.UP,
    pb.QUANTITY_ROUNDING_DOWN: Rounding.DOWN,
    pb.QUANTITY_ROUNDING_HALF_UP: Rounding.HALF_UP,
}
_RATE_TYPES: Final[Mapping[int, str]] = {
    pb.RATE_TYPE_FLAT: "FLAT",
    pb.RATE_TYPE_GRADUATED: "GRADUATED",
    pb.RATE_TYPE_PACKAGE: "PACKAGE",
}
_FREE: Final = FlatPrice(Ratio(0, 1))  # stands for a price that is refused


def product_from_wire(request: pb.ApplyMetricsRequest) -> ProductUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    update = ProductUpdate(
        version=version_from_wire(fields, request.version),
        name=fields.text("name", request.name),
        billable_metric_id=fields.text("billable_metric_id", request.billable_metric_id),
        product=UsageProduct(
            product_id=ProductId(fields.text("product_id", request.product_id)),
            metric=_metric_from_wire(fields, request),
            conversion=_conversion_from_wire(fields, request),
            dimensions=_dimensions_from_wire(fields, request.pricing_dimensions),
        ),
    )
    fields.check()
    return update


def _metric_from_wire(fields: Fields, request: pb.ApplyMetricsRequest) -> Metric:
    event_type = fields.text("event_type", request.event_type)
    aggregation = fields.choice("aggregation", request.aggregation, _AGGREGATIONS)
    return Metric(
        event_type=event_type,
        aggregation=aggregation,
        property=_aggregated_from_wire(fields, request, aggregation),
        filters=tuple(
            _filter_from_wire(fields, f"filters[{n}]", one) for n, one in enumerate(request.filters)
        ),
        group_keys=tuple(fields.text(f"group_keys[{n}]", key) for n, key in enumerate(request.group_keys)),
    )


def _aggregated_from_wire(
    fields: Fields, request: pb.ApplyMetricsRequest, aggregation: Aggregation
) -> str | None:
    """Return the property that is aggregated. Catalogs before aggregated_property give sum_property."""
    if aggregation is Aggregation.COUNT:
        if request.aggregated_property and request.aggregation == pb.AGGREGATION_COUNT:
            fields.add("aggregated_property", "must be empty: COUNT needs no property")
        return None
    if aggregation is Aggregation.SUM and request.sum_property and not request.aggregated_property:
        return fields.text("sum_property", request.sum_property)
    return fields.text("aggregated_property", request.aggregated_property)


def _filter_from_wire(fields: Fields, path: str, one: pb.PropertyFilter) -> PropertyFilter:
    if one.in_values and one.not_in_values:
        fields.add(f"{path}.in_values", "give either in_values or not_in_values")
    wanted = [fields.text(f"{path}.in_values[{n}]", value) for n, value in enumerate(one.in_values)]
    unwanted = [fields.text(f"{path}.not_in_values[{n}]", value) for n, value in enumerate(one.not_in_values)]
    return PropertyFilter(
        property=fields.text(f"{path}.property", one.property),
        values=tuple(wanted or unwanted),
        is_negated=bool(unwanted),
    )


def _conversion_from_wire(fields: Fields, request: pb.ApplyMetricsRequest) -> Conversion | None:
    if not request.HasField("conversion"):
        return None
    one = request.conversion
    return Conversion(
        Ratio(
            fields.micros("conversion.priced_micros", one.priced_micros, minimum=1),
            fields.micros("conversion.per_micros", one.per_micros, minimum=1),
        ),
        fields.choice("conversion.rounding", one.rounding, _ROUNDINGS),
    )


def _dimensions_from_wire(fields: Fields, dimensions: Sequence[pb.PricingDimension]) -> tuple[Dimension, ...]:
    if len(dimensions) > DIMENSIONS_MAX:
        fields.add("pricing_dimensions", f"must be at most {DIMENSIONS_MAX}")
    keys = [one.key for one in dimensions]
    for n, key in enumerate(keys):
        if key in keys[:n]:
            fields.add(f"pricing_dimensions[{n}].key", "is the key of an earlier dimension")
    return tuple(
        Dimension(
            key=fields.text(f"pricing_dimensions[{n}].key", one.key),
            property=fields.text(f"pricing_dimensions[{n}].property", one.property),
            bands=_bands_from_wire(fields, f"pricing_dimensions[{n}].bands", one.bands),
        )
        for n, one in enumerate(dimensions)
    )


def _bands_from_wire(fields: Fields, path: str, bands: Sequence[pb.DimensionBand]) -> tuple[Band, ...]:
    ends = [band.up_to_micros if band.HasField("up_to_micros") else None for band in bands]
    values = [fields.text(f"{path}[{n}].value", band.value) for n, band in enumerate(bands)]
    if _ascend(fields, path, ends, minimum=-INT64_MAX):
        return tuple(
            Band(value, None if end is None else Quantity(end))
            for value, end in zip(values, ends, strict=True)
        )
    return ()


def rate_card_from_wire(request: pb.ApplyRateCardRequest) -> RateCardUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    update = RateCardUpdate(
        rate_card_id=fields.text("rate_card_id", request.rate_card_id),
        version=version_from_wire(fields, request.version),
        rates=tuple(_rate_from_wire(fields, f"rates[{n}]", rate) for n, rate in enumerate(request.rates)),
    )
    _check_rates_together(fields, update.rates)
    fields.check()
    return update


def _check_rates_together(fields: Fields, rates: Sequence[Rate]) -> None:
    """Refuse an id that is used twice, two prices that begin together, and a correction of nothing."""
    ids: set[str] = set()
    begun: set[object] = set()
    roots = {rate.rate_id: rate for rate in rates if rate.corrects_rate_id is None}
    for n, rate in enumerate(rates):
        if rate.rate_id in ids:
            fields.add(f"rates[{n}].rate_id", "is the rate_id of an earlier rate")
        ids.add(rate.rate_id)
        if rate.corrects_rate_id is not None:
            root = roots.get(rate.corrects_rate_id)
            if root is None or root.product_id != rate.product_id or root.rate_id == rate.rate_id:
                fields.add(
                    f"rates[{n}].corrects_rate_id",
                    "must be the rate_id of a rate of the same card and product that corrects none",
                )
        elif not rate.is_withdrawn:
            start = rate.product_id, frozenset(rate.dimension_values.items()), rate.effective_time
            if start in begun:
                fields.add(
                    f"rates[{n}].effective_time",
                    "is the effective_time of an earlier rate of the same product and dimension values",
                )
            begun.add(start)


def _rate_from_wire(fields: Fields, path: str, rate: pb.UsageRate) -> Rate:
    effective_time = fields.time(
        f"{path}.effective_time", rate.effective_time, rate.HasField("effective_time")
    )
    end_time = fields.optional_time(f"{path}.end_time", rate.end_time, rate.HasField("end_time"))
    if end_time is not None and end_time <= effective_time:
        fields.add(f"{path}.end_time", "must be after effective_time")
    if len(rate.dimension_values) > DIMENSIONS_MAX:
        fields.add(f"{path}.dimension_values", f"must be at most {DIMENSIONS_MAX}")
    return Rate(
        rate_id=fields.text(f"{path}.rate_id", rate.rate_id),
        product_id=ProductId(fields.text(f"{path}.product_id", rate.product_id)),
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", rate.credit_type_id)),
        price=_price_from_wire(fields, path, rate),
        effective_time=effective_time,
        end_time=end_time,
        dimension_values={
            fields.text(f"{path}.dimension_values", key): fields.text(
                f"{path}.dimension_values[{key}]", value
            )
            for key, value in sorted(rate.dimension_values.items())
        },
        corrects_rate_id=fields.text(f"{path}.corrects_rate_id", rate.corrects_rate_id, required=False)
        or None,
        create_time=fields.optional_time(
            f"{path}.create_time", rate.create_time, rate.HasField("create_time")
        ),
        is_withdrawn=rate.is_withdrawn,
    )


def _price_from_wire(fields: Fields, path: str, rate: pb.UsageRate) -> Price:
    rate_type = fields.choice(f"{path}.rate_type", rate.rate_type or pb.RATE_TYPE_FLAT, _RATE_TYPES)
    if rate_type == "GRADUATED":
        return _graduated_from_wire(fields, f"{path}.tiers", rate.tiers)
    if rate.tiers:
        fields.add(f"{path}.tiers", "must be empty: only a GRADUATED rate has tiers")
    ratio = _ratio_from_wire(fields, path, rate)
    return PackagePrice(ratio) if rate_type == "PACKAGE" else FlatPrice(ratio)


def _graduated_from_wire(fields: Fields, path: str, tiers: Sequence[pb.RateTier]) -> Price:
    ends = [tier.up_to_micros if tier.HasField("up_to_micros") else None for tier in tiers]
    ratios = [_ratio_from_wire(fields, f"{path}[{n}]", tier) for n, tier in enumerate(tiers)]
    if not 1 <= len(tiers) <= TIERS_MAX:
        fields.add(path, f"must be 1 to {TIERS_MAX}")
    elif _ascend(fields, path, ends, minimum=1):
        return GraduatedPrice(
            tuple(
                Tier(None if end is None else Quantity(end), ratio)
                for end, ratio in zip(ends, ratios, strict=True)
            )
        )
    return _FREE


def _ratio_from_wire(fields: Fields, path: str, price: pb.UsageRate | pb.RateTier) -> Ratio:
    return Ratio(
        fields.micros(f"{path}.price_micros", price.price_micros),
        fields.micros(f"{path}.per_micros", price.per_micros, minimum=1),
    )


def _ascend(fields: Fields, path: str, ends: Iterable[int | None], *, minimum: int) -> bool:
    """Return whether the ends of tiers or bands ascend from `minimum`, and only the last one is absent."""
    *inner, last = [*ends] or [None]
    lowest, is_right = minimum, last is None
    if last is not None:
        fields.add(f"{path}[{len(inner)}].up_to_micros", "must be absent: the last one has no end")
    for n, end in enumerate(inner):
        if end is None:
            fields.add(f"{path}[{n}].up_to_micros", "is required: only the last one has no end")
            is_right = False
        elif end < lowest:
            fields.add(f"{path}[{n}].up_to_micros", f"must be at least {lowest}")
            is_right = False
        else:
            lowest = end + 1
    return is_right
