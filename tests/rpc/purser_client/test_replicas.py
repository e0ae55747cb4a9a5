# SPDX-License-Identifier: Apache-2.0
"""Several replicas act as one Ledger: all are used, and calls do not fail when one dies."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from purser_client import Gate
from tests.rpc.purser_client.asks import ASK, LONG, credits_of
from tests.support.failing_front import FailingFront, failing_front
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.postgres import Databases


@pytest.fixture
async def replicas(databases: Databases, ledger: RunningLedger) -> AsyncIterator[list[FailingFront]]:
    """Two real replicas on one database, each behind a server that counts the calls."""
    async with (
        running_ledger(databases, clock=ledger.clock) as other,
        failing_front(ledger.gate) as first,
        failing_front(other.gate) as second,
    ):
        yield [first, second]


@pytest.mark.parametrize("coalesce", [False, True])
async def test_calls_go_round_robin(
    replicas: list[FailingFront], ledger: RunningLedger, coalesce: bool
) -> None:
    async with Gate([front.address for front in replicas], deadline=LONG, coalesce=coalesce) as gate:
        # The second connection may be ready later than the first.
        while not all(front.asked for front in replicas):
            await gate.balance(customer="acme")
        for front in replicas:
            front.asked.clear()
        for _ in range(10):
            await gate.debit(**ASK, credits=1)

    assert [len(front.asked) for front in replicas] == [5, 5]
    assert await credits_of(ledger) == (390, 0, 10)


@pytest.mark.parametrize("coalesce", [False, True])
async def test_no_call_fails_when_a_replica_dies_under_load(
    replicas: list[FailingFront], ledger: RunningLedger, coalesce: bool
) -> None:
    async with Gate([front.address for front in replicas], deadline=LONG, coalesce=coalesce) as gate:

        async def call() -> None:
            async with gate.authorize(**ASK, credits=1) as hold:
                hold.capture()

        while not all(front.asked for front in replicas):
            await gate.balance(customer="acme")
        calls = [asyncio.create_task(call()) for _ in range(60)]
        await calls[0]
        await replicas[0].stop()
        await asyncio.gather(*calls)
        calls = [asyncio.create_task(call()) for _ in range(40)]
        await asyncio.gather(*calls)

    assert await credits_of(ledger) == (300, 0, 100)


async def test_a_name_stands_for_all_its_addresses(ledger: RunningLedger) -> None:
    port = ledger.address.rpartition(":")[2]

    # localhost may also resolve to ::1, where nothing listens.
    async with Gate(f"localhost:{port}", deadline=LONG) as gate:
        for _ in range(5):
            await gate.debit(**ASK, credits=1)

    assert await credits_of(ledger) == (395, 0, 5)
