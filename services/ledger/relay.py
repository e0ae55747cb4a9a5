# SPDX-License-Identifier: Apache-2.0
"""Notices of the outbox, each to the call that tells it. There is one kind: a crossing."""

from meshkit.encoding import from_json
from meshkit.outbox import Notice
from services.ledger.domain.crossings.watch import Crossing
from services.ledger.peers import AlertPeer


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises when Alert did not take it."""

    def __init__(self, alert: AlertPeer) -> None:
        self._alert = alert

    async def deliver(self, notice: Notice) -> None:
        await self._alert.observe_crossing(from_json(Crossing, notice.payload), request_id=notice.notice_id)
