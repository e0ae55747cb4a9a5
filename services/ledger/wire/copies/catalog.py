# SPDX-License-Identifier: Apache-2.0
"""Updates from Catalog: products with their metrics, and rate cards."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from meshkit.quantity import Ratio
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import ProductUpdate, RateCardUpdate
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.rating.metric import Aggregation, PropertyFilter
from services.ledger.domain.rating.price import FlatPrice
from services.ledger.domain.rating.rate import Rate
from services.ledger.wire.copies.values import version_from_wire

_AGGREGATIONS: Final[Mapping[int, Aggregation]] = {
    pb.AGGREGATION_COUNT: Aggregation.COUNT,
    pb.AGGREGATION_SUM: Aggregation.SUM,
}


def product_from_wire(request: pb.ApplyMetricsRequest) -> ProductUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    aggregation = fields.choice("aggregation", request.aggregation, _AGGREGATIONS)
    is_sum = aggregation is Aggregation.SUM
    update = ProductUpdate(
        product_id=ProductId(fields.text("product_id", request.product_id)),
        version=version_from_wire(fields, request.version),
        name=fields.text("name", request.name),
        billable_metric_id=fields.text("billable_metric_id", request.billable_metric_id),
        event_type=fields.text("event_type", request.event_type),
        aggregation=aggregation,
        sum_property=fields.text("sum_property", request.sum_property) if is_sum else None,
        filters=tuple(
            _filter_from_wire(fields, f"filters[{n}]", one) for n, one in enumerate(request.filters)
        ),
        group_keys=tuple(fields.text(f"group_keys[{n}]", key) for n, key in enumerate(request.group_keys)),
    )
    fields.check()
    return update


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


def rate_card_from_wire(request: pb.ApplyRateCardRequest) -> RateCardUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    update = RateCardUpdate(
        rate_card_id=fields.text("rate_card_id", request.rate_card_id),
        version=version_from_wire(fields, request.version),
        rates=tuple(_rate_from_wire(fields, f"rates[{n}]", rate) for n, rate in enumerate(request.rates)),
    )
    begun: set[tuple[ProductId, datetime]] = set()
    for n, rate in enumerate(update.rates):
        if (rate.product_id, rate.effective_time) in begun:
            fields.add(
                f"rates[{n}].effective_time", "is the effective_time of an earlier rate of the same product"
            )
        begun.add((rate.product_id, rate.effective_time))
    fields.check()
    return update


def _rate_from_wire(fields: Fields, path: str, rate: pb.UsageRate) -> Rate:
    effective_time = fields.time(
        f"{path}.effective_time", rate.effective_time, rate.HasField("effective_time")
    )
    end_time = fields.optional_time(f"{path}.end_time", rate.end_time, rate.HasField("end_time"))
    if end_time is not None and end_time <= effective_time:
        fields.add(f"{path}.end_time", "must be after effective_time")
    return Rate(
        rate_id=fields.text(f"{path}.rate_id", rate.rate_id),
        product_id=ProductId(fields.text(f"{path}.product_id", rate.product_id)),
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", rate.credit_type_id)),
        price=FlatPrice(
            Ratio(
                fields.micros(f"{path}.price_micros", rate.price_micros),
                fields.micros(f"{path}.per_micros", rate.per_micros, minimum=1),
            )
        ),
        effective_time=effective_time,
        end_time=end_time,
    )
