# SPDX-License-Identifier: Apache-2.0
"""Notices of the outbox, each to the call that tells it."""

from typing import assert_never

from meshkit.encoding import from_json
from meshkit.outbox import Notice
from services.alert.domain.notices import NoticeKind, WatchChanged
from services.alert.peers import LedgerPeer


class Notices:
    """Delivers one notice at a time, for meshkit's relay. Raises when the Ledger did not take it."""

    def __init__(self, ledger: LedgerPeer) -> None:
        self._ledger = ledger

    async def deliver(self, notice: Notice) -> None:
        kind = NoticeKind(notice.kind)
        match kind:
            case NoticeKind.WATCH_CHANGED:
                watch = from_json(WatchChanged, notice.payload)
                await self._ledger.watch_threshold(watch, request_id=notice.notice_id)
            case _:
                assert_never(kind)
