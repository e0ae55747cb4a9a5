# SPDX-License-Identifier: Apache-2.0
"""Delivers the notices of the outbox, each by the call of its kind."""

from typing import assert_never

from meshkit.outbox import Notice
from services.catalog.domain.notices import ProductChanged, RateCardChanged
from services.catalog.peers import LedgerPeer
from services.catalog.store.formats import NOTICES


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises if the Ledger did not accept it."""

    def __init__(self, ledger: LedgerPeer) -> None:
        self._ledger = ledger

    async def deliver(self, notice: Notice) -> None:
        payload = NOTICES.decode(notice.kind, notice.payload)
        match payload:
            case ProductChanged():
                await self._ledger.apply_metrics(payload, request_id=notice.notice_id)
            case RateCardChanged():
                await self._ledger.apply_rate_card(payload, request_id=notice.notice_id)
            case _:
                assert_never(payload)
