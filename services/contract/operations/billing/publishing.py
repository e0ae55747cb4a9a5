# SPDX-License-Identifier: Apache-2.0
"""Events for the vendor, enqueued in the transaction of their cause. Source: services/contract/README.md, "Events"."""

from collections.abc import Iterable

from services.contract.domain.events import VendorEvent
from services.contract.store import Transaction


async def publish(tx: Transaction, events: Iterable[VendorEvent]) -> None:
    """Enqueue events. The caller has locked what they are about, so each change has its events once."""
    for event in events:
        await tx.outbox.enqueue(event, key=event.lane)
