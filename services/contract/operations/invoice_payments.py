# SPDX-License-Identifier: Apache-2.0
"""Payments of invoices through the provider: PayInvoice, GetInvoicePayment, dunning, and asking what became of them.

An attempt is stored before the provider is asked to charge, with its idempotency key. So whatever is lost or killed,
the same attempt is repeated until its outcome is known. No transaction is open while the provider is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from meshkit.errors import error_text
from meshkit.quantity import Money
from services.contract.domain.collection import CollectionMethod
from services.contract.domain.commands.invoices import InvoiceAttempt, PayInvoice
from services.contract.domain.customer import Suspension, SuspensionReason
from services.contract.domain.dunning import (
    METHOD_MISSING,
    METHOD_UNKNOWN,
    Dunning,
    DunningStatus,
    attempted,
    begun_by_hand,
    carried,
    failed,
    settled,
    stopped,
    waiting,
)
from services.contract.domain.errors.invoices import InvoiceAlreadyPaid, PaymentAlreadyRecorded
from services.contract.domain.errors.payments import (
    AmountBelowMinimum,
    PaymentMethodUnknown,
    PaymentUnderWay,
)
from services.contract.domain.events import event_of_failed_payment
from services.contract.domain.ids import AccountCreditEntryId, CustomerId, InvoiceId
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_charges import (
    ASKED_FOR,
    NOT_CHARGING,
    AttemptFailed,
    ChargePart,
    InvoiceCharge,
    InvoicePaymentNow,
    Outcome,
    Received,
    Replaceable,
    attempt_of,
    check_after,
    followed,
    method_refused,
    new_charge,
    refunded,
    refused,
    shares,
    unwanted,
)
from services.contract.domain.invoice_credits import AccountCreditCause, AccountCreditChange
from services.contract.domain.invoice_life import ReportedPayment, refuse_not_issued
from services.contract.domain.payments import (
    FINAL,
    NEVER_CREATED,
    PaymentId,
    PaymentState,
    ProviderPayment,
    Refusal,
    method_to_charge,
)
from services.contract.domain.top_up import PaymentError
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.issuing import pay
from services.contract.operations.billing.publishing import publish
from services.contract.operations.billing.suspending import lift, suspend
from services.contract.operations.through_provider import ThroughProvider
from services.contract.store import Transaction

PER_READ_MAX = 100
LEASE = timedelta(minutes=2)  # longer than any question to the provider
CANCELS_MAX = 3  # payments that are replaced before one call gives up

log = structlog.get_logger(__name__)


class InvoicePayments(ThroughProvider):
    """Pays invoices through the provider. wall: when the provider is asked again; dunning goes by business time."""

    async def pay(self, command: PayInvoice) -> InvoiceAttempt:
        """Try to pay an invoice now with a saved payment method.

        Raises InvoiceNotFound, InvoiceNotFinalized, InvoiceVoid, InvoiceAlreadyPaid, PaymentUnderWay,
        AmountBelowMinimum, PaymentMethodMissing, PaymentsNotSetUp, PaymentProviderUnavailable.
        """
        if (first := await self._store.find_response(command, InvoiceAttempt)) is not None:
            return first
        charge = await self._ready(command.invoice_id, command)
        if charge.is_taking:
            await self._advance(charge)
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, InvoiceAttempt)) is not None:
                return first
            charge = await tx.invoice_charges.lock(charge.payment_id)
            attempt = InvoiceAttempt(
                invoice=await tx.invoices.find(command.invoice_id),
                state=charge.state,
                dunning=await tx.dunning.find(command.invoice_id),
            )
            await tx.responses.store(command, attempt)
        return attempt

    async def get(self, invoice_id: InvoiceId) -> InvoicePaymentNow:
        """Return how an invoice can be paid now, as the provider says.

        Raises InvoiceNotFound, InvoiceNotFinalized, InvoiceVoid, AmountBelowMinimum, PaymentsNotSetUp,
        PaymentProviderUnavailable.
        """
        async with self._store.transaction() as tx:
            refuse_not_issued(invoice := await tx.invoices.find(invoice_id))
            charge = await tx.invoice_charges.latest_of(invoice_id)
        assert self._provider
        if invoice.due or charge is None:
            charge = await self._ready(invoice_id, None)
        said = await self._advance(charge)
        async with self._store.transaction() as tx:
            charge = await tx.invoice_charges.lock(charge.payment_id)
            return InvoicePaymentNow(
                charge=charge,
                dunning=await tx.dunning.find(invoice_id),
                action=said.action if isinstance(said, ProviderPayment) and charge.is_live else None,
            )

    async def hint(self, provider_payment_id: str) -> bool:
        """Remember that a payment has changed at the provider, which is asked soon; False if it is unknown here."""
        async with self._store.transaction() as tx:
            return await tx.invoice_charges.hint(provider_payment_id, at=self._wall.now())

    async def run_due(self, at: datetime) -> None:
        """Begin every attempt due by business time, and ask about every payment due by the wall clock."""
        if self._known_provider is None:
            return
        after: tuple[datetime, InvoiceId] | None = None
        while True:
            async with self._store.transaction() as tx:
                due = await tx.dunning.due(at=at, after=after, rows_max=PER_READ_MAX)
            for one in due:
                assert one.next_time is not None
                after = (one.next_time, one.invoice_id)
                await self._try_to_collect(one, at)
            if len(due) < PER_READ_MAX:
                break
        await ask_about_due(self._lease_due, self._try_to_advance)

    async def _lease_due(self, rows_max: int) -> Sequence[InvoiceCharge]:
        now = self._wall.now()
        async with self._store.transaction() as tx:
            return await tx.invoice_charges.lease_due(at=now, until=now + LEASE, rows_max=rows_max)

    async def _try_to_advance(self, charge: InvoiceCharge) -> None:
        try:
            await self._advance(charge)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("payment_waits", payment_id=charge.payment_id, error=error_text(error))

    async def _try_to_collect(self, dunning: Dunning, at: datetime) -> None:
        try:
            async with self._store.transaction() as tx:
                invoices = await self._lock_group(tx, dunning.invoice_id)
                now = await tx.dunning.find(dunning.invoice_id)
                if now is not None and now.next_time is not None and now.next_time <= at:
                    await self._collect(tx, now, invoices, at=at)
            await self._relay.deliver_now(dunning.customer_id)
        except Exception as error:  # the others must not wait for it
            log.warning("invoice_not_collected", invoice_id=dunning.invoice_id, error=error_text(error))

    async def _lock_group(self, tx: Transaction, invoice_id: InvoiceId) -> dict[InvoiceId, Invoice]:
        """Lock the customer of an invoice, the invoice, and those that are carried to it; it comes first."""
        found = await tx.invoices.find(invoice_id)
        await tx.customers.lock_id(found.customer_id)
        others = await tx.dunning.carried(found.customer_id, found.total.currency_code, but=invoice_id)
        locked = {one: await tx.invoices.lock(one) for one in sorted([invoice_id, *others])}
        return {invoice_id: locked.pop(invoice_id)} | locked

    async def _collect(
        self, tx: Transaction, dunning: Dunning, invoices: Mapping[InvoiceId, Invoice], *, at: datetime
    ) -> None:
        """Begin the next attempt of an invoice, or find out why there is none."""
        invoice = invoices[dunning.invoice_id]
        if not invoice.due:
            await tx.dunning.save(settled(dunning))
            await self._resume_if_settled(tx, dunning.customer_id)
            return
        contract = await tx.contracts.find(invoice.contract_id)
        live = await tx.invoice_charges.live_of(invoice.invoice_id)
        parts = _parts(invoices.values())
        if contract.collection.method is CollectionMethod.SEND:
            await tx.dunning.save(stopped(dunning))
        elif live is not None and live.is_taking:
            await tx.dunning.save(waiting(dunning))
        elif _sum(parts) < self._provider.minimum(invoice.total.currency_code):
            await tx.dunning.save(carried(dunning))
        elif live is not None and (live.is_unwanted or live.parts != parts):
            # Another amount is due than it was created for. It is replaced once nobody can pay it any more.
            await tx.invoice_charges.save(unwanted(live), due=self._wall.now())
            await tx.dunning.save(waiting(dunning))
        else:
            await self._begin_attempt(tx, dunning, invoice, live, parts, at=at)

    async def _begin_attempt(
        self,
        tx: Transaction,
        dunning: Dunning,
        invoice: Invoice,
        live: InvoiceCharge | None,
        parts: tuple[ChargePart, ...],
        *,
        at: datetime,
    ) -> None:
        saved = await tx.payments.method_of(dunning.customer_id)
        if saved is None:
            message = "the customer has no saved payment method"
            error = PaymentError(code=METHOD_MISSING, message=message, create_time=at)
            await self._fail(tx, attempted(dunning), invoice, AttemptFailed(error=error), at=at)
        elif saved.payment_method_id == dunning.refused_method:
            await tx.dunning.save(stopped(dunning))
        else:
            attempt = attempt_of(
                live or self._new_charge(dunning.customer_id, parts, at=at), saved.payment_method_id
            )
            await self._store_attempt(tx, live, attempt, dunning, due=self._wall.now())

    async def _store_attempt(
        self,
        tx: Transaction,
        live: InvoiceCharge | None,
        attempt: InvoiceCharge,
        dunning: Dunning,
        *,
        due: datetime,
    ) -> None:
        """Store an attempt that is begun. live: the payment as it is stored; None: it is new."""
        if live is None:
            await tx.invoice_charges.insert(attempt, due=due)
        else:
            await tx.invoice_charges.save(attempt, due=due)
        await tx.dunning.save(attempted(dunning))

    def _new_charge(
        self, customer_id: CustomerId, parts: tuple[ChargePart, ...], *, at: datetime
    ) -> InvoiceCharge:
        return new_charge(PaymentId(self._ids.new("pmt")), customer_id, parts, at=at)

    async def _ready(self, invoice_id: InvoiceId, command: PayInvoice | None) -> InvoiceCharge:
        """Return the payment of an invoice for what is due now; with a command, its attempt is under way."""
        for _ in range(CANCELS_MAX):
            async with self._store.transaction() as tx:
                charge = await self._prepared(tx, invoice_id, command)
            if not charge.is_unwanted:
                return charge
            await self._advance(charge)
        raise PaymentUnderWay(invoice_id=invoice_id)

    async def _prepared(
        self, tx: Transaction, invoice_id: InvoiceId, command: PayInvoice | None
    ) -> InvoiceCharge:
        """Return the payment of an invoice; if it is unwanted, it must be cancelled before there can be another one."""
        at = self._clock.now()
        invoices = await self._lock_group(tx, invoice_id)
        invoice = invoices[invoice_id]
        refuse_not_issued(invoice)
        provider = self._provider
        latest = await tx.invoice_charges.latest_of(invoice_id)
        if command is not None and latest is not None and _is_attempt_of(latest, command):
            return latest  # repeated after a lost reply
        if not invoice.due:
            raise InvoiceAlreadyPaid(invoice_id=invoice_id)
        live = await tx.invoice_charges.live_of(invoice_id)
        if live is not None and live.is_taking:
            if command is None:
                return live
            raise PaymentUnderWay(invoice_id=invoice_id)
        parts = _parts(invoices.values())
        minimum = provider.minimum(invoice.total.currency_code)
        if _sum(parts) < minimum:
            raise AmountBelowMinimum(
                invoice_id=invoice_id, due_micros=str(_sum(parts).micros), minimum_micros=str(minimum.micros)
            )
        if live is not None and (live.is_unwanted or live.parts != parts):
            await tx.invoice_charges.save(unwanted(live), due=self._wall.now() + LEASE)
            return unwanted(live)
        if command is None:
            if live is None:
                live = self._new_charge(invoice.customer_id, parts, at=at)
                await tx.invoice_charges.insert(live, due=self._wall.now() + LEASE)
            return live
        saved = await tx.payments.method_of(invoice.customer_id)
        method_id = method_to_charge(saved, command.payment_method_id, invoice.customer_id)
        dunning = await tx.dunning.find(invoice_id)
        if dunning is None:
            currency = invoice.total.currency_code
            dunning = begun_by_hand(invoice_id, invoice.customer_id, currency, at=at)
            await tx.dunning.insert(dunning)
        charge = live or self._new_charge(invoice.customer_id, parts, at=at)
        attempt = attempt_of(charge, method_id, key=command.request_id, return_url=command.return_url)
        # This call asks the provider, so nobody else does so meanwhile.
        await self._store_attempt(tx, live, attempt, dunning, due=self._wall.now() + LEASE)
        return attempt

    async def _advance(self, charge: InvoiceCharge) -> ProviderPayment | None:
        """Do what is next for a payment: create it, charge it, cancel it, ask about it, or give it back."""
        if charge.state in FINAL:
            return None
        if charge.state is PaymentState.REFUND_DUE:
            await self._refund(charge)
            return None
        said = await self._ask(charge)
        async with self._store.transaction() as tx:
            after = await self._follow(tx, charge, said)
        await self._relay.deliver_now(charge.customer_id)
        is_created = charge.provider_payment_id == NEVER_CREATED and after.is_live
        if is_created and (after.charging != NOT_CHARGING or after.is_unwanted):
            return await self._advance(after)
        return said if isinstance(said, ProviderPayment) else None

    async def _ask(self, charge: InvoiceCharge) -> ProviderPayment | Refusal | PaymentError:
        if charge.provider_payment_id == NEVER_CREATED:
            return await self._provider.create(
                charge, provider_customer_id=await self._provider_customer_of(charge)
            )
        if charge.charging != NOT_CHARGING and charge.state is not PaymentState.PROCESSING:
            try:
                return await self._provider.charge(
                    charge.provider_payment_id,
                    charge.charging,
                    provider_customer_id=await self._provider_customer_of(charge),
                    key=charge.attempt_key,
                    return_url=charge.return_url,
                )
            except PaymentMethodUnknown as fault:
                return PaymentError(code=METHOD_UNKNOWN, message=fault.message, create_time=self._clock.now())
        if charge.is_unwanted:
            return await self._provider.cancel(charge.provider_payment_id)
        return await self._provider.find(charge.provider_payment_id)

    async def _provider_customer_of(self, charge: InvoiceCharge) -> str:
        async with self._store.transaction() as tx:
            return await tx.payment_setups.provider_customer_of(charge.customer_id)

    async def _follow(
        self, tx: Transaction, asked: InvoiceCharge, said: ProviderPayment | Refusal | PaymentError
    ) -> InvoiceCharge:
        """Apply what the provider said about a payment, and what follows for its invoices."""
        at = self._clock.now()
        await tx.customers.lock_id(asked.customer_id)
        ids = [one.invoice_id for one in asked.parts]
        invoices = {one: await tx.invoices.lock(one) for one in sorted(ids)}
        before = await tx.invoice_charges.lock(asked.payment_id)
        outcome: Outcome
        if isinstance(said, Refusal):
            after, outcome = refused(before, said, at=at)
        elif isinstance(said, PaymentError):
            after, outcome = method_refused(before, said, attempts_when_asked=asked.attempts)
        else:
            after, outcome = followed(before, said, attempts_when_asked=asked.attempts, at=at)
        wait = check_after(after, asked=asked)
        await tx.invoice_charges.save(after, due=None if wait is None else self._wall.now() + wait)
        if after.state is not before.state:
            await tx.due_records.invoices_followed(after)
        match outcome:
            case Received():
                await self._receive(tx, after, outcome.amount, invoices, at=at)
            case AttemptFailed():
                await self._attempt_failed(tx, after, outcome, invoices, said, at=at)
            case Replaceable():
                dunning = await tx.dunning.find(after.invoice_id)
                if dunning is not None and _waits(dunning):
                    await tx.dunning.look_again(after.invoice_id, at=at)
            case None:
                pass
        return after

    async def _receive(
        self,
        tx: Transaction,
        charge: InvoiceCharge,
        received: Money,
        invoices: Mapping[InvoiceId, Invoice],
        *,
        at: datetime,
    ) -> None:
        """Record what was received as payments of the invoices; what nobody owes becomes account credit."""
        wanted = [(one.amount, invoices[one.invoice_id].due) for one in charge.parts]
        amounts, rest = shares(received, wanted)
        for part, amount in zip(charge.parts, amounts, strict=True):
            if not amount:
                continue
            reference = charge.provider_payment_id
            payment = ReportedPayment(amount=amount, reference=reference, payment_time=at)
            try:
                paid, _ = await pay(tx, invoices[part.invoice_id], payment, at=at, ids=self._ids)
            except PaymentAlreadyRecorded:  # somebody has reported this very payment
                paid = invoices[part.invoice_id]
            dunning = await tx.dunning.find(part.invoice_id)
            if paid.due and dunning is not None:
                await tx.dunning.save(stopped(dunning))
        if rest:
            change = AccountCreditChange(
                account_credit_entry_id=AccountCreditEntryId(self._ids.new("ace")),
                customer_id=charge.customer_id,
                amount=rest,
                cause=AccountCreditCause.OVERPAID,
                document_id=charge.payment_id,
                create_time=at,
            )
            await tx.account_credits.change(change)

    async def _attempt_failed(
        self,
        tx: Transaction,
        charge: InvoiceCharge,
        outcome: AttemptFailed,
        invoices: Mapping[InvoiceId, Invoice],
        said: ProviderPayment | Refusal | PaymentError,
        *,
        at: datetime,
    ) -> None:
        dunning = await tx.dunning.find(charge.invoice_id)
        if dunning is None:
            return
        if isinstance(said, Refusal) and said.is_too_little:
            await tx.dunning.save(carried(dunning))
            return
        await self._fail(tx, dunning, invoices[charge.invoice_id], outcome, at=at)

    async def _fail(
        self, tx: Transaction, dunning: Dunning, invoice: Invoice, outcome: AttemptFailed, *, at: datetime
    ) -> None:
        """Plan the next attempt after one that failed; after the last one, the customer may be suspended."""
        saved = await tx.payments.method_of(dunning.customer_id)
        is_saved = saved is None or saved.payment_method_id == outcome.method
        after = failed(
            dunning,
            outcome.error,
            # Whoever tries another method by hand does not end the retries of the saved one.
            hard_method=outcome.method if outcome.is_hard and is_saved else "",
            is_replaced=bool(outcome.method) and not is_saved and not outcome.is_asked_for,
            at=at,
        )
        await tx.dunning.save(after)
        await publish(tx, [event_of_failed_payment(invoice, after, at=at)])
        if after.is_overdue and not dunning.is_overdue:
            await self._suspend(tx, invoice, at=at)

    async def _suspend(self, tx: Transaction, invoice: Invoice, *, at: datetime) -> None:
        note = f"invoice {invoice.number} could not be collected"
        reason = Suspension(reason=SuspensionReason.INVOICE_UNPAID, note=note, create_time=at)
        await suspend(tx, invoice.customer_id, reason)

    async def _resume_if_settled(self, tx: Transaction, customer_id: CustomerId) -> None:
        """Lift the suspension of a customer who owes no overdue invoice any more."""
        if any(one.is_overdue for one in await tx.dunning.unsettled(customer_id)):
            return
        await lift(tx, customer_id, SuspensionReason.INVOICE_UNPAID)

    async def _refund(self, charge: InvoiceCharge) -> None:
        """Return money of another currency than was asked for."""
        await self._provider.refund(charge, amount=None, key=f"{charge.payment_id}/refund")
        async with self._store.transaction() as tx:
            after = await tx.invoice_charges.lock(charge.payment_id)
            await tx.invoice_charges.save(refunded(after), due=None)


def _parts(invoices: Iterable[Invoice]) -> tuple[ChargePart, ...]:
    return tuple(ChargePart(invoice_id=one.invoice_id, amount=one.due) for one in invoices if one.due)


def _sum(parts: Sequence[ChargePart]) -> Money:
    return sum((one.amount for one in parts), start=Money.zero(parts[0].amount.currency_code))


def _is_attempt_of(charge: InvoiceCharge, command: PayInvoice) -> bool:
    return charge.attempt_key == f"{charge.payment_id}/{ASKED_FOR}{command.request_id}"


def _waits(dunning: Dunning) -> bool:
    return dunning.status is DunningStatus.COLLECTING and dunning.next_time is None
