# SPDX-License-Identifier: Apache-2.0
"""Tax lines: given by the vendor, not determined. Source: services/contract/README.md, "Parties and taxes"."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from meshkit.quantity import MICROS, Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.ids import ProductId
from services.contract.domain.invoice import (
    WHOLE,
    Invoice,
    InvoiceLine,
    InvoiceLineKind,
    Share,
    line,
    total_of,
)
from services.contract.domain.invoice_life import refuse_unlike

TAXES_MAX = 5
RATE_MICROS_MAX = MICROS  # 100 %
NO_PRODUCT = ProductId("")
_NOT_TAXED = (InvoiceLineKind.TAX, InvoiceLineKind.ACCOUNT_CREDIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTerms:
    """A tax by rate (× 10⁶) or as an amount; exactly one of them."""

    name: str
    rate_micros: int | None
    amount: Money | None

    @property
    def description(self) -> str:
        """The text of its line. Lines of one rate and name have the same text, and others do not."""
        return self.name if self.rate_micros is None else f"{self.name} {_percent(self.rate_micros)} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSoFar:
    """What the valid invoices of one contract say of one tax: what it was charged on, and what was charged."""

    taxed: Money
    charged: Money


def tax_line(invoice: Invoice, terms: TaxTerms, so_far: TaxSoFar) -> InvoiceLine:
    """Return the line of a tax on all other charges of an invoice. Raises CurrencyDiffers.

    A tax by rate is round(rate × everything taxed so far on the contract) − what was charged before. So its sum does
    not depend on how the charges are spread over invoices.
    """
    currency = invoice.total.currency_code
    if terms.amount is not None:
        refuse_unlike(terms.amount, currency)
        return _line(terms, terms.amount, Fraction(1), terms.amount, carried_micros=0)
    assert terms.rate_micros is not None
    rate = Fraction(terms.rate_micros, MICROS)
    taxed = total_of([one for one in invoice.lines if one.kind not in _NOT_TAXED], currency)
    exact_so_far = (so_far.taxed + taxed).micros * rate
    return _line(
        terms,
        taxed,
        rate,
        rounded(exact_so_far, Rounding.HALF_UP, currency) - so_far.charged,
        carried_micros=floor(exact_so_far) - so_far.charged.micros - floor(taxed.micros * rate),
    )


def _line(terms: TaxTerms, taxed: Money, rate: Fraction, total: Money, *, carried_micros: int) -> InvoiceLine:
    return line(
        kind=InvoiceLineKind.TAX,
        product_id=NO_PRODUCT,
        description=terms.description,
        quantity=1,
        unit_price=taxed,
        share=WHOLE if rate == 1 else Share.of(rate),
        exact=taxed.micros * rate,
        total=total,
        carried_micros=carried_micros,
    )


def _percent(rate_micros: int) -> str:
    whole, rest = divmod(rate_micros, MICROS // 100)
    return f"{whole}.{rest:04d}".rstrip("0") if rest else str(whole)
