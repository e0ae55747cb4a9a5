# SPDX-License-Identifier: Apache-2.0
"""Delivers the notices of the outbox. There is one kind: a crossing."""

from meshkit.outbox import Notice
from services.ledger.peers import AlertPeer
from services.ledger.store.formats import NOTICES


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises when Alert did not take it."""

    def __init__(self, alert: AlertPeer) -> None:
        self._alert = alert

    async def deliver(self, notice: Notice) -> None:
        crossing = NOTICES.decode(notice.kind, notice.payload)
        await self._alert.observe_crossing(crossing, request_id=notice.notice_id)
