# SPDX-License-Identifier: Apache-2.0
"""Simultaneous payments, credit notes and invoices: no money is counted twice."""

import asyncio
from collections import Counter

from grpc import StatusCode

from purser.contract.v1 import contract_pb2 as pb
from tests.support.contract import Desk, dollars
from tests.support.faults import outcome
from tests.support.invoices import credit, payment, read, void

OK = (StatusCode.OK, "")


async def test_simultaneous_payments_never_exceed_what_is_due(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    requests = [payment(desk, invoice, 100_00, f"transfer-{n}") for n in range(7)]

    ended = await asyncio.gather(*(outcome(desk.contract.RecordInvoicePayment(one)) for one in requests))

    assert Counter(ended) == {OK: 4, (StatusCode.FAILED_PRECONDITION, "INVOICE_ALREADY_PAID"): 3}
    shown = await read(desk.contract, invoice)
    assert (dollars(shown.invoice.amount_paid), len(shown.payments)) == ("400.00", 4)


async def test_an_invoice_is_either_paid_or_void(desk: Desk) -> None:
    for _ in range(5):
        [invoice] = (await desk.sign(desk.seats(1))).invoices

        paid, voided = await asyncio.gather(
            outcome(desk.contract.RecordInvoicePayment(payment(desk, invoice, 1_00))),
            outcome(desk.contract.VoidInvoice(void(desk, invoice))),
        )

        shown = (await read(desk.contract, invoice)).invoice
        assert [paid, voided].count(OK) == 1
        assert (shown.status == pb.INVOICE_STATUS_VOID) == (voided == OK)
        assert dollars(shown.amount_paid) == ("1.00" if paid == OK else "0.00")


async def test_simultaneous_credit_notes_never_exceed_the_invoice(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 250_00))
    requests = [credit(desk, invoice, 90_00) for _ in range(7)]

    ended = await asyncio.gather(*(outcome(desk.contract.CreateCreditNote(one)) for one in requests))

    assert Counter(ended) == {OK: 4, (StatusCode.FAILED_PRECONDITION, "CREDIT_EXCEEDS_INVOICE"): 3}
    notes = (await read(desk.contract, invoice)).credit_notes
    assert [note.number for note in notes] == ["000002", "000003", "000004", "000005"]
    assert sum(note.account_credit.micros for note in notes) == 210_000_000
    assert sum(note.amount_off_due.micros for note in notes) == 150_000_000


async def test_simultaneous_invoices_use_account_credit_once(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    contracts = [await desk.sign(desk.seats(1), customer=customer) for _ in range(4)]
    for signed in contracts[:2]:
        await desk.contract.RecordInvoicePayment(payment(desk, signed.invoices[0], 100_00))
    await desk.contract.CreateCreditNote(credit(desk, contracts[0].invoices[0], 100_00))
    await desk.contract.CreateCreditNote(credit(desk, contracts[1].invoices[0], 50_00))

    added = await asyncio.gather(*(desk.add_seats(signed, 1) for signed in contracts))

    assert sorted(dollars(one.invoice.total) for one in added) == ["0.00", "100.00", "100.00", "50.00"]
    assert sorted(one.invoice.number for one in added) == [f"{n:06d}" for n in range(7, 11)]
    credits = await desk.contract.ListAccountCredits(pb.ListAccountCreditsRequest(customer=customer))
    assert [dollars(balance) for balance in credits.balances] == ["0.00"]
    used = [entry.amount.micros for entry in credits.entries if entry.amount.micros < 0]
    assert sum(used) == -150_000_000
