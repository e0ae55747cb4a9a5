# SPDX-License-Identifier: Apache-2.0
"""Observes invoices for alerts of the type INVOICE_TOTAL, from the events that Contract has published.

Each alert reads the feed from its position. Of an invoice that has an event there, its present state counts, so what is
over raises no alarm. Any number of replicas may do that: each invoice is observed under the lock of its status.
"""

from typing import Final

from meshkit.periodic import WokenTask
from services.alert.domain.alert import Alert
from services.alert.domain.invoice_total import InvoiceCursor, InvoiceId, crossing_of, is_reached
from services.alert.domain.status import unobserved
from services.alert.operations.crossings import Crossings
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore, Transaction

POLL_SECONDS: Final = 1.0  # for what other replicas have stored
EVENTS_MAX: Final = 200  # of one look at the feed


class InvoiceTotals:
    """Works when it is woken by what concerns invoices, and every second. courier: posts what has become due."""

    def __init__(
        self, *, store: PostgresStore, crossings: Crossings, courier: Courier, events_max: int = EVENTS_MAX
    ) -> None:
        self._store = store
        self._crossings = crossings
        self._courier = courier
        self._events_max = events_max
        self._task = WokenTask(self.run, poll_seconds=POLL_SECONDS, failed="invoices_unobserved")

    async def start(self) -> None:
        """Start in the background."""
        await self._task.start()

    async def stop(self) -> None:
        """Stop; a transaction under way is rolled back."""
        await self._task.stop()

    def wake(self) -> None:
        """Look for new events of invoices now. Call it after the commit."""
        self._task.wake()

    async def run(self) -> None:
        """Observe everything that is committed. Without an alert that watches invoices, that is one small question."""
        async with self._store.transaction() as tx:
            if not await tx.invoices.is_watched():
                return
        await self._store.place_events()
        while True:
            async with self._store.transaction() as tx:
                behind = await tx.invoices.behind()
            if not behind:
                return
            for cursor in behind:
                await self._catch_up(cursor)

    async def _catch_up(self, cursor: InvoiceCursor) -> None:
        """Observe the invoices of the next events for one alert."""
        async with self._store.transaction() as tx:
            invoices, position = await tx.invoices.next(cursor, rows_max=self._events_max)
        for invoice in dict.fromkeys(invoices):
            async with self._store.transaction() as tx:
                alert = await tx.alerts.find(cursor.alert_id)
                if alert is None or alert.version != cursor.version:
                    return  # changed meanwhile: it begins anew
                is_new = await self._observe(tx, alert, invoice)
            if is_new:
                self._courier.wake()
        async with self._store.transaction() as tx:
            await tx.invoices.advance(cursor, position=position)

    async def _observe(self, tx: Transaction, alert: Alert, invoice_id: InvoiceId) -> bool:
        """Bring the status of an invoice up to date. Returns whether it has changed."""
        new = unobserved(alert, invoice_id.customer_id, invoice_id.invoice_id)
        status = await tx.statuses.find_locked(new)
        if status is None:
            invoice = await tx.invoices.get(invoice_id)
            if invoice is None or not is_reached(alert, invoice):
                return False
            await tx.statuses.insert_if_new(new)
            status = await tx.statuses.lock(new)
        # Read under the lock of the status: what another replica has read before cannot be recorded after this.
        invoice = await tx.invoices.get(invoice_id)
        crossing = None if invoice is None else crossing_of(alert, invoice, status)
        if crossing is None:
            return False
        await self._crossings.take(tx, alert, crossing)
        return True
