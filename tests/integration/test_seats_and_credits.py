# SPDX-License-Identifier: Apache-2.0
"""Contract with a real Catalog and a real Ledger: money and credits follow exactly as a preview announced them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from meshkit.clock import ManualClock
from meshkit.rpc.fields import optional_timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import Desk, assorted, day, dollars, running_contract
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.postgres import Databases


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme's four annual seats, 100 credits each per month, on one clock for the money and the credits."""

    desk: Desk
    ledger: RunningLedger
    clock: ManualClock
    signed: pb.CreateContractResponse

    async def preview(self, delta: int, at: datetime | None = None) -> pb.PreviewSeatChangeResponse:
        request = pb.PreviewSeatChangeRequest(
            contract_id=self.signed.contract.contract_id,
            quantity_delta=delta,
            effective_time=optional_timestamp(at),
        )
        return await self.desk.contract.PreviewSeatChange(request)

    async def count(self, seats: int, at: datetime | None = None) -> pb.ChangeSeatsResponse:
        request = self.desk.change_request(self.signed, 1, at)
        request.new_quantity = seats
        return await self.desk.contract.ChangeSeats(request)

    async def end(self, at: datetime | None, option: pb.EndOption = pb.END_OPTION_UNSPECIFIED) -> None:
        request = pb.EndContractRequest(
            request_id=self.desk.request_id(),
            contract_id=self.signed.contract.contract_id,
            end_time=optional_timestamp(at),
            end_option=option,
        )
        await self.desk.contract.EndContract(request)

    async def balance(self) -> int:
        """Micro-credits available to Acme."""
        request = ledger_pb2.GetBalanceRequest(customer="acme")
        return sum(pool.available_micros for pool in (await self.ledger.gate.GetBalance(request)).pools)


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
        desk = Desk(contract.stub, await assorted(catalog.stub, Shop(catalog.stub)))
        await desk.customer("Acme", "acme")
        signed = await desk.sign(desk.seats(4), customer="acme", schedules=(desk.schedule(),))
        yield SeatsCo(desk=desk, ledger=ledger, clock=clock, signed=signed)


async def test_the_guide_s_credits_follow_the_seats(seatsco: SeatsCo) -> None:
    june = await seatsco.balance()
    seatsco.clock.advance_to(day(7, 3))
    await seatsco.desk.add_seats(seatsco.signed, 1)
    july = await seatsco.balance()
    seatsco.clock.advance_to(day(7, 10))
    await seatsco.desk.add_seats(seatsco.signed, -1)
    seatsco.clock.advance_to(day(7, 20))
    await seatsco.desk.add_seats(seatsco.signed, 1)
    still_july = await seatsco.balance()
    seatsco.clock.advance_to(day(8, 1))

    assert (june, july, still_july) == (400_000_000, 493_548_387, 493_548_387)
    assert await seatsco.balance() == 500_000_000


async def test_golden_a_scheduled_count_grants_its_seats_whatever_arrives_later(seatsco: SeatsCo) -> None:
    await seatsco.count(2, day(7, 1))
    seatsco.clock.advance_to(day(6, 10))
    await seatsco.count(5)
    june = await seatsco.balance()
    seatsco.clock.advance_to(day(7, 1))

    # 21 of June's 30 days are left on the 10th.
    assert (june, await seatsco.balance()) == (470_000_000, 200_000_000)


async def test_a_removed_end_costs_and_brings_what_it_cut(seatsco: SeatsCo) -> None:
    await seatsco.end(day(7, 11))
    seatsco.clock.advance_to(day(7, 1))
    cut = await seatsco.balance()
    seatsco.clock.advance_to(day(7, 5))
    await seatsco.end(None, pb.END_OPTION_NEVER)

    # 10 of July's 31 days, then all of them.
    assert (cut, await seatsco.balance()) == (129_032_258, 400_000_000)
    seatsco.clock.advance_to(day(8, 1))
    assert await seatsco.balance() == 400_000_000


async def test_a_contract_ended_at_the_instant_of_its_renewal_has_no_credits_for_it(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(day(7, 1))
    await seatsco.end(None)

    assert await seatsco.balance() == 0


@pytest.mark.parametrize(
    ("fewer", "delta", "at", "money", "credits"),
    [
        # 16 July: 320 of 365 days and 16 of 31 are left; 3 and 11 July: 333 and 325, 29 and 21.
        (0, 3, None, "263.01", 154_838_709),
        (0, 1, day(7, 3), "91.23", 93_548_387),
        # Two seats were removed on 10 July, so the first two of these are already paid and their credits granted.
        (2, 4, day(7, 11), "178.08", 135_483_870),
        (2, 2, None, "0.00", 0),
        (2, -1, None, "0.00", 0),
    ],
)
async def test_a_preview_agrees_with_what_the_change_then_costs_and_brings(
    seatsco: SeatsCo, fewer: int, delta: int, at: datetime | None, money: str, credits: int
) -> None:
    seatsco.clock.advance_to(day(7, 16))
    if fewer:
        await seatsco.desk.add_seats(seatsco.signed, -fewer, day(7, 10))
    before = await seatsco.balance()

    preview = await seatsco.preview(delta, at)
    changed = await seatsco.desk.add_seats(seatsco.signed, delta, at)

    assert (dollars(preview.total), [one.amount_micros for one in preview.credits]) == (money, [credits])
    assert preview.total.micros == changed.invoice.total.micros
    assert await seatsco.balance() - before == credits


async def test_a_change_dated_ahead_is_previewed_and_takes_effect_by_the_clock(seatsco: SeatsCo) -> None:
    preview = await seatsco.preview(1, day(7, 3))
    await seatsco.desk.add_seats(seatsco.signed, 1, day(7, 3))

    seatsco.clock.advance_to(day(7, 3) - timedelta(microseconds=1))
    before = await seatsco.balance()
    seatsco.clock.advance_to(day(7, 3))

    assert [one.amount_micros for one in preview.credits] == [93_548_387]
    assert await seatsco.balance() - before == 93_548_387


async def test_a_paid_top_up_is_there_when_the_payment_is_answered(seatsco: SeatsCo) -> None:
    ordered = await seatsco.desk.contract.OrderTopUp(
        pb.OrderTopUpRequest(
            request_id="order",
            contract_id=seatsco.signed.contract.contract_id,
            top_up_pack_id=seatsco.desk.sells.pack.top_up_pack_id,
            payment_gate=pb.PAYMENT_GATE_EXTERNAL,
        )
    )
    assert await seatsco.balance() == 400_000_000

    for request_id in ("paid", "paid again"):
        await seatsco.desk.contract.ResolveTopUpPayment(
            pb.ResolveTopUpPaymentRequest(
                request_id=request_id.replace(" ", "-"),
                top_up_id=ordered.top_up.top_up_id,
                outcome=pb.PAYMENT_OUTCOME_PAID,
            )
        )
        assert await seatsco.balance() == 1_400_000_000


async def test_an_ended_contract_and_one_that_never_began_are_accepted(seatsco: SeatsCo) -> None:
    later = await seatsco.desk.sign(
        seatsco.desk.seats(4), customer="acme", schedules=(seatsco.desk.schedule(),), start=day(7, 1)
    )
    for signed in (later, seatsco.signed):
        request = pb.EndContractRequest(
            request_id=f"end-{signed.contract.contract_id}", contract_id=signed.contract.contract_id
        )
        await seatsco.desk.contract.EndContract(request)

    # If the Ledger had refused one of them, the later notice would not have been delivered.
    renamed = pb.SetCustomerAliasesRequest(request_id="rename", customer="acme", aliases=["acme", "last"])
    await seatsco.desk.contract.SetCustomerAliases(renamed)
    asked = ledger_pb2.GetBalanceRequest(customer="last")
    # It ended at the very instant at which its first period began.
    assert (await seatsco.ledger.gate.GetBalance(asked)).pools[0].available_micros == 0
    seatsco.clock.advance_to(day(7, 1))
    assert await seatsco.balance() == 0


async def test_an_edit_and_an_end_of_a_schedule_reach_the_grants_that_have_not_begun(
    seatsco: SeatsCo,
) -> None:
    contract = seatsco.signed.contract
    of_schedule = {
        "contract_id": contract.contract_id,
        "grant_schedule_id": contract.grant_schedules[0].grant_schedule_id,
    }
    seatsco.clock.advance_to(day(6, 10))
    rollover = pb.Rollover(fraction_millionths=500_000)
    await seatsco.desk.contract.EditGrantSchedule(
        pb.EditGrantScheduleRequest(
            request_id="edit", **of_schedule, unit_amount_micros=250_000_000, rollover=rollover
        )
    )
    june = await seatsco.balance()
    seatsco.clock.advance_to(day(7, 1))
    july = await seatsco.balance()
    await seatsco.desk.contract.EndGrantSchedule(
        pb.EndGrantScheduleRequest(request_id="end", **of_schedule, end_time=optional_timestamp(day(8, 11)))
    )
    seatsco.clock.advance_to(day(8, 1))
    august = await seatsco.balance()
    seatsco.clock.advance_to(day(9, 1))

    assert (june, july) == (400_000_000, 1_000_000_000)
    assert august == 322_580_645 + 500_000_000  # 1,000 × 10/31, and half of July
    assert await seatsco.balance() == 0
    await seatsco.ledger.assert_adds_up()


async def test_a_void_change_costs_nothing_and_brings_nothing(seatsco: SeatsCo) -> None:
    added = await seatsco.desk.add_seats(seatsco.signed, 2, day(7, 3))
    await seatsco.count(9, day(7, 10))

    await seatsco.desk.contract.VoidSeatChange(
        pb.VoidSeatChangeRequest(
            request_id="void",
            contract_id=seatsco.signed.contract.contract_id,
            seat_change_id=added.seat_change.seat_change_id,
        )
    )
    seatsco.clock.advance_to(day(7, 10) - timedelta(microseconds=1))

    assert await seatsco.balance() == 400_000_000
    assert len(await seatsco.desk.invoices(seatsco.signed)) == 1
