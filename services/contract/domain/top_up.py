# SPDX-License-Identifier: Apache-2.0
"""Top-ups: credits bought on a contract. A top-up is granted once, and not before it is paid."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import MICROS, Credits, Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors import CurrencyDiffers, TopUpAlreadyResolved
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


class PaymentGate(Enum):
    """What must happen before the credits are granted. NONE: nothing. EXTERNAL: ResolveTopUpPayment reports PAID."""

    NONE = "NONE"
    EXTERNAL = "EXTERNAL"


class TopUpStatus(Enum):
    """PENDING_PAYMENT → PAID | FAILED; without a payment gate PAID from the start."""

    PENDING_PAYMENT = "PENDING_PAYMENT"
    PAID = "PAID"
    FAILED = "FAILED"


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
class TopUp:
    """A purchase of credits. resolve_time: when it was paid or failed; None while pending."""

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


def status_at_order(gate: PaymentGate) -> TopUpStatus:
    return TopUpStatus.PAID if gate is PaymentGate.NONE else TopUpStatus.PENDING_PAYMENT


def refuse_opposite(top_up: TopUp, outcome: TopUpStatus) -> None:
    """Raise TopUpAlreadyResolved if the payment had another outcome than `outcome`."""
    if top_up.status is not outcome:
        raise TopUpAlreadyResolved(top_up_id=top_up.top_up_id, status=top_up.status.value)


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
