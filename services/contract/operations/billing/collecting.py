# SPDX-License-Identifier: Apache-2.0
"""What payments through the provider have to know of an invoice's changes, and the other way round.

Called under the lock of the invoice. Source: services/contract/README.md, "Collecting invoices".
"""

from collections.abc import Iterable
from datetime import datetime

from services.contract.domain.dunning import woken
from services.contract.domain.errors.payments import PaymentUnderWay
from services.contract.domain.ids import InvoiceId
from services.contract.domain.invoice import Invoice
from services.contract.domain.payments import PaymentMethod
from services.contract.store import Transaction


async def begin_collecting(tx: Transaction, drafts: Iterable[Invoice], *, at: datetime) -> None:
    """Collect what this transaction issues, if it charges something and its contract says so."""
    await tx.dunning.begin([one.invoice_id for one in drafts if one.total.micros > 0], at=at)


async def follow_change(tx: Transaction, invoice: Invoice, *, at: datetime) -> None:
    """Have the provider cancel the payment of an invoice whose due amount has changed; nothing due settles it."""
    await tx.invoice_charges.want_no_more(invoice.invoice_id)
    if not invoice.due:
        await tx.dunning.look_again(invoice.invoice_id, at=at)


async def refuse_while_taking(tx: Transaction, invoice_id: InvoiceId) -> None:
    """Raise PaymentUnderWay while the provider is taking the money for an invoice."""
    charge = await tx.invoice_charges.live_of(invoice_id)
    if charge is not None and charge.is_taking:
        raise PaymentUnderWay(invoice_id=invoice_id)


async def is_under_way(tx: Transaction, invoice_id: InvoiceId) -> bool:
    """Return whether a payment of an invoice is being taken, or waits for the payer's confirmation."""
    charge = await tx.invoice_charges.live_of(invoice_id)
    return charge is not None and charge.is_under_way


async def save_method(tx: Transaction, method: PaymentMethod, *, at: datetime) -> None:
    """Save a payment method. If it is another one, everything unpaid that is collected is tried with it at once."""
    await tx.customers.lock_id(method.customer_id)
    before = await tx.payments.method_of(method.customer_id)
    await tx.payments.set_method(method)
    if before is not None and before.payment_method_id == method.payment_method_id:
        return
    for known in await tx.dunning.unsettled(method.customer_id):
        await tx.invoices.lock(known.invoice_id)
        dunning = await tx.dunning.find(known.invoice_id)
        if dunning is not None and (again := woken(dunning, at=at)) != dunning:
            await tx.dunning.save(again)
