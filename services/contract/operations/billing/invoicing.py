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


def new_invoice(
    contract: Contract,
    lines: Sequence[InvoiceLine],
    *,
    issue_time: datetime,
    ids: Ids,
) -> Invoice:
    """Return a draft of lines that have no ids yet. issue_time: its service date."""
    total = total_of(lines)
    nothing = Money.zero(total.currency_code)
    return Invoice(
        invoice_id=InvoiceId(ids.new("inv")),
        customer_id=contract.customer_id,
        contract_id=contract.contract_id,
        status=InvoiceStatus.DRAFT,
        lines=tuple(replace(line, invoice_line_id=InvoiceLineId(ids.new("lin"))) for line in lines),
        total=total,
        issue_time=issue_time,
        finalize_time=None,
        number="",
        paid=nothing,
        credited=nothing,
        void_time=None,
        void_reason="",
    )
