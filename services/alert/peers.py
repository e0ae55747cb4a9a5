# SPDX-License-Identifier: Apache-2.0
"""The only peer of Alert: the Ledger, whose transactions detect the crossings."""

from typing import Final

import grpc.aio

from meshkit.outbox import warn_if_ahead
from meshkit.rpc.status import faults_of
from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2_grpc
from services.alert.domain.alert import AlertType, SpendWindow
from services.alert.domain.notices import WatchChanged

_KINDS: Final = {
    AlertType.LOW_BALANCE: pb.WATCH_KIND_LOW_BALANCE,
    AlertType.SPEND: pb.WATCH_KIND_SPEND,
    AlertType.LOW_PERCENTAGE: pb.WATCH_KIND_LOW_PERCENTAGE,
    AlertType.SHORTFALL: pb.WATCH_KIND_SHORTFALL,
    AlertType.OVERAGE: pb.WATCH_KIND_OVERAGE,
    AlertType.GRANT_EXPIRING: pb.WATCH_KIND_GRANT_EXPIRING,
    AlertType.LOW_SEAT_BALANCE: pb.WATCH_KIND_LOW_SEAT_BALANCE,
}


_SPEND_KINDS: Final = {
    SpendWindow.BILLING_PERIOD: pb.WATCH_KIND_SPEND,
    SpendWindow.DAY: pb.WATCH_KIND_SPEND_IN_DAY,
    SpendWindow.WEEK: pb.WATCH_KIND_SPEND_IN_WEEK,
    SpendWindow.MONTH: pb.WATCH_KIND_SPEND_IN_MONTH,
}


def _kind_of(changed: WatchChanged) -> pb.WatchKind:
    is_spend = changed.alert_type is AlertType.SPEND
    return _SPEND_KINDS[changed.window] if is_spend else _KINDS[changed.alert_type]


class LedgerPeer:
    """Delivers notices to the Ledger; repeating one changes nothing. Raises the Ledger's fault, or PeerUnavailable."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_peer_pb2_grpc.LedgerPeerServiceStub(channel)

    async def watch_threshold(self, changed: WatchChanged, *, request_id: str) -> None:
        request = pb.WatchThresholdRequest(
            request_id=request_id,
            alert_id=changed.alert_id,
            version=changed.version,
            is_active=changed.is_active,
            watch_kind=_kind_of(changed),
            customer_id=changed.customer_id,
            credit_type_id=changed.credit_type_id,
            threshold_micros=changed.threshold.micros,
            group_key=changed.group_key,
            group_value=changed.group_value,
            rearm_micros=changed.rearm.micros,
            within_days=changed.expires_within_days,
            product_id=changed.product_id,
        )
        with faults_of("ledger"):
            answer = await self._stub.WatchThreshold(request)
        warn_if_ahead("ledger", "WATCH", changed.alert_id, sent=changed.version, known=answer.version)
