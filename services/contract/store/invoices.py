# SPDX-License-Identifier: Apache-2.0
"""Statements about invoices, their lines and their payments."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller
from meshkit.page import Page
from meshkit.quantity import Money
from services.contract.domain.errors.invoices import InvoiceNotFound, PaymentAlreadyRecorded
from services.contract.domain.ids import ContractId, CustomerId, InvoiceId, SubscriptionId
from services.contract.domain.invoice import Invoice, InvoiceLine, InvoiceLineKind, InvoiceStatus
from services.contract.domain.invoice_life import InvoicePayment
from services.contract.domain.invoice_taxes import TaxSoFar
from services.contract.store.formats import DRAFT_LINE
from services.contract.store.invoice_rows import (
    SELECT_INVOICES,
    SELECT_LINES,
    SELECT_PAYMENTS,
    invoice_from_row,
    line_from_row,
    line_to_row,
    payment_from_row,
    state_to_row,
)
from services.contract.tables import invoice_lines, invoice_payments, invoice_usage, invoices


class StoredInvoices:
    """Lines and payments never change. Lock an invoice before you change it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, invoice: Invoice) -> None:
        await self._connection.execute(
            insert(invoices).values(
                invoice_id=invoice.invoice_id,
                customer_id=invoice.customer_id,
                contract_id=invoice.contract_id,
                currency_code=invoice.total.currency_code,
                issue_time=invoice.issue_time,
                **state_to_row(invoice),
            )
        )
        await self._insert_lines(invoice, stored=0)

    async def extend(self, invoice: Invoice, *, stored: int) -> None:
        """Add lines to a locked draft: all but the first `stored` ones, which it has already."""
        extended = (
            update(invoices)
            .where(
                invoices.c.invoice_id == invoice.invoice_id, invoices.c.status == InvoiceStatus.DRAFT.value
            )
            .values(issue_time=invoice.issue_time, total_micros=invoice.total.micros)
        )
        assert (await self._connection.execute(extended)).rowcount == 1
        await self._insert_lines(invoice, stored=stored)

    async def lock_waiting(self, contract_id: ContractId) -> Invoice | None:
        """Return the locked draft of a contract's seats whose lines are all 0; None: there is none."""
        has_seats = exists().where(
            invoice_lines.c.invoice_id == invoices.c.invoice_id, invoice_lines.c.subscription_id.is_not(None)
        )
        waiting = (
            SELECT_INVOICES.where(
                invoices.c.contract_id == contract_id,
                invoices.c.status == InvoiceStatus.DRAFT.value,
                invoices.c.total_micros == 0,
                has_seats,
            )
            .order_by(invoices.c.invoice_id)
            .limit(1)
            .with_for_update(key_share=True)
        )
        row = (await self._connection.execute(waiting)).first()
        return None if row is None else (await self._whole([row]))[0]

    async def save(self, invoice: Invoice) -> None:
        """Save what happened to an invoice that this transaction has locked or made."""
        saved = (
            update(invoices)
            .where(invoices.c.invoice_id == invoice.invoice_id)
            .values(**state_to_row(invoice))
        )
        assert (await self._connection.execute(saved)).rowcount == 1

    async def save_origin(self, invoice_id: InvoiceId, regenerated_from: InvoiceId) -> None:
        """Save that a new invoice has the charges of one that is void."""
        saved = update(invoices).where(invoices.c.invoice_id == invoice_id)
        await self._connection.execute(saved.values(regenerated_from=regenerated_from))

    async def charged_subscriptions(self, invoice_id: InvoiceId) -> frozenset[SubscriptionId]:
        """Return the subscriptions whose seats an invoice charges; the lines of a regenerated one do not name them."""
        first = (
            select(invoices.c.invoice_id, invoices.c.regenerated_from)
            .where(invoices.c.invoice_id == invoice_id)
            .cte("origins", recursive=True)
        )
        before = select(invoices.c.invoice_id, invoices.c.regenerated_from).join(
            first, invoices.c.invoice_id == first.c.regenerated_from
        )
        origins = first.union_all(before)
        charged = (
            select(invoice_lines.c.subscription_id)
            .distinct()
            .join(origins, origins.c.invoice_id == invoice_lines.c.invoice_id)
            .where(invoice_lines.c.subscription_id.is_not(None), invoice_lines.c.total_micros > 0)
        )
        rows = await self._connection.execute(charged)
        return frozenset(SubscriptionId(row.subscription_id) for row in rows)

    async def tax_so_far(self, draft: Invoice, description: str) -> TaxSoFar:
        """Return what a contract's other invoices say of one tax; void ones do not count."""
        of_tax = (
            select(
                func.coalesce(func.sum(invoice_lines.c.unit_price_micros), 0).label("taxed"),
                func.coalesce(func.sum(invoice_lines.c.total_micros), 0).label("charged"),
            )
            .join(invoices, invoices.c.invoice_id == invoice_lines.c.invoice_id)
            .where(
                invoices.c.contract_id == draft.contract_id,
                invoices.c.invoice_id != draft.invoice_id,
                invoices.c.status != "VOID",
                invoice_lines.c.kind == InvoiceLineKind.TAX.value,
                invoice_lines.c.description == description,
                invoice_lines.c.currency_code == draft.total.currency_code,
            )
        )
        row = (await self._connection.execute(of_tax)).one()
        currency = draft.total.currency_code
        return TaxSoFar(taxed=Money(currency, int(row.taxed)), charged=Money(currency, int(row.charged)))

    async def insert_payment(self, payment: InvoicePayment) -> None:
        """Raises PaymentAlreadyRecorded if the invoice has a payment of this reference."""
        inserted = (
            upsert(invoice_payments)
            .values(
                invoice_payment_id=payment.invoice_payment_id,
                invoice_id=payment.invoice_id,
                currency_code=payment.amount.currency_code,
                amount_micros=payment.amount.micros,
                reference=payment.reference,
                payment_time=payment.payment_time,
                create_time=payment.create_time,
            )
            .on_conflict_do_nothing(
                index_elements=[invoice_payments.c.invoice_id, invoice_payments.c.reference]
            )
            .returning(invoice_payments.c.invoice_payment_id)
        )
        if (await self._connection.execute(inserted)).first() is None:
            raise PaymentAlreadyRecorded(invoice_id=payment.invoice_id, reference=payment.reference)

    async def payments(self, invoice_id: InvoiceId) -> list[InvoicePayment]:
        """Return the payments of an invoice in the order recorded."""
        of = SELECT_PAYMENTS.where(invoice_payments.c.invoice_id == invoice_id)
        rows = await self._connection.execute(of.order_by(invoice_payments.c.invoice_payment_id))
        return [payment_from_row(row) for row in rows]

    async def lock(self, invoice_id: InvoiceId) -> Invoice:
        """Return an invoice locked until the commit. Raises InvoiceNotFound."""
        locked = SELECT_INVOICES.where(invoices.c.invoice_id == invoice_id).with_for_update(key_share=True)
        row = (await self._connection.execute(locked)).first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise InvoiceNotFound(invoice_id=invoice_id)
        return (await self._whole([row]))[0]

    async def lock_unnumbered(self, rows_max: int) -> list[Invoice]:
        """Return locked invoices that a previous version issued, as the drafts that they are to this one.

        Invoices that another replica has locked are left out.
        """
        unnumbered = (
            SELECT_INVOICES.where(
                invoices.c.status == "FINALIZED", invoices.c.number.is_(None), invoices.c.total_micros > 0
            )
            .order_by(invoices.c.finalize_time, invoices.c.invoice_id)
            .limit(rows_max)
            .with_for_update(key_share=True, skip_locked=True)
        )
        found = await self._whole((await self._connection.execute(unnumbered)).all())
        return [replace(one, status=InvoiceStatus.DRAFT, finalize_time=None) for one in found]

    async def find(self, invoice_id: InvoiceId) -> Invoice:
        """Raises InvoiceNotFound."""
        row = (
            await self._connection.execute(SELECT_INVOICES.where(invoices.c.invoice_id == invoice_id))
        ).first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise InvoiceNotFound(invoice_id=invoice_id)
        return (await self._whole([row]))[0]

    async def listed(
        self, customer_id: CustomerId, contract_id: ContractId | None, page: Page
    ) -> list[Invoice]:
        """Return a page by issue_time, then in order of creation, or the newest first, and one row more if there is."""
        statement = SELECT_INVOICES.where(invoices.c.customer_id == customer_id)
        if contract_id is not None:
            statement = statement.where(invoices.c.contract_id == contract_id)
        columns = (invoices.c.issue_time, invoices.c.invoice_id)
        if page.after is not None:
            issued, invoice_id = page.after
            key, after = tuple_(*columns), (datetime.fromisoformat(issued), invoice_id)
            statement = statement.where(key < after if page.newest_first else key > after)
        order = [one.desc() for one in columns] if page.newest_first else columns
        ordered = statement.order_by(*order).limit(page.size + 1)
        return await self._whole((await self._connection.execute(ordered)).all())

    async def _insert_lines(self, invoice: Invoice, *, stored: int) -> None:
        if len(invoice.lines) == stored:
            return
        rows = [
            {"invoice_id": invoice.invoice_id, "position": position} | line_to_row(line)
            for position, line in enumerate(invoice.lines[stored:], start=stored)
        ]
        await self._connection.execute(insert(invoice_lines), rows)

    async def _whole(self, rows: Sequence[Row[Any]]) -> list[Invoice]:
        lines: defaultdict[str, list[InvoiceLine]] = defaultdict(list)
        of = SELECT_LINES.where(invoice_lines.c.invoice_id.in_([row.invoice_id for row in rows]))
        for line in await self._connection.execute(of):
            lines[line.invoice_id].append(line_from_row(line))
        whole = [invoice_from_row(row, tuple(lines[row.invoice_id])) for row in rows]
        drafts = [one.invoice_id for one in whole if one.status is InvoiceStatus.DRAFT]
        usage = await self._usage_of_drafts(drafts) if drafts else {}
        return [_with_usage(one, usage.get(one.invoice_id)) for one in whole]

    async def _usage_of_drafts(self, invoice_ids: Sequence[InvoiceId]) -> dict[str, Any]:
        of = select(
            invoice_usage.c.invoice_id, invoice_usage.c.close_time, invoice_usage.c.draft_lines
        ).where(invoice_usage.c.invoice_id.in_(invoice_ids))
        return {row.invoice_id: row for row in await self._connection.execute(of)}


def _with_usage(draft: Invoice, usage: Any | None) -> Invoice:
    """Return a draft as it is if it shows usage: with the overage so far, or as a statement."""
    if usage is None:
        return draft
    if usage.close_time is not None:
        return replace(draft, status=InvoiceStatus.STATEMENT)
    return replace(draft, lines=(*draft.lines, *map(DRAFT_LINE.decode, usage.draft_lines)))
