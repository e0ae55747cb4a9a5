# SPDX-License-Identifier: Apache-2.0
"""Calls with several lines against a real Ledger, through each kind of gate."""

import asyncio
from datetime import timedelta

import pytest

from purser_client import Credits, DebitResult, Denial, Denied, Gate, Hold, Line, Quantity, SyncGate, line
from purser_client.lines import LINES_MAX
from tests.rpc.purser_client.asks import LONG, credits_of
from tests.support.call_lines import sell_tokens
from tests.support.ledger import RunningLedger


def tokens(kind: str, count: int) -> Line:
    """A thousand input tokens cost 1 credit, output 4, cached 0.25."""
    return line("prd_tokens", count, {"token_kind": kind})


LINES = [tokens("input", 20_000), tokens("output", 10_000), tokens("cached", 0)]
USED = [tokens("input", 8_000), tokens("output", 12_000), tokens("cached", 16_000)]


@pytest.fixture
async def ledger(ledger: RunningLedger) -> RunningLedger:
    await sell_tokens(ledger)
    return ledger


@pytest.mark.parametrize("coalesce", [False, True])
async def test_concurrent_calls_of_lines_are_held_and_captured(ledger: RunningLedger, coalesce: bool) -> None:
    async with Gate(ledger.address, deadline=LONG, coalesce=coalesce) as gate:

        async def call() -> Hold:
            async with gate.authorize(customer="acme", lines=LINES, user_id="ann") as hold:
                hold.capture(lines=USED)
            return hold

        holds = await asyncio.gather(*(call() for _ in range(6)))

    for hold in holds:
        assert hold.ledger_hold is not None
        assert hold.capture_result is not None
        assert [one.credits for one in hold.ledger_hold.lines] == [
            Credits.of(20),
            Credits.of(40),
            Credits.of(0),
        ]
        assert [one.credits for one in hold.capture_result.lines] == [
            Credits.of(8),
            Credits.of(48),
            Credits.of(4),
        ]
        assert hold.capture_result.lines[2].dimension_values == {"token_kind": "cached"}
        assert hold.capture_result.lines[2].quantity == Quantity.of(16_000)
    assert await credits_of(ledger) == (40, 0, 360)


async def test_lines_are_debited_all_or_not_at_all(ledger: RunningLedger) -> None:
    async with Gate(ledger.address, deadline=LONG) as gate:
        spent = await gate.debit(customer="acme", lines=LINES)
        denied = await gate.try_debit(
            customer="acme", lines=[tokens("input", 200_000), tokens("output", 50_000)]
        )
        with pytest.raises(Denied):
            async with gate.authorize(customer="acme", lines=[tokens("input", 340_001)]):
                pass
        async with gate.authorize(customer="acme", lines=LINES) as hold:
            await gate.extend(hold, ttl=timedelta(minutes=10))
        with pytest.raises(TypeError, match="allow_partial"):
            gate.authorize(customer="acme", lines=LINES, allow_partial=True)

    assert [one.credits for one in spent.lines] == [Credits.of(20), Credits.of(40), Credits.of(0)]
    assert isinstance(denied, Denial)
    assert denied.affordable_credits == Credits.of(340)
    assert await credits_of(ledger) == (340, 0, 60)


async def test_threads_hold_and_capture_lines(ledger: RunningLedger) -> None:
    def work() -> tuple[Hold, DebitResult]:
        with SyncGate(ledger.address, deadline=LONG) as gate:
            with gate.authorize(customer="acme", lines=LINES) as hold:
                hold.capture(lines=USED)
            return hold, gate.debit(customer="acme", lines=[tokens("output", 1_000)])

    hold, spent = await asyncio.to_thread(work)

    assert hold.capture_result is not None
    assert (hold.capture_result.captured, spent.debited) == (Credits.of(60), Credits.of(4))
    assert await credits_of(ledger) == (336, 0, 64)


def test_the_client_knows_the_ledgers_bound() -> None:
    from services.ledger.domain.gate import call_lines

    assert call_lines.LINES_MAX == LINES_MAX
