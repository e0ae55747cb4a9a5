# SPDX-License-Identifier: Apache-2.0
"""More than the gate's one lane has room for, and the end of a service: nobody is left without an answer."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.rpc.client import open_channel
from meshkit.rpc.status import DETAILS_KEY, from_rpc_error
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from services.ledger.operations.gate.gate import GATE
from services.ledger.operations.gate.lane import LaneClosed
from services.ledger.wire.gate.batches import ITEMS_MAX
from tests.support.ledger import CREDIT, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import open_books
from tests.support.postgres import Databases

BATCHES_THAT_FIT = GATE.waiting_max // ITEMS_MAX


def _batch(number: int) -> pb.DebitBatchRequest:
    return pb.DebitBatchRequest(
        items=[
            pb.DebitRequest(
                request_id=f"batch-{number}-{n}",
                customer="acme",
                product_id="prd_assistant",
                credits_micros=1,
            )
            for n in range(ITEMS_MAX)
        ]
    )


async def test_more_than_may_wait_is_refused_with_when_to_come_back_and_nothing_is_done(
    ledger: RunningLedger, sql: Sql
) -> None:
    batches = [_batch(number) for number in range(BATCHES_THAT_FIT + 1)]
    async with sql.transaction():
        await sql.lock("pools")
        in_flight = asyncio.create_task(ledger.debit(1))
        await sql.until_somebody_waits()
        calls = [asyncio.ensure_future(ledger.gate.DebitBatch(batch)) for batch in batches]
        # Only the one that does not fit is answered while the others wait.
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(in_flight, *waiting)

    (refused,) = done
    error = refused.exception()
    assert isinstance(error, AioRpcError)
    assert (error.code(), from_rpc_error(error).reason) == (StatusCode.RESOURCE_EXHAUSTED, "LANE_FULL")
    assert _retry_info(error).retry_delay.ToTimedelta().total_seconds() > 0
    pool = await ledger.pool()
    assert pool.available_micros == 399 * CREDIT - BATCHES_THAT_FIT * ITEMS_MAX
    again = await ledger.gate.DebitBatch(batches[calls.index(refused)])
    assert {one.response.debited_micros for one in again.results} == {1}
    await ledger.assert_adds_up()


async def test_a_service_that_stops_answers_whom_it_has_heard(databases: Databases, sql: Sql) -> None:
    async with AsyncExitStack() as service:
        ledger = await service.enter_async_context(running_ledger(databases))
        await ledger.sell_assistant()
        await ledger.sign_acme()
        async with open_channel(ledger.address) as channel:
            caller = replace(ledger, gate=LedgerServiceStub(channel))
            async with sql.transaction():
                await sql.lock("pools")
                heard = [asyncio.create_task(caller.debit(1)) for _ in range(3)]
                await sql.until_somebody_waits()
                stopping = asyncio.create_task(service.aclose())
                await asyncio.wait([stopping], timeout=0.05)
            await stopping

            assert [(await one).decision for one in heard] == [pb.DECISION_ALLOWED] * 3
            with pytest.raises(AioRpcError) as raised:
                await caller.debit(1)
            assert raised.value.code() is StatusCode.UNAVAILABLE


async def test_a_gate_that_is_closed_does_nothing_and_says_so(databases: Databases) -> None:
    async with open_books(databases) as books:
        await books.sign()
        await books.lane.stop()

        with pytest.raises(LaneClosed) as raised:
            await books.debit(1)

        assert (raised.value.reason, raised.value.kind.name) == ("LANE_CLOSED", "UNAVAILABLE")
        assert not (await books.read()).changed_grants


def _retry_info(error: AioRpcError) -> RetryInfo:
    info = RetryInfo()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            assert Status.FromString(value).details[1].Unpack(info)
    return info
