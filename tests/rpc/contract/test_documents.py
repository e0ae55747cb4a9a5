# SPDX-License-Identifier: Apache-2.0
"""GetInvoiceDocument."""

from ctypes.util import find_library
from html.parser import HTMLParser

from grpc import StatusCode

from purser.contract.v1 import contract_pb2 as pb
from tests.rpc.contract.test_currencies import YEN, signed_in
from tests.support.catalog import Shop
from tests.support.contract import ContractStub, Desk, RunningContract, day
from tests.support.faults import bad_fields, fault
from tests.support.invoices import billing, credit, external_top_up, payment, vat, void

HTML = pb.DOCUMENT_FORMAT_HTML
PDF = pb.DOCUMENT_FORMAT_PDF
VOID_ELEMENTS = {"meta", "br"}


class Texts(HTMLParser):
    """The texts of a document in order, its elements, and whether they are nested well."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style" and data.strip():
            self.texts.append(" ".join(data.split()))


async def document(
    desk: Desk, invoice: pb.Invoice, form: pb.DocumentFormat = HTML
) -> pb.GetInvoiceDocumentResponse:
    request = pb.GetInvoiceDocumentRequest(invoice_id=invoice.invoice_id, format=form)
    return await desk.contract.GetInvoiceDocument(request)


async def texts(desk: Desk, invoice: pb.Invoice) -> list[str]:
    return Texts((await document(desk, invoice)).content.decode()).texts


async def test_a_document_says_everything_about_an_invoice(desk: Desk, running: RunningContract) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(20)]))
    await desk.contract.SetSellerDetails(
        pb.SetSellerDetailsRequest(request_id="s", seller=pb.Party(name="SeatsCo", tax_ids=["EIN 12"]))
    )
    signed = await desk.sign(desk.seats(4), customer=customer)
    running.clock.advance_to(day(7, 3))
    added = (await desk.add_seats(signed, 1)).invoice
    await desk.contract.RecordInvoicePayment(payment(desk, added, 100_00, "transfer-7"))
    await desk.contract.CreateCreditNote(credit(desk, added, 12_00))

    shown = await document(desk, added)

    assert (shown.content_type, shown.file_name) == ("text/html; charset=utf-8", "invoice-000002.html")
    page = Texts(shown.content.decode())
    assert page.elements[0] == ("html", {"lang": "en"})
    assert page.texts == [
        "Invoice 000002",
        "Invoice 000002",
        "Paid",
        "From",
        "SeatsCo",
        "EIN 12",
        "To",
        "Acme GmbH",
        "Ring 1",
        "1010 Wien",
        "Austria",
        "UID ATU1",
        "Number",
        "000002",
        "Invoice date",
        "July 3, 2025",
        "Service date",
        "July 3, 2025",
        "Description",
        "Quantity",
        "Unit price",
        "Share",
        "Exact",
        "Carried",
        "Amount",
        "Team Plan: 1 seat added, 333/365 of the period",
        "Jul 3, 2025 to Jun 1, 2026 (UTC, end not included)",
        "1",
        "100.00",
        "333/365",
        "91.232876",
        "91.23",
        "Subtotal",
        "91.23",
        "VAT 20 %",
        "91.23 × 1/5 = 18.246000",
        "18.25",
        "Total",
        "USD 109.48",
        "Payment July 3, 2025",
        "transfer-7",
        "-100.00",
        "Credit note 000003, July 3, 2025",
        "goodwill, of which tax 2.00, 2.52 as account credit",
        "-9.48",
        "Amount due",
        "USD 0.00",
        "Amount = Exact + Carried, rounded; Exact = Quantity × Unit price × Share. All amounts in USD.",
    ]


async def test_account_credit_and_carried_cents_are_shown(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(1))
    [invoice] = signed.invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 100_00))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 30_00))

    shown = await texts(desk, (await desk.add_seats(signed, 1)).invoice)

    assert shown[shown.index("Subtotal") : shown.index("Total") + 2] == [
        "Subtotal",
        "100.00",
        "Account credit used",
        "-30.00",
        "Total",
        "USD 70.00",
    ]


async def test_a_document_is_in_the_customer_s_language_and_time_zone(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(
        billing(desk, customer, language="de-AT", time_zone="America/New_York")
    )
    [invoice] = (await desk.sign(desk.seats(20), customer=customer)).invoices

    shown = await texts(desk, invoice)

    assert shown[0] == "Rechnung 000001"
    # Issued on 1 June at 00:00 UTC, which is 31 May in New York. What was delivered is counted in UTC.
    assert shown[shown.index("Rechnungsdatum") + 1] == "31. Mai 2025"
    assert shown[shown.index("Leistungsdatum") + 1] == "1. Juni 2025"
    assert shown[shown.index("Zu zahlen") + 1] in ("USD 2.000,00", "USD 2\xa0000,00", "USD 2 000,00")


async def test_unknown_languages_get_english_words(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(billing(desk, customer, language="xx"))
    [invoice] = (await desk.sign(desk.seats(1), customer=customer)).invoices

    assert (await texts(desk, invoice))[-2] == "USD 100.00"


async def test_amounts_have_the_decimals_of_their_currency(desk: Desk, shop: Shop) -> None:
    [yen] = (await signed_in(desk, shop, "JPY", 1_000 * YEN)).invoices
    [dinars] = (await signed_in(desk, shop, "BHD", 1_500_000)).invoices

    assert (await texts(desk, yen))[-2] == "JPY 2,000"
    assert (await texts(desk, dinars))[-2] == "BHD 3.000"


async def test_texts_of_others_are_escaped(desk: Desk) -> None:
    evil = "<script>alert(1)</script><img src=x> & 'quote\""
    customer = (await desk.customer(evil)).customer_id
    [invoice] = (await desk.sign(desk.seats(1), customer=customer)).invoices

    content = (await document(desk, invoice)).content.decode()

    assert evil in Texts(content).texts
    assert {"script", "img"}.isdisjoint(tag for tag, _ in Texts(content).elements)
    assert "http" not in content


async def test_drafts_and_void_invoices_say_what_they_are(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(1))
    [invoice] = signed.invoices
    draft = (await desk.contract.OrderTopUp(external_top_up(desk, signed))).invoice
    await desk.contract.VoidInvoice(void(desk, invoice))

    assert "Draft, not an invoice" in await texts(desk, draft)
    assert "Amount due" not in await texts(desk, draft)
    assert (await document(desk, draft)).file_name == "invoice-draft.html"
    assert "Void" in await texts(desk, invoice)
    assert "Amount due" not in await texts(desk, invoice)


async def test_a_pdf_is_made_of_the_same_invoice_where_pango_is_installed(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    if find_library("pango-1.0") is None:
        with fault(StatusCode.FAILED_PRECONDITION, "PDF_UNAVAILABLE"):
            await document(desk, invoice, PDF)
        return

    shown = await document(desk, invoice, PDF)

    assert (shown.content_type, shown.file_name) == ("application/pdf", "invoice-000001.pdf")
    assert shown.content.startswith(b"%PDF-")
    assert shown.content.rstrip().endswith(b"%%EOF")


async def test_an_unknown_invoice_has_no_document(desk: Desk, contract: ContractStub) -> None:
    with fault(StatusCode.NOT_FOUND, "INVOICE_NOT_FOUND"):
        await document(desk, pb.Invoice(invoice_id="inv_unknown"))
    with bad_fields("invoice_id", "format"):
        await contract.GetInvoiceDocument(pb.GetInvoiceDocumentRequest(format=9))  # type: ignore[arg-type]
