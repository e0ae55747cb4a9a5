# SPDX-License-Identifier: Apache-2.0
"""CreateCreditNote, ListAccountCredits, and account credit on later invoices."""

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from tests.support.contract import ContractStub, Desk, RunningContract, day, dollars
from tests.support.faults import bad_fields, fault
from tests.support.invoices import (
    billing,
    credit,
    credit_line,
    external_top_up,
    finalize,
    payment,
    read,
    vat,
    void,
)

FAILED = StatusCode.FAILED_PRECONDITION


async def account(desk: Desk, customer: str, **page: object) -> pb.ListAccountCreditsResponse:
    request = pb.ListAccountCreditsRequest(customer=customer, **page)  # type: ignore[arg-type]
    return await desk.contract.ListAccountCredits(request)


async def test_a_credit_note_reduces_what_is_due_and_the_rest_becomes_account_credit(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 300_00))
    running.clock.advance_to(day(6, 5))

    noted = await desk.contract.CreateCreditNote(credit(desk, invoice, 150_00))

    note = noted.credit_note
    assert (note.number, note.finalize_time, note.reason) == ("000002", timestamp(day(6, 5)), "goodwill")
    assert (dollars(note.amount), dollars(note.tax)) == ("150.00", "0.00")
    assert (dollars(note.amount_off_due), dollars(note.account_credit)) == ("100.00", "50.00")
    after = noted.invoice
    assert (after.status, after.total) == (pb.INVOICE_STATUS_PAID, invoice.total)
    assert (dollars(after.amount_paid), dollars(after.amount_credited), dollars(after.amount_due)) == (
        "300.00",
        "100.00",
        "0.00",
    )
    assert list((await read(desk.contract, invoice)).credit_notes) == [note]
    credits = await account(desk, invoice.customer_id)
    assert [dollars(one) for one in credits.balances] == ["50.00"]
    [entry] = credits.entries
    assert (dollars(entry.amount), dollars(entry.balance_after)) == ("50.00", "50.00")
    assert (entry.cause, entry.document_id) == (pb.ACCOUNT_CREDIT_CAUSE_CREDIT_NOTE, note.credit_note_id)


async def test_a_credit_note_for_an_unpaid_invoice_leaves_no_account_credit(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices

    noted = await desk.contract.CreateCreditNote(credit(desk, invoice, 399_99))

    assert (noted.invoice.status, dollars(noted.invoice.amount_due)) == (pb.INVOICE_STATUS_OPEN, "0.01")
    assert dollars(noted.credit_note.account_credit) == "0.00"
    assert list((await account(desk, invoice.customer_id)).balances) == []
    with fault(FAILED, "INVOICE_HAS_PAYMENTS", settled_micros="399990000"):
        await desk.contract.VoidInvoice(void(desk, invoice))
    with fault(FAILED, "PAYMENT_EXCEEDS_DUE", due_micros="10000"):
        await desk.contract.RecordInvoicePayment(payment(desk, invoice, 2))


async def test_credit_notes_never_exceed_what_the_invoice_charged(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 400_00))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 250_00))

    with fault(FAILED, "CREDIT_EXCEEDS_INVOICE", left_micros="150000000"):
        await desk.contract.CreateCreditNote(credit(desk, invoice, 150_01))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 150_00))
    with fault(FAILED, "CREDIT_EXCEEDS_INVOICE", left_micros="0"):
        await desk.contract.CreateCreditNote(credit(desk, invoice, 1))

    assert [dollars(one) for one in (await account(desk, invoice.customer_id)).balances] == ["400.00"]
    # A refused credit note takes no number.
    assert [note.number for note in (await read(desk.contract, invoice)).credit_notes] == ["000002", "000003"]
    assert (await desk.sign(desk.seats(1))).invoices[0].number == "000004"


async def test_credit_notes_never_exceed_the_line_that_they_name(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4), desk.seats(1))
    [invoice] = signed.invoices

    noted = await desk.contract.CreateCreditNote(credit_line(desk, invoice, 1, 60_00))

    assert [dollars(one.amount) for one in noted.credit_note.lines] == ["60.00"]
    with fault(FAILED, "CREDIT_EXCEEDS_INVOICE", left_micros="40000000"):
        await desk.contract.CreateCreditNote(credit_line(desk, invoice, 1, 40_01))
    await desk.contract.CreateCreditNote(credit_line(desk, invoice, 1, 40_00))
    foreign = credit_line(desk, invoice, 0, 1)
    foreign.lines[0].invoice_line_id = "lin_unknown"
    with bad_fields("lines[0].invoice_line_id"):
        await desk.contract.CreateCreditNote(foreign)


async def test_account_credit_is_used_last_and_an_invoice_is_never_negative(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 400_00))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 150_00))

    first = (await desk.add_seats(signed, 1)).invoice
    second = (await desk.add_seats(signed, 1)).invoice
    third = (await desk.add_seats(signed, 1)).invoice

    assert [(dollars(one.lines[0].total), one.lines[-1].description) for one in (first, second)] == [
        ("100.00", "Account credit used"),
        ("100.00", "Account credit used"),
    ]
    assert [one.lines[-1].total.micros // 10_000 for one in (first, second)] == [-100_00, -50_00]
    assert {one.lines[-1].kind for one in (first, second)} == {pb.INVOICE_LINE_KIND_ACCOUNT_CREDIT}
    assert [dollars(one.total) for one in (first, second, third)] == ["0.00", "50.00", "100.00"]
    assert [one.status for one in (first, second)] == [pb.INVOICE_STATUS_PAID, pb.INVOICE_STATUS_OPEN]
    assert len(third.lines) == 1
    assert (await read(desk.contract, second)).invoice == second
    credits = await account(desk, invoice.customer_id)
    assert [dollars(one) for one in credits.balances] == ["0.00"]
    assert [(one.cause, one.amount.micros // 10_000) for one in credits.entries] == [
        (pb.ACCOUNT_CREDIT_CAUSE_CREDIT_NOTE, 150_00),
        (pb.ACCOUNT_CREDIT_CAUSE_USED, -100_00),
        (pb.ACCOUNT_CREDIT_CAUSE_USED, -50_00),
    ]


async def test_what_account_credit_paid_comes_back_with_a_credit_note(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 400_00))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 30_00))
    added = (await desk.add_seats(signed, 1)).invoice
    assert (dollars(added.total), dollars(added.amount_due)) == ("70.00", "70.00")

    with fault(FAILED, "CREDIT_EXCEEDS_INVOICE", left_micros="100000000"):
        await desk.contract.CreateCreditNote(credit(desk, added, 100_01))
    noted = await desk.contract.CreateCreditNote(credit(desk, added, 100_00))

    assert noted.invoice.status == pb.INVOICE_STATUS_PAID
    assert (dollars(noted.credit_note.amount_off_due), dollars(noted.credit_note.account_credit)) == (
        "70.00",
        "30.00",
    )


async def test_a_void_invoice_returns_the_account_credit_that_it_used(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 400_00))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 30_00))
    added = (await desk.add_seats(signed, 1)).invoice

    voided = await desk.contract.VoidInvoice(void(desk, added, regenerate=True))
    credits = await account(desk, invoice.customer_id)
    again = (await desk.contract.FinalizeInvoice(finalize(desk, voided.regenerated))).invoice

    assert [dollars(one) for one in credits.balances] == ["30.00"]
    assert credits.entries[-1].cause == pb.ACCOUNT_CREDIT_CAUSE_RETURNED
    assert [line.kind for line in voided.regenerated.lines] == [pb.INVOICE_LINE_KIND_SEAT_INCREASE]
    assert (dollars(again.total), len(again.lines)) == ("70.00", 2)


async def test_a_top_up_that_waits_for_its_payment_uses_no_account_credit(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 400_00))
    await desk.contract.CreateCreditNote(credit(desk, invoice, 30_00))

    ordered = await desk.contract.OrderTopUp(external_top_up(desk, signed))

    assert dollars(ordered.invoice.total) == "80.00"
    assert [dollars(one) for one in (await account(desk, invoice.customer_id)).balances] == ["30.00"]


async def test_a_credit_note_contains_tax_in_the_invoice_s_proportion(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(20)]))
    [invoice] = (await desk.sign(desk.seats(1), customer=customer)).invoices
    assert dollars(invoice.total) == "120.00"

    notes = [
        (await desk.contract.CreateCreditNote(credit(desk, invoice, cents))).credit_note
        for cents in (3, 3, 119_94)
    ]

    # A sixth: 0.5 cents round up, 0.5 more make one whole cent, and all of it the whole tax.
    assert [dollars(note.tax) for note in notes] == ["0.01", "0.00", "19.99"]


async def test_a_credit_note_needs_an_issued_invoice_in_its_currency(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    draft = (await desk.contract.OrderTopUp(external_top_up(desk, signed))).invoice
    [invoice] = signed.invoices
    request = credit(desk, invoice, 1)
    request.amount.currency_code = "EUR"
    with fault(FAILED, "CURRENCY_DIFFERS", currency_code="EUR"):
        await desk.contract.CreateCreditNote(request)
    request.amount.currency_code, request.amount.micros = "USD", 10_001
    with bad_fields("amount"):
        await desk.contract.CreateCreditNote(request)
    with fault(FAILED, "INVOICE_NOT_FINALIZED"):
        await desk.contract.CreateCreditNote(credit(desk, draft, 1))
    await desk.contract.VoidInvoice(void(desk, invoice))
    with fault(FAILED, "INVOICE_VOID"):
        await desk.contract.CreateCreditNote(credit(desk, invoice, 1))
    with fault(StatusCode.NOT_FOUND, "INVOICE_NOT_FOUND"):
        await desk.contract.CreateCreditNote(credit(desk, pb.Invoice(invoice_id="inv_0"), 1))


async def test_a_repeated_credit_note_is_made_once(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    request = credit(desk, invoice, 100)

    first = await desk.contract.CreateCreditNote(request)

    assert await desk.contract.CreateCreditNote(request) == first
    assert dollars((await read(desk.contract, invoice)).invoice.amount_credited) == "1.00"


async def test_account_credit_is_listed_in_pages(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 400_00))
    for cents in (1, 2, 3):
        await desk.contract.CreateCreditNote(credit(desk, invoice, cents))

    first = await account(desk, invoice.customer_id, page_size=2)
    rest = await account(desk, invoice.customer_id, page_size=2, page_token=first.next_page_token)

    assert [dollars(one.balance_after) for one in (*first.entries, *rest.entries)] == ["0.01", "0.03", "0.06"]
    assert rest.next_page_token == ""
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await account(desk, "nobody")


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    with bad_fields("request_id", "invoice_id", "amount", "reason"):
        await contract.CreateCreditNote(pb.CreateCreditNoteRequest())
    twice = pb.CreditNoteLine(invoice_line_id="lin_1")
    with bad_fields(
        "request_id",
        "invoice_id",
        "reason",
        "lines[1].invoice_line_id",
        "lines[0].amount",
        "lines[1].amount",
    ):
        await contract.CreateCreditNote(pb.CreateCreditNoteRequest(lines=[twice, twice]))
    with bad_fields("customer"):
        await contract.ListAccountCredits(pb.ListAccountCreditsRequest())
