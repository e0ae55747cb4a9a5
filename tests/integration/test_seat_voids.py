# SPDX-License-Identifier: Apache-2.0
"""Voids of seat changes in effect with a real Catalog, Contract and Ledger: what was paid and not used comes back, and
seats that are added again are charged and granted again.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from tests.support.contract import NEXT_DATE, day, dollars
from tests.support.ends import CREDIT, SeatsCo, acme
from tests.support.failing_front import Away, unheard
from tests.support.faults import fault
from tests.support.postgres import Databases

CREDIT_UNUSED = pb.MONEY_BACK_CREDIT_UNUSED
APPLIED, PENDING = pb.PLAN_CHANGE_STATUS_APPLIED, pb.PLAN_CHANGE_STATUS_PENDING
MIDDLE, JULY = day(6, 16), day(7, 1)
NOON_OF_23 = day(6, 23) + timedelta(hours=12)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    async with acme(databases) as made:
        yield made


async def _add(
    seatsco: SeatsCo, signed: pb.CreateContractResponse, seats: int = 1, at: datetime | None = None
) -> pb.ChangeSeatsResponse:
    return await seatsco.desk.add_seats(signed, seats, at)


def _a_void(
    seatsco: SeatsCo, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse, **more: Any
) -> pb.VoidSeatChangeRequest:
    return pb.VoidSeatChangeRequest(
        request_id=seatsco.desk.request_id(),
        contract_id=signed.contract.contract_id,
        seat_change_id=changed.seat_change.seat_change_id,
        **more,
    )


async def _void(
    seatsco: SeatsCo, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse, **more: Any
) -> pb.SeatVoid:
    request = _a_void(seatsco, signed, changed, **more)
    return (await seatsco.desk.contract.VoidSeatChange(request)).settlement


async def _back(seatsco: SeatsCo, changed: pb.ChangeSeatsResponse) -> list[str]:
    """What came back on the invoice of an increase."""
    return [dollars(one.amount) for one in await seatsco.notes(changed.invoice)]


async def _totals(seatsco: SeatsCo, signed: pb.CreateContractResponse) -> list[str]:
    """What invoices come to; statements of usage come to nothing."""
    return [dollars(one.total) for one in await seatsco.desk.invoices(signed) if one.total.micros]


# One seat more from 16 June costs $5.00 and brings 50 credits, which are used last.
@pytest.mark.parametrize(
    ("spent", "back", "left"), [(0, "5.00", 400), (400, "5.00", 0), (425, "2.50", 0), (450, None, 0)]
)
async def test_a_void_within_a_day_gives_back_all_that_is_not_used(
    seatsco: SeatsCo, spent: int, back: str | None, left: int
) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    assert dollars(added.invoice.total) == "5.00"
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(MIDDLE + DAY)

    request = _a_void(seatsco, signed, added)
    voided = await seatsco.desk.contract.VoidSeatChange(request)

    settlement = voided.settlement
    assert (settlement.status, settlement.quantity) == (APPLIED, 1)
    assert settlement.void_time == timestamp(MIDDLE + DAY)
    assert dollars(settlement.credit.charged) == "5.00"
    assert await _back(seatsco, added) == ([] if back is None else [back])
    notes = await seatsco.notes(added.invoice)
    assert list(settlement.credit_note_ids) == [one.credit_note_id for one in notes]
    assert await seatsco.balance() == left
    assert voided.subscription.quantity == 4
    assert await seatsco.desk.contract.VoidSeatChange(request) == voided
    assert len(await seatsco.notes(added.invoice)) == len(notes)
    await seatsco.go(JULY)
    assert (await _totals(seatsco, signed))[-1] == "40.00"
    assert await seatsco.balance() == 400


async def test_a_later_void_gives_nothing_back_by_default_and_what_is_paid_stays(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    seatsco.clock.advance_to(MIDDLE + DAY + TICK)

    voided = await seatsco.desk.contract.VoidSeatChange(_a_void(seatsco, signed, added))

    assert voided.subscription.quantity == 4
    assert not voided.HasField("settlement")
    assert await _back(seatsco, added) == []
    assert await seatsco.balance() == 450
    with fault(StatusCode.NOT_FOUND, "SEAT_CHANGE_NOT_FOUND"):
        await _void(seatsco, signed, added)
    again = await _add(seatsco, signed)
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
    added = await _add(seatsco, signed)
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(NOON_OF_23)

    settlement = await _void(seatsco, signed, added, money_back=CREDIT_UNUSED)

    assert settlement.credit.time_left == pb.Fraction(numerator=1, denominator=2)
    assert await _back(seatsco, added) == ([] if back is None else [back])
    left = 0 if spent else 400
    assert await seatsco.balance() == left
    again = await _add(seatsco, signed)
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
        added = await _add(seatsco, signed)
        assert dollars(added.invoice.total) == costs
        if used:
            await seatsco.spend(used)
        await _void(seatsco, signed, added)
        assert await _back(seatsco, added) == ([] if back is None else [back])
        assert await seatsco.balance() == 0
    again = await _add(seatsco, signed)
    assert not again.HasField("invoice")
    assert await seatsco.balance() == 0


async def test_what_was_used_of_a_void_seat_covers_a_seat_that_is_added_later(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    await seatsco.spend(400)
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    await seatsco.spend(25)
    await _void(seatsco, signed, added)
    assert await _back(seatsco, added) == ["2.50"]
    seatsco.clock.advance_to(day(6, 20))

    again = await _add(seatsco, signed)  # 11 days, of which 7.5 are paid for

    assert dollars(again.invoice.total) == "1.17"
    assert await seatsco.balance_micros() == 11_666_666


async def test_the_first_of_two_increases_can_be_voided(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 10))
    first = await _add(seatsco, signed)
    seatsco.clock.advance_to(day(6, 10) + timedelta(hours=12))
    second = await _add(seatsco, signed)
    assert (dollars(first.invoice.total), dollars(second.invoice.total)) == ("7.00", "6.83")

    await _void(seatsco, signed, first)

    # The latest invoice of the period is credited first.
    assert [await _back(seatsco, second), await _back(seatsco, first)] == [["6.83"], ["0.17"]]
    assert await seatsco.balance_micros() == 468_333_333
    third = await _add(seatsco, signed)
    assert dollars(third.invoice.total) == "6.84"  # with a third of a cent that the second left over


async def test_a_void_decrease_brings_the_seat_back_for_nothing(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 10))
    removed = await _add(seatsco, signed, -1)
    seatsco.clock.advance_to(MIDDLE)

    voided = await seatsco.desk.contract.VoidSeatChange(_a_void(seatsco, signed, removed))

    assert voided.subscription.quantity == 4
    assert not voided.HasField("settlement")
    assert len(await seatsco.desk.invoices(signed)) == 1
    assert await seatsco.balance() == 400
    await seatsco.go(JULY)
    assert (await _totals(seatsco, signed))[-1] == "40.00"
    assert await seatsco.balance() == 400


async def test_seats_beyond_the_highest_quantity_paid_are_charged_without_a_void_decrease(
    seatsco: SeatsCo,
) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(day(6, 10))
    removed = await _add(seatsco, signed, -1)
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    assert not added.HasField("invoice")

    await _void(seatsco, signed, removed)

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
    added = await _add(seatsco, signed)
    assert not added.HasField("invoice")
    if spent:
        await seatsco.spend(spent)
    seatsco.clock.advance_to(at)

    settlement = await _void(seatsco, signed, added)

    assert bool(settlement.invoice_id) == (charged is not None)
    if charged is not None:
        assert dollars((await seatsco.invoice(settlement.invoice_id)).total) == charged
    await seatsco.go(JULY)
    assert (await _totals(seatsco, signed))[-1] == "40.00"


async def test_a_lost_answer_is_heard_again_and_settles_once(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    seatsco.front.will("VoidSeatChange", unheard(Away("the reply is lost")))
    request = _a_void(seatsco, signed, added)

    # It may be asked again, in the background, before this returns.
    await seatsco.desk.contract.VoidSeatChange(request)
    heard = await seatsco.desk.contract.VoidSeatChange(request)

    assert heard.settlement.status == APPLIED
    assert len({one.request_id for one in seatsco.front.asked_of("VoidSeatChange")}) == 1
    assert len(seatsco.front.asked_of("VoidSeatChange")) == 2
    assert await _back(seatsco, added) == ["5.00"]
    assert await seatsco.desk.contract.VoidSeatChange(request) == heard
    await seatsco.ledger.peer.VoidSeatChange(seatsco.front.asked_of("VoidSeatChange")[0])
    assert await seatsco.balance() == 400
    await seatsco.ledger.assert_adds_up()


async def test_seats_that_are_added_while_a_void_is_pending_are_charged_when_it_is_settled(
    seatsco: SeatsCo,
) -> None:
    signed = await seatsco.sign()
    await seatsco.spend(400)
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    await seatsco.spend(25)
    seatsco.front.is_away = True
    request = _a_void(seatsco, signed, added)
    assert (await seatsco.desk.contract.VoidSeatChange(request)).settlement.status == PENDING
    seatsco.clock.advance_to(day(6, 20))
    again = await _add(seatsco, signed)
    assert not again.HasField("invoice")

    seatsco.front.is_away = False
    await seatsco.desk.contract.VoidSeatChange(request)

    assert await _back(seatsco, added) == ["2.50"]
    assert await _totals(seatsco, signed) == ["40.00", "5.00", "1.17"]
    assert await seatsco.balance_micros() == 11_666_666


@pytest.mark.parametrize(
    ("lifetime", "back", "totals"),
    [
        (2, ["5.00"], ["40.00", "5.00", "3.67", "50.00"]),
        (1, [], ["40.00", "5.00", "50.00"]),  # expired credits count as used, so their time stays paid
    ],
)
async def test_a_void_that_is_settled_after_its_period_charges_what_was_added_in_it(
    seatsco: SeatsCo, lifetime: int, back: list[str], totals: list[str]
) -> None:
    signed = await seatsco.desk.sign(
        seatsco.desk.seats(4, frequency=pb.BILLING_FREQUENCY_MONTHLY),
        customer="acme",
        schedules=(seatsco.desk.schedule(commit_duration=lifetime),),
    )
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    seatsco.front.is_away = True
    request = _a_void(seatsco, signed, added)
    await seatsco.desk.contract.VoidSeatChange(request)
    seatsco.clock.advance_to(day(6, 20))
    await _add(seatsco, signed)
    await seatsco.go(JULY)

    seatsco.front.is_away = False
    await seatsco.desk.contract.VoidSeatChange(request)

    assert await _back(seatsco, added) == back
    assert await _totals(seatsco, signed) == totals
    await seatsco.go(JULY + DAY)
    assert await _totals(seatsco, signed) == totals


@pytest.mark.parametrize("ends", [True, False])
async def test_what_a_pending_void_gives_back_comes_back_once(seatsco: SeatsCo, *, ends: bool) -> None:
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    seatsco.front.is_away = True
    request = _a_void(seatsco, signed, added)
    await seatsco.desk.contract.VoidSeatChange(request)

    if ends:
        await seatsco.end(signed, money_back=CREDIT_UNUSED)
    else:
        await seatsco.desk.contract.ChangePlan(
            pb.ChangePlanRequest(
                request_id=seatsco.desk.request_id(),
                contract_id=signed.contract.contract_id,
                rate_card_id=seatsco.desk.sells.rate_card.rate_card_id,
                subscriptions=[seatsco.desk.seats(0, frequency=pb.BILLING_FREQUENCY_MONTHLY)],
            )
        )
    seatsco.front.is_away = False
    await seatsco.desk.contract.VoidSeatChange(request)

    [change] = await seatsco.settlements(signed)
    assert [dollars(one.charged) for one in change.credits] == ["40.00"]
    assert await _back(seatsco, added) == ["5.00"]
    back = [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])]
    assert back == ["20.00"]  # all of it is due
    assert await seatsco.account_credit() == []


async def test_months_of_a_year_are_charged_again_and_the_used_one_is_not(seatsco: SeatsCo) -> None:
    signed = await seatsco.desk.sign(
        seatsco.desk.seats(1), customer="acme", schedules=(seatsco.desk.schedule(),)
    )
    await seatsco.spend(100)
    added = await _add(seatsco, signed)
    assert dollars(added.invoice.total) == "100.00"
    await seatsco.spend(100)

    settlement = await _void(seatsco, signed, added)

    assert settlement.credit.credits_unused == pb.Fraction(
        numerator=11 * 100 * CREDIT, denominator=12 * 100 * CREDIT
    )
    assert await _back(seatsco, added) == ["91.66"]
    seatsco.clock.advance_to(day(6, 11))
    again = await _add(seatsco, signed)  # June is paid for, the other 335 days of the year are not
    assert dollars(again.invoice.total) == "91.78"
    assert await seatsco.balance() == 0
    seatsco.clock.advance_to(JULY)
    assert await seatsco.balance() == 200


async def test_the_schedule_that_was_used_most_decides(seatsco: SeatsCo) -> None:
    images = seatsco.desk.schedule(scope_product_ids=[seatsco.desk.sells.included.product_id])
    signed = await seatsco.desk.sign(
        seatsco.desk.seats(4, frequency=pb.BILLING_FREQUENCY_MONTHLY),
        customer="acme",
        schedules=(seatsco.desk.schedule(), images),
    )
    await seatsco.spend(400)
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    await seatsco.spend(40)

    await _void(seatsco, signed, added)

    assert await _back(seatsco, added) == ["1.00"]
    assert await seatsco.balance() == 400  # of the other schedule; 10 and 50 are voided
    again = await _add(seatsco, signed)
    assert dollars(again.invoice.total) == "1.00"
    assert await seatsco.balance() == 460


async def test_without_schedules_time_alone_counts(seatsco: SeatsCo) -> None:
    signed = await seatsco.desk.sign(
        seatsco.desk.seats(4, frequency=pb.BILLING_FREQUENCY_MONTHLY), customer="acme"
    )
    seatsco.clock.advance_to(MIDDLE)
    first, second = await _add(seatsco, signed), await _add(seatsco, signed)
    await _void(seatsco, signed, first)
    assert await _back(seatsco, second) == ["5.00"]
    seatsco.clock.advance_to(NOON_OF_23)

    settlement = await _void(seatsco, signed, second, money_back=CREDIT_UNUSED)

    assert not settlement.credit.HasField("credits_unused")
    assert await _back(seatsco, first) == ["2.50"]
    again = await _add(seatsco, signed)
    assert dollars(again.invoice.total) == "2.50"


@pytest.mark.parametrize(("is_first_paid", "account_credit"), [(True, ["3.00"]), (False, [])])
async def test_only_what_was_paid_becomes_account_credit(
    seatsco: SeatsCo, *, is_first_paid: bool, account_credit: list[str]
) -> None:
    signed = await seatsco.sign()
    if is_first_paid:
        await seatsco.desk.pay(signed.invoices[0])
    seatsco.clock.advance_to(MIDDLE)
    added = await _add(seatsco, signed)
    await seatsco.desk.pay(added.invoice, 300)

    await _void(seatsco, signed, added)

    assert (await seatsco.invoice(added.invoice.invoice_id)).status == pb.INVOICE_STATUS_PAID
    assert await seatsco.account_credit() == account_credit
    # What is due of any invoice of the period is reduced before what was paid comes back.
    first = [dollars(one.amount) for one in await seatsco.notes(signed.invoices[0])]
    assert first == ([] if is_first_paid else ["3.00"])


@pytest.mark.parametrize(("other", "back", "balance"), [(None, "10.00", 400), (5, "5.01", 449)])
async def test_a_void_count_leaves_what_other_changes_say(
    seatsco: SeatsCo, other: int | None, back: str, balance: int
) -> None:
    """Five from an hour later are needed also without six before: those cost 14 days and 23 hours."""
    signed = await seatsco.sign()
    seatsco.clock.advance_to(MIDDLE)
    counted = await _count(seatsco, signed, 6)
    seatsco.clock.advance_to(MIDDLE + timedelta(hours=1))
    if other is not None:
        await _count(seatsco, signed, other)

    settlement = await _void(seatsco, signed, counted)

    assert settlement.quantity == (2 if other is None else 1)
    assert (
        await seatsco.desk.contract.GetContract(
            pb.GetContractRequest(contract_id=signed.contract.contract_id)
        )
    ).contract.subscriptions[0].quantity == (other or 4)
    assert await _back(seatsco, counted) == [back]
    assert await seatsco.balance() == balance


async def test_seats_that_an_end_to_come_charges_by_use_are_not_voided(seatsco: SeatsCo) -> None:
    signed = await seatsco.sign(invoicing=NEXT_DATE)
    added = await _add(seatsco, signed, 4)
    await seatsco.go(day(6, 2))
    await seatsco.end(signed, end_time=timestamp(MIDDLE))

    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_PROMISED"):
        await _void(seatsco, signed, added)
    await seatsco.go(MIDDLE)
    assert await _totals(seatsco, signed) == ["40.00", "20.00"]


async def _count(
    seatsco: SeatsCo, signed: pb.CreateContractResponse, quantity: int
) -> pb.ChangeSeatsResponse:
    request = seatsco.desk.change_request(signed, 0)
    request.new_quantity = quantity
    return await seatsco.desk.contract.ChangeSeats(request)
