# SPDX-License-Identifier: Apache-2.0
"""The peers of the Ledger: Alert and Contract, which receive crossings. None is called while a request waits."""

import grpc.aio

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import faults_of
from purser.alert.v1 import alert_peer_pb2, alert_peer_pb2_grpc
from purser.contract.v1 import contract_peer_pb2, contract_peer_pb2_grpc
from services.ledger.domain.crossings.watch import Crossing, LevelCrossing


class AlertPeer:
    """Sends crossings to Alert. Raises Alert's fault, or PeerUnavailable. Repeats have no effect."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = alert_peer_pb2_grpc.AlertPeerServiceStub(channel)

    async def observe_crossing(self, crossing: Crossing, *, request_id: str) -> None:
        request = alert_peer_pb2.ObserveCrossingRequest(
            request_id=request_id,
            alert_id=crossing.alert_id,
            customer_id=crossing.customer_id,
            group_value=crossing.group_value,
            in_alarm=crossing.in_alarm,
            # What remains in a pool is a sum of grants, which int64 need not hold; Alert gets what it can hold.
            value_micros=min(crossing.value_micros, INT64_MAX),
            sequence=crossing.sequence,
            observe_time=timestamp(crossing.observe_time),
        )
        with faults_of("alert"):
            await self._stub.ObserveCrossing(request)


class ContractPeer:
    """Tells Contract what remains in pools. Raises Contract's fault, or PeerUnavailable. Repeats have no effect."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = contract_peer_pb2_grpc.ContractPeerServiceStub(channel)

    async def report_level(self, crossing: LevelCrossing, *, request_id: str) -> None:
        request = contract_peer_pb2.ReportTopUpLevelRequest(
            request_id=request_id,
            auto_top_up_id=crossing.auto_top_up_id,
            customer_id=crossing.customer_id,
            credit_type_id=crossing.credit_type_id,
            version=crossing.version,
            in_alarm=crossing.in_alarm,
            remaining_micros=min(crossing.remaining.micros, INT64_MAX),
            sequence=crossing.sequence,
            observe_time=timestamp(crossing.observe_time),
        )
        with faults_of("contract"):
            await self._stub.ReportTopUpLevel(request)
