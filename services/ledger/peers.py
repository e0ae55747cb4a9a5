# SPDX-License-Identifier: Apache-2.0
"""The only peer of the Ledger: Alert, which receives crossings. It is never called while a request waits."""

import grpc.aio

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import faults_of
from purser.alert.v1 import alert_peer_pb2 as pb
from purser.alert.v1 import alert_peer_pb2_grpc
from services.ledger.domain.crossings.watch import Crossing


class AlertPeer:
    """Sends crossings to Alert. Raises Alert's fault, or PeerUnavailable. Repeats have no effect."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = alert_peer_pb2_grpc.AlertPeerServiceStub(channel)

    async def observe_crossing(self, crossing: Crossing, *, request_id: str) -> None:
        request = pb.ObserveCrossingRequest(
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
