# SPDX-License-Identifier: Apache-2.0
"""Money of invoices' payments that went back without us: refunds made at the provider, and disputes.

Source: services/contract/README.md, "Refunds of invoice payments".
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from meshkit.errors import error_text
from meshkit.quantity import Money
from services.contract.domain.ids import AccountCreditEntryId
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_charges import InvoiceCharge
from services.contract.domain.invoice_credits import AccountCreditCause, AccountCreditChange
from services.contract.domain.invoice_life import InvoicePayment, ReportedPayment
from services.contract.domain.invoice_refunds import (
    InvoiceRefund,
    InvoiceRefundCause,
    left_of,
    provider_payment_of,
    reversed_refund,
    takings,
)
from services.contract.domain.money_back import DISPUTE_CHECK_AFTER, MoneyBack
from services.contract.domain.refunds import DisputeOutcome
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.invoice_money_back import PaymentBack, money_went_back
from services.contract.operations.billing.issuing import pay
from services.contract.operations.through_provider import ThroughProvider
from services.contract.store import Transaction

LEASE = timedelta(minutes=2)  # longer than any question to the provider

log = structlog.get_logger(__name__)


class InvoiceMoneyBack(ThroughProvider):
    """Makes due again what went back of invoices' payments. wall: when the provider is asked."""

    async def hint(self, provider_payment_id: str) -> bool:
        """Remember that something went back of a payment, which is asked about soon; False if it is unknown here."""
        async with self._store.transaction() as tx:
            return await tx.invoice_charges.hint_money_back(provider_payment_id, at=self._wall.now())

    async def run_due(self) -> None:
        """Ask about every payment of which something may have gone back."""
        if self._known_provider is not None:
            await ask_about_due(self._lease_due, self._try_to_check)

    async def _lease_due(self, rows_max: int) -> Sequence[tuple[InvoiceCharge, int]]:
        now = self._wall.now()
        async with self._store.transaction() as tx:
            return await tx.invoice_charges.lease_money_back(at=now, until=now + LEASE, rows_max=rows_max)

    async def _try_to_check(self, check: tuple[InvoiceCharge, int]) -> None:
        charge, hints = check
        try:
            await self._check(charge, hints)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("money_back_waits", payment_id=charge.payment_id, error=error_text(error))

    async def _check(self, charge: InvoiceCharge, hints: int) -> None:
        said = await self._provider.went_back(charge.provider_payment_id)
        async with self._store.transaction() as tx:
            await tx.customers.lock_id(charge.customer_id)
            for invoice_id in sorted(one.invoice_id for one in charge.parts):
                await tx.invoices.lock(invoice_id)
            for one in said:
                await self._follow(tx, charge, one)
            is_open = any(one.dispute is DisputeOutcome.OPENED for one in said)
            again = self._wall.now() + DISPUTE_CHECK_AFTER if is_open else None
            await tx.invoice_charges.money_back_done(charge.payment_id, hints=hints, again=again)

    async def _follow(self, tx: Transaction, charge: InvoiceCharge, said: MoneyBack) -> None:
        """Record what one refund or dispute took, once, and what came back of a dispute that was won."""
        refunds = [
            refund for one in charge.parts for refund in await tx.invoice_refunds.of_invoice(one.invoice_id)
        ]
        ours = {one.refund_id for one in refunds} | {f"{charge.payment_id}/refund"}
        known = [one for one in refunds if one.provider_refund_id == said.provider_refund_id]
        if said.key in ours:
            return
        if said.dispute is DisputeOutcome.WON:
            for refund in known:
                await self._reverse(tx, refund, charge)
        elif not known and said.amount.currency_code == charge.amount.currency_code:
            await self._take(tx, charge, said, refunds)

    async def _take(
        self, tx: Transaction, charge: InvoiceCharge, said: MoneyBack, refunds: Sequence[InvoiceRefund]
    ) -> None:
        at = self._clock.now()
        payments: list[tuple[Invoice, InvoicePayment]] = []
        for part in charge.parts:
            invoice = await tx.invoices.lock(part.invoice_id)
            payments += [
                (invoice, one)
                for one in await tx.invoices.payments(part.invoice_id)
                if provider_payment_of(one) == charge.provider_payment_id
            ]
        amounts, rest = takings(said.amount, [left_of(payment, refunds) for _, payment in payments])
        for (invoice, payment), amount in zip(payments, amounts, strict=True):
            if amount:
                back = PaymentBack(
                    payment=payment,
                    amount=amount,
                    cause=InvoiceRefundCause.PROVIDER
                    if said.dispute is None
                    else InvoiceRefundCause.CHARGEBACK,
                    reason=said.provider_refund_id,
                    with_credit_note=False,
                    provider_refund_id=said.provider_refund_id,
                )
                _, refund = await money_went_back(tx, invoice, back, at=at, ids=self._ids)
                await tx.due_records.invoice_returned(refund)
        if rest:  # what had become account credit, which may be used already
            log.error("money_back_exceeds_payments", payment_id=charge.payment_id, micros=rest.micros)

    async def _reverse(self, tx: Transaction, refund: InvoiceRefund, charge: InvoiceCharge) -> None:
        """Record money of a dispute that came back as another payment; what is not due any more is account credit."""
        if refund.reverse_time is not None:
            return
        at = self._clock.now()
        await tx.invoice_refunds.save_reversed(reversed_refund(refund, at=at))
        invoice = await tx.invoices.lock(refund.invoice_id)
        amount = min(invoice.due, refund.amount)
        if amount:
            reference = f"{charge.provider_payment_id}/{refund.provider_refund_id}"
            payment = ReportedPayment(amount=amount, reference=reference, payment_time=at)
            await pay(tx, invoice, payment, at=at, ids=self._ids)
        await self._credit(tx, charge, refund.amount - amount)

    async def _credit(self, tx: Transaction, charge: InvoiceCharge, amount: Money) -> None:
        if not amount:
            return
        change = AccountCreditChange(
            account_credit_entry_id=AccountCreditEntryId(self._ids.new("ace")),
            customer_id=charge.customer_id,
            amount=amount,
            cause=AccountCreditCause.OVERPAID,
            document_id=charge.payment_id,
            create_time=self._clock.now(),
        )
        await tx.account_credits.change(change)
