# SPDX-License-Identifier: Apache-2.0
"""Invoices: what a customer has to pay, line by line. Source: services/contract/README.md, "Invoices"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from fractions import Fraction

from meshkit.period import Period
from meshkit.quantity import Money, floor_div
from services.contract.domain.billing.price import MONEY_MICROS_MAX, USD
from services.contract.domain.errors.invoices import AmountTooLarge
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    InvoiceId,
    InvoiceLineId,
    ProductId,
    SubscriptionId,
)


class InvoiceStatus(Enum):
    """DRAFT may still change, OPEN is issued and due, PAID is issued and settled, VOID is cancelled.

    STATEMENT: a period's usage that costs no money. It is final and has no number.
    """

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    PAID = "PAID"
    VOID = "VOID"
    STATEMENT = "STATEMENT"


class InvoiceLineKind(Enum):
    """What a line charges for."""

    SUBSCRIPTION = "SUBSCRIPTION"
    SEAT_INCREASE = "SEAT_INCREASE"
    TOP_UP = "TOP_UP"
    PLAN_CHARGE = "PLAN_CHARGE"
    PLAN_CREDIT = "PLAN_CREDIT"
    OVERAGE = "OVERAGE"
    PRICE_CORRECTION = "PRICE_CORRECTION"
    TAX = "TAX"
    ACCOUNT_CREDIT = "ACCOUNT_CREDIT"


@dataclass(frozen=True, slots=True)
class Share:
    """An exact share of a period, in lowest terms."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, fraction: Fraction) -> "Share":
        return cls(fraction.numerator, fraction.denominator)

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.numerator, self.denominator)


WHOLE = Share(1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """quantity × unit_price × share = exact_micros (down to the micro); with `carried_micros`, rounded to `total`.

    carried_micros: what the earlier lines of the same subscription and billing period, or of the same tax, left over
    when they were rounded: exact amounts that are not charged yet (> 0), or charged in advance (< 0).
    span: the time that is charged; billing_period_start: start of its billing period. Both None for a top-up.
    """

    invoice_line_id: InvoiceLineId
    kind: InvoiceLineKind
    product_id: ProductId
    description: str
    quantity: int
    unit_price: Money
    share: Share
    exact_micros: int
    total: Money
    subscription_id: SubscriptionId | None = None
    span: Period | None = None
    billing_period_start: datetime | None = None
    carried_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice. issue_time: its service date; finalize_time and number: given together when it is issued.

    paid: the sum of its payments. credited: what credit notes took off before it was paid.
    """

    invoice_id: InvoiceId
    customer_id: CustomerId
    contract_id: ContractId
    status: InvoiceStatus
    lines: tuple[InvoiceLine, ...]
    total: Money
    issue_time: datetime
    finalize_time: datetime | None
    number: str
    paid: Money
    credited: Money
    void_time: datetime | None
    void_reason: str

    @property
    def due(self) -> Money:
        """What is still to be paid; 0 unless it is OPEN."""
        if self.status is InvoiceStatus.OPEN:
            return self.total - self.paid - self.credited
        return Money.zero(self.total.currency_code)

    @property
    def has_amount(self) -> bool:
        """Whether any line is not 0. An invoice without one is neither issued nor numbered."""
        return any(line.total for line in self.lines)


NO_LINE_ID = InvoiceLineId("")


def line(
    *,
    kind: InvoiceLineKind,
    product_id: ProductId,
    description: str,
    quantity: int,
    unit_price: Money,
    share: Share,
    exact: Fraction,
    total: Money,
    subscription_id: SubscriptionId | None = None,
    span: Period | None = None,
    billing_period_start: datetime | None = None,
    carried_micros: int = 0,
) -> InvoiceLine:
    """Return a line that has no id yet. Raises AmountTooLarge."""
    if total.micros > MONEY_MICROS_MAX:
        raise AmountTooLarge(micros=total.micros)
    return InvoiceLine(
        invoice_line_id=NO_LINE_ID,
        kind=kind,
        product_id=product_id,
        description=description,
        quantity=quantity,
        unit_price=unit_price,
        share=share,
        exact_micros=floor_div(exact.numerator, exact.denominator),
        total=total,
        subscription_id=subscription_id,
        span=span,
        billing_period_start=billing_period_start,
        carried_micros=carried_micros,
    )


def total_of(lines: Sequence[InvoiceLine], currency_code: str = "") -> Money:
    """Return the sum of the lines. currency_code: of a sum without lines. Raises AmountTooLarge."""
    currency_code = lines[0].total.currency_code if lines else currency_code or USD
    total = sum((line.total for line in lines), start=Money.zero(currency_code))
    if total.micros > MONEY_MICROS_MAX:
        raise AmountTooLarge(micros=total.micros)
    return total
