# SPDX-License-Identifier: Apache-2.0
"""Statements about the dunning of invoices. Whoever changes one has locked its invoice."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Integer, Row, Text, exists, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.contract.domain.collection import AfterLastRetry, CollectionMethod
from services.contract.domain.dunning import Dunning, DunningStatus
from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.payments import FINAL
from services.contract.domain.top_up import PaymentError
from services.contract.tables import (
    contracts,
    invoice_charge_parts,
    invoice_charges,
    invoice_dunning,
    invoices,
)

_SETTLED: Final = DunningStatus.SETTLED.value


class StoredDunning:
    """next_time is in business time."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, invoice_ids: Collection[InvoiceId], *, at: datetime) -> None:
        """Collect issued invoices from now on, if their contracts say so."""
        if not invoice_ids:
            return
        nothing: Any = literal("", Text)
        columns = {
            invoice_dunning.c.invoice_id: invoices.c.invoice_id,
            invoice_dunning.c.customer_id: invoices.c.customer_id,
            invoice_dunning.c.currency_code: invoices.c.currency_code,
            invoice_dunning.c.status: literal(DunningStatus.COLLECTING.value),
            invoice_dunning.c.retry_days: contracts.c.retry_days,
            invoice_dunning.c.after_last_retry: contracts.c.after_last_retry,
            invoice_dunning.c.begin_time: literal(at),
            invoice_dunning.c.next_time: literal(at),
            invoice_dunning.c.attempts: literal(0, Integer),
            invoice_dunning.c.error_code: nothing,
            invoice_dunning.c.error_message: nothing,
            invoice_dunning.c.refused_method: nothing,
            invoice_dunning.c.is_overdue: literal(False),
        }
        collected = (
            select(*(value.label(column.name) for column, value in columns.items()))
            .join(contracts, contracts.c.contract_id == invoices.c.contract_id)
            .where(
                invoices.c.invoice_id.in_(invoice_ids),
                contracts.c.collection_method == CollectionMethod.CHARGE_AUTOMATICALLY.value,
            )
        )
        begun = upsert(invoice_dunning).from_select([column.name for column in columns], collected)
        await self._connection.execute(begun.on_conflict_do_nothing())

    async def insert(self, dunning: Dunning) -> None:
        await self._connection.execute(
            insert(invoice_dunning).values(
                invoice_id=dunning.invoice_id,
                customer_id=dunning.customer_id,
                currency_code=dunning.currency_code,
                retry_days=list(dunning.retry_days),
                after_last_retry=dunning.after_last_retry.value,
                begin_time=dunning.begin_time,
                **_changing(dunning),
            )
        )

    async def save(self, dunning: Dunning) -> None:
        await self._connection.execute(
            update(invoice_dunning)
            .where(invoice_dunning.c.invoice_id == dunning.invoice_id)
            .values(**_changing(dunning))
        )

    async def find(self, invoice_id: InvoiceId) -> Dunning | None:
        """Return the dunning of an invoice; None if it was never paid through the provider."""
        wanted = select(invoice_dunning).where(invoice_dunning.c.invoice_id == invoice_id)
        row = (await self._connection.execute(wanted)).first()
        return None if row is None else _from_row(row)

    async def due(
        self, *, at: datetime, after: tuple[datetime, InvoiceId] | None, rows_max: int
    ) -> Sequence[Dunning]:
        """Return what is due by an instant, in due order, after `after`."""
        wanted = select(invoice_dunning).where(invoice_dunning.c.next_time <= at)
        if after is not None:
            later = invoice_dunning.c.next_time > after[0]
            same = (invoice_dunning.c.next_time == after[0]) & (invoice_dunning.c.invoice_id > after[1])
            wanted = wanted.where(later | same)
        ordered = wanted.order_by(invoice_dunning.c.next_time, invoice_dunning.c.invoice_id).limit(rows_max)
        return [_from_row(row) for row in await self._connection.execute(ordered)]

    async def unsettled(self, customer_id: CustomerId) -> Sequence[Dunning]:
        """Return everything that is not settled of a customer, in order of creation."""
        wanted = select(invoice_dunning).where(
            invoice_dunning.c.customer_id == customer_id, invoice_dunning.c.status != _SETTLED
        )
        rows = await self._connection.execute(wanted.order_by(invoice_dunning.c.invoice_id))
        return [_from_row(row) for row in rows]

    async def carried(
        self, customer_id: CustomerId, currency_code: str, *, but: InvoiceId
    ) -> Sequence[InvoiceId]:
        """Return the carried invoices of a customer and a currency that no payment at the provider is for."""
        live = exists().where(
            invoice_charge_parts.c.invoice_id == invoice_dunning.c.invoice_id,
            invoice_charges.c.payment_id == invoice_charge_parts.c.payment_id,
            invoice_charges.c.state.not_in([one.value for one in FINAL]),
            invoice_charge_parts.c.payment_id.not_in(
                select(invoice_charge_parts.c.payment_id).where(invoice_charge_parts.c.invoice_id == but)
            ),
        )
        wanted = select(invoice_dunning.c.invoice_id).where(
            invoice_dunning.c.customer_id == customer_id,
            invoice_dunning.c.currency_code == currency_code,
            invoice_dunning.c.status == DunningStatus.CARRIED.value,
            invoice_dunning.c.invoice_id != but,
            ~live,
        )
        rows = await self._connection.execute(wanted.order_by(invoice_dunning.c.invoice_id))
        return [InvoiceId(row.invoice_id) for row in rows]

    async def look_again(self, invoice_id: InvoiceId, *, at: datetime) -> None:
        """Make the dunning of a locked invoice due, unless it is settled."""
        await self._connection.execute(
            update(invoice_dunning)
            .where(invoice_dunning.c.invoice_id == invoice_id, invoice_dunning.c.status != _SETTLED)
            .values(next_time=at)
        )

    async def stop(self, invoice_id: InvoiceId) -> None:
        """Plan nothing more for a locked invoice, unless its dunning is settled."""
        await self._connection.execute(
            update(invoice_dunning)
            .where(invoice_dunning.c.invoice_id == invoice_id, invoice_dunning.c.status != _SETTLED)
            .values(status=DunningStatus.STOPPED.value, next_time=None)
        )


def _changing(dunning: Dunning) -> dict[str, object]:
    error = dunning.last_error
    return {
        "status": dunning.status.value,
        "next_time": dunning.next_time,
        "attempts": dunning.attempts,
        "error_code": "" if error is None else error.code,
        "error_message": "" if error is None else error.message,
        "error_time": None if error is None else error.create_time,
        "refused_method": dunning.refused_method,
        "is_overdue": dunning.is_overdue,
    }


def _from_row(row: Row[Any]) -> Dunning:
    return Dunning(
        invoice_id=InvoiceId(row.invoice_id),
        customer_id=CustomerId(row.customer_id),
        currency_code=row.currency_code,
        status=DunningStatus(row.status),
        retry_days=tuple(row.retry_days),
        after_last_retry=AfterLastRetry(row.after_last_retry),
        begin_time=row.begin_time,
        next_time=row.next_time,
        attempts=row.attempts,
        last_error=None
        if row.error_time is None
        else PaymentError(code=row.error_code, message=row.error_message, create_time=row.error_time),
        refused_method=row.refused_method,
        is_overdue=row.is_overdue,
    )
