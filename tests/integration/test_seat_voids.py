# SPDX-License-Identifier: Apache-2.0
"""Voids of seat changes in effect with a real Catalog, Contract and Ledger: what was paid and not used comes back, and
seats that are added again are charged and granted again.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import NEXT_DATE, Desk, RunningContract, assorted, day, dollars, running_contract
from tests.support.faults import fault
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases

CREDIT = 1_000_000
MONTHLY, ANNUAL = pb.BILLING_FREQUENCY_MONTHLY, pb.BILLING_FREQUENCY_ANNUAL
CREDIT_UNUSED = pb.MONEY_BACK_CREDIT_UNUSED
APPLIED = pb.PLAN_CHANGE_STATUS_APPLIED
MIDDLE, JULY = day(6, 16), day(7, 1)
NOON_OF_23 = day(6, 23) + timedelta(hours=12)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme without a contract. Contracts are 4 seats at $10 a month with 100 credits each. All on one clock."""

    desk: Desk
    contract: RunningContract
    ledger: RunningLedger
    clock: ManualClock
    numbers: list[int] = field(default_factory=list)

    async def sign(self, **seats: Any) -> pb.CreateContractResponse:
        terms = {"frequency": MONTHLY, **seats}
        return await self.desk.sign(
            self.desk.seats(4, **terms), customer="acme", schedules=(self.desk.schedule(),)
        )

    async def add(
        self, signed: pb.CreateContractResponse, seats: int = 1, at: datetime | None = None
    ) -> pb.ChangeSeatsResponse:
        return await self.desk.add_seats(signed, seats, at)

    async def void(
        self, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse, **more: Any
    ) -> pb.SeatVoid:
        return (await self.desk.contract.VoidSeatChange(self.a_void(signed, changed, **more))).settlement

    def a_void(
        self, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse, **more: Any
    ) -> pb.VoidSeatChangeRequest:
        return pb.VoidSeatChangeRequest(
            request_id=self.desk.request_id(),
            contract_id=signed.contract.contract_id,
            seat_change_id=changed.seat_change.seat_change_id,
            **more,
        )

    async def back(self, changed: pb.ChangeSeatsResponse) -> list[str]:
        return [dollars(one.amount) for one in await self.notes(changed.invoice)]

    async def spend(self, credits: int) -> None:
        self.numbers.append(credits)
        answer = await self.ledger.gate.Debit(
            ledger_pb2.DebitRequest(
                request_id=f"debit-{len(self.numbers)}",
                customer="acme",
                credits_micros=credits * CREDIT,
                product_id="prd_assistant",
            )
        )
        assert answer.decision == ledger_pb2.DECISION_ALLOWED

    async def balance(self) -> int:
        return await self.balance_micros() // CREDIT

    async def balance_micros(self) -> int:
        request = ledger_pb2.GetBalanceRequest(customer="acme")
        pools = (await self.ledger.gate.GetBalance(request)).pools
        return sum(pool.available_micros for pool in pools)

    async def pay(self, invoice: pb.Invoice, cents: int) -> None:
        await self.desk.contract.RecordInvoicePayment(
            pb.RecordInvoicePaymentRequest(
                request_id=self.desk.request_id(),
                invoice_id=invoice.invoice_id,
                amount=Money(currency_code="USD", micros=cents * 10_000),
                reference=self.desk.request_id(),
            )
        )

    async def totals(self, signed: pb.CreateContractResponse) -> list[str]:
        """Return the totals of the contract's invoices, without those that show usage only."""
        invoices = await self.desk.invoices(signed)
        return [dollars(one.total) for one in invoices if one.total.micros]

    async def notes(self, invoice: pb.Invoice) -> list[pb.CreditNote]:
        request = pb.GetInvoiceRequest(invoice_id=invoice.invoice_id)
        return list((await self.desk.contract.GetInvoice(request)).credit_notes)

    async def invoice(self, invoice_id: str) -> pb.Invoice:
        return (await self.desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=invoice_id))).invoice

    async def account_credit(self) -> list[str]:
        request = pb.ListAccountCreditsRequest(customer="acme")
        return [dollars(one) for one in (await self.desk.contract.ListAccountCredits(request)).balances]


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    clock = ManualClock(JUNE)
    async with (
        running_catalog(databases) as catalog,
        running_ledger(databases, clock=clock) as ledger,
        running_contract(
            databases, catalog_address=catalog.address, ledger_address=ledger.address, clock=clock
        ) as contract,
    ):
        sells = await assorted(catalog.stub, Shop(catalog.stub))
        desk = Desk(contract.stub, sells)
        await desk.customer("Acme", "acme")
        await ledger.tell_product("prd_assistant")
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id),
            rate_card_id=sells.rate_card.rate_card_id,
            version=100,
        )
        yield SeatsCo(desk=desk, contract=contract, ledger=ledger, clock=clock)


# One seat more from 16 June costs $5.00 and brings 50 credits, which are used last.
@pytest.mark.parametrize(
    ("spent", "back", "left"), [(0, "5.00", 400), (400, "5.00", 0), (425, "2.50", 0), (450, None, 0)]
)
async def test_a_void_within_a_day_gives_back_all_that_is_not_used(
    seatsco: SeatsCo, spent: int, back: str | None, left: int
) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await seatsco.add(signed)
    assert dollars(added.invoice.total) == "5.00"
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(MIDDLE + DAY)

    request = seatsco.a_void(signed, added)
    voided = await seatsco.desk.contract.VoidSeatChange(request)

    settlement = voided.settlement
    assert (settlement.status, settlement.quantity) == (APPLIED, 1)
    assert settlement.void_time == timestamp(MIDDLE + DAY)
    assert dollars(settlement.credit.charged) == "5.00"
    assert await seatsco.back(added) == ([] if back is None else [back])
    notes = await seatsco.notes(added.invoice)
    assert list(settlement.credit_note_ids) == [one.credit_note_id for one in notes]
    assert await seatsco.balance() == left
    assert voided.subscription.quantity == 4
    assert await seatsco.desk.contract.VoidSeatChange(request) == voided
    assert len(await seatsco.notes(added.invoice)) == len(notes)
    await seatsco.contract.advance_to(JULY)
    assert (await seatsco.totals(signed))[-1] == "40.00"
    assert await seatsco.balance() == 400


async def test_a_later_void_gives_nothing_back_by_default_and_what_is_paid_stays(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await seatsco.add(signed)
    seatsco.clock.advance_to(MIDDLE + DAY + TICK)

    voided = await seatsco.desk.contract.VoidSeatChange(seatsco.a_void(signed, added))

    assert voided.subscription.quantity == 4
    assert not voided.HasField("settlement")
    assert await seatsco.back(added) == []
    assert await seatsco.balance() == 450
    with fault(StatusCode.NOT_FOUND, "SEAT_CHANGE_NOT_FOUND"):
        await seatsco.void(signed, added)
    again = await seatsco.add(signed)
    assert not again.HasField("invoice")
    assert await seatsco.balance() == 450


# At noon of 23 June half of the time of a seat from 16 June is left.
@pytest.mark.parametrize(
    ("spent", "back", "costs", "brings"),
    [
        (0, "2.50", "2.50", 25),
        (425, "2.50", None, 0),  # what was used, half, covers the rest of the month
        (410, "2.50", "1.50", 15),  # what was used, a fifth, covers the last three days
        (440, "1.00", None, 0),
        (450, None, None, 0),
    ],
)
async def test_a_later_void_gives_back_the_lesser_share_and_the_seat_is_paid_for_again(
    seatsco: SeatsCo, spent: int, back: str | None, costs: str | None, brings: int
) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await seatsco.add(signed)
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(NOON_OF_23)

    settlement = await seatsco.void(signed, added, money_back=CREDIT_UNUSED)

    assert settlement.credit.time_left == pb.Fraction(numerator=1, denominator=2)
    assert await seatsco.back(added) == ([] if back is None else [back])
    left = 0 if spent else 400
    assert await seatsco.balance() == left
    again = await seatsco.add(signed)
    assert (dollars(again.invoice.total) if again.HasField("invoice") else None) == costs
    assert await seatsco.balance() == left + brings


async def test_seats_are_charged_and_granted_again_however_often_they_are_voided(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.spend(400)
    seatsco.clock.advance_to(MIDDLE)
    for used, costs, back in (
        (0, "5.00", "5.00"),
        (20, "5.00", "3.00"),
        (10, "3.00", "2.00"),
        (20, "2.00", None),
    ):
        added = await seatsco.add(signed)
        assert dollars(added.invoice.total) == costs
        if used:
            await seatsco.spend(used)
        await seatsco.void(signed, added)
        assert await seatsco.back(added) == ([] if back is None else [back])
        assert await seatsco.balance() == 0
    again = await seatsco.add(signed)
    assert not again.HasField("invoice")
    assert await seatsco.balance() == 0


async def test_what_was_used_of_a_void_seat_covers_a_seat_that_is_added_later(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.spend(400)
    seatsco.clock.advance_to(MIDDLE)
    added = await seatsco.add(signed)
    await seatsco.spend(25)
    await seatsco.void(signed, added)
    assert await seatsco.back(added) == ["2.50"]
    seatsco.clock.advance_to(day(6, 20))

    again = await seatsco.add(signed)  # 11 days, of which 7.5 are paid for

    assert dollars(again.invoice.total) == "1.17"
    assert await seatsco.balance_micros() == 11_666_666


async def test_the_first_of_two_increases_can_be_voided(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 10))
    first = await seatsco.add(signed)
    seatsco.clock.advance_to(day(6, 10) + timedelta(hours=12))
    second = await seatsco.add(signed)
    assert (dollars(first.invoice.total), dollars(second.invoice.total)) == ("7.00", "6.83")

    await seatsco.void(signed, first)

    # The latest invoice of the period is credited first.
    assert [await seatsco.back(second), await seatsco.back(first)] == [["6.83"], ["0.17"]]
    assert await seatsco.balance_micros() == 468_333_333
    third = await seatsco.add(signed)
    assert dollars(third.invoice.total) == "6.84"  # with a third of a cent that the second left over


async def test_a_void_decrease_brings_the_seat_back_for_nothing(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 10))
    removed = await seatsco.add(signed, -1)
    seatsco.clock.advance_to(MIDDLE)

    voided = await seatsco.desk.contract.VoidSeatChange(seatsco.a_void(signed, removed))

    assert voided.subscription.quantity == 4
    assert not voided.HasField("settlement")
    assert len(await seatsco.desk.invoices(signed)) == 1
    assert await seatsco.balance() == 400
    await seatsco.contract.advance_to(JULY)
    assert (await seatsco.totals(signed))[-1] == "40.00"
    assert await seatsco.balance() == 400


async def test_seats_beyond_the_highest_quantity_paid_are_charged_without_a_void_decrease(
    seatsco: SeatsCo,
) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 10))
    removed = await seatsco.add(signed, -1)
    seatsco.clock.advance_to(MIDDLE)
    added = await seatsco.add(signed)
    assert not added.HasField("invoice")

    await seatsco.void(signed, removed)

    assert [dollars(one.total) for one in await seatsco.desk.invoices(signed)] == ["40.00", "5.00"]
    assert await seatsco.balance() == 450


# Nothing of the seat was billed when it is voided.
@pytest.mark.parametrize(
    ("at", "spent", "charged"),
    [
        (MIDDLE + DAY, 0, None),
        (MIDDLE + DAY, 425, "2.50"),
        (NOON_OF_23, 0, "2.50"),
        (NOON_OF_23, 410, "2.50"),
        (NOON_OF_23, 440, "4.00"),
    ],
)
@pytest.mark.parametrize("schedule", [pb.COLLECTION_SCHEDULE_ADVANCE, pb.COLLECTION_SCHEDULE_ARREARS])
async def test_what_was_used_and_not_billed_is_charged_at_the_void(
    seatsco: SeatsCo, at: datetime, spent: int, charged: str | None, schedule: "pb.CollectionSchedule"
) -> None:
    signed = await seatsco.sign(invoicing=NEXT_DATE, collection_schedule=schedule)
    seatsco.clock.advance_to(MIDDLE)
    added = await seatsco.add(signed)
    assert not added.HasField("invoice")
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(at)

    settlement = await seatsco.void(signed, added)

    assert bool(settlement.invoice_id) == (charged is not None)
    if charged is not None:
        assert dollars((await seatsco.invoice(settlement.invoice_id)).total) == charged
    await seatsco.contract.advance_to(JULY)
    assert (await seatsco.totals(signed))[-1] == "40.00"
