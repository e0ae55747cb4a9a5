# SPDX-License-Identifier: Apache-2.0
"""The gate without asyncio: from one thread, from many, and from a thread with a running event loop."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client import (
    Credits,
    Denial,
    Denied,
    FailOpen,
    FileSpool,
    GateUnreachable,
    Hold,
    LedgerFault,
    MemorySpool,
    SyncGate,
    UnbilledUsage,
)
from tests.rpc.purser_client.asks import ASK, LONG, TINY, credits_of
from tests.support.cutting_proxy import CuttingProxy
from tests.support.failing_front import FailingFront
from tests.support.ledger import AI, JUNE, RunningLedger

T = TypeVar("T")


@pytest.fixture
def gate(ledger: RunningLedger) -> Iterator[SyncGate]:
    with SyncGate(ledger.address, deadline=LONG) as opened:
        yield opened


async def test_it_answers_like_the_asynchronous_gate(gate: SyncGate, ledger: RunningLedger) -> None:
    def feature() -> None:
        with gate.authorize(**ASK, quantity=5, user_id="ann") as hold:
            gate.extend(hold, quantity=5)
            hold.capture("2.5")
        assert hold.capture_result is not None
        assert hold.capture_result.captured == Credits.of(30)
        with gate.authorize(**ASK, quantity=1):
            pass
        with gate.try_authorize(**ASK, credits=1) as answer:
            assert isinstance(answer, Hold)
        with gate.try_authorize(**ASK, credits=401) as answer:
            assert isinstance(answer, Denial)
        with pytest.raises(Denied), gate.authorize(**ASK, credits=401):
            raise AssertionError("it was denied")
        with pytest.raises(LedgerFault, match="CUSTOMER_NOT_FOUND"):
            gate.debit(customer="nobody", product="prd_assistant", credits=1)
        assert gate.debit(**ASK, credits=70).debited == Credits.of(70)
        assert isinstance(gate.try_debit(**ASK, credits=301), Denial)
        assert gate.balance(customer="acme").available(AI) == Credits.of(300)
        assert (gate.pending_count, gate.unbilled, gate.flush().billed) == (0, (), 0)

    await asyncio.to_thread(feature)

    assert await credits_of(ledger) == (300, 0, 100)


async def test_an_exception_releases_the_hold(gate: SyncGate, ledger: RunningLedger) -> None:
    def feature() -> None:
        with gate.authorize(**ASK, credits=100):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(feature)

    assert await credits_of(ledger) == (400, 0, 0)


@pytest.mark.parametrize("coalesce", [False, True])
async def test_many_threads_share_one_gate(
    front: FailingFront, ledger: RunningLedger, coalesce: bool
) -> None:
    all_are_here = threading.Barrier(16)

    def thread(gate: SyncGate) -> int:
        all_are_here.wait(10)
        allowed = 0
        for _ in range(3):
            with gate.try_authorize(**ASK, credits=10) as answer:
                if isinstance(answer, Hold):
                    answer.capture()
                    allowed += 1
        return allowed

    def feature() -> int:
        with (
            SyncGate(front.address, deadline=LONG, coalesce=coalesce) as gate,
            ThreadPoolExecutor(max_workers=16) as threads,
        ):
            return sum(threads.map(thread, [gate] * 16))

    assert await asyncio.to_thread(feature) == 40
    assert await credits_of(ledger) == (0, 0, 400)
    assert (len(front.asked_of("AuthorizeBatch")) > 0) == coalesce


async def test_it_may_be_called_in_a_thread_with_a_running_loop(
    gate: SyncGate, ledger: RunningLedger
) -> None:
    def in_a_loop_of_its_own() -> None:
        async def feature() -> None:
            with gate.authorize(**ASK, credits=100) as hold:
                hold.capture()

        asyncio.run(feature())

    await asyncio.to_thread(in_a_loop_of_its_own)

    assert await credits_of(ledger) == (300, 0, 100)


async def test_usage_that_failed_open_is_billed_later(
    proxy: CuttingProxy, ledger: RunningLedger, tmp_path: Path
) -> None:
    told: list[UnbilledUsage] = []
    unreachable = FailOpen(spool=FileSpool(tmp_path / "spool"), on_unbilled=told.append)
    gate = SyncGate(proxy.address, unreachable=unreachable, deadline=TINY)

    def during_the_outage() -> None:
        gate.open()
        with gate.authorize(**ASK, credits=100) as hold:
            hold.capture(30)
        assert hold.is_recorded
        gate.debit(**ASK, credits=401, request_id="too-much")
        with pytest.raises(GateUnreachable):
            gate.flush()

    def afterwards() -> None:
        gate.close()
        with SyncGate(ledger.address, unreachable=unreachable, deadline=LONG) as again:
            again.flush()
            assert [one.request_id for one in again.unbilled] == ["too-much"]
            again.forgive(again.unbilled[0])
            assert again.rebill().billed == 0

    await proxy.go_away()
    await asyncio.to_thread(during_the_outage)
    await asyncio.to_thread(afterwards)

    assert [one.request_id for one in told] == ["too-much"]
    assert await credits_of(ledger) == (370, 0, 30)


async def test_a_listener_cannot_call_the_gate_from_its_own_thread(ledger: RunningLedger) -> None:
    refusals: list[str] = []

    def on_unbilled(unbilled: UnbilledUsage) -> None:
        try:
            own.forgive(unbilled)
        except RuntimeError as error:
            refusals.append(str(error))

    spool = MemorySpool()
    spool.add(pb.DebitRequest(request_id="a", customer="nobody"), at=JUNE)
    own = SyncGate(ledger.address, unreachable=FailOpen(spool=spool, on_unbilled=on_unbilled), deadline=LONG)

    def feature() -> None:
        with own:
            own.flush()

    await asyncio.to_thread(feature)

    assert refusals == ["on_unbilled runs in the gate's own thread and cannot wait for it"]


INTERRUPTED = """
import signal, sys
from datetime import timedelta
from purser_client import SyncGate

with SyncGate(sys.argv[1], deadline=timedelta(seconds=20)) as gate:
    with gate.authorize(customer="acme", product="prd_assistant", credits=100):
        print("held", flush=True)
        signal.pause()
"""


async def test_ctrl_c_releases_the_hold(ledger: RunningLedger) -> None:
    def feature() -> int:
        process: Any = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, ledger.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stdout.readline() == b"held\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            assert b"KeyboardInterrupt" in errors
            return int(process.returncode)

    assert await asyncio.to_thread(feature) != 0
    assert await credits_of(ledger) == (400, 0, 0)
