# SPDX-License-Identifier: Apache-2.0
"""Records of what fell due by the clock, or was reported. Other writes are recorded with their stored responses."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import AuditRecorder
from services.contract.domain.auto_top_up import AutoTopUp
from services.contract.domain.contract import Contract
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_charges import InvoiceCharge
from services.contract.domain.invoice_refunds import InvoiceRefund
from services.contract.domain.payment_setups import PaymentSetup
from services.contract.domain.payments import Payment
from services.contract.domain.refunds import TopUpRefund
from services.contract.domain.top_up import TopUp

BILL: Final = "bill"
NUMBER: Final = "number"
EXPIRE: Final = "expire"
PAYMENT: Final = "payment"
REFUND: Final = "refund"
SETUP: Final = "setup"
AUTO_TOP_UP: Final = "auto_top_up"


class DueRecords:
    """Records due work, within one transaction."""

    def __init__(self, connection: AsyncConnection, recorder: AuditRecorder) -> None:
        self._connection = connection
        self._recorder = recorder

    async def billed(self, contract: Contract, invoice: Invoice | None) -> None:
        """Record that an instant of a contract was billed; there is no invoice if it had nothing to charge."""
        effect = {
            "contract_id": contract.contract_id,
            "customer_id": contract.customer_id,
            "invoice_id": "" if invoice is None else invoice.invoice_id,
        }
        await self._recorder.record_due(self._connection, BILL, effect)

    async def numbered(self, invoice: Invoice) -> None:
        """Record that an invoice of a previous version got its number."""
        effect = {"invoice_id": invoice.invoice_id, "customer_id": invoice.customer_id}
        await self._recorder.record_due(self._connection, NUMBER, effect)

    async def expired(self, top_up: TopUp) -> None:
        """Record that an order was not paid in time."""
        effect = {"top_up_id": top_up.top_up_id, "customer_id": top_up.customer_id}
        await self._recorder.record_due(self._connection, EXPIRE, effect)

    async def followed(self, payment: Payment) -> None:
        """Record that the provider has said something new about a payment."""
        effect = {
            "payment_id": payment.payment_id,
            "top_up_id": payment.top_up_id,
            "customer_id": payment.customer_id,
            "state": payment.state.value,
        }
        await self._recorder.record_due(self._connection, PAYMENT, effect)

    async def invoices_followed(self, charge: InvoiceCharge) -> None:
        """Record that the provider has said something new about a payment of invoices."""
        effect = {
            "payment_id": charge.payment_id,
            "invoice_id": charge.invoice_id,
            "customer_id": charge.customer_id,
            "state": charge.state.value,
        }
        await self._recorder.record_due(self._connection, PAYMENT, effect)

    async def invoice_returned(self, refund: InvoiceRefund) -> None:
        """Record that the provider has returned the money of an invoice's payment."""
        effect = {
            "refund_id": refund.refund_id,
            "invoice_id": refund.invoice_id,
            "customer_id": refund.customer_id,
        }
        await self._recorder.record_due(self._connection, REFUND, effect)

    async def method_saved(self, setup: PaymentSetup) -> None:
        """Record that a setup has succeeded at the provider, and its payment method was saved."""
        effect = {"payment_setup_id": setup.payment_setup_id, "customer_id": setup.customer_id}
        await self._recorder.record_due(self._connection, SETUP, effect)

    async def returned(self, refund: TopUpRefund) -> None:
        """Record that the provider has returned the money of a refund."""
        effect = {
            "refund_id": refund.refund_id,
            "top_up_id": refund.top_up_id,
            "customer_id": refund.customer_id,
        }
        await self._recorder.record_due(self._connection, REFUND, effect)

    async def reported(self, auto: AutoTopUp) -> None:
        """Record that the Ledger has reported what remains in a pool, in the present call."""
        effect = {"auto_top_up_id": auto.auto_top_up_id, "customer_id": auto.customer_id}
        await self._recorder.record(self._connection, effect)

    async def of_auto_top_up(self, auto: AutoTopUp) -> None:
        """Record that an automatic top-up has ordered, has stopped, or goes on."""
        effect = {
            "auto_top_up_id": auto.auto_top_up_id,
            "customer_id": auto.customer_id,
            "top_up_id": auto.top_up_id or "",
            "status": auto.status.value,
        }
        await self._recorder.record_due(self._connection, AUTO_TOP_UP, effect)
