# SPDX-License-Identifier: Apache-2.0
"""Drafts that follow usage, when they stop following it: they are issued, closed as statements, or cancelled."""

from dataclasses import replace
from datetime import datetime

from services.contract.domain.invoice import Invoice, InvoiceStatus
from services.contract.store import Transaction


async def fix_usage(tx: Transaction, draft: Invoice, *, statement_time: datetime | None = None) -> None:
    """Let a locked draft keep the usage that it shows now; what comes later goes on another draft.

    Its overage becomes its lines. statement_time: when it became a statement; None: it does not. An invoice that
    follows no usage stays as it is.
    """
    usage = await tx.usage.of_invoice(draft.invoice_id)
    if usage is None or usage.close_time is not None or draft.status is not InvoiceStatus.DRAFT:
        return
    if usage.draft_lines:
        await tx.invoices.extend(draft, stored=0)
    await tx.usage.save(draft.invoice_id, replace(usage, draft_lines=(), close_time=statement_time))
    progress = await tx.usage.progress(draft.contract_id)
    if progress is not None and progress.invoice_id == draft.invoice_id:
        await tx.usage.save_progress(replace(progress, invoice_id=None))
