# SPDX-License-Identifier: Apache-2.0
"""RefundTopUp, and money that the payment provider is asked to return."""

from collections.abc import Sequence

import structlog

from meshkit.errors import error_text
from meshkit.quantity import Money
from services.contract.domain.commands.top_ups import RefundTopUp, ReportTopUpChargeback
from services.contract.domain.errors.top_ups import ChargebackNotFound
from services.contract.domain.ids import RefundId, TopUpId
from services.contract.domain.invoice_life import refuse_unlike
from services.contract.domain.refunds import (
    RefundCause,
    RefundStatus,
    TopUpRefund,
    money_gone,
    refundable_with_debt,
    refuse_not_returnable,
    refuse_refused,
    refuse_unrefundable,
)
from services.contract.domain.top_up import refuse_to_decide
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.refund_credits import begin, close_dispute, save_returned
from services.contract.operations.through_provider import ThroughProvider

log = structlog.get_logger(__name__)


class Refunds(ThroughProvider):
    """Asks the Ledger for the credits, and the provider to return the money. wall: when the provider is asked again."""

    async def refund(self, command: RefundTopUp) -> TopUpRefund:
        """Refund a top-up, as far as its credits are unspent. PENDING if the Ledger has not answered yet.

        Raises TopUpNotFound, TopUpNotPaid, RefundPending, CurrencyDiffers, InvalidFields, RefundExceedsPaid,
        RefundExceedsUnspent.
        """
        async with self._store.transaction() as tx:
            refund = await tx.responses.claim(command, TopUpRefund)
            if refund is None:
                customer_id = (await tx.top_ups.find(command.top_up_id)).customer_id
                await tx.customers.lock_id(customer_id)
                top_up = await tx.top_ups.find(command.top_up_id)
                invoice = await tx.invoices.find(top_up.invoice_id)
                earlier = await tx.refunds.of_top_up(top_up.top_up_id)
                notes = await tx.credit_notes.of_invoice(invoice.invoice_id)
                refuse_unrefundable(top_up, invoice, command.amount, earlier=earlier, notes=notes)
                asked = command.amount
                if command.accept_debt:
                    asked = refundable_with_debt(top_up, invoice, asked, earlier=earlier, notes=notes)
                refund = TopUpRefund(
                    refund_id=RefundId(self._ids.new("rfd")),
                    top_up_id=top_up.top_up_id,
                    customer_id=customer_id,
                    asked=asked,
                    reason=command.reason,
                    status=RefundStatus.PENDING,
                    amount=Money.zero(invoice.total.currency_code),
                    create_time=self._clock.now(),
                    accept_debt=command.accept_debt,
                )
                await begin(tx, refund, top_up, invoice, earlier)
                await tx.responses.store(command, refund)
        await self._relay.deliver_now(refund.customer_id)
        refund = await self._find(refund.refund_id)
        refuse_refused(refund)
        if refund.status is RefundStatus.DUE:
            await self._try_to_return(refund)
        return await self._find(refund.refund_id)

    async def report_chargeback(self, command: ReportTopUpChargeback) -> TopUpRefund:
        """Record what the vendor says of a dispute about its payment. Repeating it changes nothing.

        Raises TopUpNotFound, TopUpNotPaid, PaidThroughProvider, RefundPending, CurrencyDiffers, ChargebackNotFound,
        DisputeClosed.
        """
        at = self._clock.now()
        async with self._store.transaction() as tx:
            refund = await tx.responses.claim(command, TopUpRefund)
            if refund is None:
                customer_id = (await tx.top_ups.find(command.top_up_id)).customer_id
                await tx.customers.lock_id(customer_id)
                top_up = await tx.top_ups.find(command.top_up_id)
                refuse_to_decide(top_up)
                earlier = await tx.refunds.of_top_up(top_up.top_up_id)
                refund = next(
                    (one for one in earlier if one.provider_refund_id == command.chargeback_id), None
                )
                if refund is not None:
                    refund = await close_dispute(tx, refund, command.outcome, at=at, ids=self._ids)
                elif command.amount is None:
                    raise ChargebackNotFound(top_up_id=top_up.top_up_id, chargeback_id=command.chargeback_id)
                else:
                    refuse_not_returnable(top_up, earlier)
                    invoice = await tx.invoices.find(top_up.invoice_id)
                    refuse_unlike(command.amount, invoice.total.currency_code)
                    refund = money_gone(
                        RefundId(self._ids.new("rfd")),
                        top_up,
                        command.amount,
                        RefundCause.CHARGEBACK,
                        command.chargeback_id,
                        at=at,
                    )
                    await begin(tx, refund, top_up, invoice, earlier)
                await tx.responses.store(command, refund)
        await self._relay.deliver_now(refund.customer_id)
        return await self._find(refund.refund_id)

    async def of_top_up(self, top_up_id: TopUpId) -> Sequence[TopUpRefund]:
        """Return all refunds of a top-up in order of creation. Raises TopUpNotFound."""
        async with self._store.transaction() as tx:
            await tx.top_ups.find(top_up_id)
            return await tx.refunds.of_top_up(top_up_id)

    async def run_due(self) -> None:
        """Ask the provider to return every refund that is due by the wall clock."""
        if self._known_provider is not None:
            await ask_about_due(self._lease_due, self._try_to_return)

    async def _lease_due(self, rows_max: int) -> Sequence[TopUpRefund]:
        async with self._store.transaction() as tx:
            return await tx.refunds.lease_due(at=self._wall.now(), rows_max=rows_max)

    async def _try_to_return(self, refund: TopUpRefund) -> None:
        try:
            await self._return(refund)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("refund_waits", refund_id=refund.refund_id, error=error_text(error))

    async def _return(self, refund: TopUpRefund) -> None:
        """Have the money of a DUE refund returned, if the provider has it: a vendor returns its own."""
        async with self._store.transaction() as tx:
            payment = await tx.payments.of_top_up(refund.top_up_id)
        if payment is None or self._known_provider is None:
            return
        await self._provider.refund(payment, amount=refund.amount, key=refund.refund_id)
        async with self._store.transaction() as tx:
            await tx.customers.lock_id(refund.customer_id)
            before = await tx.refunds.find(refund.refund_id)
            if before.status is RefundStatus.DUE:
                top_up = await tx.top_ups.find(before.top_up_id)
                after = await save_returned(tx, before, top_up, at=self._clock.now())
                await tx.due_records.returned(after)

    async def _find(self, refund_id: RefundId) -> TopUpRefund:
        async with self._store.transaction() as tx:
            return await tx.refunds.find(refund_id)
