# SPDX-License-Identifier: Apache-2.0
"""Payments of invoices through the provider: what it says about one decides what is recorded on its invoices.

Source: services/contract/README.md, "Collecting invoices".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from meshkit.quantity import Money
from services.contract.domain.dunning import AUTHENTICATION_REQUIRED, CANCELLED_ELSEWHERE, Dunning
from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.payments import (
    CHECK_AFTER_MAX,
    FINAL,
    FIRST_CHECK_AFTER,
    NEVER_CREATED,
    PayerAction,
    PaymentId,
    PaymentState,
    ProviderPayment,
    Refusal,
)
from services.contract.domain.top_up import PaymentError

NOT_CHARGING: Final = ""
ASKED_FOR: Final = "request-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePart:
    """What a payment shall pay of one invoice (> 0)."""

    invoice_id: InvoiceId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceCharge:
    """What is asked of the provider for one invoice, and for those that are carried to it. amount: the sum of the
    parts.

    parts: the invoice that is collected first. charging: the payment method of the attempt under way; empty: there is
    none. attempt_key: the provider's idempotency key of the latest attempt. return_url: where the payer comes back to
    after confirming that attempt; empty: nobody is present. is_unwanted: the provider shall cancel it. attempts: begun
    so far. checks, hints: as of a Payment.
    """

    payment_id: PaymentId
    customer_id: CustomerId
    parts: tuple[ChargePart, ...]
    state: PaymentState
    provider_payment_id: str
    is_unwanted: bool
    charging: str
    attempt_key: str
    return_url: str
    attempts: int
    checks: int
    hints: int
    create_time: datetime

    @property
    def amount(self) -> Money:
        return sum((one.amount for one in self.parts), start=Money.zero(self.parts[0].amount.currency_code))

    @property
    def invoice_id(self) -> InvoiceId:
        return self.parts[0].invoice_id

    @property
    def metadata(self) -> dict[str, str]:
        """What the provider stores beside the payment."""
        return {"payment_id": self.payment_id, "invoice_id": self.invoice_id}

    @property
    def is_asked_for(self) -> bool:
        """Whether the latest attempt was asked for by PayInvoice."""
        return self.attempt_key.startswith(f"{self.payment_id}/{ASKED_FOR}")

    @property
    def is_live(self) -> bool:
        """Whether it can still be paid."""
        return self.state not in FINAL and self.state is not PaymentState.REFUND_DUE

    @property
    def is_taking(self) -> bool:
        """Whether the money may be taken at this moment."""
        return self.is_live and (self.charging != NOT_CHARGING or self.state is PaymentState.PROCESSING)

    @property
    def is_under_way(self) -> bool:
        """Whether the money is being taken, or the payer is asked to confirm that."""
        return self.is_taking or self.state is PaymentState.ACTION_REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """An attempt has failed. is_hard: its payment method must not be charged again.

    method: that was charged; empty: the payer used one in the browser. is_asked_for: by PayInvoice.
    """

    error: PaymentError
    method: str = ""
    is_hard: bool = False
    is_asked_for: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The provider has received this money."""

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaceable:
    """A payment that was not wanted any more cannot be paid: another one may take its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePaymentNow:
    """How an invoice can be paid through the provider now. action: None if it cannot, or is paid."""

    charge: InvoiceCharge
    dunning: Dunning | None
    action: PayerAction | None


Outcome = AttemptFailed | Received | Replaceable | None


def new_charge(
    payment_id: PaymentId, customer_id: CustomerId, parts: Sequence[ChargePart], *, at: datetime
) -> InvoiceCharge:
    return InvoiceCharge(
        payment_id=payment_id,
        customer_id=customer_id,
        parts=tuple(parts),
        state=PaymentState.NEW,
        provider_payment_id=NEVER_CREATED,
        is_unwanted=False,
        charging=NOT_CHARGING,
        attempt_key="",
        return_url="",
        attempts=0,
        checks=0,
        hints=0,
        create_time=at,
    )


def attempt_of(
    charge: InvoiceCharge, payment_method_id: str, *, key: str = "", return_url: str = ""
) -> InvoiceCharge:
    """Return a payment while one more attempt is under way. key: of the request that asked for it, if one did.

    return_url: where the payer comes back to after confirming; empty: nobody is present.
    """
    number = charge.attempts + 1
    return replace(
        charge,
        charging=payment_method_id,
        attempts=number,
        attempt_key=f"{charge.payment_id}/" + (f"{ASKED_FOR}{key}" if key else f"attempt-{number}"),
        return_url=return_url,
        checks=0,
    )


def unwanted(charge: InvoiceCharge) -> InvoiceCharge:
    """Return a payment that the provider shall cancel; one that is being taken stays as it is."""
    return charge if charge.is_taking or not charge.is_live else replace(charge, is_unwanted=True, checks=0)


def check_after(charge: InvoiceCharge, *, asked: InvoiceCharge) -> timedelta | None:
    """Return how long to wait before the provider is asked again, unless a webhook comes first; None: never again.

    asked: the payment as it was when the provider was asked. At once if something has happened since: a webhook came,
    an attempt was begun, or it is not wanted any more.
    """
    if charge.state in FINAL:
        return None
    known = (asked.hints, asked.attempts, asked.is_unwanted)
    if known != (charge.hints, charge.attempts, charge.is_unwanted):
        return timedelta(0)
    return min(FIRST_CHECK_AFTER * (1 << min(charge.checks, 10)), CHECK_AFTER_MAX)


def followed(
    charge: InvoiceCharge, said: ProviderPayment, *, attempts_when_asked: int, at: datetime
) -> tuple[InvoiceCharge, Outcome]:
    """Return a payment after what the provider says, and what that means for its invoices.

    What was decided stays decided, if it is said again. An answer to a question from before the latest attempt says
    nothing about that, unless it is final.
    """
    is_another = charge.provider_payment_id not in (NEVER_CREATED, said.provider_payment_id)
    if not charge.is_live or is_another:
        return charge, None
    known = replace(charge, provider_payment_id=said.provider_payment_id)
    match said.state:
        case PaymentState.SUCCEEDED:
            done = replace(known, charging=NOT_CHARGING)
            if said.amount.currency_code != charge.amount.currency_code:
                return replace(done, state=PaymentState.REFUND_DUE), None
            return replace(done, state=PaymentState.SUCCEEDED), Received(amount=said.amount)
        case PaymentState.CANCELLED:
            return replace(known, state=PaymentState.CANCELLED, charging=NOT_CHARGING), _gone(charge, at)
        case PaymentState.OPEN | PaymentState.ACTION_REQUIRED | PaymentState.PROCESSING:
            if attempts_when_asked != charge.attempts:
                return known, None
            return _still_open(charge, known, said, at=at)
        case PaymentState.NEW | PaymentState.REFUND_DUE | PaymentState.REFUNDED:
            raise AssertionError(f"the provider does not say {said.state}")
        case _:
            assert_never(said.state)


def refused(charge: InvoiceCharge, refusal: Refusal, *, at: datetime) -> tuple[InvoiceCharge, Outcome]:
    """Return a payment that the provider has refused to create, so nobody can ever pay it."""
    if charge.state is not PaymentState.NEW:
        return charge, None
    error = PaymentError(code=refusal.code, message=refusal.message, create_time=at)
    gone = replace(charge, state=PaymentState.CANCELLED, charging=NOT_CHARGING)
    return gone, _failure(charge, error)


def method_refused(
    charge: InvoiceCharge, error: PaymentError, *, attempts_when_asked: int
) -> tuple[InvoiceCharge, Outcome]:
    """Return a payment whose attempt failed because the provider does not know the payment method."""
    if charge.charging == NOT_CHARGING or attempts_when_asked != charge.attempts:
        return charge, None
    return replace(charge, charging=NOT_CHARGING), _failure(charge, error, is_hard=True)


def refunded(charge: InvoiceCharge) -> InvoiceCharge:
    """Return a payment whose money the provider has returned."""
    return replace(charge, state=PaymentState.REFUNDED) if charge.state is PaymentState.REFUND_DUE else charge


def shares(received: Money, wanted: Sequence[tuple[Money, Money]]) -> tuple[list[Money], Money]:
    """Divide what was received among invoices, in order; return their shares and what nobody owes.

    wanted: of each invoice what the payment was for, and what is due of it now. Each first gets what the payment was
    for.
    """
    rest = received
    got = []
    for part, due in wanted:
        got.append(min(part, due, rest))
        rest = rest - got[-1]
    for place, (_, due) in enumerate(wanted):
        more = min(due - got[place], rest)
        got[place] = got[place] + more
        rest = rest - more
    return got, rest


def _gone(charge: InvoiceCharge, at: datetime) -> Outcome:
    if charge.is_unwanted:
        return Replaceable()
    if charge.charging == NOT_CHARGING:
        return None
    message = "the payment was cancelled at the provider"
    return _failure(charge, PaymentError(code=CANCELLED_ELSEWHERE, message=message, create_time=at))


def _failure(charge: InvoiceCharge, error: PaymentError, *, is_hard: bool = False) -> AttemptFailed:
    return AttemptFailed(
        error=error, method=charge.charging, is_hard=is_hard, is_asked_for=charge.is_asked_for
    )


def _still_open(
    charge: InvoiceCharge, known: InvoiceCharge, said: ProviderPayment, *, at: datetime
) -> tuple[InvoiceCharge, Outcome]:
    checks = charge.checks if said.state is charge.state else 0
    known = replace(known, state=said.state, checks=checks)
    # While the provider takes its time, the attempt is not over. What was created just now was not tried yet.
    was_tried = charge.is_taking and charge.state is not PaymentState.NEW
    if said.state is PaymentState.PROCESSING or not was_tried:
        return known, None
    error = _error(said, at)
    if error is None:
        return known, None
    return replace(known, charging=NOT_CHARGING), _failure(charge, error, is_hard=said.is_hard)


def _error(said: ProviderPayment, at: datetime) -> PaymentError | None:
    if said.error is not None:
        code, message = said.error
        return PaymentError(code=code, message=message, create_time=at)
    if said.state is PaymentState.ACTION_REQUIRED:
        message = "the payer must confirm the payment"
        return PaymentError(code=AUTHENTICATION_REQUIRED, message=message, create_time=at)
    return None
