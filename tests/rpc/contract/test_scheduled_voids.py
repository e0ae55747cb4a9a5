# SPDX-License-Identifier: Apache-2.0
"""VoidSeatChange of changes to come: each is undone as if it had never been received."""

from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import ApplySeatChangeRequest, VoidSeatChangeRequest
from tests.support.contract import MONTHLY, Desk, RunningContract, day, dollars
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

TICK = timedelta(microseconds=1)


def a_void(
    desk: Desk, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse
) -> pb.VoidSeatChangeRequest:
    return pb.VoidSeatChangeRequest(
        request_id=desk.request_id(),
        contract_id=signed.contract.contract_id,
        seat_change_id=changed.seat_change.seat_change_id,
    )


async def void(
    desk: Desk, signed: pb.CreateContractResponse, changed: pb.ChangeSeatsResponse
) -> pb.Subscription:
    return (await desk.contract.VoidSeatChange(a_void(desk, signed, changed))).subscription


async def count(
    desk: Desk, signed: pb.CreateContractResponse, quantity: int, at: datetime
) -> pb.ChangeSeatsResponse:
    request = desk.change_request(signed, 0, at)
    request.new_quantity = quantity
    return await desk.contract.ChangeSeats(request)


async def quantities(desk: Desk, signed: pb.CreateContractResponse) -> list[int]:
    request = pb.ListSeatChangesRequest(contract_id=signed.contract.contract_id)
    return [one.quantity_after for one in (await desk.contract.ListSeatChanges(request)).seat_changes]


async def test_a_void_increase_is_neither_charged_nor_listed(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    changed = await desk.add_seats(signed, 2, day(6, 20))
    running.clock.advance_to(day(6, 20) - TICK)

    assert (await void(desk, signed, changed)).quantity == 4
    await running.advance_to(day(7, 1))

    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "40.00"]
    assert await quantities(desk, signed) == []
    (told,) = ledger.told_of(VoidSeatChangeRequest)
    assert told.seat_change_id == changed.seat_change.seat_change_id
    assert told.subscription_id == signed.contract.subscriptions[0].subscription_id


async def test_without_a_void_count_the_seats_are_what_earlier_changes_say(
    desk: Desk, running: RunningContract
) -> None:
    """A difference could not undo a count: earlier-dated changes that arrive later would not get past it."""
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    counted = await count(desk, signed, 2, day(7, 1))
    await void(desk, signed, counted)
    running.clock.advance_to(day(6, 10))
    await desk.add_seats(signed, 1)

    await running.advance_to(day(7, 1))

    assert dollars((await desk.invoices(signed))[-1].total) == "50.00"
    assert await quantities(desk, signed) == [5]


@pytest.mark.parametrize(("taken", "is_possible"), [(-4, True), (-5, False)])
async def test_a_change_on_which_later_ones_rely_is_not_voided(
    desk: Desk, taken: int, *, is_possible: bool
) -> None:
    signed = await desk.sign(desk.seats(4))
    changed = await desk.add_seats(signed, 2, day(6, 20))
    await desk.add_seats(signed, taken, day(6, 25))

    if is_possible:
        await void(desk, signed, changed)
        assert await quantities(desk, signed) == [0]
    else:
        with fault(StatusCode.FAILED_PRECONDITION, "SEATS_BELOW_ZERO", at=day(6, 25).isoformat()):
            await void(desk, signed, changed)
        assert await quantities(desk, signed) == [6, 1]


async def test_void_names_were_never_given(desk: Desk, running: RunningContract) -> None:
    seats = desk.seats(
        2,
        quantity_management=pb.QUANTITY_MANAGEMENT_SEAT_BASED,
        seat_group_key="user_id",
        initial_seat_ids=["a"],
    )
    signed = await desk.sign(seats)

    async def change(at: datetime, **names: list[str]) -> pb.ChangeSeatsResponse:
        request = pb.ChangeSeatsRequest(
            request_id=desk.request_id(), contract_id=signed.contract.contract_id, **names
        )
        request.effective_time.FromDatetime(at)
        return await desk.contract.ChangeSeats(request)

    given = await change(day(6, 20), assign_seat_ids=["b"], unassign_seat_ids=["a"])
    later = await change(day(6, 25), unassign_seat_ids=["b"])
    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="b"):
        await void(desk, signed, given)
    await void(desk, signed, later)
    await void(desk, signed, given)

    running.clock.advance_to(day(6, 28))
    listed = await desk.contract.ListSeats(pb.ListSeatsRequest(contract_id=signed.contract.contract_id))
    assert ([one.seat_id for one in listed.seats], listed.unassigned_quantity) == (["a"], 1)
    await change(day(6, 28), assign_seat_ids=["b"])


async def test_what_is_voided_again_or_unknown_is_not_found(desk: Desk, ledger: RecordingLedger) -> None:
    signed, other = await desk.sign(desk.seats(4)), await desk.sign(desk.seats(4))
    changed = await desk.add_seats(signed, 2, day(6, 20))
    with fault(StatusCode.NOT_FOUND, "SEAT_CHANGE_NOT_FOUND"):
        await void(desk, other, changed)
    request = a_void(desk, signed, changed)

    first = await desk.contract.VoidSeatChange(request)

    assert await desk.contract.VoidSeatChange(request) == first
    with fault(StatusCode.NOT_FOUND, "SEAT_CHANGE_NOT_FOUND"):
        await void(desk, signed, changed)
    with bad_fields("contract_id", "seat_change_id"):
        await desk.contract.VoidSeatChange(pb.VoidSeatChangeRequest(request_id="r1"))
    assert len(ledger.told_of(VoidSeatChangeRequest)) == 1


async def test_the_sequence_of_a_void_change_is_not_used_again(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))
    await void(desk, signed, await desk.add_seats(signed, 2, day(6, 20)))

    await desk.add_seats(signed, 1, day(6, 20))

    assert [one.sequence for one in ledger.told_of(ApplySeatChangeRequest)] == [1, 2]
