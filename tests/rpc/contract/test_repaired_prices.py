# SPDX-License-Identifier: Apache-2.0
"""Seat prices that the Catalog withdraws, replaces, ends or corrects: what is billed, and from when."""

from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import JUNE, CatalogStub, RunningCatalog, Shop, a_rate
from tests.support.contract import MONTHLY, Desk, RunningContract, day, dollars, running_contract
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases

MONTHLY_RATE = catalog_pb2.BILLING_FREQUENCY_MONTHLY
JULY = day(7, 1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


def _from_july(
    desk: Desk, price: int, *, replaces: str = "", end_previous: bool = False
) -> catalog_pb2.RateTerms:
    terms = a_rate(
        desk.sells.team_plan,
        start=JULY,
        price_micros=price,
        frequency=MONTHLY_RATE,
        end_previous=end_previous,
    )
    terms.replaces_rate_id = replaces
    return terms


async def _mistyped(desk: Desk, shop: Shop) -> catalog_pb2.Rate:
    """$100 a seat from July on, where $12 were meant."""
    terms = _from_july(desk, 100_000_000, end_previous=True)
    return (await shop.add(desk.sells.rate_card, terms)).rates[0]


async def _billed(desk: Desk, running: RunningContract, until: datetime) -> list[str]:
    """What four monthly seats cost per month, signed on 1 June."""
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(until)
    return [dollars(one.total) for one in await desk.invoices(signed)]


async def test_a_mistyped_price_that_is_replaced_before_it_begins_is_never_billed(
    desk: Desk, running: RunningContract, running_catalog_service: RunningCatalog, shop: Shop
) -> None:
    wrong = await _mistyped(desk, shop)
    running_catalog_service.clock.advance_to(JULY - MINUTE)

    await shop.add(desk.sells.rate_card, _from_july(desk, 12_000_000, replaces=wrong.rate_id))

    assert await _billed(desk, running, day(8, 1)) == ["40.00", "48.00", "48.00"]


async def test_a_mistyped_price_that_was_known_when_seats_were_signed_is_not_billed_once_it_is_withdrawn(
    desk: Desk, running: RunningContract, catalog: CatalogStub, shop: Shop
) -> None:
    wrong = await _mistyped(desk, shop)
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))

    await catalog.WithdrawRate(catalog_pb2.WithdrawRateRequest(request_id="w", rate_id=wrong.rate_id))
    await running.advance_to(day(8, 1))

    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "40.00", "40.00"]


async def test_a_price_that_nobody_repaired_in_time_is_billed_until_it_is_corrected(
    desk: Desk,
    running: RunningContract,
    running_catalog_service: RunningCatalog,
    catalog: CatalogStub,
    shop: Shop,
) -> None:
    wrong = await _mistyped(desk, shop)
    running_catalog_service.clock.advance_to(JULY - MINUTE + TICK)
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_BEGUN"):
        await shop.add(desk.sells.rate_card, _from_july(desk, 12_000_000, replaces=wrong.rate_id))
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(JULY)
    running_catalog_service.clock.advance_to(JULY)

    for n, price in enumerate((120_000_000, 12_000_000)):
        await catalog.CorrectRate(
            catalog_pb2.CorrectRateRequest(request_id=f"c{n}", rate_id=wrong.rate_id, price_micros=price)
        )
    await running.advance_to(day(8, 1))
    new = await desk.sign(desk.seats(4, frequency=MONTHLY), start=day(8, 1))

    # Invoices that are issued stay as they are.
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "400.00", "48.00"]
    assert [dollars(one.total) for one in new.invoices] == ["48.00"]


async def test_a_preview_of_a_period_to_come_is_at_the_price_known_now(
    databases: Databases,
    desk: Desk,
    running: RunningContract,
    catalog: CatalogStub,
    shop: Shop,
    ledger: RecordingLedger,
) -> None:
    wrong = await _mistyped(desk, shop)
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    preview = pb.PreviewSeatChangeRequest(
        contract_id=signed.contract.contract_id,
        subscription_id=signed.contract.subscriptions[0].subscription_id,
        quantity_delta=1,
        effective_time=timestamp(JULY),
    )
    assert dollars((await running.stub.PreviewSeatChange(preview)).total) == "100.00"

    await catalog.WithdrawRate(catalog_pb2.WithdrawRateRequest(request_id="w", rate_id=wrong.rate_id))
    assert dollars((await running.stub.PreviewSeatChange(preview)).total) == "10.00"
    async with running_contract(databases, ledger_address=ledger.address) as without_catalog:
        assert dollars((await without_catalog.stub.PreviewSeatChange(preview)).total) == "100.00"


async def test_seats_whose_price_has_ended_cannot_be_signed_and_wait_for_the_next_price(
    desk: Desk, running: RunningContract, catalog: CatalogStub, shop: Shop
) -> None:
    listed = await catalog.ListRates(
        catalog_pb2.ListRatesRequest(rate_card_id=desk.sells.rate_card.rate_card_id)
    )
    (monthly,) = [rate for rate in listed.rates if rate.billing_frequency == MONTHLY_RATE]
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))

    ended = catalog_pb2.EndRateRequest(request_id="e", rate_id=monthly.rate_id, end_time=timestamp(JULY))
    await catalog.EndRate(ended)
    await running.advance_to(JULY)
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_NOT_FOUND"):
        await desk.sign(desk.seats(4, frequency=MONTHLY), start=JULY)
    assert len(await desk.invoices(signed)) == 1

    await shop.add(desk.sells.rate_card, _from_july(desk, 12_000_000))
    await running.app.run_due(JULY)
    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "48.00"]


@pytest.mark.parametrize("start", [JUNE, JULY])
async def test_a_corrected_price_is_the_one_at_which_seats_are_signed(
    desk: Desk, running: RunningContract, catalog: CatalogStub, start: datetime
) -> None:
    listed = await catalog.ListRates(
        catalog_pb2.ListRatesRequest(rate_card_id=desk.sells.rate_card.rate_card_id)
    )
    (monthly,) = [rate for rate in listed.rates if rate.billing_frequency == MONTHLY_RATE]
    await catalog.CorrectRate(
        catalog_pb2.CorrectRateRequest(request_id="c", rate_id=monthly.rate_id, price_micros=9_000_000)
    )
    running.clock.advance_to(start)

    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), start=start)

    assert [dollars(one.total) for one in signed.invoices] == ["36.00"]
