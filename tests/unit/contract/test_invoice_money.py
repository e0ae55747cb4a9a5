# SPDX-License-Identifier: Apache-2.0
"""Laws of taxes, credit notes and account credit, whatever the amounts and their order."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors.invoices import CreditExceedsInvoice
from services.contract.domain.ids import ContractId, CreditNoteId, CustomerId, InvoiceId, ProductId
from services.contract.domain.invoice import (
    WHOLE,
    Invoice,
    InvoiceLine,
    InvoiceLineKind,
    InvoiceStatus,
    line,
    total_of,
)
from services.contract.domain.invoice_credits import CreditNote, account_credit_line, credited
from services.contract.domain.invoice_life import issued, with_payment
from services.contract.domain.invoice_taxes import TaxSoFar, TaxTerms, tax_line
from tests.support.catalog import JUNE

CENT = 10_000
NOTHING = Money.zero("USD")
cents = st.integers(1, 100_000)
rates = st.integers(0, 1_000_000)


def usd(amount: int) -> Money:
    return Money("USD", amount * CENT)


def a_line(amount: int) -> InvoiceLine:
    return line(
        kind=InvoiceLineKind.TOP_UP,
        product_id=ProductId("prd_1"),
        description="credits",
        quantity=1,
        unit_price=usd(amount),
        share=WHOLE,
        exact=Fraction(amount * CENT),
        total=usd(amount),
    )


def a_draft(*lines: InvoiceLine) -> Invoice:
    return Invoice(
        invoice_id=InvoiceId("inv_1"),
        customer_id=CustomerId("cus_1"),
        contract_id=ContractId("con_1"),
        status=InvoiceStatus.DRAFT,
        lines=lines,
        total=total_of(lines),
        issue_time=JUNE,
        finalize_time=None,
        number="",
        paid=NOTHING,
        credited=NOTHING,
        void_time=None,
        void_reason="",
    )


def with_line(draft: Invoice, added: InvoiceLine | None) -> Invoice:
    lines = draft.lines if added is None else (*draft.lines, added)
    return replace(draft, lines=lines, total=total_of(lines))


@given(st.lists(cents, min_size=1, max_size=12), rates)
def test_the_tax_of_a_contract_is_the_rounded_tax_of_its_sum(amounts: list[int], rate_micros: int) -> None:
    terms = TaxTerms(name="VAT", rate_micros=rate_micros, amount=None)
    so_far = TaxSoFar(taxed=NOTHING, charged=NOTHING)
    for amount in amounts:
        tax = tax_line(a_draft(a_line(amount)), terms, so_far)
        so_far = TaxSoFar(taxed=so_far.taxed + tax.unit_price, charged=so_far.charged + tax.total)
        assert tax.total >= NOTHING

    exact = Fraction(sum(amounts) * CENT * rate_micros, 1_000_000)
    assert so_far.charged == rounded(exact, Rounding.HALF_UP, "USD")


@given(
    st.lists(cents, min_size=1, max_size=4),
    rates,
    st.integers(0, 500_000),
    st.integers(0, 500_000),
    st.lists(cents, max_size=12),
)
def test_credit_notes_give_back_what_was_charged_once(
    amounts: list[int], rate_micros: int, balance: int, paid: int, notes: list[int]
) -> None:
    draft = a_draft(*(a_line(amount) for amount in amounts))
    terms = TaxTerms(name="VAT", rate_micros=rate_micros, amount=None)
    draft = with_line(draft, tax_line(draft, terms, TaxSoFar(taxed=NOTHING, charged=NOTHING)))
    charged = draft.total
    draft = with_line(draft, account_credit_line(draft.total, usd(balance)))
    used = charged - draft.total
    invoice = issued(draft, number="000001", at=JUNE)
    paid_now = min(usd(paid), invoice.due)
    if paid_now:
        invoice = with_payment(invoice, paid_now)

    earlier: list[CreditNote] = []
    for amount in [*notes, sum(notes) + 10**6]:
        taken = sum((note.amount for note in earlier), start=NOTHING)
        try:
            crediting = credited(invoice, usd(amount), (), earlier)
        except CreditExceedsInvoice:
            assert usd(amount) > charged - taken
            continue
        assert usd(amount) <= charged - taken
        earlier.append(a_note(crediting.amount, crediting.tax, crediting.off_due, crediting.account_credit))
        invoice = crediting.invoice

    off_due = sum((note.off_due for note in earlier), start=NOTHING)
    back = sum((note.account_credit for note in earlier), start=NOTHING)
    assert NOTHING <= used <= min(usd(balance), charged)
    assert invoice.credited == off_due
    assert invoice.paid + invoice.credited + invoice.due == invoice.total >= NOTHING
    assert back <= invoice.paid + used
    assert (invoice.status is InvoiceStatus.PAID) == (not invoice.due)
    if off_due + back == charged and rate_micros:
        assert sum((note.tax for note in earlier), start=NOTHING) == draft.lines[len(amounts)].total


def a_note(amount: Money, tax: Money, off_due: Money, account_credit: Money) -> CreditNote:
    return CreditNote(
        credit_note_id=CreditNoteId("crn_1"),
        invoice_id=InvoiceId("inv_1"),
        number="000002",
        finalize_time=JUNE,
        amount=amount,
        tax=tax,
        off_due=off_due,
        account_credit=account_credit,
        reason="goodwill",
        lines=(),
    )


def test_what_makes_an_invoice_negative_is_kept_as_account_credit() -> None:
    money_back = replace(a_line(1), total=usd(-30), unit_price=usd(-30), exact_micros=-30 * CENT)
    draft = a_draft(a_line(20), money_back)

    kept = account_credit_line(draft.total, usd(100))

    assert kept is not None
    assert (kept.description, kept.total) == ("Moved to account credit", usd(10))
    assert with_line(draft, kept).total == NOTHING
    assert account_credit_line(usd(20), NOTHING) is None
