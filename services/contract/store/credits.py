# SPDX-License-Identifier: Apache-2.0
"""Statements about credit notes and account credit."""

from collections import defaultdict
from typing import Any, Final

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from meshkit.quantity import Money
from services.contract.domain.ids import (
    AccountCreditEntryId,
    CreditNoteId,
    CustomerId,
    InvoiceId,
    InvoiceLineId,
)
from services.contract.domain.invoice_credits import (
    AccountCreditCause,
    AccountCreditChange,
    AccountCreditEntry,
    CreditNote,
    CreditNoteLine,
)
from services.contract.store.paging import one_page
from services.contract.tables import account_credit_entries, account_credits, credit_note_lines, credit_notes

_SELECT_NOTES: Final[Select[Any]] = select(
    credit_notes.c.credit_note_id,
    credit_notes.c.invoice_id,
    credit_notes.c.number,
    credit_notes.c.finalize_time,
    credit_notes.c.currency_code,
    credit_notes.c.amount_micros,
    credit_notes.c.tax_micros,
    credit_notes.c.off_due_micros,
    credit_notes.c.account_credit_micros,
    credit_notes.c.reason,
).order_by(credit_notes.c.number)
_SELECT_ENTRIES: Final[Select[Any]] = select(
    account_credit_entries.c.account_credit_entry_id,
    account_credit_entries.c.customer_id,
    account_credit_entries.c.currency_code,
    account_credit_entries.c.amount_micros,
    account_credit_entries.c.balance_after_micros,
    account_credit_entries.c.cause,
    account_credit_entries.c.document_id,
    account_credit_entries.c.create_time,
)


class StoredCreditNotes:
    """Credit notes are only added, under the lock of their invoice."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, note: CreditNote) -> None:
        await self._connection.execute(
            insert(credit_notes).values(
                credit_note_id=note.credit_note_id,
                invoice_id=note.invoice_id,
                number=note.number,
                finalize_time=note.finalize_time,
                currency_code=note.amount.currency_code,
                amount_micros=note.amount.micros,
                tax_micros=note.tax.micros,
                off_due_micros=note.off_due.micros,
                account_credit_micros=note.account_credit.micros,
                reason=note.reason,
            )
        )
        lines = [
            {
                "credit_note_id": note.credit_note_id,
                "invoice_line_id": line.invoice_line_id,
                "position": position,
                "amount_micros": line.amount.micros,
            }
            for position, line in enumerate(note.lines)
        ]
        if lines:
            await self._connection.execute(insert(credit_note_lines), lines)

    async def of_invoice(self, invoice_id: InvoiceId) -> list[CreditNote]:
        """Return the credit notes of an invoice in the order of their numbers."""
        rows = (
            await self._connection.execute(_SELECT_NOTES.where(credit_notes.c.invoice_id == invoice_id))
        ).all()
        lines: defaultdict[str, list[CreditNoteLine]] = defaultdict(list)
        currencies = {row.credit_note_id: row.currency_code for row in rows}
        of = (
            select(
                credit_note_lines.c.credit_note_id,
                credit_note_lines.c.invoice_line_id,
                credit_note_lines.c.amount_micros,
            )
            .where(credit_note_lines.c.credit_note_id.in_(currencies))
            .order_by(credit_note_lines.c.credit_note_id, credit_note_lines.c.position)
        )
        for line in await self._connection.execute(of):
            amount = Money(currencies[line.credit_note_id], line.amount_micros)
            lines[line.credit_note_id].append(
                CreditNoteLine(invoice_line_id=InvoiceLineId(line.invoice_line_id), amount=amount)
            )
        return [_note_from_row(row, tuple(lines[row.credit_note_id])) for row in rows]


class StoredAccountCredits:
    """One balance per customer and currency, and its changes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_balance(self, customer_id: CustomerId, currency_code: str) -> Money:
        """Return what is left, locked until the commit."""
        locked = (
            select(account_credits.c.balance_micros)
            .where(
                account_credits.c.customer_id == customer_id,
                account_credits.c.currency_code == currency_code,
            )
            .with_for_update(key_share=True)
        )
        micros = (await self._connection.execute(locked)).scalar_one_or_none()
        return Money(currency_code, micros or 0)

    async def change(self, change: AccountCreditChange) -> None:
        """Add to the balance, or take from it."""
        amount = change.amount
        key = {"customer_id": change.customer_id, "currency_code": amount.currency_code}
        # A negative amount would break the row's check before the conflict is noticed.
        if amount.micros > 0:
            begun = upsert(account_credits).values(**key, balance_micros=0)
            await self._connection.execute(begun.on_conflict_do_nothing())
        changed = (
            update(account_credits)
            .filter_by(**key)
            .values(balance_micros=account_credits.c.balance_micros + amount.micros)
            .returning(account_credits.c.balance_micros)
        )
        balance = (await self._connection.execute(changed)).scalar_one()
        await self._connection.execute(
            insert(account_credit_entries).values(
                account_credit_entry_id=change.account_credit_entry_id,
                customer_id=change.customer_id,
                currency_code=amount.currency_code,
                amount_micros=amount.micros,
                balance_after_micros=balance,
                cause=change.cause.value,
                document_id=change.document_id,
                create_time=change.create_time,
            )
        )

    async def balances(self, customer_id: CustomerId) -> list[Money]:
        found = (
            select(account_credits.c.currency_code, account_credits.c.balance_micros)
            .where(account_credits.c.customer_id == customer_id)
            .order_by(account_credits.c.currency_code)
        )
        return [Money(row.currency_code, row.balance_micros) for row in await self._connection.execute(found)]

    async def listed(self, customer_id: CustomerId, page: Page) -> list[AccountCreditEntry]:
        """Return a page in order, and one row more if there is one."""
        of = _SELECT_ENTRIES.where(account_credit_entries.c.customer_id == customer_id)
        rows = await self._connection.execute(
            one_page(of, account_credit_entries.c.account_credit_entry_id, page)
        )
        return [_entry_from_row(row) for row in rows]


def _note_from_row(row: Row[Any], lines: tuple[CreditNoteLine, ...]) -> CreditNote:
    def money(micros: int) -> Money:
        return Money(row.currency_code, micros)

    return CreditNote(
        credit_note_id=CreditNoteId(row.credit_note_id),
        invoice_id=InvoiceId(row.invoice_id),
        number=row.number,
        finalize_time=row.finalize_time,
        amount=money(row.amount_micros),
        tax=money(row.tax_micros),
        off_due=money(row.off_due_micros),
        account_credit=money(row.account_credit_micros),
        reason=row.reason,
        lines=lines,
    )


def _entry_from_row(row: Row[Any]) -> AccountCreditEntry:
    change = AccountCreditChange(
        account_credit_entry_id=AccountCreditEntryId(row.account_credit_entry_id),
        customer_id=CustomerId(row.customer_id),
        amount=Money(row.currency_code, row.amount_micros),
        cause=AccountCreditCause(row.cause),
        document_id=row.document_id,
        create_time=row.create_time,
    )
    return AccountCreditEntry(change=change, balance_after=Money(row.currency_code, row.balance_after_micros))
