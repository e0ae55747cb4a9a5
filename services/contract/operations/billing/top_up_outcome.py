# SPDX-License-Identifier: Apache-2.0
"""What follows from the outcome of a top-up's payment, for its grant and its invoice.

Source: services/contract/README.md, "Top-ups".
"""

from datetime import datetime
from typing import Final

from meshkit.ids import Ids
from services.contract.domain.events import events_of_top_up
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_life import voided
from services.contract.domain.notices import top_up_paid
from services.contract.domain.top_up import TopUp, TopUpStatus, payment_of
from services.contract.operations.billing.auto_orders import follow_order
from services.contract.operations.billing.issuing import issue_as_ordered, pay
from services.contract.operations.billing.publishing import publish
from services.contract.store import Transaction

WHY_VOID: Final = {
    TopUpStatus.FAILED: "the payment of the top-up failed",
    TopUpStatus.CANCELLED: "the top-up was cancelled",
    TopUpStatus.EXPIRED: "the top-up was not paid in time",
    TopUpStatus.REFUND_DUE: "the top-up was not paid in time, or not what it costs",
}


async def save_outcome(tx: Transaction, before: TopUp, after: TopUp, *, at: datetime, ids: Ids) -> bool:
    """Store a changed top-up, whose customer is locked. Returns whether anything changed.

    A pending one that ends takes its draft with it: PAID issues it and enqueues the grant, all else cancels it. An
    automatic top-up that waits for it goes on.
    """
    if after == before:
        return False
    await tx.top_ups.save(after)
    await publish(tx, events_of_top_up(before, after, at=at))
    pending = TopUpStatus.PENDING_PAYMENT
    if before.status is pending and after.status is not pending:
        draft = await tx.invoices.lock(after.invoice_id)
        if after.status is TopUpStatus.PAID:
            await _issue_paid(tx, draft, after, at=at, ids=ids)
        else:
            reason = WHY_VOID[after.status]
            await tx.invoices.save(voided(draft, reason=reason, is_of_pending_top_up=False, at=at))
        await follow_order(tx, after, at=at)
    return True


async def _issue_paid(tx: Transaction, draft: Invoice, top_up: TopUp, *, at: datetime, ids: Ids) -> None:
    await tx.outbox.enqueue(top_up_paid(top_up, at=at), key=top_up.customer_id)
    invoice = await issue_as_ordered(tx, draft, at=at)
    if invoice.due:
        await pay(tx, invoice, payment_of(top_up, invoice.due), at=at, ids=ids)
