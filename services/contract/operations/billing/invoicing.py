# SPDX-License-Identifier: Apache-2.0
"""New drafts, made under the lock of their contract."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.ids import Ids
from meshkit.quantity import Money
from services.contract.domain.contract import Contract
from services.contract.domain.ids import InvoiceId, InvoiceLineId
from services.contract.domain.invoice import Invoice, InvoiceLine, InvoiceStatus, total_of
from services.contract.store import Transaction


async def draft_of(
    tx: Transaction, contract: Contract, lines: Sequence[InvoiceLine], *, issue_time: datetime, ids: Ids
) -> Invoice | None:
    """Store new lines of a locked contract's seats on a draft, and return it if it is to be issued.

    A draft whose lines are all 0 waits for the contract's next lines, and is issued with them. None: it waits, or there
    are no lines. issue_time: the service date of the lines.
    """
    if not lines:
        return None
    draft = new_invoice(contract, lines, issue_time=issue_time, ids=ids)
    if (waiting := await tx.invoices.lock_waiting(contract.contract_id)) is None:
        await tx.invoices.insert(draft)
    else:
        together = (*waiting.lines, *draft.lines)
        draft = replace(waiting, lines=together, total=total_of(together), issue_time=issue_time)
        await tx.invoices.extend(draft, stored=len(waiting.lines))
    return draft if draft.has_amount else None


def with_lines(invoice: Invoice, lines: Sequence[InvoiceLine], *, ids: Ids) -> Invoice:
    """Return a draft with more lines, which have no ids yet."""
    whole = (*invoice.lines, *_with_ids(lines, ids))
    return replace(invoice, lines=whole, total=total_of(whole))


def new_invoice(
    contract: Contract,
    lines: Sequence[InvoiceLine],
    *,
    issue_time: datetime,
    ids: Ids,
    currency_code: str = "",
) -> Invoice:
    """Return a draft of lines that have no ids yet. issue_time: its service date.

    currency_code: of a draft without lines.
    """
    total = total_of(lines, currency_code)
    nothing = Money.zero(total.currency_code)
    return Invoice(
        invoice_id=InvoiceId(ids.new("inv")),
        customer_id=contract.customer_id,
        contract_id=contract.contract_id,
        status=InvoiceStatus.DRAFT,
        lines=_with_ids(lines, ids),
        total=total,
        issue_time=issue_time,
        finalize_time=None,
        number="",
        paid=nothing,
        credited=nothing,
        void_time=None,
        void_reason="",
    )


def _with_ids(lines: Sequence[InvoiceLine], ids: Ids) -> tuple[InvoiceLine, ...]:
    return tuple(replace(line, invoice_line_id=InvoiceLineId(ids.new("lin"))) for line in lines)
