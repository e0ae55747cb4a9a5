# SPDX-License-Identifier: Apache-2.0
"""Statements about usage on invoices: how far it is invoiced, and what each invoice shows."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.period import Period
from services.contract.domain.ids import ContractId, CreditTypeId, InvoiceId
from services.contract.domain.invoice import InvoiceLineKind
from services.contract.domain.usage.overage import OverageSoFar
from services.contract.domain.usage.progress import InvoiceUsage, UsageProgress
from services.contract.store.formats import DRAFT_LINE, USAGE_REPORT
from services.contract.tables import contracts, invoice_lines, invoice_usage, invoices, usage_progress


class StoredUsage:
    """All of it is written under the lock of the contract."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def due(
        self, *, at: datetime, after: tuple[datetime, ContractId] | None, rows_max: int
    ) -> list[tuple[datetime, ContractId]]:
        """Return when to look at the usage of which contracts, up to `at`, in due order, after `after`."""
        key = tuple_(contracts.c.usage_due_time, contracts.c.contract_id)
        statement = select(contracts.c.usage_due_time, contracts.c.contract_id).where(
            contracts.c.usage_due_time <= at
        )
        if after is not None:
            statement = statement.where(key > after)
        ordered = statement.order_by(contracts.c.usage_due_time, contracts.c.contract_id).limit(rows_max)
        rows = await self._connection.execute(ordered)
        return [(row.usage_due_time, ContractId(row.contract_id)) for row in rows]

    async def save_due(self, contract_id: ContractId, due_time: datetime | None) -> None:
        """Save when to look next; None: never."""
        saved = update(contracts).where(contracts.c.contract_id == contract_id)
        await self._connection.execute(saved.values(usage_due_time=due_time))

    async def usage_from(self, contract_id: ContractId) -> datetime | None:
        """Return since when the usage of a contract from before version 0018 of the schema is invoiced."""
        of = select(contracts.c.usage_from).where(contracts.c.contract_id == contract_id)
        found: datetime | None = (await self._connection.execute(of)).scalar_one()
        return found

    async def progress(self, contract_id: ContractId) -> UsageProgress | None:
        """Return how far a contract's usage is invoiced; None: it was never looked at."""
        of = select(
            usage_progress.c.closed_time,
            usage_progress.c.closed,
            usage_progress.c.read,
            usage_progress.c.base,
            usage_progress.c.invoice_id,
        ).where(usage_progress.c.contract_id == contract_id)
        row = (await self._connection.execute(of)).first()
        if row is None:
            return None
        return UsageProgress(
            contract_id=contract_id,
            closed_time=row.closed_time,
            closed=_positions(row.closed),
            read=_positions(row.read),
            base=_positions(row.base),
            invoice_id=None if row.invoice_id is None else InvoiceId(row.invoice_id),
        )

    async def save_progress(self, progress: UsageProgress) -> None:
        values = {
            "closed_time": progress.closed_time,
            "closed": dict(progress.closed),
            "read": dict(progress.read),
            "base": dict(progress.base),
            "invoice_id": progress.invoice_id,
        }
        saved = upsert(usage_progress).values(contract_id=progress.contract_id, **values)
        await self._connection.execute(
            saved.on_conflict_do_update(index_elements=[usage_progress.c.contract_id], set_=values)
        )

    async def of_invoice(self, invoice_id: InvoiceId) -> InvoiceUsage | None:
        """Return the usage that an invoice shows, if it shows any."""
        of = select(
            invoice_usage.c.span_start,
            invoice_usage.c.span_end,
            invoice_usage.c.group_key,
            invoice_usage.c.refresh_time,
            invoice_usage.c.covered_time,
            invoice_usage.c.covered_sequences,
            invoice_usage.c.report,
            invoice_usage.c.close_time,
            invoice_usage.c.draft_lines,
        ).where(invoice_usage.c.invoice_id == invoice_id)
        row = (await self._connection.execute(of)).first()
        if row is None:
            return None
        return InvoiceUsage(
            span=Period(row.span_start, row.span_end),
            group_key=row.group_key,
            refresh_time=row.refresh_time,
            covered=_positions(row.covered_sequences),
            covered_time=row.covered_time,
            report=USAGE_REPORT.decode(row.report),
            close_time=row.close_time,
            draft_lines=tuple(map(DRAFT_LINE.decode, row.draft_lines)),
        )

    async def save(self, invoice_id: InvoiceId, usage: InvoiceUsage) -> None:
        values: Mapping[str, Any] = {
            "span_start": usage.span.start,
            "span_end": usage.span.end,
            "group_key": usage.group_key,
            "refresh_time": usage.refresh_time,
            "covered_time": usage.covered_time,
            "covered_sequences": dict(usage.covered),
            "report": USAGE_REPORT.encode(usage.report),
            "close_time": usage.close_time,
            "draft_lines": [DRAFT_LINE.encode(line) for line in usage.draft_lines],
        }
        saved = upsert(invoice_usage).values(invoice_id=invoice_id, **values)
        await self._connection.execute(
            saved.on_conflict_do_update(index_elements=[invoice_usage.c.invoice_id], set_=dict(values))
        )

    async def copy(self, invoice_id: InvoiceId, to: InvoiceId) -> None:
        """Let an invoice show the usage that another one, which is cancelled, shows."""
        names = [column.name for column in invoice_usage.c if column.name != "invoice_id"]
        shown = select(literal(to), *(invoice_usage.c[name] for name in names)).where(
            invoice_usage.c.invoice_id == invoice_id
        )
        await self._connection.execute(insert(invoice_usage).from_select(["invoice_id", *names], shown))

    async def overage_so_far(self, contract_id: ContractId) -> OverageSoFar:
        """Return the overage that the lines of a contract's valid invoices say."""
        of = (
            select(
                invoice_lines.c.quantity,
                invoice_lines.c.unit_price_micros,
                invoice_lines.c.share_numerator,
                invoice_lines.c.share_denominator,
                invoice_lines.c.total_micros,
            )
            .join(invoices, invoices.c.invoice_id == invoice_lines.c.invoice_id)
            .where(
                invoices.c.contract_id == contract_id,
                invoices.c.status != "VOID",
                invoice_lines.c.kind == InvoiceLineKind.OVERAGE.value,
            )
        )
        exact, charged = Fraction(0), 0
        for row in await self._connection.execute(of):
            share = Fraction(row.share_numerator, row.share_denominator)
            exact += row.quantity * row.unit_price_micros * share
            charged += row.total_micros
        return OverageSoFar(exact_micros=exact, charged_micros=charged)


def _positions(column: Mapping[str, int]) -> dict[CreditTypeId, int]:
    return {CreditTypeId(credit_type_id): sequence for credit_type_id, sequence in column.items()}
