# SPDX-License-Identifier: Apache-2.0
"""Statements about top-ups."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller
from meshkit.page import Page
from meshkit.quantity import Credits, Money
from services.contract.domain.errors.top_ups import TopUpNotFound
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    CustomerId,
    InvoiceId,
    ProductId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.top_up import PaymentError, PaymentGate, TopUp, TopUpStatus, TopUpTerms
from services.contract.store.paging import one_page
from services.contract.tables import top_ups

_COLUMNS: Final[tuple[Column[Any], ...]] = (
    top_ups.c.top_up_id,
    top_ups.c.contract_id,
    top_ups.c.customer_id,
    top_ups.c.top_up_pack_id,
    top_ups.c.product_id,
    top_ups.c.credit_type_id,
    top_ups.c.amount_micros,
    top_ups.c.price_currency_code,
    top_ups.c.price_micros,
    top_ups.c.priority,
    top_ups.c.lifetime,
    top_ups.c.payment_gate,
    top_ups.c.status,
    top_ups.c.invoice_id,
    top_ups.c.payment_reference,
    top_ups.c.create_time,
    top_ups.c.resolve_time,
    top_ups.c.expire_time,
    top_ups.c.last_error_code,
    top_ups.c.last_error_message,
    top_ups.c.last_error_time,
)


class StoredTopUps:
    """Whoever changes a top-up has locked its customer."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, top_up: TopUp) -> None:
        terms = top_up.terms
        await self._connection.execute(
            insert(top_ups).values(
                top_up_id=top_up.top_up_id,
                contract_id=top_up.contract_id,
                customer_id=top_up.customer_id,
                top_up_pack_id=top_up.top_up_pack_id,
                product_id=terms.product_id,
                credit_type_id=terms.credit_type_id,
                amount_micros=terms.amount.micros,
                price_currency_code=terms.price.currency_code,
                price_micros=terms.price.micros,
                priority=terms.priority,
                lifetime=terms.lifetime,
                payment_gate=top_up.payment_gate.value,
                status=top_up.status.value,
                invoice_id=top_up.invoice_id,
                payment_reference=top_up.payment_reference,
                create_time=top_up.create_time,
                resolve_time=top_up.resolve_time,
                expire_time=top_up.expire_time,
                **_error_to_row(top_up.last_payment_error),
            )
        )

    async def save(self, top_up: TopUp) -> None:
        """Store what may change in a top-up: what became of its payment."""
        await self._connection.execute(
            update(top_ups)
            .where(top_ups.c.top_up_id == top_up.top_up_id)
            .values(
                status=top_up.status.value,
                payment_reference=top_up.payment_reference,
                resolve_time=top_up.resolve_time,
                **_error_to_row(top_up.last_payment_error),
            )
        )

    async def due(self, *, at: datetime, rows_max: int) -> Sequence[tuple[TopUpId, CustomerId]]:
        """Return orders that wait for a report and have expired by an instant, the oldest first."""
        wanted = (
            select(top_ups.c.top_up_id, top_ups.c.customer_id)
            .where(
                top_ups.c.status == TopUpStatus.PENDING_PAYMENT.value,
                top_ups.c.payment_gate == PaymentGate.EXTERNAL.value,
                top_ups.c.expire_time <= at,
            )
            .order_by(top_ups.c.expire_time, top_ups.c.top_up_id)
            .limit(rows_max)
        )
        rows = await self._connection.execute(wanted)
        return [(TopUpId(row.top_up_id), CustomerId(row.customer_id)) for row in rows]

    async def find(self, top_up_id: TopUpId) -> TopUp:
        """Raises TopUpNotFound."""
        found = select(*_COLUMNS).where(top_ups.c.top_up_id == top_up_id)
        row = (await self._connection.execute(found)).first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise TopUpNotFound(top_up_id=top_up_id)
        return _from_row(row)

    async def of_invoice(self, invoice_id: InvoiceId) -> TopUp | None:
        """Return the top-up that an invoice charges; None if it charges something else."""
        found = select(*_COLUMNS).where(top_ups.c.invoice_id == invoice_id)
        row = (await self._connection.execute(found)).first()
        return None if row is None else _from_row(row)

    async def listed(self, contract_id: ContractId, page: Page) -> list[TopUp]:
        """Return a page in order of creation, or the newest first, and one row more if there is one."""
        of = select(*_COLUMNS).where(top_ups.c.contract_id == contract_id)
        rows = await self._connection.execute(one_page(of, top_ups.c.top_up_id, page))
        return [_from_row(row) for row in rows]


def _from_row(row: Row[Any]) -> TopUp:
    return TopUp(
        top_up_id=TopUpId(row.top_up_id),
        contract_id=ContractId(row.contract_id),
        customer_id=CustomerId(row.customer_id),
        top_up_pack_id=None if row.top_up_pack_id is None else TopUpPackId(row.top_up_pack_id),
        terms=TopUpTerms(
            product_id=ProductId(row.product_id),
            credit_type_id=CreditTypeId(row.credit_type_id),
            amount=Credits(row.amount_micros),
            price=Money(row.price_currency_code, row.price_micros),
            priority=row.priority,
            lifetime=row.lifetime,
        ),
        payment_gate=PaymentGate(row.payment_gate),
        status=TopUpStatus(row.status),
        invoice_id=InvoiceId(row.invoice_id),
        payment_reference=row.payment_reference,
        create_time=row.create_time,
        resolve_time=row.resolve_time,
        expire_time=row.expire_time,
        last_payment_error=None
        if row.last_error_time is None
        else PaymentError(
            code=row.last_error_code, message=row.last_error_message, create_time=row.last_error_time
        ),
    )


def _error_to_row(error: PaymentError | None) -> dict[str, object]:
    if error is None:
        return {"last_error_code": "", "last_error_message": "", "last_error_time": None}
    return {
        "last_error_code": error.code,
        "last_error_message": error.message,
        "last_error_time": error.create_time,
    }
