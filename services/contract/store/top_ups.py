# SPDX-License-Identifier: Apache-2.0
"""Statements about top-ups."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller
from meshkit.page import Page
from meshkit.quantity import Credits, Money
from services.contract.domain.errors import TopUpNotFound
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    CustomerId,
    InvoiceId,
    ProductId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.top_up import PaymentGate, TopUp, TopUpStatus, TopUpTerms
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
)


class StoredTopUps:
    """A top-up changes once, from PENDING_PAYMENT."""

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
            )
        )

    async def resolve(
        self, top_up_id: TopUpId, outcome: TopUpStatus, *, payment_reference: str, at: datetime
    ) -> TopUp | None:
        """Set the outcome of a pending top-up; None if it is not pending any more, or does not exist."""
        resolved = (
            update(top_ups)
            .where(
                top_ups.c.top_up_id == top_up_id,
                top_ups.c.status == TopUpStatus.PENDING_PAYMENT.value,
            )
            .values(status=outcome.value, payment_reference=payment_reference, resolve_time=at)
            .returning(*_COLUMNS)
        )
        row = (await self._connection.execute(resolved)).first()
        return None if row is None else _from_row(row)

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
        """Return a page in order of creation, and one row more if there is one."""
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
    )
