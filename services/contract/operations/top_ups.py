# SPDX-License-Identifier: Apache-2.0
"""OrderTopUp, ResolveTopUpPayment, CancelTopUp, GetTopUp, ListTopUps, and orders that expire."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.contract.domain.commands.top_ups import (
    CancelTopUp,
    OrderTopUp,
    ResolveTopUpPayment,
    TopUpAndInvoice,
)
from services.contract.domain.contract import Contract, is_in_force, refuse_not_in_force
from services.contract.domain.events import events_of_top_up
from services.contract.domain.ids import ContractId, RateCardId, TopUpId, TopUpPackId
from services.contract.domain.notices import top_up_paid
from services.contract.domain.offer import CatalogQuery
from services.contract.domain.top_up import (
    PaymentError,
    PaymentGate,
    PaymentOutcome,
    PaymentReport,
    TopUp,
    TopUpOffer,
    TopUpStatus,
    TopUpTerms,
    cancelled,
    expired,
    line_of,
    refuse_free,
    refuse_nothing_due,
    refuse_other_currency,
    refuse_to_decide,
    refuse_ungrantable,
    reported,
    status_at_order,
)
from services.contract.operations.billing.invoicing import new_invoice
from services.contract.operations.billing.issuing import issue, with_taxes
from services.contract.operations.billing.publishing import publish
from services.contract.operations.billing.refund_credits import report_returned
from services.contract.operations.billing.top_up_outcome import save_outcome
from services.contract.operations.payments import Payments
from services.contract.operations.ports import Catalog, Relay
from services.contract.store import PostgresStore, Transaction

EXPIRED_PER_READ_MAX = 200
OFFERS_MAX = 500


class TopUps:
    """Sells top-ups. The transaction that makes a top-up PAID also enqueues its grant for the Ledger."""

    def __init__(
        self,
        *,
        store: PostgresStore,
        catalog: Catalog,
        payments: Payments,
        relay: Relay,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._payments = payments
        self._relay = relay
        self._clock = clock
        self._ids = ids

    async def order(self, command: OrderTopUp) -> TopUpAndInvoice:
        """Order credits. Without a payment gate they are granted immediately.

        Raises ContractNotFound, TopUpPackNotFound, ProductNotFound, CreditTypeNotFound, ContractEnded,
        ContractNotStarted, ProductNotFixed, InvalidFields if there is nothing to pay, PaymentsNotSetUp,
        PeerUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, TopUpAndInvoice)) is not None:
            return first
        async with self._store.transaction() as tx:
            contract = await tx.contracts.find(command.contract_id)
        refuse_not_in_force(contract, at=at)
        is_through_provider = command.payment_gate is PaymentGate.STRIPE
        if is_through_provider:
            self._payments.require_provider()
        terms, product_name = await self._terms(command, contract.rate_card_id)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, TopUpAndInvoice)) is not None:
                return first
            customer_id = await tx.contracts.customer_of(command.contract_id)
            await tx.customers.lock_id(customer_id)
            contract = await tx.contracts.lock(command.contract_id)
            refuse_not_in_force(contract, at=at)
            ordered = await self.place(
                tx,
                contract,
                terms,
                product_name,
                top_up_pack_id=command.top_up_pack_id,
                gate=command.payment_gate,
                window=command.payment_window,
                at=at,
            )
            await tx.responses.store(command, ordered)
        if is_through_provider:
            await self._payments.try_to_create(ordered.top_up.top_up_id)
        await self._relay.deliver_now(customer_id)
        return ordered

    async def place(
        self,
        tx: Transaction,
        contract: Contract,
        terms: TopUpTerms,
        product_name: str,
        *,
        top_up_pack_id: TopUpPackId | None,
        gate: PaymentGate,
        window: timedelta,
        at: datetime,
    ) -> TopUpAndInvoice:
        """Store an order on a contract in force, which is locked like its customer, in the caller's transaction.

        window: how long it waits for its payment. Raises InvalidFields if there is nothing to pay.
        """
        status = status_at_order(gate)
        invoice = new_invoice(contract, [line_of(terms, product_name)], issue_time=at, ids=self._ids)
        top_up = TopUp(
            top_up_id=TopUpId(self._ids.new("top")),
            contract_id=contract.contract_id,
            customer_id=contract.customer_id,
            top_up_pack_id=top_up_pack_id,
            terms=terms,
            payment_gate=gate,
            status=status,
            invoice_id=invoice.invoice_id,
            payment_reference="",
            create_time=at,
            resolve_time=at if status is TopUpStatus.PAID else None,
            expire_time=None if status is TopUpStatus.PAID else at + window,
            last_payment_error=None,
        )
        await tx.invoices.insert(invoice)
        await tx.top_ups.insert(top_up)
        await publish(tx, events_of_top_up(None, top_up, at=at))
        if status is TopUpStatus.PAID:
            await tx.outbox.enqueue(top_up_paid(top_up, at=at), key=top_up.customer_id)
            [invoice] = await issue(tx, [invoice], at=at, ids=self._ids)
        else:
            # The customer pays what the draft says, so its taxes are added before.
            billing = await tx.parties.billing_details_or_name(contract.customer_id)
            invoice = await with_taxes(tx, invoice, billing.taxes, ids=self._ids)
            await tx.invoices.save(invoice)
        if gate is PaymentGate.STRIPE:
            refuse_nothing_due(invoice.total)
            await self._payments.insert(tx, top_up, invoice.total)
        return TopUpAndInvoice(top_up=top_up, invoice=invoice)

    async def offers(self, customer: str) -> Sequence[TopUpOffer]:
        """Return what `buy` sells now, by contract and pack, at most OFFERS_MAX.

        Raises CustomerNotFound, PeerUnavailable.
        """
        at = self._clock.now()
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id
            known = await tx.contracts.listed(customer_id, Page(OFFERS_MAX, None, newest_first=True))
        contracts = [one for one in known if is_in_force(one, at=at)]
        if not contracts:
            return []
        packs = await self._catalog.packs()
        cards = {one.rate_card_id for one in contracts}
        currencies = {one: (await self._catalog.card_money(one)).currency_code for one in sorted(cards)}
        takes_money = self._payments.gate is PaymentGate.STRIPE
        offers = [
            TopUpOffer(contract_id=contract.contract_id, contract_name=contract.name, pack=pack)
            for contract in contracts
            for pack in packs
            if pack.terms.price.currency_code == currencies[contract.rate_card_id]
            and (pack.terms.price or not takes_money)
        ]
        return offers[:OFFERS_MAX]

    async def buy(self, command: OrderTopUp) -> TopUpAndInvoice:
        """Order credits for the customer who calls, through the payment provider if there is one. Raises as `order`."""
        return await self.order(replace(command, payment_gate=self._payments.gate))

    async def resolve(self, command: ResolveTopUpPayment) -> TopUpAndInvoice:
        """Record the outcome of a payment, once. Repeating the same outcome changes nothing.

        Raises TopUpNotFound, TopUpAlreadyResolved, PaidThroughProvider.
        """
        at = self._clock.now()
        report = _report_of(command, at=at)

        async def change(tx: Transaction, top_up: TopUp) -> TopUp:
            refuse_to_decide(top_up)
            is_of_refund = report.outcome is PaymentOutcome.REFUNDED and top_up.status is TopUpStatus.PAID
            if is_of_refund and await report_returned(tx, top_up, at=at):
                return top_up
            return reported(expired(top_up, at=at), report, at=at)

        return await self._change(command, change, at=at)

    async def cancel(self, command: CancelTopUp) -> TopUpAndInvoice:
        """Give up a top-up that was not paid yet.

        Raises TopUpNotFound, TopUpAlreadyResolved, PaymentUnderWay, PaymentProviderUnavailable.
        """
        at = self._clock.now()
        if (first := await self._store.find_response(command, TopUpAndInvoice)) is not None:
            return first
        top_up = await self.get(command.top_up_id)
        if top_up.payment_gate is PaymentGate.STRIPE and top_up.status is TopUpStatus.PENDING_PAYMENT:
            await self._payments.end(top_up.top_up_id, TopUpStatus.CANCELLED)

        async def change(_: Transaction, top_up: TopUp) -> TopUp:
            return cancelled(expired(top_up, at=at), at=at)

        return await self._change(command, change, at=at)

    async def run_due(self, at: datetime) -> None:
        """Expire every order that was not paid in time."""
        while True:
            async with self._store.transaction() as tx:
                due = await tx.top_ups.due(at=at, rows_max=EXPIRED_PER_READ_MAX)
            for top_up_id, customer_id in due:
                async with self._store.transaction() as tx:
                    await tx.customers.lock_id(customer_id)
                    top_up = await tx.top_ups.find(top_up_id)
                    if await save_outcome(tx, top_up, expired(top_up, at=at), at=at, ids=self._ids):
                        await tx.due_records.expired(top_up)
            if len(due) < EXPIRED_PER_READ_MAX:
                return

    async def get(self, top_up_id: TopUpId) -> TopUp:
        """Raises TopUpNotFound."""
        async with self._store.transaction() as tx:
            return await tx.top_ups.find(top_up_id)

    async def list(self, contract_id: ContractId, page: Page) -> Sequence[TopUp]:
        """Return a page in order of creation, and one more if there is one. Raises ContractNotFound."""
        async with self._store.transaction() as tx:
            await tx.contracts.customer_of(contract_id)
            return await tx.top_ups.listed(contract_id, page)

    async def _change(
        self,
        command: ResolveTopUpPayment | CancelTopUp,
        change: Callable[[Transaction, TopUp], Awaitable[TopUp]],
        *,
        at: datetime,
    ) -> TopUpAndInvoice:
        """Apply a rule to a top-up under the lock of its customer, with what follows for its invoice and its grant."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, TopUpAndInvoice)) is not None:
                return first
            customer_id = (await tx.top_ups.find(command.top_up_id)).customer_id
            await tx.customers.lock_id(customer_id)
            before = await tx.top_ups.find(command.top_up_id)
            after = await change(tx, before)
            await save_outcome(tx, before, after, at=at, ids=self._ids)
            changed = TopUpAndInvoice(top_up=after, invoice=await tx.invoices.find(after.invoice_id))
            await tx.responses.store(command, changed)
        await self._relay.deliver_now(customer_id)
        return changed

    async def pack(self, top_up_pack_id: TopUpPackId, rate_card_id: RateCardId) -> tuple[TopUpTerms, str]:
        """Return the terms of a pack, and the name of its product, for a contract of this rate card.

        Raises TopUpPackNotFound, ProductNotFound, CreditTypeNotFound, ProductNotFixed, CurrencyDiffers, InvalidFields,
        PeerUnavailable.
        """
        terms = await self._catalog.pack_terms(top_up_pack_id)
        refuse_ungrantable(terms, field="top_up_pack_id")
        return terms, await self._product_name(terms, rate_card_id)

    async def _terms(self, command: OrderTopUp, rate_card_id: RateCardId) -> tuple[TopUpTerms, str]:
        """Return the terms of the purchase, and the name of its product."""
        if command.terms is None:
            assert command.top_up_pack_id is not None
            return await self.pack(command.top_up_pack_id, rate_card_id)
        refuse_free(command.terms, field="terms.price")
        return command.terms, await self._product_name(command.terms, rate_card_id)

    async def _product_name(self, terms: TopUpTerms, rate_card_id: RateCardId) -> str:
        offer = await self._catalog.offer(
            CatalogQuery(
                rate_card_id=rate_card_id,
                product_ids=frozenset([terms.product_id]),
                credit_type_ids=frozenset([terms.credit_type_id]),
            )
        )
        refuse_other_currency(terms, offer.currency_code)
        return offer.fixed(terms.product_id).name


def _report_of(command: ResolveTopUpPayment, *, at: datetime) -> PaymentReport:
    is_error = command.outcome in (PaymentOutcome.DECLINED, PaymentOutcome.FAILED)
    return PaymentReport(
        outcome=command.outcome,
        reference=command.payment_reference,
        error=PaymentError(code=command.error_code, message=command.error_message, create_time=at)
        if is_error
        else None,
    )
