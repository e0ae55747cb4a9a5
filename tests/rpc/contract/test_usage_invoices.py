# SPDX-License-Identifier: Apache-2.0
"""Usage on invoices: drafts follow it, each entry is on one invoice, and overage costs money."""

from datetime import timedelta

import asyncpg
import pytest
from grpc import StatusCode

from meshkit.errors import Unavailable
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2
from tests.rpc.contract.test_currencies import YEN, signed_in
from tests.support.catalog import RunningCatalog, Shop
from tests.support.contract import MONTHLY, Desk, RunningContract, day, dollars, running_contract
from tests.support.faults import fault
from tests.support.invoices import billing, finalize, payment, shown_usage, usage_invoices, vat, void
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.usage_entries import UsageEntries

TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
JUNE, JULY, AUGUST = day(6, 1), day(7, 1), day(8, 1)
AWAY = Unavailable("the ledger is away")
DRAFT, STATEMENT = pb.INVOICE_STATUS_DRAFT, pb.INVOICE_STATUS_STATEMENT


@pytest.fixture
def used(ledger: RecordingLedger, desk: Desk) -> UsageEntries:
    entries = UsageEntries(desk.sells.credits.credit_type_id, JUNE)
    entries.answer_for(ledger)
    return entries


async def test_a_draft_follows_the_usage_of_the_open_period_and_closes_a_day_after_it(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    await running.advance_to(JUNE)
    used.use(day(6, 3), 30)
    await running.advance_to(day(6, 4))

    (draft,) = await usage_invoices(desk, signed)
    assert draft.invoice.status == DRAFT
    assert shown_usage(draft.usage) == [("ada", "INCLUDED", 30)]
    assert draft.usage.period.start_time == timestamp(JUNE)
    assert draft.usage.period.end_time == timestamp(JULY)

    used.use(day(6, 4), 12, user="bob", paid="TOP_UP")
    running.clock.advance_to(day(6, 4) + timedelta(minutes=1))
    (draft,) = await usage_invoices(desk, signed)
    assert shown_usage(draft.usage) == [("ada", "INCLUDED", 30), ("bob", "TOP_UP", 12)]
    assert draft.usage.refresh_time == timestamp(running.clock.now())

    await running.advance_to(JULY + DAY - TICK)
    used.use(JULY - TICK, 5)  # reported late, within the grace period
    (draft,) = await usage_invoices(desk, signed)
    assert draft.invoice.status == DRAFT

    await running.advance_to(JULY + DAY)
    (closed,) = await usage_invoices(desk, signed)
    assert (closed.invoice.status, closed.invoice.number) == (STATEMENT, "")
    assert shown_usage(closed.usage) == [("ada", "INCLUDED", 35), ("bob", "TOP_UP", 12)]
    assert [one.sequence for one in closed.usage.covered] == [3]
    assert closed.invoice.issue_time == closed.usage.covered_time == timestamp(JULY)


async def test_without_usage_there_is_nothing(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    await running.advance_to(day(9, 5))

    assert await usage_invoices(desk, signed) == []
    assert used.asked[-1].covered_time == timestamp(day(9, 1))


async def test_late_usage_and_what_is_taken_back_are_on_the_next_one(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 30)
    used.use(JULY, 7)  # dated at the end, and so July's
    await running.advance_to(JULY + DAY)
    used.use(day(6, 20), 4, user="bob")
    used.use(day(6, 3), -30)
    await running.advance_to(AUGUST + DAY)

    june, july = await usage_invoices(desk, signed)

    assert shown_usage(june.usage) == [("ada", "INCLUDED", 30)]
    assert shown_usage(july.usage) == [("ada", "INCLUDED", -23), ("bob", "INCLUDED", 4)]
    assert [one.sequence for one in july.usage.covered] == [4]


async def test_overage_costs_money_and_comes_back_when_it_is_taken_back(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 300)
    used.use(day(6, 4), 100, user="bob")
    used.use(day(6, 5), 20, user="bob", paid="OVERAGE")
    await running.advance_to(day(6, 6))

    (draft,) = await usage_invoices(desk, signed)
    assert (draft.invoice.status, dollars(draft.invoice.total)) == (DRAFT, "20.00")

    used.use(day(6, 6), 0.5, user="bob", paid="OVERAGE")
    await running.advance_to(JULY + DAY)
    (june,) = await usage_invoices(desk, signed)
    assert (june.invoice.status, june.invoice.number) == (pb.INVOICE_STATUS_OPEN, "000002")
    assert june.invoice.finalize_time == timestamp(JULY + DAY)
    (line,) = june.invoice.lines
    assert (line.kind, line.description) == (pb.INVOICE_LINE_KIND_OVERAGE, "AI assistant: overage")
    assert (line.quantity, line.fraction) == (41, pb.Fraction(numerator=1, denominator=2))
    assert (dollars(line.unit_price), line.exact_micros, dollars(june.invoice.total)) == (
        "1.00",
        20_500_000,
        "20.50",
    )

    used.use(day(6, 5), -5, user="bob", paid="OVERAGE")
    used.use(day(7, 5), 2, paid="OVERAGE")
    await running.advance_to(AUGUST + DAY)
    _, july = await usage_invoices(desk, signed)
    assert [dollars(one.total) for one in july.invoice.lines] == ["-3.00", "3.00"]
    assert july.invoice.status == pb.INVOICE_STATUS_PAID
    credits = await desk.contract.ListAccountCredits(
        pb.ListAccountCreditsRequest(customer=signed.contract.customer_id)
    )
    assert [dollars(one) for one in credits.balances] == ["3.00"]


async def test_overage_is_taxed_and_paid_like_other_charges(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    details = billing(desk, signed.contract.customer_id, taxes=[vat(20)])
    await desk.contract.SetBillingDetails(details)
    used.use(day(6, 3), 20, paid="OVERAGE")
    await running.advance_to(JULY + DAY)

    (june,) = await usage_invoices(desk, signed)
    assert [dollars(one.total) for one in june.invoice.lines] == ["20.00", "4.00"]
    assert june.buyer.name == "Acme GmbH"
    paid = await desk.contract.RecordInvoicePayment(payment(desk, june.invoice, 24_00))
    assert paid.invoice.status == pb.INVOICE_STATUS_PAID


async def test_fractions_of_a_cent_are_carried_through_statements(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    for month in (6, 7, 8, 9):
        used.use(day(month, 3), 0.004, paid="OVERAGE")
    await running.advance_to(day(10, 2))

    found = await usage_invoices(desk, signed)

    assert [one.invoice.status == STATEMENT for one in found] == [True, False, True, False]
    assert [[dollars(line.total) for line in one.invoice.lines] for one in found] == [
        ["0.00"],
        ["0.01"],
        ["0.00"],
        ["0.01"],
    ]
    assert [one.invoice.lines[0].carried_micros for one in found] == [0, 4_000, -2_000, 2_000]


async def test_overage_is_in_the_currency_of_the_card(
    desk: Desk, shop: Shop, running: RunningContract, used: UsageEntries
) -> None:
    signed = await signed_in(desk, shop, "JPY", 1_000 * YEN, converting=[desk.sells.credits])
    used.use(day(6, 3), 5)
    await running.advance_to(day(6, 4))
    used.use(day(6, 5), 2.5, paid="OVERAGE")
    await running.advance_to(JULY + DAY)

    (invoice,) = await usage_invoices(desk, signed)

    assert (invoice.invoice.total.currency_code, invoice.invoice.total.micros) == ("JPY", 3 * YEN)


async def test_without_the_ledger_a_draft_shows_what_it_showed_and_closes_later(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 30)
    await running.advance_to(day(6, 4))
    used.use(day(6, 5), 12)
    ledger.fault = AWAY

    running.clock.advance_to(day(6, 6))
    (draft,) = await usage_invoices(desk, signed)
    assert shown_usage(draft.usage) == [("ada", "INCLUDED", 30)]
    assert draft.usage.refresh_time == timestamp(day(6, 4))
    await running.advance_to(JULY + 3 * DAY)
    (draft,) = await usage_invoices(desk, signed)
    assert draft.invoice.status == DRAFT

    ledger.fault = None
    await running.app.run_due(running.clock.now())
    (closed,) = await usage_invoices(desk, signed)
    assert closed.invoice.status == STATEMENT
    assert shown_usage(closed.usage) == [("ada", "INCLUDED", 42)]
    assert closed.invoice.issue_time == timestamp(JULY)


async def test_a_lost_reply_counts_nothing_twice(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 30)
    await running.advance_to(day(6, 4))
    used.use(day(6, 5), 12)

    def lost(request: ledger_peer_pb2.GetContractUsageRequest) -> None:
        used.answer(request)
        raise ConnectionResetError

    ledger.answers["GetContractUsage"] = lost
    await running.advance_to(JULY + DAY)
    used.answer_for(ledger)
    used.use(JULY + DAY, 1)
    await running.app.run_due(running.clock.now())

    closed, july = await usage_invoices(desk, signed)
    assert closed.invoice.status == STATEMENT
    assert shown_usage(closed.usage) == [("ada", "INCLUDED", 42)]
    assert shown_usage(july.usage) == [("ada", "INCLUDED", 1)]


async def test_a_draft_can_be_finalized_early_and_what_comes_later_is_on_another_one(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 20, paid="OVERAGE")
    await running.advance_to(day(6, 4))
    (draft,) = await usage_invoices(desk, signed)
    used.use(day(6, 4), 1, paid="OVERAGE")

    request = finalize(desk, draft.invoice)
    issued = (await desk.contract.FinalizeInvoice(request)).invoice

    assert (issued.status, issued.number, dollars(issued.total)) == (
        pb.INVOICE_STATUS_OPEN,
        "000002",
        "21.00",
    )
    used.use(day(6, 5), 2, paid="OVERAGE")
    await running.advance_to(JULY + DAY)
    assert (await desk.contract.FinalizeInvoice(request)).invoice == issued
    first, second = await usage_invoices(desk, signed)
    assert (first.invoice, dollars(second.invoice.total)) == (issued, "2.00")
    assert shown_usage(first.usage) == [("ada", "OVERAGE", 21)]
    assert shown_usage(second.usage) == [("ada", "OVERAGE", 2)]


async def test_a_void_draft_waives_what_it_shows(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 20, paid="OVERAGE")
    await running.advance_to(day(6, 4))
    (draft,) = await usage_invoices(desk, signed)

    await desk.contract.VoidInvoice(void(desk, draft.invoice))
    used.use(day(6, 5), 2, paid="OVERAGE")
    await running.advance_to(JULY + DAY)

    waived, june = sorted(await usage_invoices(desk, signed), key=lambda one: one.invoice.number)
    assert waived.invoice.status == pb.INVOICE_STATUS_VOID
    assert [dollars(one.total) for one in waived.invoice.lines] == ["20.00"]
    assert (june.invoice.number, dollars(june.invoice.total)) == ("000002", "2.00")


async def test_a_regenerated_invoice_shows_the_same_usage_and_charges_it_once(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 20.004, paid="OVERAGE")
    await running.advance_to(JULY + DAY)
    (june,) = await usage_invoices(desk, signed)

    voided = await desk.contract.VoidInvoice(void(desk, june.invoice, regenerate=True))
    await desk.contract.FinalizeInvoice(finalize(desk, voided.regenerated))
    used.use(day(7, 3), 0.004, paid="OVERAGE")
    await running.advance_to(AUGUST + DAY)

    _, again, july = sorted(await usage_invoices(desk, signed), key=lambda one: one.invoice.number)
    assert (again.invoice.number, dollars(again.invoice.total)) == ("000003", "20.00")
    assert again.usage.lines == june.usage.lines
    # 0.4 cents of June are carried, once.
    assert (dollars(july.invoice.total), july.invoice.lines[0].carried_micros) == ("0.01", 4_000)


async def test_a_statement_is_neither_issued_nor_voided_nor_paid(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 20)
    await running.advance_to(JULY + DAY)
    (statement,) = await usage_invoices(desk, signed)

    with fault(StatusCode.FAILED_PRECONDITION, "INVOICE_ZERO"):
        await desk.contract.FinalizeInvoice(finalize(desk, statement.invoice))
    with fault(StatusCode.FAILED_PRECONDITION, "INVOICE_ZERO"):
        await desk.contract.VoidInvoice(void(desk, statement.invoice))
    assert await usage_invoices(desk, signed) == [statement]


async def test_the_end_of_a_contract_closes_its_usage_and_late_usage_is_invoiced_for_a_year(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    used.use(day(6, 3), 20)
    await running.advance_to(day(6, 10))
    await desk.contract.EndContract(
        pb.EndContractRequest(request_id=desk.request_id(), contract_id=signed.contract.contract_id)
    )
    await running.advance_to(day(6, 11) - TICK)
    assert [one.invoice.status for one in await usage_invoices(desk, signed)] == [DRAFT]
    used.use(day(6, 9), 5)
    await running.advance_to(day(6, 11))
    (last,) = await usage_invoices(desk, signed)
    assert (last.invoice.status, last.invoice.issue_time) == (STATEMENT, timestamp(day(6, 10)))
    assert last.usage.period.end_time == timestamp(day(6, 10))
    assert shown_usage(last.usage) == [("ada", "INCLUDED", 25)]

    used.use(day(6, 9), 3, paid="OVERAGE")  # late; the first period that ends after the end has it
    await running.advance_to(AUGUST + DAY)
    used.use(day(6, 9), -1, paid="OVERAGE")
    await running.advance_to(day(7, 2, 2026))
    used.use(day(6, 9), 99, paid="OVERAGE")  # more than a year later
    await running.advance_to(day(12, 1, 2026))

    found = await usage_invoices(desk, signed)
    assert [dollars(one.invoice.lines[0].total) for one in found[1:]] == ["3.00", "-1.00"]
    assert found[1].invoice.issue_time == timestamp(AUGUST)
    asked = len(used.asked)
    await running.advance_to(day(12, 1, 2027))
    assert len(used.asked) == asked


async def test_without_grace_a_period_closes_at_its_end(
    databases: Databases,
    running: RunningContract,
    running_catalog_service: RunningCatalog,
    desk: Desk,
    ledger: RecordingLedger,
    used: UsageEntries,
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 20)
    async with running_contract(
        databases,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        clock=running.clock,
        usage_grace_seconds=0,
    ) as eager:
        await eager.advance_to(JULY - TICK)
        assert [one.invoice.status for one in await usage_invoices(desk, signed)] == [DRAFT]
        await eager.advance_to(JULY)
    assert [one.invoice.status for one in await usage_invoices(desk, signed)] == [STATEMENT]


async def test_many_users_are_shown_by_product(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    for number in range(600):
        used.use(day(6, 3), 1, user=f"user-{number:03d}")
    await running.advance_to(day(6, 4))
    (draft,) = await usage_invoices(desk, signed)
    assert len(draft.usage.lines) == 600
    for number in range(600, 1_001):
        used.use(day(6, 5), 1, user=f"user-{number:03d}")
    await running.advance_to(day(6, 6))

    (draft,) = await usage_invoices(desk, signed)

    assert draft.usage.detail == pb.USAGE_DETAIL_PRODUCT_AND_GRANT
    assert shown_usage(draft.usage) == [("", "INCLUDED", 1_001)]


async def test_much_usage_is_read_answer_by_answer(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    await running.advance_to(JUNE)
    used.per_answer = 3
    for number in range(25):
        used.use(day(6, 1 + number), 1)
    await running.advance_to(day(6, 2))
    (draft,) = await usage_invoices(desk, signed)
    assert shown_usage(draft.usage) == [("ada", "INCLUDED", 25)]

    for _ in range(25):
        used.use(JULY, 1)
    await running.advance_to(JULY + DAY)

    june, july = await usage_invoices(desk, signed)
    assert june.invoice.status == STATEMENT
    assert shown_usage(june.usage) == [("ada", "INCLUDED", 25)]
    assert shown_usage(july.usage) == [("ada", "INCLUDED", 25)]


async def test_a_period_begins_to_read_where_the_one_before_could_contain_its_usage(
    desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    await desk.sign(desk.seats(4))
    for number in range(1, 31):
        await running.advance_to(day(6, number))
        used.use(day(6, number), 1)
    await running.advance_to(JULY + DAY)

    last = used.asked[-1]

    assert last.covered_time == timestamp(JULY)
    # On 29 June, the last day on which nothing could be dated in July, 28 entries were written.
    assert [one.sequence for one in last.after] == [28]
    assert [one.sequence for one in last.covered] == [30]


async def test_usage_from_before_the_upgrade_is_on_no_invoice(
    databases: Databases, desk: Desk, running: RunningContract, used: UsageEntries
) -> None:
    signed = await desk.sign(desk.seats(4))
    used.use(day(6, 3), 30)
    used.use(day(6, 10), 4)
    inside = await asyncpg.connect(databases.admin_url)
    try:  # as the migration leaves a contract that is there
        await inside.execute("UPDATE contract.contracts SET usage_from = $1", day(6, 10))
    finally:
        await inside.close()

    await running.advance_to(JULY + DAY)

    (june,) = await usage_invoices(desk, signed)
    assert shown_usage(june.usage) == [("ada", "INCLUDED", 4)]
    assert june.usage.period.start_time == timestamp(JUNE)
