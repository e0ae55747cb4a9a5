# SPDX-License-Identifier: Apache-2.0
"""New invoices, made under the lock of their contract."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.ids import Ids
from services.contract.domain.contract import Contract
from services.contract.domain.ids import InvoiceId, InvoiceLineId
from services.contract.domain.invoice import Invoice, InvoiceLine, InvoiceStatus, total_of


def new_invoice(
    contract: Contract,
    lines: Sequence[InvoiceLine],
    *,
    status: InvoiceStatus,
    issue_time: datetime,
    at: datetime,
    ids: Ids,
) -> Invoice:
    """Return an invoice of lines that have no ids yet. at: when it got its `status`."""
    return Invoice(
        invoice_id=InvoiceId(ids.new("inv")),
        customer_id=contract.customer_id,
        contract_id=contract.contract_id,
        status=status,
        lines=tuple(replace(line, invoice_line_id=InvoiceLineId(ids.new("lin"))) for line in lines),
        total=total_of(lines),
        issue_time=issue_time,
        finalize_time=at if status is InvoiceStatus.FINALIZED else None,
    )
