# SPDX-License-Identifier: Apache-2.0
"""Top-ups: credits bought on a contract. A top-up is granted once, and not before it is paid."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction
from typing import assert_never

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import MICROS, Credits, Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors.catalog import CurrencyDiffers
from services.contract.domain.errors.payments import PaidThroughProvider, PaymentUnderWay
from services.contract.domain.errors.top_ups import TopUpAlreadyResolved
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    CustomerId,
    InvoiceId,
    ProductId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.invoice import WHOLE, InvoiceLine, InvoiceLineKind, line
from services.contract.domain.invoice_life import ReportedPayment

PRIORITY_DEFAULT = 100
AMOUNT_MAX = Credits(10**15)  # a billion credits, the largest grant that the Ledger accepts
LIFETIME_MIN = timedelta(seconds=1)
LIFETIME_MAX = timedelta(days=36_525)  # a hundred years
PAYMENT_WINDOW_DEFAULT = timedelta(hours=24)
PAYMENT_WINDOW_MIN = timedelta(minutes=1)
PAYMENT_WINDOW_MAX = timedelta(days=90)


class PaymentGate(Enum):
    """What must happen before the credits are granted.

    NONE: nothing. EXTERNAL: ResolveTopUpPayment reports PAID. STRIPE: Stripe says that it received the money.
    """

    NONE = "NONE"
    EXTERNAL = "EXTERNAL"
    STRIPE = "STRIPE"


class TopUpStatus(Enum):
    """PENDING_PAYMENT → PAID | FAILED | CANCELLED | EXPIRED; without a payment gate PAID from the start.

    What is paid after FAILED, CANCELLED or EXPIRED is owed to the customer: REFUND_DUE → REFUNDED.
    """

    PENDING_PAYMENT = "PENDING_PAYMENT"
    PAID = "PAID"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REFUND_DUE = "REFUND_DUE"
    REFUNDED = "REFUNDED"


class PaymentOutcome(Enum):
    """What became of a payment. DECLINED: of one attempt; the top-up can still be paid. FAILED: it cannot."""

    PAID = "PAID"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentError:
    """Why an attempt to pay failed.

    code: the provider's, such as "card_declined". message: for people. Both may be empty.
    """

    code: str
    message: str
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReport:
    """The outcome of a payment, as the provider or the vendor reports it.

    reference: the provider's id of the payment. error: why it was DECLINED or FAILED, if that is known.
    """

    outcome: PaymentOutcome
    reference: str
    error: PaymentError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpTerms:
    """Credits (> 0) for a price (≥ 0). lifetime: from payment to expiry; None: forever."""

    product_id: ProductId
    credit_type_id: CreditTypeId
    amount: Credits
    price: Money
    priority: int
    lifetime: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPack:
    """Terms that the Catalog offers to everybody, under a name."""

    top_up_pack_id: TopUpPackId
    name: str
    terms: TopUpTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpOffer:
    """A pack that can be bought on a contract."""

    contract_id: ContractId
    contract_name: str
    pack: TopUpPack


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """A purchase of credits.

    resolve_time: when it was paid, or ended without a payment; None while pending. expire_time: when it ends unless it
    is paid before; None if it waits without end. last_payment_error: of the latest attempt that failed.
    """

    top_up_id: TopUpId
    contract_id: ContractId
    customer_id: CustomerId
    top_up_pack_id: TopUpPackId | None
    terms: TopUpTerms
    payment_gate: PaymentGate
    status: TopUpStatus
    invoice_id: InvoiceId
    payment_reference: str
    create_time: datetime
    resolve_time: datetime | None
    expire_time: datetime | None
    last_payment_error: PaymentError | None


def refuse_ungrantable(terms: TopUpTerms, *, field: str) -> None:
    """Raise InvalidFields for the request's `field` if the Ledger cannot grant that much."""
    if terms.amount > AMOUNT_MAX:
        message = (
            f"is for {terms.amount.micros} micro-credits; one grant can have at most {AMOUNT_MAX.micros}"
        )
        raise InvalidFields([FieldViolation(field, message)])


def refuse_other_currency(terms: TopUpTerms, currency_code: str) -> None:
    """Raise CurrencyDiffers unless the price is in the currency of the contract's rate card."""
    if terms.price.currency_code != currency_code:
        raise CurrencyDiffers(
            currency_code=terms.price.currency_code, expected=f"{currency_code}, as the contract's rate card"
        )


def refuse_nothing_due(amount: Money) -> None:
    """Raise InvalidFields if there is nothing that a provider could take."""
    if amount.micros == 0:
        message = "must be PAYMENT_GATE_NONE, because the pack is free"
        raise InvalidFields([FieldViolation("payment_gate", message)])


def refuse_free(terms: TopUpTerms, *, field: str) -> None:
    """Raise InvalidFields for the request's `field` if the price comes to nothing on the invoice.

    Source: services/contract/README.md, "Top-ups".
    """
    if rounded(Fraction(terms.price.micros), Rounding.HALF_UP, terms.price.currency_code).micros == 0:
        message = (
            "must be at least half a minor unit of its currency;"
            " the Ledger's AdjustBalance gives credits away, with a reason"
        )
        raise InvalidFields([FieldViolation(field, message)])


def refuse_ended(top_up: TopUp) -> None:
    """Raise TopUpAlreadyResolved unless the top-up can still be paid."""
    if not _is_pending(top_up):
        raise TopUpAlreadyResolved(
            top_up_id=top_up.top_up_id, status=top_up.status.value, outcome=TopUpStatus.PAID.value
        )


def refuse_to_decide(top_up: TopUp) -> None:
    """Raise PaidThroughProvider if the provider says what becomes of the payment."""
    if top_up.payment_gate is PaymentGate.STRIPE:
        raise PaidThroughProvider(top_up_id=top_up.top_up_id)


def status_at_order(gate: PaymentGate) -> TopUpStatus:
    return TopUpStatus.PAID if gate is PaymentGate.NONE else TopUpStatus.PENDING_PAYMENT


def reported(top_up: TopUp, report: PaymentReport, *, at: datetime) -> TopUp:
    """Return a top-up after what became of its payment; the same if that was known. Raises TopUpAlreadyResolved.

    Source: services/contract/README.md, "Top-ups".
    """
    match report.outcome:
        case PaymentOutcome.PAID:
            return _paid(top_up, report, at=at)
        case PaymentOutcome.DECLINED:
            # A top-up that is decided stays so: reports of earlier attempts may arrive late.
            return replace(top_up, last_payment_error=report.error) if _is_pending(top_up) else top_up
        case PaymentOutcome.FAILED:
            if _is_pending(top_up):
                failed = replace(top_up, last_payment_error=report.error or top_up.last_payment_error)
                return _ended(failed, TopUpStatus.FAILED, reference=report.reference, at=at)
            known = {TopUpStatus.FAILED, TopUpStatus.REFUND_DUE, TopUpStatus.REFUNDED}
        case PaymentOutcome.REFUNDED:
            if top_up.status is TopUpStatus.REFUND_DUE:
                return replace(top_up, status=TopUpStatus.REFUNDED)
            known = {TopUpStatus.REFUNDED}
        case _:
            assert_never(report.outcome)
    if top_up.status not in known:
        raise TopUpAlreadyResolved(
            top_up_id=top_up.top_up_id, status=top_up.status.value, outcome=report.outcome.value
        )
    return top_up


def cancelled(top_up: TopUp, *, at: datetime) -> TopUp:
    """Return a pending top-up that nobody can pay any more; the same if it is CANCELLED.

    Raises TopUpAlreadyResolved, PaymentUnderWay.
    """
    if top_up.status is TopUpStatus.CANCELLED:
        return top_up
    if not _is_pending(top_up):
        raise TopUpAlreadyResolved(
            top_up_id=top_up.top_up_id, status=top_up.status.value, outcome=TopUpStatus.CANCELLED.value
        )
    if top_up.payment_gate is PaymentGate.STRIPE:
        # The provider was asked to cancel the payment, and did not.
        raise PaymentUnderWay(top_up_id=top_up.top_up_id)
    return _ended(top_up, TopUpStatus.CANCELLED, reference="", at=at)


def expired(top_up: TopUp, *, at: datetime) -> TopUp:
    """Return a top-up as it is at an instant: EXPIRED if no payment was reported in time.

    By the clock alone only if the vendor reports payments; a provider is asked whether it can still be paid.
    """
    if (
        top_up.payment_gate is not PaymentGate.EXTERNAL
        or top_up.expire_time is None
        or at < top_up.expire_time
    ):
        return top_up
    return given_up(top_up, TopUpStatus.EXPIRED, at=top_up.expire_time)


def given_up(top_up: TopUp, ending: TopUpStatus, *, at: datetime) -> TopUp:
    """Return a top-up that nobody can pay any more: a pending one has ended, another one stays as it is."""
    return _ended(top_up, ending, reference="", at=at) if _is_pending(top_up) else top_up


def _is_pending(top_up: TopUp) -> bool:
    return top_up.status is TopUpStatus.PENDING_PAYMENT


def _paid(top_up: TopUp, report: PaymentReport, *, at: datetime) -> TopUp:
    match top_up.status:
        case TopUpStatus.PENDING_PAYMENT:
            return _ended(top_up, TopUpStatus.PAID, reference=report.reference, at=at)
        case TopUpStatus.FAILED | TopUpStatus.CANCELLED | TopUpStatus.EXPIRED:
            # Credits that nobody waits for any more are not sold after all, and the money is not kept.
            return replace(top_up, status=TopUpStatus.REFUND_DUE, payment_reference=report.reference)
        case TopUpStatus.PAID | TopUpStatus.REFUND_DUE | TopUpStatus.REFUNDED:
            return top_up
        case _:
            assert_never(top_up.status)


def _ended(top_up: TopUp, status: TopUpStatus, *, reference: str, at: datetime) -> TopUp:
    return replace(top_up, status=status, payment_reference=reference, resolve_time=at)


def payment_of(top_up: TopUp, due: Money) -> ReportedPayment:
    """Return the payment of the invoice of a top-up that was reported as paid."""
    assert top_up.resolve_time is not None
    return ReportedPayment(
        amount=due,
        reference=top_up.payment_reference or top_up.top_up_id,
        payment_time=top_up.resolve_time,
    )


def line_of(terms: TopUpTerms, product_name: str) -> InvoiceLine:
    """Return the invoice line of a purchase. The price is rounded to the nearest minor unit."""
    exact = Fraction(terms.price.micros)
    return line(
        kind=InvoiceLineKind.TOP_UP,
        product_id=terms.product_id,
        description=f"{product_name}: {_description(terms.amount)}",
        quantity=1,
        unit_price=terms.price,
        share=WHOLE,
        exact=exact,
        total=rounded(exact, Rounding.HALF_UP, terms.price.currency_code),
    )


def _description(amount: Credits) -> str:
    whole, rest = divmod(amount.micros, MICROS)
    decimals = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{whole:,}{decimals} credits"
