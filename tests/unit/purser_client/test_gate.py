# SPDX-License-Identifier: Apache-2.0
"""How the gates must be used, and which errors they raise otherwise. Nothing here connects."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from purser_client import FailOpen, FileSpool, Gate, MemorySpool, Report, SpoolBroken, SyncGate

NOBODY = "127.0.0.1:1"
ASK: Any = {"customer": "acme", "product": "prd_assistant", "quantity": 1}


async def test_a_gate_must_be_opened_before_use() -> None:
    gate = Gate(NOBODY)

    with pytest.raises(RuntimeError, match="use `async with Gate"):
        gate.authorize(**ASK)
    with pytest.raises(RuntimeError, match="use `async with Gate"):
        await gate.debit(**ASK)


async def test_a_closed_gate_cannot_be_used() -> None:
    async with Gate(NOBODY) as gate:
        pass

    with pytest.raises(RuntimeError, match="is not open"):
        await gate.balance(customer="acme")
    await gate.close()  # closing again does nothing


async def test_a_gate_may_be_opened_again_but_not_twice() -> None:
    gate = Gate(NOBODY, unreachable=FailOpen(spool=MemorySpool()))
    for _ in range(2):
        async with gate:
            with pytest.raises(RuntimeError, match="is open already"):
                await gate.open()


async def test_a_gate_belongs_to_the_loop_it_was_opened_in() -> None:
    async with Gate(NOBODY) as gate:

        def elsewhere() -> None:
            asyncio.run(gate.debit(**ASK))

        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(elsewhere)


async def test_wrong_arguments_raise_before_anything_is_sent() -> None:
    async with Gate(NOBODY) as gate:
        with pytest.raises(TypeError, match="quantity is the float"):
            gate.authorize(customer="acme", product="p", quantity=0.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not both"):
            gate.try_authorize(customer="acme", product="p", quantity=1, credits=1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'qty'"):
            gate.authorize(customer="acme", product="p", qty=1)  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="must be > 0"):
            await gate.debit(customer="acme", product="p", credits=0)


async def test_a_gate_without_a_spool_has_nothing_to_report() -> None:
    async with Gate(NOBODY) as gate:
        assert (gate.unbilled, gate.pending_count) == ((), 0)
        assert await gate.flush() == Report(billed=0, unbilled=0, left=0)
        with pytest.raises(RuntimeError, match="the gate has no spool"):
            await gate.rebill()


async def test_a_gate_does_not_open_with_a_spool_that_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    async with Gate(NOBODY, unreachable=FailOpen(spool=FileSpool(path))):
        other = Gate(NOBODY, unreachable=FailOpen(spool=FileSpool(path)))
        with pytest.raises(SpoolBroken, match="another gate's spool"):
            await other.open()
    async with other:
        pass


def test_a_sync_gate_must_be_opened_before_use() -> None:
    gate = SyncGate(NOBODY)

    with pytest.raises(RuntimeError, match="is not open"):
        gate.authorize(**ASK)
    with pytest.raises(RuntimeError, match="use `with SyncGate"):
        gate.debit(**ASK)


def test_a_sync_gate_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    gate = SyncGate(NOBODY, unreachable=FailOpen(spool=FileSpool(path)))
    for _ in range(2):
        with gate:
            with pytest.raises(RuntimeError, match="is open already"):
                gate.open()
            with pytest.raises(SpoolBroken):
                SyncGate(NOBODY, unreachable=FailOpen(spool=FileSpool(path))).open()
    gate.close()

    assert [thread for thread in threading.enumerate() if thread.name == "purser-gate"] == []


def test_both_gates_have_the_same_names() -> None:
    names = [
        {name for name in dir(kind) if not name.startswith("_")} - {"opened"} for kind in (Gate, SyncGate)
    ]

    assert names[0] == names[1]
