# SPDX-License-Identifier: Apache-2.0
"""The only peer of the Catalog: the Ledger, which has a copy of usage products and usage rates."""

import grpc.aio

from meshkit.outbox import warn_if_ahead
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.status import faults_of
from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2_grpc
from services.catalog.domain.dimension import PricingDimension
from services.catalog.domain.metric import Aggregation, FilterKind, PropertyFilter
from services.catalog.domain.notices import ProductChanged, RateCardChanged
from services.catalog.domain.product import QuantityConversion, QuantityRounding
from services.catalog.domain.rate import Rate, RateType

_AGGREGATIONS = {
    Aggregation.COUNT: pb.AGGREGATION_COUNT,
    Aggregation.SUM: pb.AGGREGATION_SUM,
    Aggregation.MAX: pb.AGGREGATION_MAX,
    Aggregation.UNIQUE: pb.AGGREGATION_UNIQUE,
}
_RATE_TYPES = {
    # Means FLAT: a notice from before there were types must give the same request as then.
    RateType.FLAT: pb.RATE_TYPE_UNSPECIFIED,
    RateType.GRADUATED: pb.RATE_TYPE_GRADUATED,
    RateType.PACKAGE: pb.RATE_TYPE_PACKAGE,
}
_ROUNDINGS = {
    QuantityRounding.NONE: pb.QUANTITY_ROUNDING_UNSPECIFIED,
    QuantityRounding.UP: pb.QUANTITY_ROUNDING_UP,
    QuantityRounding.DOWN: pb.QUANTITY_ROUNDING_DOWN,
    QuantityRounding.HALF_UP: pb.QUANTITY_ROUNDING_HALF_UP,
}


class LedgerPeer:
    """Delivers notices to the Ledger; repeating one changes nothing. Raises MeshError if a call fails."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_peer_pb2_grpc.LedgerPeerServiceStub(channel)

    async def apply_metrics(self, changed: ProductChanged, *, request_id: str) -> None:
        metric = changed.metric
        is_sum = metric.aggregation is Aggregation.SUM
        request = pb.ApplyMetricsRequest(
            request_id=request_id,
            product_id=changed.product_id,
            version=changed.version,
            name=changed.name,
            billable_metric_id=metric.billable_metric_id,
            event_type=metric.event_type,
            aggregation=_AGGREGATIONS[metric.aggregation],
            # One of the two: a notice from before aggregated_property existed must give the same request as then.
            sum_property=metric.aggregated_property if is_sum else None,
            aggregated_property=None if is_sum else metric.aggregated_property,
            filters=[_filter_to_wire(one) for one in metric.filters],
            group_keys=metric.group_keys,
            conversion=None if changed.conversion is None else _conversion_to_wire(changed.conversion),
            pricing_dimensions=[_dimension_to_wire(one) for one in changed.pricing_dimensions],
        )
        with faults_of("ledger"):
            answer = await self._stub.ApplyMetrics(request)
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "PRODUCT", changed.product_id, sent=sent, known=known)

    async def apply_rate_card(self, changed: RateCardChanged, *, request_id: str) -> None:
        request = pb.ApplyRateCardRequest(
            request_id=request_id,
            rate_card_id=changed.rate_card_id,
            version=changed.version,
            rates=[usage_rate_to_wire(rate) for rate in changed.rates],
        )
        with faults_of("ledger"):
            answer = await self._stub.ApplyRateCard(request)
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "RATE_CARD", changed.rate_card_id, sent=sent, known=known)


def _filter_to_wire(one: PropertyFilter) -> pb.PropertyFilter:
    return pb.PropertyFilter(
        property=one.property,
        exists=one.kind is FilterKind.EXISTS,
        in_values=one.values if one.kind is FilterKind.IN else (),
        not_in_values=one.values if one.kind is FilterKind.NOT_IN else (),
    )


def _conversion_to_wire(conversion: QuantityConversion) -> pb.QuantityConversion:
    return pb.QuantityConversion(
        priced_micros=conversion.ratio.numerator_micros,
        per_micros=conversion.ratio.denominator_micros,
        rounding=_ROUNDINGS[conversion.rounding],
    )


def _dimension_to_wire(dimension: PricingDimension) -> pb.PricingDimension:
    return pb.PricingDimension(
        key=dimension.key,
        property=dimension.property,
        bands=[
            pb.DimensionBand(value=band.value, up_to_micros=band.up_to_micros) for band in dimension.bands
        ],
    )


def usage_rate_to_wire(rate: Rate) -> pb.UsageRate:
    """Return a usage rate as the Ledger receives it. Its size is at most rate_card.bytes_max."""
    return pb.UsageRate(
        rate_id=rate.rate_id,
        product_id=rate.product_id,
        credit_type_id=rate.credit_type_id,
        price_micros=None if rate.price is None else rate.price.numerator_micros,
        per_micros=None if rate.price is None else rate.price.denominator_micros,
        effective_time=timestamp(rate.effective_time),
        end_time=optional_timestamp(rate.end_time),
        rate_type=_RATE_TYPES[rate.rate_type],
        tiers=[
            pb.RateTier(
                up_to_micros=tier.up_to_micros,
                price_micros=tier.price.numerator_micros,
                per_micros=tier.price.denominator_micros,
            )
            for tier in rate.tiers
        ],
        dimension_values=dict(rate.dimension_values),
        corrects_rate_id=rate.corrects_rate_id,
        create_time=optional_timestamp(rate.create_time),
        is_withdrawn=rate.withdraw_time is not None,
    )
