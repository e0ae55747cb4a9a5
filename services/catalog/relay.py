# SPDX-License-Identifier: Apache-2.0
"""Notices of the outbox, each to the call that tells it."""

from typing import assert_never

from meshkit.encoding import from_json
from meshkit.outbox import Notice
from services.catalog.domain.notices import NoticeKind, ProductChanged, RateCardChanged
from services.catalog.peers import LedgerPeer


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises when the Ledger did not take it."""

    def __init__(self, ledger: LedgerPeer) -> None:
        self._ledger = ledger

    async def deliver(self, notice: Notice) -> None:
        kind = NoticeKind(notice.kind)
        match kind:
            case NoticeKind.PRODUCT_CHANGED:
                product = from_json(ProductChanged, notice.payload)
                await self._ledger.apply_metrics(product, request_id=notice.notice_id)
            case NoticeKind.RATE_CARD_CHANGED:
                card = from_json(RateCardChanged, notice.payload)
                await self._ledger.apply_rate_card(card, request_id=notice.notice_id)
            case _:
                assert_never(kind)
