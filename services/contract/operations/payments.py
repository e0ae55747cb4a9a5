# SPDX-License-Identifier: Apache-2.0
"""Payments of top-ups through a provider: PayTopUp, GetTopUpPayment, the saved payment method, and following payments.

A payment is created at the provider before anybody can pay it, and its id is committed before it is charged. So
whatever is lost or killed, one question tells what became of it. No transaction is open while the provider is asked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from meshkit.errors import error_text
from meshkit.quantity import Money
from services.contract.domain.commands.top_ups import PayTopUp, SetPaymentMethod, TopUpAndInvoice
from services.contract.domain.errors.payments import (
    NotPaidThroughProvider,
    PaymentProviderUnavailable,
)
from services.contract.domain.ids import TopUpId
from services.contract.domain.money_back import refund_key
from services.contract.domain.payments import (
    FINAL,
    NEVER_CREATED,
    Payment,
    PaymentId,
    PaymentMethod,
    PaymentState,
    ProviderPayment,
    Refusal,
    TopUpPayment,
    check_after,
    followed,
    method_to_charge,
    new_payment,
    refunded,
    refused,
    wanted_no_more,
)
from services.contract.domain.top_up import PaymentGate, TopUp, TopUpStatus, refuse_ended
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.collecting import save_method
from services.contract.operations.billing.top_up_outcome import save_outcome
from services.contract.operations.through_provider import ThroughProvider
from services.contract.store import Transaction

PER_READ_MAX = 100
LEASE = timedelta(minutes=2)  # longer than any question to the provider

log = structlog.get_logger(__name__)


class Payments(ThroughProvider):
    """Pays top-ups through the provider, and follows what it says.

    wall: when the provider is asked again; business time may stand still. Any number of replicas may ask: the answer is
    applied under the lock of the customer, and counts once.
    """

    @property
    def gate(self) -> PaymentGate:
        """What a customer's own orders wait for: the provider, or a report if there is none."""
        return PaymentGate.EXTERNAL if self._known_provider is None else PaymentGate.STRIPE

    def require_provider(self) -> None:
        """Raise PaymentsNotSetUp if there is no provider."""
        assert self._provider

    async def insert(self, tx: Transaction, top_up: TopUp, amount: Money) -> None:
        """Store the payment of a new top-up, in the transaction that orders it."""
        payment = new_payment(PaymentId(self._ids.new("pmt")), top_up, amount, at=self._clock.now())
        await tx.payments.insert(payment, due=self._wall.now())

    async def try_to_create(self, top_up_id: TopUpId) -> None:
        """Create the payment of a new top-up at the provider, now if it answers, otherwise soon."""
        try:
            await self._advance(await self._payment_of(top_up_id))
        except PaymentProviderUnavailable as fault:
            log.warning("payment_waits", top_up_id=top_up_id, error=error_text(fault))

    async def get(self, top_up_id: TopUpId) -> TopUpPayment:
        """Return how a top-up can be paid now, as the provider says.

        Raises TopUpNotFound, NotPaidThroughProvider, PaymentsNotSetUp, PaymentProviderUnavailable.
        """
        payment = await self._payment_of(top_up_id)
        said = await self._advance(payment)
        payment = await self._payment_of(top_up_id)
        is_open = payment.state not in FINAL and payment.state is not PaymentState.REFUND_DUE
        return TopUpPayment(
            payment=payment,
            action=said.action if isinstance(said, ProviderPayment) and is_open else None,
        )

    async def pay(self, command: PayTopUp) -> TopUpAndInvoice:
        """Try to pay a pending top-up with a saved payment method; one that is PAID stays so.

        Raises TopUpNotFound, NotPaidThroughProvider, PaymentsNotSetUp, TopUpAlreadyResolved, PaymentMethodMissing,
        PaymentMethodUnknown, PaymentProviderUnavailable.
        """
        if (first := await self._store.find_response(command, TopUpAndInvoice)) is not None:
            return first
        payment = await self._payment_of(command.top_up_id)
        if payment.state is PaymentState.NEW:
            await self._advance(payment)
            payment = await self._payment_of(command.top_up_id)
        async with self._store.transaction() as tx:
            top_up = await tx.top_ups.find(command.top_up_id)
            saved = await tx.payments.method_of(payment.customer_id)
        said = None
        if top_up.status is not TopUpStatus.PAID:
            refuse_ended(top_up)
            said = await self._provider.charge(
                payment.provider_payment_id,
                method_to_charge(saved, command.payment_method_id, payment.customer_id),
                provider_customer_id="" if saved is None else saved.provider_customer_id,
                key=f"{payment.payment_id}/{command.request_id}",
                return_url=command.return_url,
            )
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, TopUpAndInvoice)) is not None:
                return first
            if said is not None:
                top_up = await self._follow(tx, payment, said)
            paid = TopUpAndInvoice(top_up=top_up, invoice=await tx.invoices.find(top_up.invoice_id))
            await tx.responses.store(command, paid)
        await self._relay.deliver_now(payment.customer_id)
        return paid

    async def end(self, top_up_id: TopUpId, ending: TopUpStatus) -> None:
        """Ask the provider to cancel the payment of a top-up, and follow its answer; if it is away, later.

        Raises PaymentsNotSetUp, PaymentProviderUnavailable.
        """
        payment = await self._payment_of(top_up_id)
        async with self._store.transaction() as tx:
            payment = await self._want_no_more(tx, payment.payment_id, ending)
        await self._advance(payment)

    async def set_method(self, command: SetPaymentMethod) -> PaymentMethod:
        """Save the payment method with which a customer pays when nobody is present.

        Raises CustomerNotFound, PaymentsNotSetUp, PaymentMethodUnknown, PaymentProviderUnavailable.
        """
        if (first := await self._store.find_response(command, PaymentMethod)) is not None:
            return first
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(command.customer)).customer_id
        method = await self._provider.method(
            customer_id, command.provider_customer_id, command.payment_method_id, at=self._clock.now()
        )
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, PaymentMethod)) is not None:
                return first
            await save_method(tx, method, at=self._clock.now())
            await tx.responses.store(command, method)
        return method

    async def method(self, customer: str) -> PaymentMethod | None:
        """Return the payment method that a customer has saved; None if there is none.

        Raises CustomerNotFound, PaymentsNotSetUp.
        """
        async with self._store.transaction() as tx:
            customer_id = (await tx.customers.find(customer)).customer_id
            self.require_provider()
            return await tx.payments.method_of(customer_id)

    async def hint(self, provider_payment_id: str) -> bool:
        """Remember that a payment has changed at the provider, which is asked soon; False if it is unknown here."""
        async with self._store.transaction() as tx:
            return await tx.payments.hint(provider_payment_id, at=self._wall.now())

    async def run_due(self, at: datetime) -> None:
        """Give up orders that have expired by business time, and ask about every payment due by the wall clock."""
        await self._end_expired(at)
        if self._known_provider is not None:
            await ask_about_due(self._lease_due, self._try_to_advance)

    async def _lease_due(self, rows_max: int) -> Sequence[Payment]:
        now = self._wall.now()
        async with self._store.transaction() as tx:
            return await tx.payments.lease_due(at=now, until=now + LEASE, rows_max=rows_max)

    async def _end_expired(self, at: datetime) -> None:
        """Make every payment due to be cancelled whose order has expired by an instant of business time."""
        while True:
            async with self._store.transaction() as tx:
                expired = await tx.payments.expired(at=at, rows_max=PER_READ_MAX)
                for payment_id in expired:
                    await self._want_no_more(tx, payment_id, TopUpStatus.EXPIRED)
            if len(expired) < PER_READ_MAX:
                return

    async def _want_no_more(self, tx: Transaction, payment_id: PaymentId, ending: TopUpStatus) -> Payment:
        payment = wanted_no_more(await tx.payments.lock(payment_id), ending)
        if payment.state not in FINAL:  # otherwise a webhook or another replica was faster
            await tx.payments.save(payment, due=self._wall.now())
        return payment

    async def _payment_of(self, top_up_id: TopUpId) -> Payment:
        """Raises TopUpNotFound, NotPaidThroughProvider."""
        async with self._store.transaction() as tx:
            await tx.top_ups.find(top_up_id)
            payment = await tx.payments.of_top_up(top_up_id)
        if payment is None:
            raise NotPaidThroughProvider(top_up_id=top_up_id)
        return payment

    async def _try_to_advance(self, payment: Payment) -> None:
        try:
            await self._advance(payment)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("payment_waits", payment_id=payment.payment_id, error=error_text(error))

    async def _advance(self, payment: Payment) -> ProviderPayment | Refusal | None:
        """Do what is next for a payment: create it, ask about it, cancel it, or give it back. None: nothing is."""
        if payment.state in FINAL:
            return None
        if payment.state is PaymentState.REFUND_DUE:
            await self._refund(payment)
            return None
        said: ProviderPayment | Refusal
        if payment.provider_payment_id == NEVER_CREATED:
            said = await self._create(payment)
        elif payment.ending is None:
            said = await self._provider.find(payment.provider_payment_id)
        else:
            said = await self._provider.cancel(payment.provider_payment_id)
        async with self._store.transaction() as tx:
            await self._follow(tx, payment, said)
            after = await tx.payments.lock(payment.payment_id)
        await self._relay.deliver_now(payment.customer_id)
        if after.state is PaymentState.REFUND_DUE:
            await self._refund(after)
        elif (
            after.state is not PaymentState.NEW
            and payment.state is PaymentState.NEW
            and after.ending is not None
        ):
            return await self._advance(after)  # it is known to the provider now, so it can be cancelled there
        return said

    async def _create(self, payment: Payment) -> ProviderPayment | Refusal:
        async with self._store.transaction() as tx:
            saved = await tx.payments.method_of(payment.customer_id)
        return await self._provider.create(
            payment, provider_customer_id="" if saved is None else saved.provider_customer_id
        )

    async def _refund(self, payment: Payment) -> None:
        await self._provider.refund(payment, amount=None, key=refund_key(payment))
        async with self._store.transaction() as tx:
            top_up = await self._lock(tx, payment)
            after, returned = refunded(
                await tx.payments.lock(payment.payment_id), top_up, at=self._clock.now()
            )
            await save_outcome(tx, top_up, returned, at=self._clock.now(), ids=self._ids)
            await tx.payments.save(after, due=None)
            await tx.due_records.followed(after)

    async def _follow(self, tx: Transaction, asked: Payment, said: ProviderPayment | Refusal) -> TopUp:
        """Apply what the provider said about a payment. Returns its top-up."""
        at = self._clock.now()
        before = await self._lock(tx, asked)
        payment = await tx.payments.lock(asked.payment_id)
        if isinstance(said, Refusal):
            after, top_up = refused(payment, before, said, at=at)
        else:
            after, top_up = followed(payment, before, said, at=at)
        wait = check_after(after, hints_when_asked=asked.hints)
        await tx.payments.save(after, due=None if wait is None else self._wall.now() + wait)
        await save_outcome(tx, before, top_up, at=at, ids=self._ids)
        if after.state is not payment.state:
            await tx.due_records.followed(after)
        return top_up

    async def _lock(self, tx: Transaction, payment: Payment) -> TopUp:
        await tx.customers.lock_id(payment.customer_id)
        return await tx.top_ups.find(payment.top_up_id)
