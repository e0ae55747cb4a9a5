# SPDX-License-Identifier: Apache-2.0
"""Payments through a provider: what the provider says about a payment decides what becomes of its top-up.

Only an answer to our own question counts, never the contents of a webhook, which may be old, repeated or forged.
Source: services/contract/README.md, "Payments through Stripe".
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NewType, Protocol, assert_never

from meshkit.quantity import Money
from services.contract.domain.errors.payments import PaymentMethodMissing
from services.contract.domain.ids import CustomerId, TopUpId
from services.contract.domain.top_up import (
    PaymentError,
    PaymentOutcome,
    PaymentReport,
    TopUp,
    TopUpStatus,
    given_up,
    reported,
)

PaymentId = NewType("PaymentId", str)

FIRST_CHECK_AFTER = timedelta(minutes=1)
CHECK_AFTER_MAX = timedelta(hours=1)
AMOUNT_DIFFERS: Final = "amount_differs"
NEVER_CREATED: Final = ""


class PaymentState(Enum):
    """NEW → OPEN ⇄ ACTION_REQUIRED, PROCESSING → SUCCEEDED | CANCELLED; money not kept: REFUND_DUE → REFUNDED.

    NEW: perhaps unknown to the provider. OPEN: waits for a payment method, or for another one. ACTION_REQUIRED: the
    payer must do something, such as 3-D Secure.
    """

    NEW = "NEW"
    OPEN = "OPEN"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    CANCELLED = "CANCELLED"
    REFUND_DUE = "REFUND_DUE"
    REFUNDED = "REFUNDED"


FINAL: Final = frozenset({PaymentState.SUCCEEDED, PaymentState.CANCELLED, PaymentState.REFUNDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is asked of the provider for one top-up. amount: whole minor units, > 0.

    provider_payment_id: empty until the provider has created it. ending: what the top-up becomes once the provider
    confirms that nobody can pay it any more; None while it is wanted. checks: how often the provider was asked
    in vain, because it was due. hints: how often a webhook said that something has changed.
    """

    payment_id: PaymentId
    customer_id: CustomerId
    top_up_id: TopUpId
    amount: Money
    state: PaymentState
    provider_payment_id: str
    ending: TopUpStatus | None
    checks: int
    hints: int
    create_time: datetime

    @property
    def metadata(self) -> dict[str, str]:
        """What the provider stores beside the payment."""
        return {"payment_id": self.payment_id, "top_up_id": self.top_up_id}


class Payable(Protocol):
    """What the provider is asked to take: the payment of a top-up, or of invoices. amount: whole minor units, > 0."""

    @property
    def payment_id(self) -> PaymentId: ...

    @property
    def provider_payment_id(self) -> str: ...

    @property
    def amount(self) -> Money: ...

    @property
    def metadata(self) -> dict[str, str]:
        """What the provider stores beside the payment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerAction:
    """What the payer's browser needs. redirect_url: empty unless the provider sends the payer to its page."""

    client_secret: str
    redirect_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPayment:
    """What the provider says about a payment now.

    state: never NEW, REFUND_DUE or REFUNDED. amount: what was received, if it SUCCEEDED. error: code and message of the
    latest failed attempt. is_hard: its payment method must not be charged again.
    """

    provider_payment_id: str
    state: PaymentState
    amount: Money
    error: tuple[str, str] | None
    action: PayerAction
    is_hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the provider will never take a payment. is_too_little: it is below the provider's minimum."""

    code: str
    message: str
    is_too_little: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """The saved card, or the like, with which a customer pays when nobody is present.

    provider_customer_id, payment_method_id: the provider's ids. label: such as "visa ···· 4242".
    """

    customer_id: CustomerId
    provider_customer_id: str
    payment_method_id: str
    label: str
    update_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPayment:
    """The payment of a top-up as it is now. action: what the payer's browser needs; None if nobody can pay any more."""

    payment: Payment
    action: PayerAction | None


def new_payment(payment_id: PaymentId, top_up: TopUp, amount: Money, *, at: datetime) -> Payment:
    return Payment(
        payment_id=payment_id,
        customer_id=top_up.customer_id,
        top_up_id=top_up.top_up_id,
        amount=amount,
        state=PaymentState.NEW,
        provider_payment_id=NEVER_CREATED,
        ending=None,
        checks=0,
        hints=0,
        create_time=at,
    )


def check_after(payment: Payment, *, hints_when_asked: int) -> timedelta | None:
    """Return how long to wait before the provider is asked again, unless a webhook comes first; None: never again.

    At once if a webhook came while it was asked: its answer may be older than the webhook.
    """
    if payment.state in FINAL:
        return None
    if payment.hints != hints_when_asked:
        return timedelta(0)
    return min(FIRST_CHECK_AFTER * (1 << min(payment.checks, 10)), CHECK_AFTER_MAX)


def wanted_no_more(payment: Payment, ending: TopUpStatus) -> Payment:
    """Return a payment that the provider shall cancel. Whatever asked first names what becomes of the top-up."""
    return payment if payment.ending is not None else replace(payment, ending=ending, checks=0)


def followed(
    payment: Payment, top_up: TopUp, said: ProviderPayment, *, at: datetime
) -> tuple[Payment, TopUp]:
    """Return payment and top-up after what the provider says. What was decided stays decided, if it is said again.

    A payment that SUCCEEDED makes a pending top-up PAID, even while it is being cancelled. Otherwise it is not kept.
    """
    is_decided = payment.state in FINAL or payment.state is PaymentState.REFUND_DUE
    # A create that is repeated too late makes a second payment at the provider, which nobody gets to see or pay.
    is_another = payment.provider_payment_id not in (NEVER_CREATED, said.provider_payment_id)
    if is_decided or is_another:
        return payment, top_up
    known = replace(payment, provider_payment_id=said.provider_payment_id)
    match said.state:
        case PaymentState.SUCCEEDED:
            return _succeeded(known, top_up, said, at=at)
        case PaymentState.CANCELLED:
            ending = payment.ending or TopUpStatus.CANCELLED
            return replace(known, state=PaymentState.CANCELLED), given_up(top_up, ending, at=at)
        case PaymentState.OPEN | PaymentState.ACTION_REQUIRED | PaymentState.PROCESSING:
            checks = payment.checks if said.state is payment.state else 0
            return replace(known, state=said.state, checks=checks), _declined(top_up, said, at=at)
        case PaymentState.NEW | PaymentState.REFUND_DUE | PaymentState.REFUNDED:
            raise AssertionError(f"the provider does not say {said.state}")
        case _:
            assert_never(said.state)


def refused(payment: Payment, top_up: TopUp, refusal: Refusal, *, at: datetime) -> tuple[Payment, TopUp]:
    """Return payment and top-up after the provider has refused to create the payment: nobody can ever pay it."""
    if payment.state is not PaymentState.NEW:
        return payment, top_up
    error = PaymentError(code=refusal.code, message=refusal.message, create_time=at)
    failed = PaymentReport(outcome=PaymentOutcome.FAILED, reference="", error=error)
    return replace(payment, state=PaymentState.CANCELLED), reported(top_up, failed, at=at)


def refunded(payment: Payment, top_up: TopUp, *, at: datetime) -> tuple[Payment, TopUp]:
    """Return payment and top-up after the provider has returned the money."""
    returned = replace(payment, state=PaymentState.REFUNDED)
    if top_up.status is not TopUpStatus.REFUND_DUE:
        return returned, top_up
    report = PaymentReport(outcome=PaymentOutcome.REFUNDED, reference=payment.provider_payment_id)
    return returned, reported(top_up, report, at=at)


def method_to_charge(saved: PaymentMethod | None, payment_method_id: str, customer_id: CustomerId) -> str:
    """Return the payment method that is named, or else the saved one. Raises PaymentMethodMissing."""
    if payment_method_id:
        return payment_method_id
    if saved is None:
        raise PaymentMethodMissing(customer_id=customer_id)
    return saved.payment_method_id


def _succeeded(
    payment: Payment, top_up: TopUp, said: ProviderPayment, *, at: datetime
) -> tuple[Payment, TopUp]:
    reference = said.provider_payment_id
    if said.amount != payment.amount:
        # Not what was ordered, so nothing is sold for it.
        message = f"{said.amount.micros} micros were paid instead of {payment.amount.micros}"
        error = PaymentError(code=AMOUNT_DIFFERS, message=message, create_time=at)
        failed = PaymentReport(outcome=PaymentOutcome.FAILED, reference=reference, error=error)
        if top_up.status is TopUpStatus.PENDING_PAYMENT:
            top_up = reported(top_up, failed, at=at)
    paid = reported(top_up, PaymentReport(outcome=PaymentOutcome.PAID, reference=reference), at=at)
    is_kept = paid.status is TopUpStatus.PAID and paid.payment_reference == reference
    return replace(payment, state=PaymentState.SUCCEEDED if is_kept else PaymentState.REFUND_DUE), paid


def _declined(top_up: TopUp, said: ProviderPayment, *, at: datetime) -> TopUp:
    if said.error is None:
        return top_up
    code, message = said.error
    known = top_up.last_payment_error
    if known is not None and (known.code, known.message) == (code, message):
        return top_up
    error = PaymentError(code=code, message=message, create_time=at)
    declined = PaymentReport(outcome=PaymentOutcome.DECLINED, reference="", error=error)
    return reported(top_up, declined, at=at)
