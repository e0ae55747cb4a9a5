# SPDX-License-Identifier: Apache-2.0
"""Invoices that Contract collects through a stand-in for Stripe."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.stripe import CARD
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from purser.type.v1.money_pb2 import Money
from tests.support.contract import MONTHLY
from tests.support.till import Till

AUTOMATICALLY = pb.COLLECTION_METHOD_CHARGE_AUTOMATICALLY
CENT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Calls a Contract that collects invoices. Stripe's customers are kept, as a vendor would."""

    till: Till

    async def customer(self, name: str = "Acme") -> pb.Customer:
        return await self.till.desk.customer(name)

    async def save_card(self, customer_id: str, number: str = CARD, *, decline_code: str = "") -> str:
        """Save a card as the customer's payment method; returns its id."""
        setup = pay.CreatePaymentSetupRequest(request_id=self.till.desk.request_id(), customer=customer_id)
        known = (await self.till.stub.CreatePaymentSetup(setup)).payment_setup
        request = pay.SetPaymentMethodRequest(
            request_id=self.till.desk.request_id(),
            customer=customer_id,
            provider_customer_id=known.provider_customer_id,
            payment_method_id=await self.till.stripe.card(number, decline_code=decline_code),
        )
        return (await self.till.stub.SetPaymentMethod(request)).payment_method.payment_method_id

    async def sign(
        self,
        customer_id: str,
        *,
        seats: int = 4,
        retry_days: tuple[int, ...] = (),
        suspends: bool = False,
        method: pb.CollectionMethod = AUTOMATICALLY,
        **terms: Any,
    ) -> pb.CreateContractResponse:
        """Sign monthly seats at $10."""
        request = self.contract_request(
            customer_id, seats=seats, retry_days=retry_days, suspends=suspends, method=method, **terms
        )
        return await self.till.desk.contract.CreateContract(request)

    def contract_request(
        self,
        customer_id: str,
        *,
        seats: int = 4,
        retry_days: tuple[int, ...] = (),
        suspends: bool = False,
        method: pb.CollectionMethod = AUTOMATICALLY,
        **terms: Any,
    ) -> pb.CreateContractRequest:
        request = self.till.desk.contract_request(
            customer_id, self.till.desk.seats(seats, frequency=MONTHLY), **terms
        )
        request.invoice_collection.method = method
        request.invoice_collection.retry_days.extend(retry_days)
        if suspends:
            request.invoice_collection.after_last_retry = pb.AFTER_LAST_RETRY_SUSPEND
        return request

    async def invoice(self, invoice_id: str) -> pb.Invoice:
        return (await self.details(invoice_id)).invoice

    async def details(self, invoice_id: str) -> pb.GetInvoiceResponse:
        return await self.till.desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=invoice_id))

    async def payment(self, invoice_id: str) -> pay.GetInvoicePaymentResponse:
        return await self.till.stub.GetInvoicePayment(pay.GetInvoicePaymentRequest(invoice_id=invoice_id))

    async def suspensions(self, customer_id: str) -> list[pb.SuspensionReason]:
        asked = pb.GetCustomerRequest(customer=customer_id)
        customer = (await self.till.desk.contract.GetCustomer(asked)).customer
        return [one.reason for one in customer.suspensions]

    async def run_at(self, at: datetime) -> None:
        """Advance business time, and run what is due until nothing is due at this instant any more."""
        self.till.running.clock.advance_to(at)
        for _ in range(3):
            await self.till.run_due()

    async def run(self) -> None:
        await self.run_at(self.till.running.clock.now())

    def pay(self, invoice_id: str, payment_method_id: str = "") -> pay.PayInvoiceRequest:
        return pay.PayInvoiceRequest(
            request_id=self.till.desk.request_id(),
            invoice_id=invoice_id,
            payment_method_id=payment_method_id,
        )

    def record(
        self, invoice_id: str, cents: int, reference: str = "bank-1"
    ) -> pb.RecordInvoicePaymentRequest:
        return pb.RecordInvoicePaymentRequest(
            request_id=self.till.desk.request_id(),
            invoice_id=invoice_id,
            amount=Money(currency_code="USD", micros=cents * CENT),
            reference=reference,
            payment_time=timestamp(self.till.running.clock.now()),
        )

    def credit(self, invoice_id: str, cents: int) -> pb.CreateCreditNoteRequest:
        return pb.CreateCreditNoteRequest(
            request_id=self.till.desk.request_id(),
            invoice_id=invoice_id,
            amount=Money(currency_code="USD", micros=cents * CENT),
            reason="a test",
        )

    async def account_credit(self, customer_id: str) -> int:
        """Return what the customer has in credit, in cents."""
        asked = pb.ListAccountCreditsRequest(customer=customer_id)
        listed = await self.till.desk.contract.ListAccountCredits(asked)
        return sum(one.micros for one in listed.balances) // CENT

    async def received(self) -> int:
        """Return what Stripe has received in all, less what it has refunded, in cents."""
        taken = sum(one["amount_received"] for one in await self.till.stripe.payments())
        return taken - sum(one["amount"] for one in await self.till.stripe.refunds())
