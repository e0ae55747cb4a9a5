# SPDX-License-Identifier: Apache-2.0
"""The only peer of the Catalog: the Ledger, which has a copy of usage products and usage rates."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc.aio

from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.status import from_rpc_error
from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2_grpc
from services.catalog.domain.metric import Aggregation, FilterKind, PropertyFilter
from services.catalog.domain.notices import ProductChanged, RateCardChanged
from services.catalog.domain.rate import Rate

_AGGREGATIONS = {
    Aggregation.COUNT: pb.AGGREGATION_COUNT,
    Aggregation.SUM: pb.AGGREGATION_SUM,
}


class LedgerPeer:
    """Delivers notices to the Ledger; repeating one changes nothing. Raises MeshError if a call fails."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_peer_pb2_grpc.LedgerPeerServiceStub(channel)

    async def apply_metrics(self, changed: ProductChanged, *, request_id: str) -> None:
        metric = changed.metric
        request = pb.ApplyMetricsRequest(
            request_id=request_id,
            product_id=changed.product_id,
            version=changed.version,
            name=changed.name,
            billable_metric_id=metric.billable_metric_id,
            event_type=metric.event_type,
            aggregation=_AGGREGATIONS[metric.aggregation],
            sum_property=metric.sum_property or "",
            filters=[_filter_to_wire(one) for one in metric.filters],
            group_keys=metric.group_keys,
        )
        with _faults():
            await self._stub.ApplyMetrics(request)

    async def apply_rate_card(self, changed: RateCardChanged, *, request_id: str) -> None:
        request = pb.ApplyRateCardRequest(
            request_id=request_id,
            rate_card_id=changed.rate_card_id,
            version=changed.version,
            rates=[_rate_to_wire(rate) for rate in changed.rates],
        )
        with _faults():
            await self._stub.ApplyRateCard(request)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, peer="ledger") from error


def _filter_to_wire(one: PropertyFilter) -> pb.PropertyFilter:
    return pb.PropertyFilter(
        property=one.property,
        exists=one.kind is FilterKind.EXISTS,
        in_values=one.values if one.kind is FilterKind.IN else (),
        not_in_values=one.values if one.kind is FilterKind.NOT_IN else (),
    )


def _rate_to_wire(rate: Rate) -> pb.UsageRate:
    return pb.UsageRate(
        rate_id=rate.rate_id,
        product_id=rate.product_id,
        credit_type_id=rate.credit_type_id,
        price_micros=rate.price.numerator_micros,
        per_micros=rate.price.denominator_micros,
        effective_time=timestamp(rate.effective_time),
        end_time=optional_timestamp(rate.end_time),
    )
