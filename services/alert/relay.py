# SPDX-License-Identifier: Apache-2.0
"""Delivers the notices of the outbox. There is one kind: a watch changed."""

from meshkit.outbox import Notice
from services.alert.peers import LedgerPeer
from services.alert.store.formats import NOTICES


class Notices:
    """Delivers one notice at a time, for meshkit's relay. Raises if the Ledger did not accept it."""

    def __init__(self, ledger: LedgerPeer) -> None:
        self._ledger = ledger

    async def deliver(self, notice: Notice) -> None:
        watch = NOTICES.decode(notice.kind, notice.payload)
        await self._ledger.watch_threshold(watch, request_id=notice.notice_id)
