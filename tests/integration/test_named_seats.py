# SPDX-License-Identifier: Apache-2.0
"""Named seats with a real Catalog, Contract and Ledger: whoever has a seat draws its credits, and nobody else."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2, ledger_peer_pb2
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import MONTHLY, Desk, assorted, day, dollars, running_contract
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases

CREDIT = 1_000_000
INDIVIDUAL = pb.ALLOCATION_INDIVIDUAL
EVERYONE = pb.SharedPool(access=pb.SHARED_POOL_ACCESS_EVERYONE)
ONLY_EVE = pb.SharedPool(access=pb.SHARED_POOL_ACCESS_LISTED, seat_ids=["eve"])
ALLOWED, NO_CREDITS, NO_SEAT = "ALLOWED", "INSUFFICIENT_CREDITS", "SEAT_NOT_ASSIGNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme's named seats at $10 a month with 100 credits each, all on one clock."""

    desk: Desk
    ledger: RunningLedger
    clock: ManualClock
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def seats(self, quantity: int, *ids: str, **more: Any) -> pb.SubscriptionTerms:
        terms = {"frequency": MONTHLY, "seat_group_key": "user_id", "initial_seat_ids": ids, **more}
        return self.desk.seats(quantity, quantity_management=pb.QUANTITY_MANAGEMENT_SEAT_BASED, **terms)

    async def sign(self, seats: pb.SubscriptionTerms, *more: pb.GrantScheduleTerms) -> pb.Contract:
        individual = self.desk.schedule(allocation=INDIVIDUAL)
        signed = await self.desk.sign(seats, customer="acme", schedules=(individual, *more))
        return signed.contract

    async def change(self, contract: pb.Contract, **more: Any) -> pb.ChangeSeatsResponse:
        request = {"request_id": self.desk.request_id(), "contract_id": contract.contract_id, **more}
        return await self.desk.contract.ChangeSeats(pb.ChangeSeatsRequest(**request))

    async def debit(self, credits: int, user_id: str) -> str:
        """Spend credits as a user; returns ALLOWED, or why not."""
        answer = await self.ledger.gate.Debit(
            ledger_pb2.DebitRequest(
                request_id=f"debit-{next(self.numbers)}",
                customer="acme",
                credits_micros=credits * CREDIT,
                product_id="prd_assistant",
                group_values={"user_id": user_id},
            )
        )
        if answer.decision == ledger_pb2.DECISION_ALLOWED:
            return ALLOWED
        return ledger_pb2.DenialReason.Name(answer.denial_reason).removeprefix("DENIAL_REASON_")


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
        yield SeatsCo(desk=desk, ledger=ledger, clock=clock)


async def test_who_has_a_seat_draws_its_credits_and_nobody_else_does(seatsco: SeatsCo) -> None:
    await seatsco.sign(seatsco.seats(3, "ann", "bob"))

    assert await seatsco.debit(100, "ann") == ALLOWED
    assert await seatsco.debit(1, "ann") == NO_CREDITS
    assert await seatsco.debit(60, "bob") == ALLOWED
    assert await seatsco.debit(1, "cleo") == NO_SEAT


async def test_a_transfer_moves_the_rest(seatsco: SeatsCo) -> None:
    contract = await seatsco.sign(seatsco.seats(1, "ann"))
    await seatsco.debit(60, "ann")

    await seatsco.change(contract, transfers=[pb.SeatTransfer(from_seat_id="ann", to_seat_id="cleo")])

    assert await seatsco.debit(1, "ann") == NO_SEAT
    assert await seatsco.debit(41, "cleo") == NO_CREDITS
    assert await seatsco.debit(40, "cleo") == ALLOWED


async def test_taking_a_seat_away_and_giving_it_again_brings_no_credits(seatsco: SeatsCo) -> None:
    contract = await seatsco.sign(seatsco.seats(1, "ann"))
    await seatsco.debit(100, "ann")

    for seat_id, next_id in (("ann", "bob"), ("bob", "cleo"), ("cleo", "ann")):
        await seatsco.change(contract, unassign_seat_ids=[seat_id], assign_seat_ids=[next_id])
        assert await seatsco.debit(1, next_id) == NO_CREDITS


async def test_an_added_seat_brings_what_it_is_paid_for(seatsco: SeatsCo) -> None:
    contract = await seatsco.sign(seatsco.seats(1, "ann"))
    seatsco.clock.advance_to(day(6, 16))

    added = await seatsco.change(contract, quantity_delta=1, assign_seat_ids=["bob"])

    assert dollars(added.invoice.total) == "5.00"
    assert await seatsco.debit(51, "bob") == NO_CREDITS
    assert await seatsco.debit(50, "bob") == ALLOWED


async def test_shared_credits_are_for_those_that_the_vendor_lets_have_them(seatsco: SeatsCo) -> None:
    shared = seatsco.desk.schedule(subscription_index=None, unit_amount_micros=500 * CREDIT)
    contract = await seatsco.sign(seatsco.seats(2, "ann", "eve"), shared)
    assert await seatsco.debit(101, "ann") == NO_CREDITS

    async def share(shared_pool: pb.SharedPool) -> None:
        await seatsco.desk.contract.SetSharedPoolAccess(
            pb.SetSharedPoolAccessRequest(
                request_id=seatsco.desk.request_id(),
                contract_id=contract.contract_id,
                shared_pool=shared_pool,
            )
        )

    await share(ONLY_EVE)
    assert await seatsco.debit(101, "ann") == NO_CREDITS
    assert await seatsco.debit(150, "eve") == ALLOWED
    await share(EVERYONE)
    assert await seatsco.debit(101, "ann") == ALLOWED
    assert await seatsco.debit(1, "cleo") == NO_SEAT


async def test_counted_seats_that_are_named_go_on_with_their_pooled_credits(seatsco: SeatsCo) -> None:
    signed = await seatsco.desk.sign(
        seatsco.desk.seats(2, frequency=MONTHLY), customer="acme", schedules=(seatsco.desk.schedule(),)
    )
    await seatsco.desk.contract.NameSeats(
        pb.NameSeatsRequest(
            request_id="name",
            contract_id=signed.contract.contract_id,
            seat_group_key="user_id",
            seat_ids=["ann"],
        )
    )

    assert await seatsco.debit(200, "ann") == ALLOWED


async def test_a_new_plan_has_its_own_seats(seatsco: SeatsCo) -> None:
    contract = await seatsco.sign(seatsco.seats(2, "ann", "bob"))
    await seatsco.debit(100, "ann")
    seatsco.clock.advance_to(day(6, 16))

    await seatsco.desk.contract.ChangePlan(
        pb.ChangePlanRequest(
            request_id="plan",
            contract_id=contract.contract_id,
            rate_card_id=seatsco.desk.sells.rate_card.rate_card_id,
            subscriptions=[seatsco.seats(3, "ann", "cleo")],
            grant_schedules=[seatsco.desk.schedule(allocation=INDIVIDUAL)],
        )
    )

    assert await seatsco.debit(100, "ann") == ALLOWED
    assert await seatsco.debit(1, "bob") == NO_SEAT
    assert await seatsco.debit(100, "cleo") == ALLOWED


async def test_what_rolls_of_a_seat_goes_to_the_same_id_or_to_the_shared_credits(seatsco: SeatsCo) -> None:
    contract = await seatsco.sign(seatsco.seats(2, "ann", "bob"))
    await seatsco.debit(60, "ann")
    seatsco.clock.advance_to(day(6, 16))

    await seatsco.desk.contract.ChangePlan(
        pb.ChangePlanRequest(
            request_id="plan",
            contract_id=contract.contract_id,
            rate_card_id=seatsco.desk.sells.rate_card.rate_card_id,
            subscriptions=[seatsco.seats(3, "ann", "cleo", "eve", shared_pool=ONLY_EVE)],
            grant_schedules=[seatsco.desk.schedule(allocation=INDIVIDUAL)],
            included_credits=pb.INCLUDED_CREDITS_ROLL,
        )
    )

    assert await seatsco.debit(141, "ann") == NO_CREDITS
    assert await seatsco.debit(140, "ann") == ALLOWED  # 100 of the new plan, and the 40 that she had left
    assert await seatsco.debit(101, "cleo") == NO_CREDITS
    assert await seatsco.debit(200, "eve") == ALLOWED  # with the 100 of bob, who has no seat any more


async def test_a_void_change_gives_nobody_a_seat(seatsco: SeatsCo) -> None:
    contract = await seatsco.sign(seatsco.seats(1, "ann"))
    request = pb.ChangeSeatsRequest(
        request_id="later",
        contract_id=contract.contract_id,
        quantity_delta=1,
        assign_seat_ids=["bob"],
    )
    request.effective_time.FromDatetime(day(6, 16))
    changed = await seatsco.desk.contract.ChangeSeats(request)

    await seatsco.desk.contract.VoidSeatChange(
        pb.VoidSeatChangeRequest(
            request_id="void",
            contract_id=contract.contract_id,
            seat_change_id=changed.seat_change.seat_change_id,
        )
    )
    seatsco.clock.advance_to(day(6, 16))

    assert await seatsco.debit(1, "bob") == NO_SEAT
    assert await seatsco.debit(100, "ann") == ALLOWED


async def test_a_void_that_the_ledger_hears_late_takes_the_seat_and_its_credits_back(
    seatsco: SeatsCo,
) -> None:
    """The seat was voided before it took effect, so it counts as never there but for what was spent."""
    contract = await seatsco.sign(seatsco.seats(1, "ann"))
    request = pb.ChangeSeatsRequest(
        request_id="later", contract_id=contract.contract_id, quantity_delta=1, assign_seat_ids=["bob"]
    )
    request.effective_time.FromDatetime(day(6, 16))
    changed = await seatsco.desk.contract.ChangeSeats(request)
    seatsco.clock.advance_to(day(6, 16))
    assert await seatsco.debit(20, "bob") == ALLOWED

    await seatsco.ledger.peer.VoidSeatChange(
        ledger_peer_pb2.VoidSeatChangeRequest(
            request_id="late",
            customer_id=contract.customer_id,
            subscription_id=contract.subscriptions[0].subscription_id,
            seat_change_id=changed.seat_change.seat_change_id,
        )
    )

    assert await seatsco.debit(1, "bob") == NO_SEAT
    assert await seatsco.debit(101, "ann") == NO_CREDITS
    assert await seatsco.debit(100, "ann") == ALLOWED


# Bob's seat costs $5.00 from 16 June and brings 50 credits; cleo's that nobody has used brings as many.
@pytest.mark.parametrize(("ann", "bob", "back"), [(100, 0, "10.00"), (0, 10, "9.00"), (0, 50, "5.00")])
async def test_a_void_gives_back_what_its_own_seats_have_not_used(
    seatsco: SeatsCo, ann: int, bob: int, back: str
) -> None:
    contract = await seatsco.sign(seatsco.seats(1, "ann"))
    seatsco.clock.advance_to(day(6, 16))
    added = await seatsco.change(contract, quantity_delta=2, assign_seat_ids=["bob", "cleo"])
    if ann:
        assert await seatsco.debit(ann, "ann") == ALLOWED
    if bob:
        assert await seatsco.debit(bob, "bob") == ALLOWED

    await seatsco.desk.contract.VoidSeatChange(
        pb.VoidSeatChangeRequest(
            request_id="void",
            contract_id=contract.contract_id,
            seat_change_id=added.seat_change.seat_change_id,
        )
    )

    request = pb.GetInvoiceRequest(invoice_id=added.invoice.invoice_id)
    notes = (await seatsco.desk.contract.GetInvoice(request)).credit_notes
    assert [dollars(one.amount) for one in notes] == [back]
    assert await seatsco.debit(1, "bob") == NO_SEAT
    again = await seatsco.change(contract, quantity_delta=2, assign_seat_ids=["bob", "cleo"])
    assert dollars(again.invoice.total) == back
    # Whoever comes first gets the seat of which more is left.
    assert await seatsco.debit(50, "bob") == ALLOWED
    assert await seatsco.debit(51 - bob, "cleo") == NO_CREDITS
    if bob < 50:
        assert await seatsco.debit(50 - bob, "cleo") == ALLOWED


@pytest.mark.parametrize(("ann", "bob", "back"), [(0, 0, "10.00"), (100, 50, "5.00"), (100, 100, None)])
async def test_an_end_gives_back_what_no_seat_has_used(
    seatsco: SeatsCo, ann: int, bob: int, back: str | None
) -> None:
    contract = await seatsco.sign(seatsco.seats(2, "ann", "bob"))
    for seat_id, credits in (("ann", ann), ("bob", bob)):
        if credits:
            assert await seatsco.debit(credits, seat_id) == ALLOWED
    seatsco.clock.advance_to(day(6, 16))

    ended = await seatsco.desk.contract.EndContract(
        pb.EndContractRequest(
            request_id="end", contract_id=contract.contract_id, money_back=pb.MONEY_BACK_CREDIT_UNUSED
        )
    )

    assert ended.settlement.status == pb.PLAN_CHANGE_STATUS_APPLIED
    invoices = await seatsco.desk.contract.ListInvoices(pb.ListInvoicesRequest(customer="acme"))
    (invoice,) = invoices.invoices
    assert dollars(invoice.amount_credited) == (back or "0.00")
