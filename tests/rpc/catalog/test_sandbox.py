# SPDX-License-Identifier: Apache-2.0
"""The Catalog in the sandbox: business time by rpc, kept over restarts; and none of it in production."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from meshkit.outbox import Outbox
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.sandbox.v1.clock_pb2 import AdvanceTimeRequest, GetTimeRequest
from purser.sandbox.v1.clock_pb2_grpc import ClockServiceStub
from services.catalog import tables
from services.catalog.domain.notices import RateCardChanged
from services.catalog.domain.rate_card import RateCardId
from services.catalog.store.formats import NOTICES
from tests.support.catalog import JULY, JUNE, RunningCatalog, Shop, running_catalog
from tests.support.faults import fault
from tests.support.postgres import Databases
from tests.support.recording_ledger import RecordingLedger

if TYPE_CHECKING:
    from purser.sandbox.v1.clock_pb2_grpc import ClockServiceAsyncStub

ClockStub: TypeAlias = "ClockServiceAsyncStub"


@asynccontextmanager
async def _clock_of(running: RunningCatalog) -> AsyncIterator[ClockStub]:
    async with open_channel(running.address) as channel:
        yield ClockServiceStub(channel)


async def test_production_serves_no_clock(databases: Databases) -> None:
    async with running_catalog(databases) as running, _clock_of(running) as clock:
        with fault(StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED"):
            await clock.GetTime(GetTimeRequest())


async def test_what_is_made_after_an_advance_bears_the_new_time(databases: Databases) -> None:
    async with running_catalog(databases, sandbox=True) as running, _clock_of(running) as clock:
        assert (await clock.GetTime(GetTimeRequest())).now_time == timestamp(JUNE)

        moved = await clock.AdvanceTime(AdvanceTimeRequest(new_time=timestamp(JULY), local_only=True))

        assert moved.now_time == timestamp(JULY)
        assert (await Shop(running.stub).credit_type()).create_time == timestamp(JULY)


async def test_time_goes_on_where_it_stood_after_a_restart(databases: Databases) -> None:
    async with running_catalog(databases, sandbox=True) as running, _clock_of(running) as clock:
        await clock.AdvanceTime(AdvanceTimeRequest(new_time=timestamp(JULY), local_only=True))

    async with running_catalog(databases, sandbox=True) as running, _clock_of(running) as clock:
        assert (await clock.GetTime(GetTimeRequest())).now_time == timestamp(JULY)
        with fault(StatusCode.FAILED_PRECONDITION, "CLOCK_MOVES_FORWARD_ONLY"):
            await clock.AdvanceTime(AdvanceTimeRequest(new_time=timestamp(JUNE), local_only=True))


async def test_an_advance_brings_the_ledger_its_news_before_it_answers(databases: Databases) -> None:
    news = RateCardChanged(rate_card_id=RateCardId("rcd_1"), version=7, rates=())
    async with (
        RecordingLedger() as ledger,
        running_catalog(databases, ledger_address=ledger.address, sandbox=True) as running,
        _clock_of(running) as clock,
    ):
        await _wait_long(databases, news)
        assert ledger.rate_cards == []

        await clock.AdvanceTime(AdvanceTimeRequest(new_time=timestamp(JULY), local_only=True))

        assert [(told.rate_card_id, told.version) for told in ledger.rate_cards] == [("rcd_1", 7)]


async def test_an_advance_of_the_mesh_names_the_peer_that_is_away(databases: Databases) -> None:
    async with running_catalog(databases, sandbox=True) as running, _clock_of(running) as clock:
        with fault(StatusCode.UNAVAILABLE, "PEER_UNAVAILABLE"):
            await clock.AdvanceTime(AdvanceTimeRequest(new_time=timestamp(JULY)))

        assert (await clock.GetTime(GetTimeRequest())).now_time == timestamp(JULY)


async def _wait_long(databases: Databases, news: RateCardChanged) -> None:
    """Leave a notice that the background would not touch for years."""
    engine = open_engine(databases.url("catalog"), application_name="test")
    wall = ManualClock(datetime(2999, 1, 1, tzinfo=UTC))
    async with engine.begin() as connection:
        outbox = Outbox(connection, tables.outbox, NOTICES, wall=wall, ids=Ids(wall))
        await outbox.enqueue(news, key=news.rate_card_id)
    await engine.dispose()
