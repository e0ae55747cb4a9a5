# SPDX-License-Identifier: Apache-2.0
"""Named seats: ids that get, lose and hand on seats; NameSeats, SetSharedPoolAccess, ListSeats."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import self_service_pb2 as own
from purser.contract.v1.self_service_pb2_grpc import SelfServiceStub
from purser.ledger.v1 import ledger_peer_pb2
from purser.ledger.v1.ledger_peer_pb2 import (
    ApplyContractRequest,
    ApplyPlanChangeRequest,
    ApplyPlanChangeResponse,
    ApplySeatChangeRequest,
)
from services.contract.domain.seats.naming import SEAT_IDS_PER_CHANGE_MAX
from tests.support.catalog import JUNE
from tests.support.contract import MONTHLY, Desk, RunningContract, day, dollars
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

TICK = timedelta(microseconds=1)
SEAT_BASED = pb.QUANTITY_MANAGEMENT_SEAT_BASED
EVERYONE = pb.SharedPool(access=pb.SHARED_POOL_ACCESS_EVERYONE)


def named(desk: Desk, quantity: int = 4, *ids: str, **more: Any) -> pb.SubscriptionTerms:
    terms = {"frequency": MONTHLY, "seat_group_key": "user_id", "initial_seat_ids": ids, **more}
    return desk.seats(quantity, quantity_management=SEAT_BASED, **terms)


def transfer(from_seat_id: str, to_seat_id: str) -> pb.SeatTransfer:
    return pb.SeatTransfer(from_seat_id=from_seat_id, to_seat_id=to_seat_id)


async def change(
    desk: Desk, signed: pb.CreateContractResponse, at: datetime | None = None, **more: Any
) -> pb.ChangeSeatsResponse:
    return await desk.contract.ChangeSeats(
        pb.ChangeSeatsRequest(
            request_id=desk.request_id(),
            contract_id=signed.contract.contract_id,
            effective_time=optional_timestamp(at),
            **more,
        )
    )


async def seats_at(
    desk: Desk, signed: pb.CreateContractResponse, at: datetime | None = None
) -> tuple[list[str], int, int]:
    """Return who has a seat, the number of seats, and how many of them nobody has."""
    request = pb.ListSeatsRequest(
        contract_id=signed.contract.contract_id, at_time=optional_timestamp(at), page_size=500
    )
    listed = await desk.contract.ListSeats(request)
    return [one.seat_id for one in listed.seats], listed.quantity, listed.unassigned_quantity


async def test_a_contract_is_signed_with_named_seats_and_shows_them(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 4, "ann", "bob", shared_pool=EVERYONE))

    (seats,) = signed.contract.subscriptions
    assert (seats.quantity_management, seats.seat_group_key) == (SEAT_BASED, "user_id")
    assert (seats.quantity, seats.assigned_quantity) == (4, 2)
    assert seats.shared_pool == EVERYONE
    assert dollars(signed.invoices[0].total) == "40.00"
    read = await desk.contract.GetContract(pb.GetContractRequest(contract_id=signed.contract.contract_id))
    assert read.contract == signed.contract
    assert await seats_at(desk, signed) == (["ann", "bob"], 4, 2)
    listed = await desk.contract.ListSeatChanges(
        pb.ListSeatChangesRequest(contract_id=signed.contract.contract_id)
    )
    (first,) = listed.seat_changes
    assert (first.quantity_delta, first.quantity_after, list(first.assign_seat_ids)) == (0, 4, ["ann", "bob"])
    assert first.effective_time == timestamp(JUNE)


@pytest.mark.parametrize(("quantity", "is_possible"), [(2, True), (1, False)])
async def test_a_contract_has_a_seat_for_each_of_its_first_ids(
    desk: Desk, quantity: int, *, is_possible: bool
) -> None:
    if is_possible:
        signed = await desk.sign(named(desk, quantity, "ann", "bob"))
        assert await seats_at(desk, signed) == (["ann", "bob"], 2, 0)
    else:
        customer = await desk.customer()
        with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS", quantity="1", assigned="2"):
            await desk.sign(named(desk, quantity, "ann", "bob"), customer=customer.customer_id)
        listed = await desk.contract.ListContracts(pb.ListContractsRequest(customer=customer.customer_id))
        assert not listed.contracts


async def test_ids_get_lose_and_hand_on_seats_in_one_change(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(named(desk, 2, "ann", "bob"))
    running.clock.advance_to(day(6, 16))

    changed = await change(
        desk,
        signed,
        quantity_delta=1,
        unassign_seat_ids=["ann"],
        transfers=[transfer("bob", "eve")],
        assign_seat_ids=["cleo", "dan"],
    )

    assert await seats_at(desk, signed) == (["cleo", "dan", "eve"], 3, 0)
    assert await seats_at(desk, signed, day(6, 16) - TICK) == (["ann", "bob"], 2, 0)
    assert (changed.subscription.quantity, changed.subscription.assigned_quantity) == (3, 3)
    assert dollars(changed.invoice.total) == "5.00"  # one more seat for half of June, whoever has it
    told = changed.seat_change
    assert list(told.assign_seat_ids) == ["cleo", "dan"]
    assert (list(told.unassign_seat_ids), list(told.transfers)) == (["ann"], [transfer("bob", "eve")])
    listed = await desk.contract.ListSeatChanges(
        pb.ListSeatChangesRequest(contract_id=signed.contract.contract_id)
    )
    assert listed.seat_changes[1] == told


async def test_names_change_without_a_change_of_quantity_and_cost_nothing(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 2, "ann"))

    changed = await change(desk, signed, assign_seat_ids=["bob"])

    assert (changed.seat_change.quantity_delta, changed.seat_change.quantity_after) == (0, 2)
    assert not changed.HasField("invoice")
    assert await seats_at(desk, signed) == (["ann", "bob"], 2, 0)
    assert len(await desk.invoices(signed)) == 1


async def test_the_ids_with_a_seat_are_never_more_than_the_seats(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 3, "ann", "bob"))
    await change(desk, signed, assign_seat_ids=["cleo"])

    with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS", quantity="3", assigned="4"):
        await change(desk, signed, assign_seat_ids=["dan"])
    with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS", quantity="2", assigned="3"):
        await change(desk, signed, quantity_delta=-1)
    with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS", quantity="2", assigned="3"):
        await change(desk, signed, new_quantity=2)
    await change(desk, signed, quantity_delta=1, assign_seat_ids=["dan"])
    await change(desk, signed, quantity_delta=-1, unassign_seat_ids=["ann"])

    assert await seats_at(desk, signed) == (["bob", "cleo", "dan"], 3, 0)


async def test_scheduled_and_backdated_changes_find_a_seat_for_everyone_at_every_instant(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(named(desk, 4, "ann", "bob"))
    running.clock.advance_to(day(6, 10))
    await change(desk, signed, day(6, 20), new_quantity=2)

    # From 20 June on there are two seats, so who gets one now must give one up by then.
    with fault(
        StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS", at=day(6, 20).isoformat(), quantity="2", assigned="3"
    ):
        await change(desk, signed, day(6, 5), assign_seat_ids=["cleo"])
    await change(desk, signed, day(6, 20) - TICK, unassign_seat_ids=["ann"])
    await change(desk, signed, day(6, 5), assign_seat_ids=["cleo"])

    assert await seats_at(desk, signed, day(6, 5)) == (["ann", "bob", "cleo"], 4, 1)
    assert await seats_at(desk, signed, day(6, 20) - TICK) == (["bob", "cleo"], 4, 2)
    assert await seats_at(desk, signed, day(6, 20)) == (["bob", "cleo"], 2, 0)


async def test_an_id_has_one_seat_whatever_was_planned_before(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(named(desk, 9, "ann"))
    running.clock.advance_to(day(6, 10))
    await change(desk, signed, day(6, 20), assign_seat_ids=["bob"])

    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_ALREADY_ASSIGNED", seat_id="ann"):
        await change(desk, signed, assign_seat_ids=["cleo", "ann"])
    with fault(
        StatusCode.FAILED_PRECONDITION, "SEAT_ALREADY_ASSIGNED", seat_id="bob", at=day(6, 20).isoformat()
    ):
        await change(desk, signed, day(6, 5), assign_seat_ids=["bob"])
    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_ALREADY_ASSIGNED", seat_id="ann"):
        await change(desk, signed, day(6, 20), transfers=[transfer("bob", "ann")])
    await change(desk, signed, day(6, 20), unassign_seat_ids=["bob"])
    await change(desk, signed, day(6, 21), transfers=[transfer("ann", "bob")])

    assert (await seats_at(desk, signed))[0] == ["ann"]
    assert (await seats_at(desk, signed, day(6, 21)))[0] == ["bob"]


async def test_only_an_id_with_a_seat_can_lose_it(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(named(desk, 4, "ann"))
    running.clock.advance_to(day(6, 10))
    await change(desk, signed, day(6, 20), unassign_seat_ids=["ann"])

    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="bob"):
        await change(desk, signed, unassign_seat_ids=["bob"])
    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="bob"):
        await change(desk, signed, transfers=[transfer("bob", "cleo")])
    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="ann", at=day(6, 20).isoformat()):
        await change(desk, signed, unassign_seat_ids=["ann"])
    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="ann"):
        await change(desk, signed, day(6, 20), transfers=[transfer("ann", "bob")])
    with fault(StatusCode.FAILED_PRECONDITION, "SEAT_NOT_ASSIGNED", seat_id="ann", at=day(6, 20).isoformat()):
        await change(desk, signed, day(6, 20) - TICK, transfers=[transfer("ann", "bob")])
    assert await seats_at(desk, signed) == (["ann"], 4, 3)


async def test_counted_seats_have_no_ids_until_they_are_named(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(3, frequency=MONTHLY))
    assert await seats_at(desk, signed) == ([], 3, 3)
    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_NOT_NAMED"):
        await change(desk, signed, assign_seat_ids=["ann"])
    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_NOT_NAMED"):
        await change(desk, signed, quantity_delta=1, assign_seat_ids=["ann"])
    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_NOT_NAMED"):
        await set_access(desk, signed, EVERYONE)
    running.clock.advance_to(day(6, 10))
    request = pb.NameSeatsRequest(
        request_id="name",
        contract_id=signed.contract.contract_id,
        seat_group_key="user_id",
        seat_ids=["ann", "bob", "cleo", "dan"],
    )
    with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS", quantity="3", assigned="4"):
        await desk.contract.NameSeats(request)

    request.seat_ids.pop()
    response = await desk.contract.NameSeats(request)

    assert response == await desk.contract.NameSeats(request)
    seats = response.subscription
    assert (seats.quantity_management, seats.seat_group_key) == (SEAT_BASED, "user_id")
    assert (seats.quantity, seats.assigned_quantity) == (3, 3)
    assert seats.shared_pool == pb.SharedPool(access=pb.SHARED_POOL_ACCESS_NOBODY)
    assert await seats_at(desk, signed, day(6, 10)) == (["ann", "bob", "cleo"], 3, 0)
    assert await seats_at(desk, signed, day(6, 10) - TICK) == ([], 3, 3)
    assert len(await desk.invoices(signed)) == 1
    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_ALREADY_NAMED"):
        await desk.contract.NameSeats(
            pb.NameSeatsRequest(
                request_id="again", contract_id=signed.contract.contract_id, seat_group_key="user_id"
            )
        )


async def test_seats_of_a_contract_to_come_are_named_from_its_start(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(3, frequency=MONTHLY), start=day(7, 1))

    await desk.contract.NameSeats(
        pb.NameSeatsRequest(
            request_id="name",
            contract_id=signed.contract.contract_id,
            seat_group_key="user_id",
            seat_ids=["ann"],
        )
    )

    assert await seats_at(desk, signed) == (["ann"], 3, 2)  # before the start: as at the start
    listed = await desk.contract.ListSeats(pb.ListSeatsRequest(contract_id=signed.contract.contract_id))
    assert listed.seats[0].assign_time == timestamp(day(7, 1))


async def set_access(
    desk: Desk, signed: pb.CreateContractResponse, shared_pool: pb.SharedPool
) -> pb.SetSharedPoolAccessResponse:
    return await desk.contract.SetSharedPoolAccess(
        pb.SetSharedPoolAccessRequest(
            request_id=desk.request_id(), contract_id=signed.contract.contract_id, shared_pool=shared_pool
        )
    )


async def test_access_to_shared_credits_can_be_set_and_is_replaced_as_a_whole(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 2, "ann"))
    listed = pb.SharedPool(access=pb.SHARED_POOL_ACCESS_LISTED, seat_ids=["ann", "not yet"])

    assert (await set_access(desk, signed, listed)).subscription.shared_pool == listed
    assert (await set_access(desk, signed, EVERYONE)).subscription.shared_pool == EVERYONE
    read = await desk.contract.GetContract(pb.GetContractRequest(contract_id=signed.contract.contract_id))
    assert read.contract.subscriptions[0].shared_pool == EVERYONE

    with bad_fields("shared_pool.seat_ids"):
        await set_access(desk, signed, pb.SharedPool(access=pb.SHARED_POOL_ACCESS_LISTED))
    with bad_fields("shared_pool.seat_ids"):
        await set_access(desk, signed, pb.SharedPool(access=pb.SHARED_POOL_ACCESS_EVERYONE, seat_ids=["ann"]))
    with bad_fields("shared_pool.access"):
        await set_access(desk, signed, pb.SharedPool())


async def test_nothing_is_named_in_a_contract_that_has_ended(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(named(desk, 2, "ann"), end=day(6, 20))
    running.clock.advance_to(day(6, 20))

    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await set_access(desk, signed, EVERYONE)
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await change(desk, signed, assign_seat_ids=["bob"])
    assert await seats_at(desk, signed) == (["ann"], 2, 1)  # as it was at the end


async def test_what_is_named_later_than_the_end_counts_when_the_end_is_moved(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 2, "ann"))
    await change(desk, signed, day(6, 25), assign_seat_ids=["bob"])
    await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id="end", contract_id=signed.contract.contract_id, end_time=timestamp(day(6, 20))
        )
    )
    assert await seats_at(desk, signed, day(6, 28)) == (["ann"], 2, 1)

    await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id="on", contract_id=signed.contract.contract_id, end_option=pb.END_OPTION_NEVER
        )
    )

    assert await seats_at(desk, signed, day(6, 28)) == (["ann", "bob"], 2, 0)


async def test_what_is_malformed_about_names_is_said_together(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 4, "ann"))
    many = [f"user-{number}" for number in range(SEAT_IDS_PER_CHANGE_MAX + 1)]

    with bad_fields("change"):
        await change(desk, signed)
    with bad_fields("assign_seat_ids[1]", "transfers[0].to_seat_id"):
        await change(desk, signed, assign_seat_ids=["bob", ""], transfers=[transfer("ann", "")])
    with bad_fields("assign_seat_ids"):
        await change(desk, signed, assign_seat_ids=["bob"], unassign_seat_ids=["bob"])
    with bad_fields("assign_seat_ids"):
        await change(desk, signed, transfers=[transfer("ann", "ann")])
    with bad_fields("assign_seat_ids"):
        await change(desk, signed, assign_seat_ids=many)
    with bad_fields("assign_seat_ids"):
        await change(desk, signed, assign_seat_ids=many[:-2], transfers=[transfer("ann", "bob")])
    with bad_fields(
        "subscriptions[0].seat_group_key",
        "subscriptions[0].initial_seat_ids",
        "subscriptions[0].shared_pool",
        "subscriptions[1].seat_group_key",
        "grant_schedules[0].allocation",
        "grant_schedules[1].allocation",
    ):
        await desk.sign(
            desk.seats(4, seat_group_key="user_id", initial_seat_ids=["ann"], shared_pool=EVERYONE),
            desk.seats(4, quantity_management=SEAT_BASED),
            schedules=(
                desk.schedule(allocation=pb.ALLOCATION_INDIVIDUAL),
                desk.schedule(allocation=pb.ALLOCATION_INDIVIDUAL, subscription_index=None),
            ),
        )
    assert await seats_at(desk, signed) == (["ann"], 4, 3)


async def test_as_many_ids_as_a_change_may_name_get_their_seats(desk: Desk) -> None:
    signed = await desk.sign(named(desk, SEAT_IDS_PER_CHANGE_MAX))
    ids = [f"user-{number:04}" for number in range(SEAT_IDS_PER_CHANGE_MAX)]

    await change(desk, signed, assign_seat_ids=reversed(ids))

    found: list[str] = []
    page = pb.ListSeatsResponse(next_page_token="")
    while not found or page.next_page_token:
        request = pb.ListSeatsRequest(
            contract_id=signed.contract.contract_id, page_size=300, page_token=page.next_page_token
        )
        page = await desk.contract.ListSeats(request)
        found += [one.seat_id for one in page.seats]
    assert found == ids
    assert page.unassigned_quantity == 0


async def test_a_time_that_no_calendar_has_is_a_malformed_field(desk: Desk) -> None:
    signed = await desk.sign(named(desk, 2, "ann"))

    request = pb.ListSeatsRequest(contract_id=signed.contract.contract_id)
    request.at_time.seconds = 2**63 - 1
    with bad_fields("at_time"):
        await desk.contract.ListSeats(request)


async def test_a_schedule_of_individual_credits_belongs_to_named_seats(desk: Desk) -> None:
    signed = await desk.sign(
        named(desk, 2, "ann"), schedules=(desk.schedule(allocation=pb.ALLOCATION_INDIVIDUAL), desk.schedule())
    )

    assert [one.allocation for one in signed.contract.grant_schedules] == [
        pb.ALLOCATION_INDIVIDUAL,
        pb.ALLOCATION_POOLED,
    ]


async def test_customers_name_their_seats_themselves(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(named(desk, 2, "ann", "bob"))
    async with open_channel(running.address) as channel:
        own_stub = SelfServiceStub(channel)
        request = own.AdjustSeatsRequest(
            request_id="own", contract_id=signed.contract.contract_id, transfers=[transfer("ann", "cleo")]
        )
        changed = await own_stub.AdjustSeats(request)
        assert changed.seat_change.quantity_delta == 0
        request = own.AdjustSeatsRequest(
            request_id="more",
            contract_id=signed.contract.contract_id,
            quantity_delta=1,
            assign_seat_ids=["dan"],
        )
        await own_stub.AdjustSeats(request)
        request = own.AdjustSeatsRequest(request_id="none", contract_id=signed.contract.contract_id)
        with bad_fields("quantity_delta"):
            await own_stub.AdjustSeats(request)

    assert await seats_at(desk, signed) == (["bob", "cleo", "dan"], 3, 0)


async def test_the_ledger_is_told_of_the_contract_first_and_then_who_has_its_seats(
    desk: Desk, ledger: RecordingLedger
) -> None:
    individual = desk.schedule(allocation=pb.ALLOCATION_INDIVIDUAL)
    signed = await desk.sign(
        named(desk, 2, "ann", "bob", shared_pool=EVERYONE), schedules=(individual, desk.schedule())
    )
    await change(desk, signed, transfers=[transfer("ann", "cleo")], quantity_delta=1, assign_seat_ids=["dan"])
    await change(desk, signed, unassign_seat_ids=["bob"])

    told = [one for one in ledger.told if isinstance(one, ApplyContractRequest | ApplySeatChangeRequest)]
    assert [type(one) for one in told] == [
        ApplyContractRequest,
        ApplySeatChangeRequest,
        ApplySeatChangeRequest,
        ApplySeatChangeRequest,
    ]
    contract, *changes = told
    (seats,) = contract.subscriptions
    assert (seats.seat_group_key, seats.shared_pool_access) == (
        "user_id",
        ledger_peer_pb2.SHARED_POOL_ACCESS_EVERYONE,
    )
    assert [one.allocation for one in contract.grant_schedules] == [
        ledger_peer_pb2.ALLOCATION_INDIVIDUAL,
        ledger_peer_pb2.ALLOCATION_UNSPECIFIED,
    ]
    assert [(one.sequence, one.quantity_delta) for one in changes] == [(1, 0), (2, 1), (3, 0)]
    assert changes[0].effective_time == timestamp(JUNE)
    assert [list(one.assign_seat_ids) for one in changes] == [["ann", "bob"], ["dan"], []]
    assert [list(one.unassign_seat_ids) for one in changes] == [[], [], ["bob"]]
    assert [(one.from_seat_id, one.to_seat_id) for one in changes[1].transfers] == [("ann", "cleo")]


async def test_the_ledger_is_told_of_names_and_access_that_come_later(
    desk: Desk, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(3, frequency=MONTHLY))
    await desk.contract.NameSeats(
        pb.NameSeatsRequest(
            request_id="name",
            contract_id=signed.contract.contract_id,
            seat_group_key="user_id",
            seat_ids=["ann"],
        )
    )
    listed = pb.SharedPool(access=pb.SHARED_POOL_ACCESS_LISTED, seat_ids=["ann"])
    await set_access(desk, signed, listed)

    told = [one for one in ledger.told if isinstance(one, ApplyContractRequest | ApplySeatChangeRequest)]
    first, named_now, assigned, opened = told
    assert (first.version, named_now.version, opened.version) == (1, 2, 3)
    assert first.subscriptions[0].seat_group_key == ""
    assert named_now.subscriptions[0].seat_group_key == "user_id"
    assert list(assigned.assign_seat_ids) == ["ann"]
    seats = opened.subscriptions[0]
    assert seats.shared_pool_access == ledger_peer_pb2.SHARED_POOL_ACCESS_LISTED
    assert list(seats.shared_pool_seat_ids) == ["ann"]


async def test_a_new_plan_begins_with_its_own_names(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(named(desk, 2, "ann", "bob"))
    running.clock.advance_to(day(6, 16))
    ledger.answers["ApplyPlanChange"] = lambda request: ApplyPlanChangeResponse(
        apply_time=request.ended.end_time
    )
    plan: dict[str, Any] = {
        "contract_id": signed.contract.contract_id,
        "rate_card_id": desk.sells.rate_card.rate_card_id,
    }

    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_UNCHANGED"):
        await desk.contract.ChangePlan(
            pb.ChangePlanRequest(request_id="same", subscriptions=[named(desk, 2, "ann")], **plan)
        )
    with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS"):
        await desk.contract.ChangePlan(
            pb.ChangePlanRequest(request_id="few", subscriptions=[named(desk, 3, "a", "b", "c", "d")], **plan)
        )
    changed = await desk.contract.ChangePlan(
        pb.ChangePlanRequest(request_id="plan", subscriptions=[named(desk, 3, "ann", "cleo")], **plan)
    )

    assert changed.contract.subscriptions[0].assigned_quantity == 2
    (told,) = ledger.told_of(ApplyPlanChangeRequest)
    assert list(told.begun.subscriptions[0].seat_ids) == ["ann", "cleo"]
    assert list(ledger.told_of(ApplySeatChangeRequest)[-1].assign_seat_ids) == ["ann", "cleo"]
    listed = await desk.contract.ListSeats(pb.ListSeatsRequest(contract_id=changed.contract.contract_id))
    assert [one.seat_id for one in listed.seats] == ["ann", "cleo"]
    assert listed.seats[0].assign_time == timestamp(day(6, 16))
