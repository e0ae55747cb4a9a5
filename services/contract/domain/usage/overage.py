# SPDX-License-Identifier: Apache-2.0
"""Overage as money. Source: services/contract/README.md, "Usage on invoices"."""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from meshkit.period import Period
from meshkit.quantity import MICROS, Credits, Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.ids import CreditTypeId, ProductId
from services.contract.domain.invoice import InvoiceLine, InvoiceLineKind, Share, line
from services.contract.domain.overage import CardMoney
from services.contract.domain.usage.report import UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageSoFar:
    """The overage on a contract's valid invoices: exactly, in micros, and as it was charged."""

    exact_micros: Fraction = Fraction(0)
    charged_micros: int = 0


def overage_lines(
    report: UsageReport, money: CardMoney, so_far: OverageSoFar, span: Period
) -> tuple[InvoiceLine, ...]:
    """Return one line per product with overage: credits × the card's money per credit.

    A line's total is all overage of the contract so far, rounded, − what was charged for it. So the sum does not depend
    on how the overage is spread over invoices. Raises KeyError if the card has no value for a credit type.
    """
    names: dict[ProductId, str] = {}
    overage: defaultdict[tuple[CreditTypeId, ProductId], Credits] = defaultdict(Credits.zero)
    for one in report.lines:
        names[one.product_id] = one.product_name
        overage[one.credit_type_id, one.product_id] += one.overage
    exact, charged = so_far.exact_micros, so_far.charged_micros
    lines = []
    for (credit_type_id, product_id), credits in overage.items():
        if not credits:
            continue
        number = Fraction(credits.micros, MICROS)
        price = Money(money.currency_code, money.per_credit_micros[credit_type_id])
        added = number * price.micros
        exact += added
        # More can be taken back than is charged on valid invoices, if others are void.
        whole = rounded(max(exact, Fraction(0)), Rounding.HALF_UP, money.currency_code)
        total = Money(money.currency_code, whole.micros - charged)
        lines.append(
            line(
                kind=InvoiceLineKind.OVERAGE,
                product_id=product_id,
                description=f"{names[product_id]}: overage",
                quantity=number.numerator,
                unit_price=price,
                share=Share(1, number.denominator),
                exact=added,
                total=total,
                span=span,
                carried_micros=floor(exact) - charged - floor(added),
            )
        )
        charged += total.micros
    return tuple(lines)
