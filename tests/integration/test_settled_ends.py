# SPDX-License-Identifier: Apache-2.0
"""Ends of contracts with a real Catalog, Contract and Ledger: what was paid and not used comes back, what was used and
not billed is charged.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE
from tests.support.contract import NEXT_DATE, day, dollars
from tests.support.ends import CREDIT, SeatsCo, acme
from tests.support.faults import fault
from tests.support.postgres import Databases

CREDIT_UNUSED = pb.MONEY_BACK_CREDIT_UNUSED
PERIOD_START = pb.END_OPTION_PERIOD_START
MIDDLE = day(6, 16)


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    async with acme(databases) as made:
        yield made


@pytest.mark.parametrize(("spent", "back"), [(0, "20.00"), (200, "20.00"), (300, "10.00"), (400, None)])
async def test_an_end_now_gives_back_the_lesser_of_time_left_and_credits_unused(
    seatsco: SeatsCo, spent: int, back: str | None
) -> None:
    signed = await seatsco.sign()
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(MIDDLE)

    ended = await seatsco.end(signed, money_back=CREDIT_UNUSED)

    settlement = ended.settlement
    assert settlement.status == pb.PLAN_CHANGE_STATUS_APPLIED
    assert (settlement.ended_contract_id, settlement.begun_contract_id) == (signed.contract.contract_id, "")
    assert (ended.contract.end_time, settlement.change_time) == (timestamp(MIDDLE), timestamp(MIDDLE))
    notes = await seatsco.notes(signed.invoices[0])
    assert [dollars(one.amount) for one in notes] == ([] if back is None else [back])
    assert list(settlement.credit_note_ids) == [one.credit_note_id for one in notes]
    assert not settlement.invoice_id
    assert await seatsco.balance() == 0  # what is paid back is voided
    assert len(await seatsco.desk.invoices(signed)) == 1


async def test_nothing_comes_back_unless_it_is_asked_for_and_the_credits_stay(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)

    ended = await seatsco.end(signed)

    assert not ended.HasField("settlement")
    assert await seatsco.notes(signed.invoices[0]) == []
    assert await seatsco.balance() == 400


@pytest.mark.parametrize(("paid", "credit"), [(0, []), (30_00, ["10.00"]), (40_00, ["20.00"])])
async def test_money_back_reduces_what_is_due_first_and_only_what_was_paid_becomes_account_credit(
    seatsco: SeatsCo, paid: int, credit: list[str]
) -> None:
    signed = await seatsco.sign()
    if paid:
        await seatsco.desk.pay(signed.invoices[0], paid)
    seatsco.clock.advance_to(MIDDLE)

    await seatsco.end(signed, money_back=CREDIT_UNUSED)

    assert await seatsco.account_credit() == credit
    after = await seatsco.invoice(signed.invoices[0].invoice_id)
    assert after.status == (pb.INVOICE_STATUS_PAID if paid else pb.INVOICE_STATUS_OPEN)


async def test_tax_comes_back_in_proportion(seatsco: SeatsCo) -> None:
    await seatsco.desk.contract.SetBillingDetails(
        pb.SetBillingDetailsRequest(
            request_id="vat",
            customer="acme",
            billing_details=pb.BillingDetails(
                party=pb.Party(name="Acme"), taxes=[pb.TaxTerms(name="VAT", rate_micros=200_000)]
            ),
        )
    )
    signed = await seatsco.sign()
    assert dollars(signed.invoices[0].total) == "48.00"
    seatsco.clock.advance_to(MIDDLE)

    await seatsco.end(signed, money_back=CREDIT_UNUSED)

    (note,) = await seatsco.notes(signed.invoices[0])
    assert (dollars(note.amount), dollars(note.tax)) == ("24.00", "4.00")


async def test_an_increase_comes_back_from_its_own_invoice_first(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 11))
    added = await seatsco.desk.add_seats(signed, 3)  # 3 × $10 × 20/30 = $20.00
    seatsco.clock.advance_to(MIDDLE)

    await seatsco.end(signed, money_back=CREDIT_UNUSED)

    # Half of $60.00; the later invoice is used up first.
    assert [dollars(one.amount) for one in await seatsco.notes(added.invoice)] == ["20.00"]
    assert [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])] == ["10.00"]


async def test_a_void_invoice_gives_nothing_back(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign(has_credits=False)
    invoice_id = signed.invoices[0].invoice_id
    await seatsco.desk.contract.VoidInvoice(
        pb.VoidInvoiceRequest(request_id="void", invoice_id=invoice_id, reason="waived")
    )
    seatsco.clock.advance_to(MIDDLE)

    ended = await seatsco.end(signed, money_back=CREDIT_UNUSED)

    assert not ended.settlement.credit_note_ids
    assert await seatsco.account_credit() == []


async def test_what_an_operator_credited_before_does_not_come_back_twice(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.desk.contract.CreateCreditNote(
        pb.CreateCreditNoteRequest(
            request_id="note",
            invoice_id=signed.invoices[0].invoice_id,
            amount=Money(currency_code="USD", micros=35 * CREDIT),
            reason="goodwill",
        )
    )
    seatsco.clock.advance_to(MIDDLE)

    await seatsco.end(signed, money_back=CREDIT_UNUSED)

    notes = await seatsco.notes(signed.invoices[0])
    assert [dollars(one.amount) for one in notes] == ["35.00", "5.00"]
    assert await seatsco.account_credit() == []  # all of it was due


@pytest.mark.parametrize(
    ("at", "spent", "back"),
    [
        (day(7, 1) + timedelta(hours=1), 0, "40.00"),
        (day(7, 2), 0, "40.00"),
        (day(7, 2), 100, "30.00"),
        (day(7, 2), 400, None),
    ],
)
async def test_an_unwanted_period_comes_back_in_full_except_for_what_was_used(
    seatsco: SeatsCo, at: datetime, spent: int, back: str | None
) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(7, 1))
    await seatsco.contract.app.run_due(day(7, 1))
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(at)

    ended = await seatsco.end(signed, end_option=PERIOD_START)

    assert ended.contract.end_time == timestamp(day(7, 1))
    june, july = await seatsco.desk.invoices(signed)
    assert [dollars(one.amount) for one in await seatsco.notes(july)] == ([] if back is None else [back])
    assert await seatsco.notes(june) == []
    assert await seatsco.balance() == 0


async def test_a_period_is_wanted_24_hours_after_its_start(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.contract.advance_to(day(7, 2) + timedelta(microseconds=1))

    with fault(StatusCode.FAILED_PRECONDITION, "PERIOD_STARTED_TOO_LONG_AGO"):
        await seatsco.end(signed, end_option=PERIOD_START)
    assert await seatsco.balance() == 400


async def test_an_end_at_the_instant_that_was_just_charged_gives_it_back(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()

    ended = await seatsco.end(signed)

    assert ended.contract.end_time == timestamp(JUNE)
    assert [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])] == ["40.00"]
    assert await seatsco.balance() == 0


@pytest.mark.parametrize(("spent", "charged"), [(0, ["20.00"]), (200, ["20.00"]), (400, ["20.00", "20.00"])])
async def test_seats_in_arrears_cost_at_an_early_end_the_greater_of_time_and_use(
    seatsco: SeatsCo, spent: int, charged: list[str]
) -> None:
    signed = await seatsco.sign(
        collection_schedule=pb.COLLECTION_SCHEDULE_ARREARS, invoicing=pb.SEAT_INVOICING_UNSPECIFIED
    )
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(MIDDLE)

    ended = await seatsco.end(signed)

    invoices = await seatsco.desk.invoices(signed)
    assert sorted(dollars(one.total) for one in invoices) == charged
    last = ended.settlement.invoice_id
    assert bool(last) == (len(charged) == 2)
    if last:
        (line,) = (await seatsco.invoice(last)).lines
        assert line.kind == pb.INVOICE_LINE_KIND_PLAN_CHARGE
        assert "when the contract ended" in line.description


async def test_increases_that_wait_to_be_billed_cost_by_use_as_well(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign(invoicing=NEXT_DATE)
    await seatsco.desk.add_seats(signed, 4)  # $40.00 until the end of June, billed then
    await seatsco.spend(800)
    seatsco.clock.advance_to(MIDDLE)

    await seatsco.end(signed, money_back=CREDIT_UNUSED)

    totals = [dollars(one.total) for one in await seatsco.desk.invoices(signed)]
    assert sorted(totals) == ["20.00", "20.00", "40.00"]  # half by time, and the rest because all was used
    assert await seatsco.notes(signed.invoices[0]) == []


async def test_signing_spending_and_ending_again_and_again_costs_what_the_credits_cost(
    seatsco: SeatsCo,
) -> None:
    """Both in advance and in arrears: ten credits a dollar, whatever is unwanted or ended at once."""
    arrears = {
        "collection_schedule": pb.COLLECTION_SCHEDULE_ARREARS,
        "invoicing": pb.SEAT_INVOICING_UNSPECIFIED,
    }
    for number in range(4):
        signed = await seatsco.sign(**(arrears if number % 2 else {}))
        await seatsco.spend(400)
        seatsco.clock.advance_to(JUNE + timedelta(minutes=number + 1))
        await seatsco.end(
            signed,
            **({"end_option": PERIOD_START} if number < 2 else {"money_back": CREDIT_UNUSED}),
        )

    invoices = (
        await seatsco.desk.contract.ListInvoices(pb.ListInvoicesRequest(customer="acme", page_size=500))
    ).invoices
    assert sum(one.total.micros - one.amount_credited.micros for one in invoices) == 160 * CREDIT
    assert await seatsco.account_credit() == []


async def test_what_came_back_of_the_plan_before_comes_back_with_the_plan_that_it_paid(
    seatsco: SeatsCo,
) -> None:
    signed = await seatsco.sign()
    await seatsco.desk.pay(signed.invoices[0])
    seatsco.clock.advance_to(MIDDLE)
    changed = await seatsco.change_plan(signed)
    assert dollars(changed.invoice.total) == "60.00"  # $80.00 − $20.00
    await seatsco.desk.pay(changed.invoice, 60_00)

    begun = pb.CreateContractResponse(contract=changed.contract)
    ended = await seatsco.end(begun, end_option=PERIOD_START)

    assert [dollars(one.amount) for one in await seatsco.notes(changed.invoice)] == ["60.00"]
    last = await seatsco.invoice(ended.settlement.invoice_id)
    assert [dollars(one.total) for one in last.lines] == ["-20.00", "20.00"]
    assert await seatsco.account_credit() == ["80.00"]


async def test_a_repeated_request_settles_once(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)

    first = await seatsco.end(signed, request_id="once", money_back=CREDIT_UNUSED)
    second = await seatsco.end(signed, request_id="once", money_back=CREDIT_UNUSED)

    assert first == second
    assert len(await seatsco.notes(signed.invoices[0])) == 1
    found = await seatsco.desk.contract.GetPlanChange(
        pb.GetPlanChangeRequest(plan_change_id=first.settlement.plan_change_id)
    )
    assert found.plan_change == first.settlement
