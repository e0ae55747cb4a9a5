# SPDX-License-Identifier: Apache-2.0
"""How a process with leases ends, and what of its uses the Ledger then has."""

import asyncio
import signal
import sys
import threading
from pathlib import Path

import pytest

from meshkit.quantity import MICROS
from purser_client import Denial, FailClosed, FileSpool, Gate, Hold, LeasePolicy, SyncGate
from tests.rpc.purser_client import lease_spender
from tests.rpc.purser_client.asks import ASK, LONG, SHORT
from tests.rpc.purser_client.test_leases import CALL, captured_tenths, leases_of, until_leased
from tests.support.cutting_proxy import CuttingProxy
from tests.support.ledger import RunningLedger

SECONDS_MAX = 60


async def spend(
    address: str, ending: str, spool: Path | None = None, *, signals: bool = False
) -> tuple[int, int]:
    """Run a process that spends from a lease; return how many debits it made and its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        lease_spender.__file__,
        address,
        ending,
        *([str(spool)] if spool else []),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS_MAX):
            debits = int(await process.stdout.readline())
            if signals:
                process.send_signal(signal.SIGTERM)
            return debits, await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


async def test_a_killed_process_loses_only_what_it_has_not_reported(ledger: RunningLedger) -> None:
    debits, code = await spend(ledger.address, "killed")

    assert code == -signal.SIGKILL
    assert await captured_tenths(ledger) == debits - lease_spender.LEASED_CALLS
    (lease,) = await leases_of(ledger)  # until its ttl, nobody else can spend what may have been used
    assert lease.amount_micros - lease.captured_micros >= lease_spender.LEASED_CALLS * MICROS // 10


@pytest.mark.parametrize("folder", ["plain", "[a-b]*?"])
async def test_a_killed_process_with_a_spool_loses_nothing(
    ledger: RunningLedger, tmp_path: Path, folder: str
) -> None:
    spool = tmp_path / folder / "usage[1].spool"
    spool.parent.mkdir()
    debits, code = await spend(ledger.address, "killed", spool)
    async with Gate(ledger.address, deadline=LONG, unreachable=FailClosed(spool=FileSpool(spool))) as gate:
        await gate.flush()

    assert code == -signal.SIGKILL
    assert await captured_tenths(ledger) == debits
    assert [path.name for path in spool.parent.iterdir() if ".uses" in path.name] == []


@pytest.mark.parametrize(("ending", "code"), [("terminated", -signal.SIGTERM), ("handled", 3)])
async def test_a_process_that_ends_by_sigterm_reports_first(
    ledger: RunningLedger, ending: str, code: int
) -> None:
    """Without a handler of the application it still ends by the signal; with one, that one decides, and exits."""
    debits, left = await spend(ledger.address, ending, signals=True)

    assert left == code
    assert await captured_tenths(ledger) == debits
    assert await leases_of(ledger) == []


async def test_a_program_that_does_not_close_its_gate_reports_at_its_exit(ledger: RunningLedger) -> None:
    debits, code = await spend(ledger.address, "forgotten")

    assert code == 0
    assert await captured_tenths(ledger) == debits
    assert await leases_of(ledger) == []


async def test_a_gate_that_closes_while_the_ledger_is_away_spools_its_uses(
    proxy: CuttingProxy, ledger: RunningLedger, tmp_path: Path
) -> None:
    spool = tmp_path / "usage.spool"
    async with Gate(
        proxy.address,
        deadline=SHORT,
        lease=LeasePolicy(),
        unreachable=FailClosed(spool=FileSpool(spool)),
    ) as gate:
        debits = await until_leased(gate)
        await gate.flush()
        await proxy.go_away()
        for _ in range(5):
            assert (await gate.debit(**CALL)).is_leased
    async with Gate(ledger.address, deadline=LONG, unreachable=FailClosed(spool=FileSpool(spool))) as gate:
        assert gate.pending_count == 1
        await gate.flush()

        assert (gate.pending_count, gate.unbilled) == (0, ())
    assert await captured_tenths(ledger) == debits + 5


async def test_a_blocking_call_that_its_lease_cannot_serve_is_decided_by_the_ledger(
    ledger: RunningLedger,
) -> None:
    def spend() -> None:
        with SyncGate(ledger.address, deadline=LONG, lease=True) as gate:
            while not gate.debit(**CALL).is_leased:
                pass
            with gate.try_authorize(**ASK, credits=300) as answer:
                assert isinstance(answer, Hold)
                assert not answer.is_leased
            with gate.authorize(**ASK, credits=300) as hold:
                assert not hold.is_leased
            with gate.try_authorize(**ASK, credits=401) as denial:
                assert isinstance(denial, Denial)

    await asyncio.to_thread(spend)


async def test_threads_share_the_leases_of_one_gate(ledger: RunningLedger) -> None:
    spent, leased = [0] * 8, [0] * 8

    def feature(number: int) -> None:
        for _ in range(60):
            with gate.authorize(**ASK, credits="0.1", user_id=f"user{number}") as hold:
                hold.capture("0.05")
            spent[number] += 1
            leased[number] += hold.is_leased

    with SyncGate(ledger.address, deadline=LONG, lease=True) as gate:
        threads = [threading.Thread(target=feature, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
        await asyncio.to_thread(gate.close)

    assert (spent, any(leased)) == ([60] * 8, True)
    assert await captured_tenths(ledger) == 8 * 60 / 2
