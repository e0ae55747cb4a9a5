# SPDX-License-Identifier: Apache-2.0
"""Statements about the invoices that alerts watch: what the stored events say of them."""

import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, cast, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alert.domain.alert import EVERY_CUSTOMER, AlertId, AlertType, CustomerId
from services.alert.domain.invoice_total import (
    INVOICE_EVENTS,
    Invoice,
    InvoiceCursor,
    InvoiceId,
    invoice_from,
)
from services.alert.tables import alerts, events

# Written out, so that the planner sees that events_invoices_idx has them.
_IS_INVOICE = events.c.event_type.in_([literal_column(f"'{one.value}'") for one in INVOICE_EVENTS])
_INVOICE_ID = cast(events.c.payload, JSONB)["data"]["invoice_id"].astext


class StoredInvoices:
    """An alert reads the events of invoices in the order of the feed, which shows committed ones only."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def is_watched(self) -> bool:
        """Whether an alert that is active watches invoices."""
        wanted = select(alerts.c.alert_id).where(_is_active()).limit(1)
        return (await self._connection.execute(wanted)).first() is not None

    async def behind(self) -> Sequence[InvoiceCursor]:
        """Return the alerts that have not observed all events of invoices."""
        newest = select(func.max(events.c.position)).where(_IS_INVOICE).scalar_subquery()
        wanted = select(
            alerts.c.alert_id, alerts.c.version, alerts.c.customer_id, alerts.c.invoice_position
        ).where(_is_active(), alerts.c.invoice_position < newest)
        return [
            InvoiceCursor(
                alert_id=AlertId(row.alert_id),
                version=row.version,
                customer_id=CustomerId(row.customer_id),
                position=row.invoice_position,
            )
            for row in await self._connection.execute(wanted.order_by(alerts.c.alert_id))
        ]

    async def next(self, cursor: InvoiceCursor, *, rows_max: int) -> tuple[list[InvoiceId], int]:
        """Return the invoices of the next events after a cursor, at most `rows_max`, and the last position."""
        wanted = select(events.c.position, events.c.customer_id, _INVOICE_ID.label("invoice_id")).where(
            events.c.position > cursor.position, _IS_INVOICE
        )
        rows = (await self._connection.execute(wanted.order_by(events.c.position).limit(rows_max))).all()
        found = [
            InvoiceId(customer_id=CustomerId(row.customer_id), invoice_id=row.invoice_id)
            for row in rows
            if row.invoice_id and cursor.customer_id in (EVERY_CUSTOMER, row.customer_id)
        ]
        return found, rows[-1].position if rows else cursor.position

    async def get(self, invoice: InvoiceId) -> Invoice | None:
        """Return what the events say that are kept; None if none says enough."""
        # Parsing the JSON of all invoices of a customer would take 100 times as long.
        field = json.dumps({"invoice_id": invoice.invoice_id}, ensure_ascii=False, separators=(",", ":"))
        wanted = select(events.c.payload).where(
            events.c.customer_id == invoice.customer_id,
            _IS_INVOICE,
            func.strpos(events.c.payload, field.strip("{}")) > 0,
        )
        payloads = (await self._connection.execute(wanted)).scalars().all()
        return invoice_from(payloads)

    async def advance(self, cursor: InvoiceCursor, *, position: int) -> None:
        """Save how far an alert has observed events, unless it was changed, or another replica has done so."""
        await self._connection.execute(
            update(alerts)
            .where(
                alerts.c.alert_id == cursor.alert_id,
                alerts.c.version == cursor.version,
                alerts.c.invoice_position == cursor.position,
            )
            .values(invoice_position=position)
        )


def _is_active() -> ColumnElement[bool]:
    return and_(
        alerts.c.alert_type == AlertType.INVOICE_TOTAL.value,
        alerts.c.archive_time.is_(None),
        alerts.c.pause_time.is_(None),
    )
