# SPDX-License-Identifier: Apache-2.0
"""FinalizeInvoice, VoidInvoice, RecordInvoicePayment; the numbers of invoices."""

from datetime import timedelta

import asyncpg
import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import ContractStub, Desk, RunningContract, day, dollars, running_contract
from tests.support.faults import bad_fields, fault
from tests.support.invoices import CENT, external_top_up, finalize, payment, read, void
from tests.support.ledger_peer import RecordingLedger
from tests.support.mesh import until
from tests.support.postgres import Databases

FAILED = StatusCode.FAILED_PRECONDITION


async def test_invoices_of_all_contracts_share_one_series_and_get_their_date_with_the_number(
    desk: Desk, running: RunningContract
) -> None:
    one = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(6, 2))
    other = await desk.sign(desk.seats(1))
    added = await desk.add_seats(one, 1)

    invoices = [one.invoices[0], other.invoices[0], added.invoice]
    assert [invoice.number for invoice in invoices] == ["000001", "000002", "000003"]
    assert [invoice.finalize_time for invoice in invoices] == [
        timestamp(JUNE),
        timestamp(day(6, 2)),
        timestamp(day(6, 2)),
    ]
    assert [invoice.issue_time for invoice in invoices] == [
        timestamp(JUNE),
        timestamp(JUNE),
        timestamp(day(6, 2)),
    ]


async def test_an_unpaid_draft_of_a_top_up_takes_no_number(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    ordered = await desk.contract.OrderTopUp(external_top_up(desk, signed))
    added = await desk.add_seats(signed, 1)

    assert (ordered.invoice.status, ordered.invoice.number) == (pb.INVOICE_STATUS_DRAFT, "")
    assert added.invoice.number == "000002"
    with fault(FAILED, "TOP_UP_PENDING", invoice_id=ordered.invoice.invoice_id):
        await desk.contract.FinalizeInvoice(finalize(desk, ordered.invoice))
    with fault(FAILED, "TOP_UP_PENDING"):
        await desk.contract.VoidInvoice(void(desk, ordered.invoice))
    with fault(FAILED, "INVOICE_NOT_FINALIZED"):
        await desk.contract.RecordInvoicePayment(payment(desk, ordered.invoice, 1))


async def test_a_top_up_that_is_reported_as_paid_has_a_paid_invoice(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4))
    order = external_top_up(desk, signed)
    order.payment_window.FromTimedelta(timedelta(days=60))
    ordered = await desk.contract.OrderTopUp(order)
    running.clock.advance_to(day(7, 3))

    resolved = await desk.contract.ResolveTopUpPayment(
        pb.ResolveTopUpPaymentRequest(
            request_id=desk.request_id(),
            top_up_id=ordered.top_up.top_up_id,
            outcome=pb.PAYMENT_OUTCOME_PAID,
            payment_reference="pi_42",
        )
    )

    invoice = resolved.invoice
    assert (invoice.status, invoice.number) == (pb.INVOICE_STATUS_PAID, "000002")
    assert (dollars(invoice.amount_paid), dollars(invoice.amount_due)) == ("80.00", "0.00")
    [paid] = (await read(desk.contract, invoice)).payments
    assert (paid.reference, dollars(paid.amount)) == ("pi_42", "80.00")
    assert paid.payment_time == timestamp(day(7, 3))


async def test_partial_payments_add_up_until_the_invoice_is_paid(
    desk: Desk, running: RunningContract
) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    running.clock.advance_to(day(6, 20))

    first = await desk.contract.RecordInvoicePayment(payment(desk, invoice, 399_99, "a", day(6, 19)))
    with fault(FAILED, "PAYMENT_EXCEEDS_DUE", invoice_id=invoice.invoice_id, due_micros="10000"):
        await desk.contract.RecordInvoicePayment(payment(desk, invoice, 2, "b"))
    last = await desk.contract.RecordInvoicePayment(payment(desk, invoice, 1, "b"))

    assert first.invoice.status == pb.INVOICE_STATUS_OPEN
    assert (dollars(first.invoice.amount_paid), dollars(first.invoice.amount_due)) == ("399.99", "0.01")
    assert last.invoice.status == pb.INVOICE_STATUS_PAID
    assert (dollars(last.invoice.amount_paid), dollars(last.invoice.amount_due)) == ("400.00", "0.00")
    shown = await read(desk.contract, invoice)
    assert shown.invoice == last.invoice
    assert list(shown.payments) == [first.payment, last.payment]
    assert [one.payment_time for one in shown.payments] == [timestamp(day(6, 19)), timestamp(day(6, 20))]
    with fault(FAILED, "INVOICE_ALREADY_PAID", invoice_id=invoice.invoice_id):
        await desk.contract.RecordInvoicePayment(payment(desk, invoice, 1, "c"))


async def test_a_payment_is_recorded_once(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    request = payment(desk, invoice, 100)

    first = await desk.contract.RecordInvoicePayment(request)
    assert await desk.contract.RecordInvoicePayment(request) == first
    with fault(StatusCode.ALREADY_EXISTS, "PAYMENT_ALREADY_RECORDED", reference="transfer-1"):
        await desk.contract.RecordInvoicePayment(payment(desk, invoice, 100))
    other = await desk.contract.RecordInvoicePayment(payment(desk, invoice, 100, "transfer-2"))

    assert dollars(other.invoice.amount_paid) == "2.00"
    request.amount.micros += CENT
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await desk.contract.RecordInvoicePayment(request)


async def test_a_payment_in_another_currency_is_refused(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    request = payment(desk, invoice, 100)
    request.amount.currency_code = "EUR"

    with fault(FAILED, "CURRENCY_DIFFERS", currency_code="EUR"):
        await desk.contract.RecordInvoicePayment(request)


async def test_a_payment_is_not_dated_in_the_future(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices

    with bad_fields("payment_time"):
        await desk.contract.RecordInvoicePayment(
            payment(desk, invoice, 1, at=JUNE + timedelta(microseconds=1))
        )
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 1, at=JUNE))


async def test_an_invoice_whose_seats_have_brought_credits_is_not_waived(desk: Desk) -> None:
    granted = await desk.sign(desk.seats(4), desk.seats(2), schedules=(desk.schedule(subscription_index=1),))
    [invoice] = granted.invoices
    subscription_id = granted.contract.subscriptions[1].subscription_id

    with fault(FAILED, "INVOICE_CREDITS_GRANTED", subscription_id=subscription_id):
        await desk.contract.VoidInvoice(void(desk, invoice))
    for _ in range(2):  # also what is regenerated from it
        again = (await desk.contract.VoidInvoice(void(desk, invoice, regenerate=True))).regenerated
        with fault(FAILED, "INVOICE_CREDITS_GRANTED", invoice_id=again.invoice_id):
            await desk.contract.VoidInvoice(void(desk, again))
        invoice = (await desk.contract.FinalizeInvoice(finalize(desk, again))).invoice
    unlinked = await desk.sign(desk.seats(4), schedules=(desk.schedule(subscription_index=None),))

    voided = await desk.contract.VoidInvoice(void(desk, unlinked.invoices[0]))

    assert voided.invoice.status == pb.INVOICE_STATUS_VOID


async def test_a_void_invoice_keeps_its_number_and_can_be_neither_paid_nor_changed(
    desk: Desk, running: RunningContract
) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    running.clock.advance_to(day(6, 3))

    voided = await desk.contract.VoidInvoice(void(desk, invoice))

    assert not voided.HasField("regenerated")
    cancelled = voided.invoice
    assert (cancelled.status, cancelled.number) == (pb.INVOICE_STATUS_VOID, "000001")
    assert (cancelled.void_reason, cancelled.void_time) == ("wrong address", timestamp(day(6, 3)))
    assert (cancelled.finalize_time, dollars(cancelled.amount_due)) == (timestamp(JUNE), "0.00")
    for call in (
        desk.contract.VoidInvoice(void(desk, invoice)),
        desk.contract.FinalizeInvoice(finalize(desk, invoice)),
        desk.contract.RecordInvoicePayment(payment(desk, invoice, 1)),
    ):
        with fault(FAILED, "INVOICE_VOID", invoice_id=invoice.invoice_id):
            await call


async def test_an_invoice_is_not_voided_after_a_payment(desk: Desk) -> None:
    [partly] = (await desk.sign(desk.seats(4))).invoices
    [wholly] = (await desk.sign(desk.seats(4))).invoices
    await desk.contract.RecordInvoicePayment(payment(desk, partly, 1))
    await desk.contract.RecordInvoicePayment(payment(desk, wholly, 400_00))

    with fault(FAILED, "INVOICE_HAS_PAYMENTS", settled_micros="10000"):
        await desk.contract.VoidInvoice(void(desk, partly))
    with fault(FAILED, "INVOICE_ALREADY_PAID"):
        await desk.contract.VoidInvoice(void(desk, wholly))


async def test_the_invoice_of_credits_that_are_granted_is_not_voided(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    request = external_top_up(desk, signed)
    request.payment_gate = pb.PAYMENT_GATE_NONE
    ordered = await desk.contract.OrderTopUp(request)

    with fault(FAILED, "TOP_UP_GRANTED", invoice_id=ordered.invoice.invoice_id):
        await desk.contract.VoidInvoice(void(desk, ordered.invoice))


async def test_a_regenerated_invoice_charges_the_same_under_the_next_number(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    [invoice] = signed.invoices

    voided = await desk.contract.VoidInvoice(void(desk, invoice, regenerate=True))
    draft = voided.regenerated
    with fault(FAILED, "INVOICE_NOT_FINALIZED"):
        await desk.contract.VoidInvoice(void(desk, draft, regenerate=True))
    request = finalize(desk, draft)
    again = (await desk.contract.FinalizeInvoice(request)).invoice

    assert (draft.status, draft.number, draft.HasField("finalize_time")) == (
        pb.INVOICE_STATUS_DRAFT,
        "",
        False,
    )
    assert (again.status, again.number) == (pb.INVOICE_STATUS_OPEN, "000002")
    assert (again.total, again.issue_time) == (invoice.total, invoice.issue_time)
    assert [line.description for line in again.lines] == [line.description for line in invoice.lines]
    assert (await desk.contract.FinalizeInvoice(request)).invoice == again
    with fault(FAILED, "INVOICE_ALREADY_FINALIZED", number="000002"):
        await desk.contract.FinalizeInvoice(finalize(desk, draft))
    # The seats are charged once, however often their invoice is made: only the fifth one is new.
    added = await desk.add_seats(signed, 1)
    assert dollars(added.invoice.total) == "100.00"


async def test_a_draft_can_be_voided_and_never_gets_a_number(desk: Desk) -> None:
    [invoice] = (await desk.sign(desk.seats(4))).invoices
    draft = (await desk.contract.VoidInvoice(void(desk, invoice, regenerate=True))).regenerated

    voided = (await desk.contract.VoidInvoice(void(desk, draft))).invoice

    assert (voided.status, voided.number, voided.HasField("finalize_time")) == (
        pb.INVOICE_STATUS_VOID,
        "",
        False,
    )
    assert (await desk.sign(desk.seats(1))).invoices[0].number == "000002"


async def test_an_unknown_invoice_is_not_found(desk: Desk) -> None:
    unknown = pb.Invoice(invoice_id="inv_unknown")
    for call in (
        desk.contract.FinalizeInvoice(finalize(desk, unknown)),
        desk.contract.VoidInvoice(void(desk, unknown)),
        desk.contract.RecordInvoicePayment(payment(desk, unknown, 1)),
    ):
        with fault(StatusCode.NOT_FOUND, "INVOICE_NOT_FOUND", invoice_id="inv_unknown"):
            await call


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    with bad_fields("request_id", "invoice_id"):
        await contract.FinalizeInvoice(pb.FinalizeInvoiceRequest())
    with bad_fields("request_id", "invoice_id", "reason"):
        await contract.VoidInvoice(pb.VoidInvoiceRequest())
    with bad_fields("request_id", "invoice_id", "amount", "reference"):
        await contract.RecordInvoicePayment(pb.RecordInvoicePaymentRequest())


# What a replica of the previous version writes: it knows neither numbers nor payments.
OF_THE_PREVIOUS_VERSION = """
    INSERT INTO contract.invoices (
        invoice_id, customer_id, contract_id, status, currency_code, total_micros, issue_time, finalize_time
    ) VALUES ($1, $2, $3, 'FINALIZED', 'USD', $4, $5, $5)
"""
LINE_OF_THE_PREVIOUS_VERSION = """
    INSERT INTO contract.invoice_lines (
        invoice_line_id, invoice_id, position, kind, product_id, description, quantity, currency_code,
        unit_price_micros, share_numerator, share_denominator, exact_micros, total_micros
    ) VALUES ($1, $2, 0, 'TOP_UP', 'prd_1', 'credits', 1, 'USD', $3, 1, 1, $3, $3)
"""


@pytest.mark.usefixtures("running")
async def test_invoices_that_a_previous_version_issued_get_the_next_numbers_in_their_order(
    desk: Desk, running_catalog_service: RunningCatalog, ledger: RecordingLedger, databases: Databases
) -> None:
    signed = await desk.sign(desk.seats(4))
    contract = signed.contract
    admin = await asyncpg.connect(databases.admin_url)
    for invoice_id, micros, at in (
        ("inv_late", 5 * CENT, day(5, 3)),
        ("inv_early", 7 * CENT, day(5, 2)),
        ("inv_zero", 0, day(5, 1)),
    ):
        await admin.execute(
            OF_THE_PREVIOUS_VERSION, invoice_id, contract.customer_id, contract.contract_id, micros, at
        )
        await admin.execute(LINE_OF_THE_PREVIOUS_VERSION, f"lin_{invoice_id}", invoice_id, micros)
    await admin.execute(
        """
        INSERT INTO contract.top_ups VALUES ('top_1', $1, $2, NULL, 'prd_1', 'crt_1', 1, 'USD', 50000, 100, NULL,
            'EXTERNAL', 'PAID', 'inv_late', 'pi_9', $3, $3)
        """,
        contract.contract_id,
        contract.customer_id,
        day(5, 3),
    )

    before = (await read(desk.contract, pb.Invoice(invoice_id="inv_early"))).invoice
    assert (before.status, before.number) == (pb.INVOICE_STATUS_OPEN, "")
    async with running_contract(
        databases, catalog_address=running_catalog_service.address, ledger_address=ledger.address
    ) as newer:

        async def unnumbered() -> int:
            found: int = await admin.fetchval(
                "SELECT count(*) FROM contract.invoices WHERE number IS NULL AND total_micros > 0"
            )
            return found

        await until(unnumbered, lambda count: count == 0)
        early, late, zero = [
            await read(newer.stub, pb.Invoice(invoice_id=one))
            for one in ("inv_early", "inv_late", "inv_zero")
        ]
    await admin.close()

    assert (early.invoice.number, early.invoice.status) == ("000002", pb.INVOICE_STATUS_OPEN)
    assert (late.invoice.number, late.invoice.status) == ("000003", pb.INVOICE_STATUS_PAID)
    assert [(one.reference, dollars(one.amount)) for one in late.payments] == [("pi_9", "0.05")]
    assert (zero.invoice.number, zero.invoice.status) == ("", pb.INVOICE_STATUS_PAID)
    assert early.invoice.issue_time == timestamp(day(5, 2))
    assert early.invoice.finalize_time == late.invoice.finalize_time == timestamp(JUNE)
