# SPDX-License-Identifier: Apache-2.0
"""Free seat-scoped credits: the sum over seats comes once per customer and usage period."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_schedule, running_ledger
from tests.support.ledger_plans import CHANGE, KEEP, ROLL, VOID, change_plan
from tests.support.postgres import Databases

INDIVIDUAL = peer_pb.ALLOCATION_INDIVIDUAL


def _contract(
    number: int, *seat_ids: str, credits: int = 100, **more: object
) -> peer_pb.ApplyContractRequest:
    """A free contract of three named seats, from 1 June or, the second one, from the change."""
    start = JUNE if number == 1 else CHANGE
    seats = peer_pb.SubscriptionSeats(
        subscription_id=f"sub_{number}", initial_quantity=3, seat_group_key="user_id", seat_ids=seat_ids
    )
    schedule = a_schedule(
        grant_schedule_id=f"sch_{number}",
        subscription_id=f"sub_{number}",
        unit_amount_micros=credits * CREDIT,
        allocation=INDIVIDUAL,
        anchor_time=timestamp(start),
        is_free=True,
    )
    told: dict[str, object] = {
        "customer_id": "cus_acme",
        "contract_id": f"con_{number}",
        "version": 1,
        "rate_card_id": "rcd_main",
        "start_time": timestamp(start),
        "subscriptions": [seats],
        "grant_schedules": [schedule],
    }
    return peer_pb.ApplyContractRequest(**(told | more))  # type: ignore[arg-type]


async def _apply(ledger: RunningLedger, contract: peer_pb.ApplyContractRequest) -> None:
    told = peer_pb.ApplyContractRequest()
    told.CopyFrom(contract)
    told.request_id = ledger.request_id()
    await ledger.peer.ApplyContract(told)


async def _left(ledger: RunningLedger, *seat_ids: str) -> list[int]:
    """Return what each id can draw."""
    answers = [await ledger.authorize(1_000, user=seat_id) for seat_id in seat_ids]
    return [one.available_micros // CREDIT for one in answers]


@pytest.fixture
async def named(databases: Databases) -> AsyncIterator[RunningLedger]:
    """On 16 June: of acme's 3 free seats with 100 credits, ann has spent 70 and bob nothing; one is nobody's."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.tell_customer("cus_acme", "acme")
        await _apply(running, _contract(1))
        await running.assign("ann", "bob", sequence=1)
        await running.debit(70, user="ann")
        running.clock.advance_to(CHANGE)
        yield running


@pytest.mark.parametrize(
    ("included", "brought", "left"),
    [
        (VOID, 100, [0, 0, 100]),  # the seat that nobody had was not granted anything
        (KEEP, 100, [30, 100, 100]),
        (ROLL, 0, [30, 100, 0]),  # 100 of it rolled to the pool
    ],
)
async def test_a_change_between_free_plans_brings_each_seat_what_was_not_granted_before(
    named: RunningLedger, included: "peer_pb.IncludedCredits", brought: int, left: list[int]
) -> None:
    ended = _contract(1, version=2, end_time=timestamp(CHANGE))

    answer = await change_plan(
        named, included, ended=ended, begun=_contract(2, "ann", "bob", "carol"), paid=()
    )
    await named.assign("ann", "bob", "carol", sequence=1, at=CHANGE, subscription_id="sub_2")

    assert [one.amount_micros for one in answer.begun] == [brought * CREDIT]
    assert await _left(named, "ann", "bob", "carol") == left
    assert (await named.pool()).available_micros == (100 * CREDIT if included == ROLL else 0)
    await named.assert_adds_up()


async def test_seats_of_a_free_contract_signed_again_bring_nothing_before_the_next_period(
    named: RunningLedger,
) -> None:
    await _apply(named, _contract(1, version=2, end_time=timestamp(CHANGE)))

    await _apply(named, _contract(2))
    await named.assign("ann", "bob", sequence=1, at=CHANGE, subscription_id="sub_2")

    assert await _left(named, "ann", "bob") == [30, 100]
    named.clock.advance_to(CHANGE + timedelta(days=30))
    assert await _left(named, "ann", "bob") == [100, 100]
    await named.assert_adds_up()


@pytest.mark.parametrize("first", ["ann", "bob"])
async def test_of_two_free_contracts_at_once_seats_have_what_the_larger_one_brings(
    named: RunningLedger, first: str
) -> None:
    """300 and 3 × 120 for ann, bob and carol: 360 in July, whoever calls first."""
    named.clock.advance_to(JULY)
    await _apply(named, _contract(2, start_time=timestamp(JULY), grant_schedules=[_larger()]))
    await named.change_seats(1, JULY, sequence=2, assign_seat_ids=["carol"])
    await named.change_seats(-1, JULY, sequence=3)
    await named.assign("ann", "bob", "carol", sequence=1, at=JULY, subscription_id="sub_2")

    order = [first, *(one for one in ("ann", "bob", "carol") if one != first)]
    left = await _left(named, *order)

    assert sum(left) == 360
    await named.assert_adds_up()


def _larger() -> peer_pb.ScheduleTerms:
    schedule = _contract(2, credits=120).grant_schedules[0]
    schedule.anchor_time.CopyFrom(timestamp(JULY))
    return schedule
