# SPDX-License-Identifier: Apache-2.0
"""Several replicas act as one Ledger: each customer has one, and calls do not fail when it dies."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from purser_client import Gate, LedgerFault
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


async def _ask_for_all(gate: Gate) -> None:
    """Ask once for each of 20 customers that the Ledger does not know."""
    for number in range(20):
        with pytest.raises(LedgerFault, match="is not known here"):
            await gate.balance(customer=f"c{number}")


def _customers(front: FailingFront) -> set[str]:
    return {
        one.customer
        for _, request in front.asked
        for one in (request.items if hasattr(request, "items") else [request])
    }


async def _until_both_are_asked(gate: Gate, replicas: list[FailingFront]) -> None:
    """The second connection may be ready later than the first."""
    while not all(front.asked for front in replicas):
        await _ask_for_all(gate)


@pytest.mark.parametrize("coalesce", [False, True])
async def test_each_customer_has_one_replica_and_all_replicas_have_customers(
    replicas: list[FailingFront], ledger: RunningLedger, coalesce: bool
) -> None:
    async with Gate([front.address for front in replicas], deadline=LONG, coalesce=coalesce) as gate:
        await _until_both_are_asked(gate, replicas)
        for front in replicas:
            front.asked.clear()
        await _ask_for_all(gate)
        await _ask_for_all(gate)
        await asyncio.gather(*(gate.debit(**ASK, credits=1) for _ in range(10)))

    first, second = (_customers(front) for front in replicas)
    assert first & second == set()
    assert len(first | second) == 21
    assert first
    assert second
    assert await credits_of(ledger) == (390, 0, 10)


async def test_several_clients_choose_the_same_replica_for_a_customer(replicas: list[FailingFront]) -> None:
    chosen = []
    for _ in range(3):
        async with Gate([front.address for front in replicas], deadline=LONG) as gate:
            await _until_both_are_asked(gate, replicas)
            for front in replicas:
                front.asked.clear()
            await _ask_for_all(gate)
        chosen.append(_customers(replicas[0]))

    assert chosen[0] == chosen[1] == chosen[2]


@pytest.mark.parametrize("coalesce", [False, True])
async def test_no_call_fails_when_a_replica_dies_under_load(
    replicas: list[FailingFront], ledger: RunningLedger, coalesce: bool
) -> None:
    async with Gate([front.address for front in replicas], deadline=LONG, coalesce=coalesce) as gate:

        async def call() -> None:
            async with gate.authorize(**ASK, credits=1) as hold:
                hold.capture()

        await _until_both_are_asked(gate, replicas)
        for front in replicas:
            front.asked.clear()
        calls = [asyncio.create_task(call()) for _ in range(60)]
        await calls[0]
        [own] = [front for front in replicas if "acme" in _customers(front)]
        await own.stop()
        await asyncio.gather(*calls)
        calls = [asyncio.create_task(call()) for _ in range(40)]
        await asyncio.gather(*calls)

    assert await credits_of(ledger) == (300, 0, 100)


async def test_a_customer_goes_to_another_replica_while_its_own_refuses_and_returns_afterwards(
    replicas: list[FailingFront], ledger: RunningLedger
) -> None:
    async with Gate([front.address for front in replicas], deadline=LONG) as gate:
        await _until_both_are_asked(gate, replicas)
        for front in replicas:
            front.asked.clear()
        await gate.debit(**ASK, credits=1)
        [own] = [front for front in replicas if front.asked]
        [other] = [front for front in replicas if front is not own]

        own.is_away = True  # it answers UNAVAILABLE, so its connection stays
        for _ in range(5):
            await gate.debit(**ASK, credits=1)
        answered_by_other = len(other.asked)
        own.is_away = False
        async with asyncio.timeout(60):
            while not (own.asked and own.asked[-1][1].request_id == "back"):
                await gate.try_debit(**ASK, credits=1, request_id="back")

    assert answered_by_other == 5
    assert await credits_of(ledger) == (393, 0, 7)


async def test_a_name_stands_for_all_its_addresses(ledger: RunningLedger) -> None:
    port = ledger.address.rpartition(":")[2]

    # localhost may also resolve to ::1, where nothing listens.
    async with Gate(f"localhost:{port}", deadline=LONG) as gate:
        for _ in range(5):
            await gate.debit(**ASK, credits=1)

    assert await credits_of(ledger) == (395, 0, 5)
