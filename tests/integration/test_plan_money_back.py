# SPDX-License-Identifier: Apache-2.0
"""What comes back at a change of plan reduces first what is due, with a real Catalog, Contract and Ledger."""

from collections.abc import AsyncIterator

import pytest

from purser.contract.v1 import contract_pb2 as pb
from purser.type.v1.money_pb2 import Money
from tests.support.contract import day, dollars
from tests.support.ends import CREDIT, SeatsCo, acme
from tests.support.postgres import Databases

MIDDLE = day(6, 16)


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    async with acme(databases) as made:
        yield made


@pytest.mark.parametrize(
    ("paid_cents", "off_due", "total"),
    [(0, ["20.00"], "80.00"), (30_00, ["10.00"], "70.00"), (40_00, [], "60.00")],
)
async def test_what_is_due_is_reduced_and_only_what_was_paid_comes_back_on_the_new_invoice(
    seatsco: SeatsCo, paid_cents: int, off_due: list[str], total: str
) -> None:
    signed = await seatsco.sign()
    if paid_cents:
        await seatsco.desk.pay(signed.invoices[0], paid_cents)
    await seatsco.go(MIDDLE)
    preview = await seatsco.desk.contract.PreviewPlanChange(
        pb.PreviewPlanChangeRequest(**seatsco.eight_seats(signed))
    )

    changed = await seatsco.change_plan(signed)

    notes = await seatsco.notes(signed.invoices[0])
    assert [dollars(one.amount) for one in notes] == off_due
    assert list(changed.plan_change.credit_note_ids) == [one.credit_note_id for one in notes]
    assert dollars(changed.invoice.total) == dollars(preview.total) == total
    assert dollars(preview.off_due) == (off_due or ["0.00"])[0]
    old = await seatsco.invoice(signed.invoices[0].invoice_id)
    assert dollars(old.amount_due) == ("0.00" if paid_cents else "20.00")
    assert await seatsco.account_credit() == []


async def test_of_several_invoices_the_unpaid_one_is_reduced_first(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.go(day(6, 11))
    added = await seatsco.desk.add_seats(signed, 3)  # 3 × $10 × 20/30 = $20.00
    await seatsco.desk.pay(added.invoice)
    await seatsco.go(MIDDLE)

    changed = await seatsco.change_plan(signed)

    assert [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])] == ["30.00"]
    assert await seatsco.notes(added.invoice) == []
    assert dollars(changed.invoice.total) == "80.00"


async def test_an_end_reduces_the_unpaid_invoice_first_as_well(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.go(day(6, 11))
    added = await seatsco.desk.add_seats(signed, 3)
    await seatsco.desk.pay(added.invoice)
    await seatsco.go(MIDDLE)

    await seatsco.end(signed, money_back=pb.MONEY_BACK_CREDIT_UNUSED)

    assert [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])] == ["30.00"]
    assert await seatsco.notes(added.invoice) == []
    assert await seatsco.account_credit() == []


async def test_a_void_invoice_gives_nothing_back(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign(has_credits=False)
    await seatsco.desk.contract.VoidInvoice(
        pb.VoidInvoiceRequest(request_id="void", invoice_id=signed.invoices[0].invoice_id, reason="waived")
    )
    await seatsco.go(MIDDLE)

    changed = await seatsco.change_plan(signed)

    assert dollars(changed.invoice.total) == "80.00"
    assert not changed.plan_change.credit_note_ids


@pytest.mark.parametrize(("is_issued", "back"), [(True, ["20.00"]), (False, [])])
async def test_a_regenerated_invoice_gives_back_what_the_void_one_charged_once_it_is_issued(
    seatsco: SeatsCo, is_issued: bool, back: list[str]
) -> None:
    signed = await seatsco.sign()
    draft = signed.invoices[0]
    for number in range(2):
        voided = await seatsco.desk.contract.VoidInvoice(
            pb.VoidInvoiceRequest(
                request_id=f"void-{number}", invoice_id=draft.invoice_id, reason="address", regenerate=True
            )
        )
        draft = voided.regenerated
        if number == 0 or is_issued:
            await seatsco.desk.contract.FinalizeInvoice(
                pb.FinalizeInvoiceRequest(request_id=f"issue-{number}", invoice_id=draft.invoice_id)
            )
    await seatsco.go(MIDDLE)

    changed = await seatsco.change_plan(signed)

    assert [dollars(one.charged) for one in changed.plan_change.credits] == ["40.00"]
    assert [dollars(one.amount) for one in await seatsco.notes(draft)] == back
    assert dollars(changed.invoice.total) == "80.00"


async def test_what_was_credited_before_does_not_come_back_again(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.desk.pay(signed.invoices[0])
    await seatsco.desk.contract.CreateCreditNote(
        pb.CreateCreditNoteRequest(
            request_id="note",
            invoice_id=signed.invoices[0].invoice_id,
            amount=Money(currency_code="USD", micros=35 * CREDIT),
            reason="goodwill",
        )
    )
    await seatsco.go(MIDDLE)

    changed = await seatsco.change_plan(signed)

    assert [dollars(one.total) for one in changed.invoice.lines] == ["80.00", "-5.00", "-35.00"]


async def test_tax_comes_off_with_what_is_due(seatsco: SeatsCo) -> None:
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
    await seatsco.desk.pay(signed.invoices[0], 36_00)  # $12.00 of $48.00 are due
    await seatsco.go(MIDDLE)

    changed = await seatsco.change_plan(signed)

    (note,) = await seatsco.notes(signed.invoices[0])
    assert (dollars(note.amount), dollars(note.tax)) == ("12.00", "2.00")
    assert [dollars(one.total) for one in changed.invoice.lines] == ["80.00", "-10.00", "14.00"]
