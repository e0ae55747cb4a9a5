# SPDX-License-Identifier: Apache-2.0
"""Statements about changes of plan."""

from typing import Any, Final

from sqlalchemy import Column, Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller
from meshkit.page import Page
from services.contract.domain.contract import MoneyBack
from services.contract.domain.errors.contracts import PlanChangeNotFound, PlanChangePending
from services.contract.domain.ids import ContractId, CreditNoteId, CustomerId, InvoiceId, PlanChangeId
from services.contract.domain.plan_change import (
    IncludedCredits,
    PlanChange,
    PlanChangeStatus,
)
from services.contract.store.formats import PAID_SEATS, UNUSED_SHARE
from services.contract.store.paging import one_page
from services.contract.tables import plan_changes

_COLUMNS: Final[tuple[Column[Any], ...]] = (
    plan_changes.c.plan_change_id,
    plan_changes.c.customer_id,
    plan_changes.c.ended_contract_id,
    plan_changes.c.begun_contract_id,
    plan_changes.c.change_time,
    plan_changes.c.included_credits,
    plan_changes.c.money_back,
    plan_changes.c.paid,
    plan_changes.c.status,
    plan_changes.c.invoice_id,
    plan_changes.c.unused,
    plan_changes.c.apply_time,
    plan_changes.c.credit_note_ids,
)


class StoredPlanChanges:
    """A change of plan is saved once more: when the Ledger has answered."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, change: PlanChange) -> None:
        await self._connection.execute(
            insert(plan_changes).values(
                plan_change_id=change.plan_change_id,
                customer_id=change.customer_id,
                ended_contract_id=change.ended_contract_id,
                begun_contract_id=change.begun_contract_id,
                change_time=change.change_time,
                included_credits=change.included_credits.value,
                money_back=change.money_back.value,
                paid=[PAID_SEATS.encode(one) for one in change.paid],
                **_answer_to_row(change),
            )
        )

    async def save_answer(self, change: PlanChange) -> None:
        """Save a change that this transaction has locked."""
        saved = (
            update(plan_changes)
            .where(plan_changes.c.plan_change_id == change.plan_change_id)
            .values(**_answer_to_row(change))
        )
        assert (await self._connection.execute(saved)).rowcount == 1

    async def find(self, plan_change_id: PlanChangeId) -> PlanChange:
        """Raises PlanChangeNotFound."""
        return await self._one(plan_change_id, locks=False)

    async def that_ended(self, contract_id: ContractId) -> PlanChange | None:
        """Return the change of plan or the settled end that ended a contract; None: neither did."""
        statement = select(*_COLUMNS).where(plan_changes.c.ended_contract_id == contract_id)
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else _from_row(row)

    async def end_of(self, contract_id: ContractId) -> PlanChange | None:
        """Return the settlement of a contract that ended without another one; None: there was nothing to settle."""
        change = await self.that_ended(contract_id)
        return change if change is not None and change.begun_contract_id is None else None

    async def lock(self, plan_change_id: PlanChangeId) -> PlanChange:
        """Return a change locked until the commit. Raises PlanChangeNotFound."""
        return await self._one(plan_change_id, locks=True)

    async def refuse_pending(self, invoice_id: InvoiceId) -> None:
        """Raise PlanChangePending if the invoice is the first one of a change that the Ledger has not answered."""
        pending = select(plan_changes.c.plan_change_id).where(
            plan_changes.c.invoice_id == invoice_id,
            plan_changes.c.status == PlanChangeStatus.PENDING.value,
        )
        plan_change_id = (await self._connection.execute(pending)).scalar_one_or_none()
        if plan_change_id is not None:
            raise PlanChangePending(invoice_id=invoice_id, plan_change_id=plan_change_id)

    async def listed(self, contract_id: ContractId, page: Page) -> list[PlanChange]:
        """Return a page of the changes that began or ended a contract, and one row more if there is one."""
        of = select(*_COLUMNS).where(
            or_(
                plan_changes.c.ended_contract_id == contract_id,
                plan_changes.c.begun_contract_id == contract_id,
            )
        )
        rows = await self._connection.execute(one_page(of, plan_changes.c.plan_change_id, page))
        return [_from_row(row) for row in rows]

    async def _one(self, plan_change_id: PlanChangeId, *, locks: bool) -> PlanChange:
        statement = select(*_COLUMNS).where(plan_changes.c.plan_change_id == plan_change_id)
        found = await self._connection.execute(statement.with_for_update() if locks else statement)
        row = found.first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise PlanChangeNotFound(plan_change_id=plan_change_id)
        return _from_row(row)


def _answer_to_row(change: PlanChange) -> dict[str, Any]:
    return {
        "status": change.status.value,
        "invoice_id": change.invoice_id,
        "unused": [UNUSED_SHARE.encode(one) for one in change.unused],
        "apply_time": change.apply_time,
        "credit_note_ids": list(change.credit_note_ids),
    }


def _from_row(row: Row[Any]) -> PlanChange:
    return PlanChange(
        plan_change_id=PlanChangeId(row.plan_change_id),
        customer_id=CustomerId(row.customer_id),
        ended_contract_id=ContractId(row.ended_contract_id),
        begun_contract_id=None if row.begun_contract_id is None else ContractId(row.begun_contract_id),
        change_time=row.change_time,
        included_credits=IncludedCredits(row.included_credits),
        money_back=MoneyBack(row.money_back),
        paid=tuple(PAID_SEATS.decode(one) for one in row.paid),
        status=PlanChangeStatus(row.status),
        invoice_id=None if row.invoice_id is None else InvoiceId(row.invoice_id),
        unused=tuple(UNUSED_SHARE.decode(one) for one in row.unused),
        apply_time=row.apply_time,
        credit_note_ids=tuple(CreditNoteId(one) for one in row.credit_note_ids),
    )
