# SPDX-License-Identifier: Apache-2.0
"""Holds that were captured before, for the events and Captures that capture them again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import USES, Entry
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate.decision import Amount, CapturedBefore
from services.ledger.domain.gate.hold import Hold, HoldId
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage import hold_capture
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.store import Transaction


class CapturedHolds:
    """Knows what the captures of these holds came to: by stored entries, and by those of the batch itself."""

    def __init__(self) -> None:
        self._stored: dict[tuple[PoolKey, HoldId], list[Entry]] = {}

    async def look_up(self, tx: Transaction, holds: Iterable[tuple[PoolKey, Hold]]) -> None:
        """Read the entries of captures."""
        for key, hold in holds:
            entries = await tx.corrections.entries_of_hold(key, hold.hold_id)
            self._stored[key, hold.hold_id] = [entry for entry in entries if entry.kind in USES]

    def result(
        self,
        account: Account,
        hold: Hold,
        event: RecordEvent,
        products: Mapping[ProductId, UsageProduct],
    ) -> EventResult:
        """Return the result of an event that names a captured hold. products: of the hold."""
        return hold_capture.event_after_capture(account, hold, self._entries(account, hold), event, products)

    def is_of_event(self, account: Account, hold: Hold) -> bool:
        """Whether it was an event that captured a captured hold."""
        return hold_capture.is_of_event(self._entries(account, hold))

    def response(
        self, account: Account, hold: Hold, used: Sequence[Amount], *, at: datetime
    ) -> CapturedBefore:
        """Return the response to the Capture of a hold that an event has captured."""
        return hold_capture.capture_after_event(account, hold, self._entries(account, hold), used, at=at)

    def _entries(self, account: Account, hold: Hold) -> list[Entry]:
        key = (account.customer_id, account.credit_type_id)
        new = [entry for entry in account.entries if entry.usage and entry.usage.hold_id == hold.hold_id]
        return self._stored.get((key, hold.hold_id), []) + new
