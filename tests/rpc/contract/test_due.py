# SPDX-License-Identifier: Apache-2.0
"""The due run: each period once, in due order, at the price of its day; and the sandbox that asks for it."""

import asyncio
from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.sandbox.v1 import clock_pb2
from purser.sandbox.v1.clock_pb2_grpc import ClockServiceStub
from services.contract.domain.errors.catalog import PeerUnavailable
from tests.support.catalog import JUNE, RunningCatalog, Shop, a_rate
from tests.support.contract import MONTHLY, Desk, RunningContract, away, day, dollars, running_contract
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
ANNUAL_RATE = catalog_pb2.BILLING_FREQUENCY_ANNUAL


async def test_every_period_is_billed_once_with_the_service_date_when_it_was_due(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))

    await running.advance_to(day(7, 1) - TICK)
    assert len(await desk.invoices(signed)) == 1
    await running.advance_to(day(9, 15))
    await running.app.run_due(day(9, 15))

    invoices = await desk.invoices(signed)
    assert [one.issue_time.ToDatetime(tzinfo=JUNE.tzinfo) for one in invoices] == [
        day(6, 1),
        day(7, 1),
        day(8, 1),
        day(9, 1),
    ]
    assert [one.finalize_time for one in invoices] == [timestamp(JUNE), *[timestamp(day(9, 15))] * 3]
    assert [one.number for one in invoices] == ["000001", "000002", "000003", "000004"]


async def test_contracts_are_billed_in_due_order(desk: Desk, running: RunningContract) -> None:
    await desk.customer("Acme", "acme")
    late = await desk.sign(desk.seats(1, frequency=MONTHLY), customer="acme", start=day(6, 20))
    early = await desk.sign(desk.seats(2, frequency=MONTHLY), customer="acme", start=day(6, 10))

    await running.advance_to(day(8, 1))

    listed = await desk.invoices(early)
    made = sorted(listed, key=lambda one: one.invoice_id)
    assert made == listed
    assert [one.contract_id for one in made] == [
        early.contract.contract_id,
        late.contract.contract_id,
    ] * 2


async def test_two_replicas_bill_each_period_once(
    databases: Databases,
    desk: Desk,
    running: RunningContract,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
) -> None:
    signed = [await desk.sign(desk.seats(4, frequency=MONTHLY)) for _ in range(5)]

    async with running_contract(
        databases, catalog_address=running_catalog_service.address, ledger_address=ledger.address
    ) as other:
        await asyncio.gather(*(one.app.run_due(day(12, 15)) for one in (running, other) for _ in range(2)))

    for one in signed:
        months = [invoice.issue_time.ToDatetime().month for invoice in await desk.invoices(one)]
        assert months == [6, 7, 8, 9, 10, 11, 12]


async def test_the_sweeper_bills_without_being_asked(
    databases: Databases, desk: Desk, running_catalog_service: RunningCatalog, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))

    async with running_contract(
        databases,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        due_interval_seconds=0.01,
    ) as sweeping:
        sweeping.clock.advance_to(day(7, 1))
        async with asyncio.timeout(10):
            while len(await desk.invoices(signed)) < 2:
                pass  # asked again and again: nothing tells when the sweeper has been there


async def test_a_price_change_reaches_seats_at_their_next_period(
    desk: Desk, running: RunningContract, shop: Shop
) -> None:
    signed = await desk.sign(desk.seats(4))
    dearer = a_rate(
        desk.sells.team_plan,
        start=day(7, 1),
        price_micros=120_000_000,
        frequency=ANNUAL_RATE,
        end_previous=True,
    )
    await shop.add(desk.sells.rate_card, dearer)

    running.clock.advance_to(day(7, 3))
    assert dollars((await desk.add_seats(signed, 1)).invoice.total) == "91.23"
    await running.advance_to(day(6, 1, 2026))

    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["400.00", "91.23", "600.00"]
    read = await desk.contract.GetContract(pb.GetContractRequest(contract_id=signed.contract.contract_id))
    assert dollars(read.contract.subscriptions[0].unit_price) == "120.00"


async def test_without_the_catalog_a_period_waits_and_is_billed_later_at_its_own_price_and_date(
    databases: Databases, desk: Desk, running: RunningContract, shop: Shop, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    await shop.add(
        desk.sells.rate_card,
        a_rate(
            desk.sells.team_plan,
            start=day(5, 1, 2026),
            price_micros=120_000_000,
            frequency=ANNUAL_RATE,
            end_previous=True,
        ),
    )

    async with running_contract(databases, ledger_address=ledger.address) as cut_off:
        cut_off.clock.advance_to(day(6, 3, 2026))
        with pytest.raises(PeerUnavailable):
            await cut_off.app.run_due(day(6, 3, 2026))
        assert len(await desk.invoices(signed)) == 1
        # Seats go on being changed, and the Ledger hears of them; the money follows.
        added = await cut_off.stub.ChangeSeats(desk.change_request(signed, 1))
        assert not added.HasField("invoice")
        assert (added.subscription.quantity, len(ledger.told)) == (5, 3)

    await running.advance_to(day(6, 3, 2026))
    _, renewal, increase = await desk.invoices(signed)
    assert (dollars(renewal.total), renewal.issue_time) == ("480.00", timestamp(day(6, 1, 2026)))
    assert (dollars(increase.total), increase.issue_time) == ("119.34", timestamp(day(6, 3, 2026)))


async def test_a_period_without_a_price_waits_and_keeps_nobody_else_from_being_billed(
    desk: Desk, running: RunningContract, shop: Shop
) -> None:
    short = await shop.seats()
    await shop.add(
        desk.sells.rate_card,
        a_rate(short, start=JUNE, end=day(7, 1), frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY),
    )
    waiting = await desk.sign(desk.seats(1, product_id=short.product_id, frequency=MONTHLY))
    other = await desk.sign(desk.seats(1, frequency=MONTHLY))

    await running.advance_to(day(8, 15))
    assert len(await desk.invoices(waiting)) == 1
    assert len(await desk.invoices(other)) == 3

    priced = a_rate(short, start=day(7, 1), frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY)
    await shop.add(desk.sells.rate_card, priced)
    await running.app.run_due(day(8, 15))
    assert [one.issue_time.ToDatetime().month for one in await desk.invoices(waiting)] == [6, 7, 8]


async def test_an_increase_after_a_missed_renewal_catches_up_first(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(6, 3, 2026))

    added = await desk.add_seats(signed, 1)

    assert dollars(added.invoice.total) == "99.45"
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["400.00", "400.00", "99.45"]


async def test_in_the_sandbox_time_moves_by_rpc_and_what_is_due_happens(
    databases: Databases,
    desk: Desk,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
) -> None:
    signed = await desk.sign(desk.seats(4))

    async with (
        running_contract(
            databases,
            catalog_address=running_catalog_service.address,
            ledger_address=ledger.address,
            sandbox=True,
        ) as sandbox,
        open_channel(sandbox.address) as channel,
    ):
        clock = ClockServiceStub(channel)
        there = clock_pb2.AdvanceTimeRequest(new_time=timestamp(day(6, 1, 2026)), local_only=True)
        back = clock_pb2.AdvanceTimeRequest(new_time=timestamp(JUNE), local_only=True)

        assert (await clock.GetTime(clock_pb2.GetTimeRequest())).now_time == timestamp(JUNE)
        assert (await clock.AdvanceTime(there)).now_time == timestamp(day(6, 1, 2026))
        assert [dollars(one.total) for one in await desk.invoices(signed)] == ["400.00", "400.00"]
        with fault(StatusCode.FAILED_PRECONDITION, "CLOCK_MOVES_FORWARD_ONLY"):
            await clock.AdvanceTime(back)

    # A restart goes on where time stood.
    async with running_contract(databases, sandbox=True) as again, open_channel(again.address) as channel:
        now = await ClockServiceStub(channel).GetTime(clock_pb2.GetTimeRequest())
        assert now.now_time == timestamp(day(6, 1, 2026))


async def test_in_the_sandbox_time_waits_for_the_catalog(
    databases: Databases, desk: Desk, ledger: RecordingLedger
) -> None:
    await desk.sign(desk.seats(4))
    there = clock_pb2.AdvanceTimeRequest(new_time=timestamp(day(6, 1, 2026)), local_only=True)

    async with (
        running_contract(databases, ledger_address=ledger.address, sandbox=True) as cut_off,
        open_channel(cut_off.address) as channel,
    ):
        with away("catalog"):
            await ClockServiceStub(channel).AdvanceTime(there)


async def test_in_production_nobody_moves_time(running: RunningContract) -> None:
    async with open_channel(running.address) as channel:
        with fault(StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED"):
            await ClockServiceStub(channel).GetTime(clock_pb2.GetTimeRequest())
