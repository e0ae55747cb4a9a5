# SPDX-License-Identifier: Apache-2.0
"""VoidSeatChange of changes in effect: what is refused, what the Ledger is asked, and what its answer settles."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.catalog import JUNE, Shop, a_rate
from tests.support.contract import MONTHLY, Desk, RunningContract, day, dollars, tiered_seats
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
MIDDLE, JULY = day(6, 16), day(7, 1)

Answer = Callable[[peer_pb.VoidSeatChangeRequest], peer_pb.VoidSeatChangeResponse]


def used(numerator: int, denominator: int, *kept: tuple[datetime, datetime]) -> Answer:
    """Answer that a share of the credits was used, and which time is kept for it."""

    def answer(request: peer_pb.VoidSeatChangeRequest) -> peer_pb.VoidSeatChangeResponse:
        return peer_pb.VoidSeatChangeResponse(
            unused=peer_pb.UnusedShare(
                subscription_id=request.subscription_id,
                numerator=denominator - numerator,
                denominator=denominator,
            ),
            kept=[
                peer_pb.KeptTime(start_time=timestamp(start), end_time=timestamp(end)) for start, end in kept
            ],
            apply_time=timestamp(MIDDLE),
        )

    return answer


def void_request(
    desk: Desk, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse, **more: Any
) -> pb.VoidSeatChangeRequest:
    return pb.VoidSeatChangeRequest(
        request_id=desk.request_id(),
        contract_id=signed.contract.contract_id,
        seat_change_id=changed.seat_change.seat_change_id,
        **more,
    )


async def back(desk: Desk, changed: pb.ChangeSeatsResponse) -> list[str]:
    request = pb.GetInvoiceRequest(invoice_id=changed.invoice.invoice_id)
    return [dollars(one.amount) for one in (await desk.contract.GetInvoice(request)).credit_notes]


async def quantities(desk: Desk, signed: pb.CreateContractResponse) -> list[int]:
    request = pb.ListSeatChangesRequest(contract_id=signed.contract.contract_id)
    return [one.quantity_after for one in (await desk.contract.ListSeatChanges(request)).seat_changes]


async def test_the_ledger_is_asked_about_the_seats_and_the_time_that_is_paid(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    ledger.answers["VoidSeatChange"] = used(0, 1)
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(6, 26))
    running.clock.advance_to(MIDDLE)
    changed = await desk.add_seats(signed, 2)

    voided = await desk.contract.VoidSeatChange(void_request(desk, signed, changed))

    (told,) = ledger.told_of(peer_pb.VoidSeatChangeRequest)
    subscription_id = signed.contract.subscriptions[0].subscription_id
    assert told.seat_change_id == changed.seat_change.seat_change_id
    # As far as the contract covers the period: more would still be to come otherwise.
    assert told.paid_period == peer_pb.PaidPeriod(
        subscription_id=subscription_id,
        start_time=timestamp(JUNE),
        end_time=timestamp(day(6, 26)),
        seats=2,
    )
    assert await back(desk, changed) == ["6.67"]  # all that was charged: 20 × 10/30
    assert voided.settlement.credit.subscription_id == subscription_id
    assert await quantities(desk, signed) == []


@pytest.mark.parametrize(("late", "seats_after"), [(timedelta(0), []), (TICK, [5, 4])])
async def test_the_day_counts_from_the_instant_of_the_change(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, late: timedelta, seats_after: list[int]
) -> None:
    ledger.answers["VoidSeatChange"] = used(0, 1)
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(6, 10))
    changed = await desk.add_seats(signed, 1, day(6, 9))  # received a day later
    running.clock.advance_to(day(6, 10) + late)

    await desk.contract.VoidSeatChange(void_request(desk, signed, changed))

    assert await quantities(desk, signed) == seats_after
    assert await back(desk, changed) == (["7.33"] if not late else [])


async def test_a_change_of_an_earlier_period_is_not_voided(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    last = await desk.add_seats(signed, 1, JULY - TICK)
    first = await desk.add_seats(signed, 1, JULY)
    await running.advance_to(JULY)

    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_CHANGE_PERIOD_OVER", open_from_time=JULY.isoformat()):
        await desk.contract.VoidSeatChange(void_request(desk, signed, last))
    await desk.contract.VoidSeatChange(void_request(desk, signed, first))
    assert await quantities(desk, signed) == [5]


@pytest.mark.parametrize(("removed", "is_possible"), [(-4, True), (-5, False)])
async def test_a_change_in_effect_on_which_later_ones_rely_is_not_voided(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, removed: int, *, is_possible: bool
) -> None:
    ledger.answers["VoidSeatChange"] = used(0, 1)
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(MIDDLE)
    changed = await desk.add_seats(signed, 1)
    await desk.add_seats(signed, removed, day(6, 20))

    if is_possible:
        await desk.contract.VoidSeatChange(void_request(desk, signed, changed))
        assert await quantities(desk, signed) == [0]
    else:
        with fault(StatusCode.FAILED_PRECONDITION, "SEATS_BELOW_ZERO", at=day(6, 20).isoformat()):
            await desk.contract.VoidSeatChange(void_request(desk, signed, changed))
        assert await quantities(desk, signed) == [5, 0]
        assert ledger.told_of(peer_pb.VoidSeatChangeRequest) == []


async def _named(desk: Desk) -> pb.CreateContractResponse:
    seats = desk.seats(
        2,
        frequency=MONTHLY,
        quantity_management=pb.QUANTITY_MANAGEMENT_SEAT_BASED,
        seat_group_key="user_id",
        initial_seat_ids=["ann"],
    )
    return await desk.sign(seats)


async def _change(desk: Desk, signed: pb.CreateContractResponse, **more: Any) -> pb.ChangeSeatsResponse:
    return await desk.contract.ChangeSeats(
        pb.ChangeSeatsRequest(request_id=desk.request_id(), contract_id=signed.contract.contract_id, **more)
    )


async def _ids(desk: Desk, signed: pb.CreateContractResponse) -> list[str]:
    request = pb.ListSeatsRequest(contract_id=signed.contract.contract_id)
    return [one.seat_id for one in (await desk.contract.ListSeats(request)).seats]


async def test_ids_that_have_seats_are_not_voided_but_unassigned(
    desk: Desk, running: RunningContract
) -> None:
    signed = await _named(desk)
    running.clock.advance_to(MIDDLE)
    assigned = await _change(desk, signed, assign_seat_ids=["bob"])

    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_CHANGE_IN_EFFECT", effective_time=MIDDLE.isoformat()):
        await desk.contract.VoidSeatChange(void_request(desk, signed, assigned))
    assert await _ids(desk, signed) == ["ann", "bob"]


@pytest.mark.parametrize("late", [timedelta(0), TICK])
async def test_the_ids_of_void_seats_lose_them(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, late: timedelta
) -> None:
    ledger.answers["VoidSeatChange"] = used(0, 1)
    signed = await _named(desk)
    running.clock.advance_to(MIDDLE)
    changed = await _change(
        desk,
        signed,
        quantity_delta=2,
        assign_seat_ids=["bob", "cleo"],
        transfers=[pb.SeatTransfer(from_seat_id="ann", to_seat_id="eve")],
    )
    running.clock.advance_to(MIDDLE + DAY + late)

    voided = await desk.contract.VoidSeatChange(void_request(desk, signed, changed))

    assert (voided.subscription.quantity, voided.subscription.assigned_quantity) == (2, 1)
    assert await _ids(desk, signed) == ["ann"]


@pytest.mark.parametrize("late", [timedelta(0), TICK])
async def test_seats_that_have_changed_hands_since_are_not_voided(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, late: timedelta
) -> None:
    signed = await _named(desk)
    running.clock.advance_to(MIDDLE)
    changed = await _change(desk, signed, quantity_delta=1, assign_seat_ids=["bob"])
    running.clock.advance_to(MIDDLE + DAY + late)
    await _change(desk, signed, transfers=[pb.SeatTransfer(from_seat_id="bob", to_seat_id="cleo")])

    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="bob"):
        await desk.contract.VoidSeatChange(void_request(desk, signed, changed))
    assert await _ids(desk, signed) == ["ann", "cleo"]
    assert ledger.told_of(peer_pb.VoidSeatChangeRequest) == []


async def test_a_seat_is_charged_again_beyond_the_time_that_was_used(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    """A fifth of the credits was used: the last three of 15 days stay paid."""
    ledger.answers["VoidSeatChange"] = used(1, 5, (day(6, 28), JULY))
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(MIDDLE)
    changed = await desk.add_seats(signed, 1)

    await desk.contract.VoidSeatChange(void_request(desk, signed, changed))

    assert await back(desk, changed) == ["4.00"]
    running.clock.advance_to(day(6, 22))
    again = await desk.add_seats(signed, 1)  # nine days, three of them paid
    assert dollars(again.invoice.total) == "2.00"
    [line] = again.invoice.lines
    assert (line.period.start_time, line.period.end_time) == (timestamp(day(6, 22)), timestamp(day(6, 28)))


@pytest.mark.parametrize(
    ("rate_type", "charged", "half"),
    [
        (catalog_pb2.RATE_TYPE_GRADUATED, "13.00", "6.50"),  # one of three is the tenth, at $10 a month
        (catalog_pb2.RATE_TYPE_VOLUME, "3.00", "1.50"),  # twelve at $8 instead of nine at $10
    ],
)
async def test_seats_of_tiers_come_back_at_what_they_were_charged(
    desk: Desk,
    running: RunningContract,
    ledger: RecordingLedger,
    shop: Shop,
    rate_type: catalog_pb2.RateType,
    charged: str,
    half: str,
) -> None:
    signed = await desk.sign(await tiered_seats(desk, shop, 9, rate_type))
    running.clock.advance_to(MIDDLE)
    for answer, returned, again in (
        (used(0, 1), charged, charged),
        (used(1, 2, (day(6, 23) + DAY / 2, JULY)), half, half),
    ):
        ledger.answers["VoidSeatChange"] = answer
        changed = await desk.add_seats(signed, 3)
        assert dollars(changed.invoice.total) == charged
        await desk.contract.VoidSeatChange(void_request(desk, signed, changed))
        assert await back(desk, changed) == [returned]
        cost = again
    added = await desk.add_seats(signed, 3)
    assert dollars(added.invoice.total) == cost


async def test_nothing_is_voided_while_the_period_has_no_price(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, shop: Shop
) -> None:
    ledger.answers["VoidSeatChange"] = used(0, 1)
    plan = await shop.seats()
    june = a_rate(
        plan,
        price_micros=10_000_000,
        frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY,
        end=JULY,
    )
    await shop.add(desk.sells.rate_card, june)
    signed = await desk.sign(desk.seats(4, product_id=plan.product_id, frequency=MONTHLY))
    await running.advance_to(day(7, 2))
    changed = await desk.add_seats(signed, 1)

    with fault(StatusCode.FAILED_PRECONDITION, "PERIOD_NOT_BILLED"):
        await desk.contract.VoidSeatChange(void_request(desk, signed, changed))
    july = a_rate(
        plan,
        price_micros=10_000_000,
        frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY,
        start=JULY,
    )
    await shop.add(desk.sells.rate_card, july)
    await desk.contract.VoidSeatChange(void_request(desk, signed, changed))

    totals = [dollars(one.total) for one in await desk.invoices(signed)]
    assert totals == ["40.00", "40.00", "9.68"]


async def test_the_fields_are_checked(desk: Desk) -> None:
    with bad_fields("contract_id", "seat_change_id", "money_back"):
        await desk.contract.VoidSeatChange(pb.VoidSeatChangeRequest(request_id="r1", money_back=9))
