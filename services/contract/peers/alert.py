# SPDX-License-Identifier: Apache-2.0
"""Alert, which posts events to the vendor's endpoints."""

import grpc.aio

from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_peer_pb2, alert_peer_pb2_grpc
from services.contract.domain.events import VendorEvent
from services.contract.peers.calls import calling


class AlertPeer:
    """Delivers events to Alert; repeating one changes nothing. Raises Alert's fault, or PeerUnavailable."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = alert_peer_pb2_grpc.AlertPeerServiceStub(channel)

    async def publish_event(self, event: VendorEvent, *, request_id: str) -> None:
        async with calling("alert"):
            await self._stub.PublishEvent(
                alert_peer_pb2.PublishEventRequest(
                    request_id=request_id,
                    event_type=event.event_type.value,
                    customer_id=event.customer_id,
                    event_time=timestamp(event.event_time),
                    data_json=event.data,
                )
            )
