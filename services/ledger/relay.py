# SPDX-License-Identifier: Apache-2.0
"""Delivers the notices of the outbox: crossings, to whoever set the threshold."""

from typing import assert_never

from meshkit.outbox import Notice
from services.ledger.domain.crossings.watch import Crossing, LevelCrossing
from services.ledger.peers import AlertPeer, ContractPeer
from services.ledger.store.formats import NOTICES


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises when the peer did not take it."""

    def __init__(self, alert: AlertPeer, contract: ContractPeer) -> None:
        self._alert = alert
        self._contract = contract

    async def deliver(self, notice: Notice) -> None:
        crossing = NOTICES.decode(notice.kind, notice.payload)
        match crossing:
            case Crossing():
                await self._alert.observe_crossing(crossing, request_id=notice.notice_id)
            case LevelCrossing():
                await self._contract.report_level(crossing, request_id=notice.notice_id)
            case _:
                assert_never(crossing)
