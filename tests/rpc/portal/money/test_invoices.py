# SPDX-License-Identifier: Apache-2.0
"""Invoices on pages: every figure to compute them by hand, their PDF, and paying them with a card."""

import re
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from html import unescape

import pytest

from deploy.local.stripe import DECLINED_CARD, SECURE_CARD
from meshkit.quantity import MICROS
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as contract
from purser.type.v1.money_pb2 import Money
from tests.support.buyer import Buyer, Counter
from tests.support.mesh import JUNE, advance
from tests.support.portal import form_fields

pytestmark = pytest.mark.asyncio(loop_scope="package")
CENT = MICROS // 100
ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")


def rows(page: str) -> list[list[str]]:
    """Return the texts of all rows of the tables on a page."""
    return [
        [" ".join(unescape(TAG.sub(" ", cell)).split()) for cell in CELL.findall(row)]
        for row in ROW.findall(page)
    ]


def number(text: str) -> Fraction:
    return Fraction(text.replace("$", "").replace(",", "") or "0")


async def test_a_customer_can_compute_an_invoice_by_hand(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    await acme.stubs.contract.SetBillingDetails(
        contract.SetBillingDetailsRequest(
            request_id=acme.request_id(),
            customer=buyer.customer_id,
            billing_details=contract.BillingDetails(
                party=contract.Party(name="Acme & Söhne", address_lines=["1 Main Street"]),
                taxes=[contract.TaxTerms(name="VAT", rate_micros=190_000)],
            ),
        )
    )
    added = await acme.stubs.contract.ChangeSeats(
        contract.ChangeSeatsRequest(
            request_id=acme.request_id(),
            contract_id=buyer.signed.contract.contract_id,
            quantity_delta=1,
        )
    )

    page = await buyer.get(f"/invoices/{added.invoice.invoice_id}")

    [line] = [row for row in rows(page) if len(row) == 7 and row[1] == "1"]
    _, quantity, price, share, exact, carried, amount = line
    assert number(quantity) * number(price) * Fraction(share) == number(exact)
    charged = Decimal(str(float(number(exact) + number(carried)))).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Fraction(charged) == number(amount)
    sums = {row[0]: row[1] for row in rows(page) if len(row) == 2}
    tax = next(value for name, value in sums.items() if name.startswith("VAT"))
    assert number(tax) == number(amount) * 19 / 100
    assert number(sums["Total"]) == number(amount) + number(tax) == number(sums["To pay"])
    assert "Acme &amp; Söhne" in page
    assert "1 Main Street" in page


async def test_shares_payments_and_credit_notes_are_shown(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    [invoice] = buyer.signed.invoices
    await acme.stubs.contract.RecordInvoicePayment(
        contract.RecordInvoicePaymentRequest(
            request_id=acme.request_id(),
            invoice_id=invoice.invoice_id,
            amount=Money(currency_code="USD", micros=300 * MICROS),
            reference="bank-<b>1</b>",
            payment_time=timestamp(JUNE),
        )
    )
    await acme.stubs.contract.CreateCreditNote(
        contract.CreateCreditNoteRequest(
            request_id=acme.request_id(),
            invoice_id=invoice.invoice_id,
            amount=Money(currency_code="USD", micros=150 * MICROS),
            reason="an outage <script>alert(1)</script>",
        )
    )

    page = await buyer.get(f"/invoices/{invoice.invoice_id}")
    listed = await buyer.get("/invoices")

    [seats] = [row for row in rows(page) if len(row) == 7 and row[1] == "4"]
    assert seats[2:] == ["$100.00", "1", "400", "", "$400.00"]
    sums = {row[0]: row[1] for row in rows(page) if len(row) == 2}
    assert sums["Paid on 1 Jun 2025 bank-<b>1</b>"] == "-$300.00"
    [note] = [name for name in sums if name.startswith("Credit note")]
    assert sums[note] == "-$100.00"
    assert "$50.00 kept as account credit" in note
    assert sums["To pay"] == "$0.00"
    assert "<script>alert" not in page
    assert "You have $50.00 of account credit." in listed


async def test_a_pdf_is_downloaded_under_its_name(buyer: Buyer) -> None:
    [invoice] = buyer.signed.invoices

    answer = await buyer.browser.get(f"/invoices/{invoice.invoice_id}/pdf")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="invoice-{invoice.number}.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content.startswith(b"%PDF-1.")
    assert answer.content.rstrip().endswith(b"%%EOF")
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_the_newest_invoice_comes_first_and_older_ones_behind(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    for _ in range(26):
        await acme.stubs.contract.ChangeSeats(
            contract.ChangeSeatsRequest(
                request_id=acme.request_id(),
                contract_id=buyer.signed.contract.contract_id,
                quantity_delta=1,
            )
        )

    first = await buyer.get("/invoices")
    older = re.search(r'href="(/invoices\?page=[^"]*)">Older<', first)
    assert older is not None
    second = await buyer.get(unescape(older[1]))

    numbers = [row[0] for row in rows(first)[1:] + rows(second)[1:]]
    assert len(numbers) == 27
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == buyer.signed.invoices[0].number
    assert "Older" not in second
    assert "Newest" in second
    assert (await buyer.browser.get("/invoices?page=forged")).status_code == 400


async def test_an_open_invoice_is_paid_with_the_saved_card(buyer: Buyer) -> None:
    await buyer.save_card()
    [invoice] = buyer.signed.invoices
    path = f"/invoices/{invoice.invoice_id}"
    shown = await buyer.get(path)
    assert f'href="{path}/payment">Pay $400.00<' in shown

    paid = await buyer.pay(path, shown_at=f"{path}/payment")

    assert '<span class="badge good">Paid</span>' in paid
    assert "<strong data-due>$0.00</strong>" in paid
    assert f"{path}/payment" not in paid


async def test_a_declined_card_leaves_the_invoice_open_and_the_bank_may_ask(buyer: Buyer) -> None:
    await buyer.save_card(DECLINED_CARD)
    [invoice] = buyer.signed.invoices
    path = f"/invoices/{invoice.invoice_id}"

    declined = await buyer.pay(path, shown_at=f"{path}/payment")
    assert "Your bank declined the card. Use another card, or ask your bank why." in declined
    await buyer.save_card(SECURE_CARD)
    asked = await buyer.pay(path, shown_at=f"{path}/payment")
    refused = await buyer.confirm(asked, "failed")
    assert refused.url.path == f"{path}/payment"
    assert "Pay $400.00 with visa" in refused.text
    again = await buyer.pay(path, shown_at=f"{path}/payment")
    back = await buyer.confirm(again, "succeeded")

    assert back.url.path == path
    assert "<strong data-due>$0.00</strong>" in back.text


async def test_an_invoice_that_is_too_small_for_a_card_says_so(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    [invoice] = buyer.signed.invoices
    await acme.stubs.contract.CreateCreditNote(
        contract.CreateCreditNoteRequest(
            request_id=acme.request_id(),
            invoice_id=invoice.invoice_id,
            amount=Money(currency_code="USD", micros=400 * MICROS - 49 * CENT),
            reason="nearly all",
        )
    )

    shown = await buyer.get(f"/invoices/{invoice.invoice_id}/payment")

    assert "This is too little to be paid by card alone. It is paid together with a later invoice." in shown
    assert '/pay"' not in shown


async def test_an_invoice_of_another_customer_is_not_there(buyer: Buyer, counter: Counter) -> None:
    async with counter.buyer() as other:
        [invoice] = other.signed.invoices
    path = f"/invoices/{invoice.invoice_id}"
    fields = form_fields(await buyer.get("/card"), "/card")

    answers = [await buyer.browser.get(f"{path}{rest}") for rest in ("", "/pdf", "/payment")]
    answers.append(
        await buyer.browser.post(f"{path}/pay", data=fields, headers={"origin": buyer.browser.origin})
    )

    assert [one.status_code for one in answers] == [404, 404, 404, 404]


async def test_drafts_and_void_invoices_name_nothing_to_pay(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    order = await buyer.order()
    draft = await acme.stubs.contract.GetTopUp(contract.GetTopUpRequest(top_up_id=order.rpartition("/")[2]))
    shown = await buyer.get(f"/invoices/{draft.top_up.invoice_id}")
    await buyer.send(f"{order}/cancel", shown_at=order)
    void = await buyer.get(f"/invoices/{draft.top_up.invoice_id}")

    assert "Draft of an invoice" in shown
    assert "To pay" not in shown
    assert '<span class="badge ">Void</span>' in void
    assert "To pay" not in void


async def test_a_statement_shows_usage_by_product_and_person(buyer: Buyer) -> None:
    acme = buyer.counter.portal.acme
    await buyer.spend(3)
    await advance(acme.stubs, JUNE + timedelta(days=32))

    listed = await buyer.get("/invoices")
    statement = re.search(r'href="(/invoices/inv_\w+)">Statement<', listed)
    assert statement is not None
    page = await buyer.get(statement[1])

    [used] = [row for row in rows(page) if len(row) == 5 and row[1] == "ann"]
    assert used[3:] == ["3", "Included credits of 1 Jun 2025: 3"]
    assert "1 Jun 2025 to 1 Jul 2025 (UTC, end not included)" in page
    assert "To pay" not in page
    assert (await buyer.browser.get(f"{statement[1]}/pdf")).content.startswith(b"%PDF-1.")
