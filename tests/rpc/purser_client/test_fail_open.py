# SPDX-License-Identifier: Apache-2.0
"""Without the Ledger, usage is recorded, survives the process, and is billed once."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from purser_client import (
    Credits,
    FailClosed,
    FailOpen,
    FileSpool,
    Gate,
    GateUnreachable,
    MemorySpool,
    Report,
    UnbilledUsage,
)
from tests.rpc.purser_client.asks import ASK, LONG, SHORT, TINY, credits_of
from tests.support.cutting_proxy import CuttingProxy
from tests.support.failing_front import Busy, FailingFront, unheard
from tests.support.ledger import RunningLedger

CALLS = 25
NEVER = timedelta(days=1)  # a longer retry delay than the client accepts
# A feature whose Ledger is unavailable; it dies during its last call, without closing anything.
DYING = """
import asyncio, os, sys
from datetime import timedelta
from purser_client import FailOpen, FileSpool, Gate

async def main(spool, calls):
    gate = Gate("127.0.0.1:1", unreachable=FailOpen(spool=FileSpool(spool)), deadline=timedelta(milliseconds=20))
    await gate.open()
    ask = dict(customer="acme", product="prd_assistant", user_id="ann")

    async def call():
        async with gate.authorize(**ask, quantity=2) as hold:
            hold.capture(1)

    await asyncio.gather(*(call() for _ in range(calls)))
    await gate.debit(**ask, credits=10)
    print("told", gate.pending_count, flush=True)
    async with gate.authorize(**ask, quantity=1) as hold:
        hold.capture()
        os.kill(os.getpid(), 9)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.spool"


def test_no_call_is_allowed_by_default() -> None:
    assert Gate("127.0.0.1:1")._options.unreachable == FailClosed()


async def test_usage_recorded_by_a_killed_process_is_billed_once_by_the_next(
    path: Path, ledger: RunningLedger
) -> None:
    arguments = [sys.executable, "-c", DYING, str(path), str(CALLS)]
    died = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True)
    assert (died.returncode, died.stdout) == (-9, f"told {CALLS + 1}\n"), died.stderr
    recorded = path.read_bytes()

    for _ in range(2):  # the second finds a spool that was already reported, but whose last lines were lost
        async with Gate(ledger.address, unreachable=FailOpen(spool=FileSpool(path)), deadline=LONG) as gate:
            await gate.flush()
            assert (gate.pending_count, gate.unbilled) == (0, ())
        path.write_bytes(recorded)

    spent = CALLS * 12 + 10
    assert await credits_of(ledger) == (400 - spent, 0, spent)
    entries = await ledger.entries(page_size=500)
    assert len([entry for entry in entries if entry.amount_micros < 0]) == CALLS + 1


async def test_usage_is_reported_automatically_when_the_ledger_is_back(
    path: Path, proxy: CuttingProxy, ledger: RunningLedger
) -> None:
    async with Gate(proxy.address, unreachable=FailOpen(spool=FileSpool(path)), deadline=SHORT) as gate:
        await gate.debit(**ASK, credits=1, deadline=LONG)
        await proxy.go_away()
        async with gate.authorize(**ASK, quantity=1, user_id="ann", deadline=TINY) as hold:
            assert hold.is_failed_open
            hold.capture()
        with pytest.raises(GateUnreachable):
            await gate.flush()
        assert await credits_of(ledger) == (399, 0, 1)

        await proxy.come_back()
        async with asyncio.timeout(20):
            while gate.pending_count > 0:
                await gate.balance(customer="acme", deadline=LONG)

    assert hold.is_recorded
    assert await credits_of(ledger) == (387, 0, 13)


async def test_a_capture_whose_response_was_lost_is_not_billed_again(
    path: Path, front: FailingFront, ledger: RunningLedger
) -> None:
    async with Gate(front.address, unreachable=FailClosed(spool=FileSpool(path)), deadline=LONG) as gate:
        front.will("Capture", unheard(Busy(NEVER)))
        async with gate.authorize(**ASK, credits=100) as hold:
            hold.capture(30)
        assert (hold.is_recorded, hold.capture_result) == (True, None)
        await gate.flush()

        assert (gate.pending_count, gate.unbilled) == (0, ())
    assert await credits_of(ledger) == (370, 0, 30)
    assert len({request.request_id for request in front.asked_of("Capture")}) == 1


async def test_a_debit_whose_response_was_lost_is_not_billed_again(
    front: FailingFront, ledger: RunningLedger
) -> None:
    async with Gate(front.address, unreachable=FailOpen(spool=MemorySpool()), deadline=LONG) as gate:
        front.will("Debit", unheard(Busy(NEVER)))
        debited = await gate.debit(**ASK, credits=30)
        await gate.flush()

    assert debited.is_failed_open
    assert await credits_of(ledger) == (370, 0, 30)


async def test_usage_beyond_the_credits_stays_listed_until_it_is_billed(
    path: Path, proxy: CuttingProxy, ledger: RunningLedger
) -> None:
    told: list[UnbilledUsage] = []
    unreachable = FailOpen(spool=FileSpool(path), on_unbilled=told.append)
    async with Gate(proxy.address, unreachable=unreachable, deadline=TINY) as gate:
        await proxy.go_away()
        await gate.debit(**ASK, credits=390, request_id="fits")
        await gate.debit(**ASK, credits=401, request_id="does-not")
        await gate.debit(customer="nobody", product="prd_assistant", credits=1, request_id="unknown")
        await proxy.come_back()
    async with Gate(ledger.address, unreachable=unreachable, deadline=LONG) as gate:
        await gate.flush()

        assert gate.pending_count == 0
        assert [(one.request_id, one.reason, one.amount) for one in gate.unbilled] == [
            ("does-not", "INSUFFICIENT_CREDITS", Credits.of(401)),
            ("unknown", "CUSTOMER_NOT_FOUND", Credits.of(1)),
        ]
        assert sorted(one.request_id for one in told) == ["does-not", "unknown"]
    async with Gate(ledger.address, unreachable=unreachable, deadline=LONG) as gate:
        assert [one.request_id for one in gate.unbilled] == ["does-not", "unknown"]
        await gate.forgive(gate.unbilled[1])
        await ledger.top_up(391)

        assert await gate.rebill() == Report(billed=1, unbilled=0, left=0)
        assert gate.unbilled == ()
    assert await credits_of(ledger) == (0, 0, 791)


async def test_a_denial_is_never_overruled(ledger: RunningLedger) -> None:
    async with Gate(ledger.address, unreachable=FailOpen(spool=MemorySpool()), deadline=LONG) as gate:
        assert await gate.try_debit(**ASK, credits=401) is not None
        assert gate.pending_count == 0

    assert await credits_of(ledger) == (400, 0, 0)
