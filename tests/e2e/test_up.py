# SPDX-License-Identifier: Apache-2.0
"""`make up`: a mesh on fixed ports with SeatsCo's catalog, whose data survives a restart."""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local import database, mesh
from deploy.local.fault import Fault
from tests.support.grpcurl import paste

READY = "Ctrl-C stops the mesh"
SECONDS_MAX = 60


def _free_ports() -> int:
    """Return the first of four free ports in a row, with the ports for services free too, that no client gets."""
    for first in random.sample(range(10_000, 20_000, 20), 100):
        try:
            mesh.addresses(first)
            mesh.addresses(first + mesh.PEER_PORTS_AFTER)
        except Fault:
            continue
        return first
    raise AssertionError("no four free ports in a row")


@asynccontextmanager
async def _up(first_port: int, folder: Path) -> AsyncIterator[Process]:
    """Run `make up`'s command on a separate embedded server, and stop it like Ctrl-C."""
    environment = {name: value for name, value in os.environ.items() if name != "PURSER_DATABASE_URL"}
    environment |= {"FIRST_PORT": str(first_port), "PURSER_STATE_FOLDER": str(folder), "COLUMNS": "120"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local", "up"),
        cwd=database.SOURCE_ROOT,
        env=environment,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.communicate()


async def _printed(process: Process) -> list[str]:
    """Return the grpcurl lines that it prints before it reports that it is ready."""
    assert process.stdout is not None
    lines: list[str] = []
    async for line in process.stdout:
        text = line.decode().rstrip()
        if text.startswith(READY):
            return [one for one in lines if one.startswith("grpcurl")]
        lines.append(text)
    assert process.stderr is not None
    raise AssertionError((await process.stderr.read()).decode() or lines)


async def test_the_printed_lines_work_also_after_a_restart(tmp_path: Path) -> None:
    first_port = _free_ports()
    async with _up(first_port, tmp_path) as process:
        *_, ask, balance, _, _ = before = await _printed(process)
        allowed = await paste(ask)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0

    async with _up(first_port, tmp_path) as process:
        after = await _printed(process)
        again = await paste(ask)
        left = await paste(balance)

    assert allowed["decision"] == "DECISION_ALLOWED"
    assert after == before
    assert again["holdId"] == allowed["holdId"]
    assert left["pools"][0]["heldMicros"] == "12000000"
    assert {one for line in before for one in line.split() if one.startswith("127.0.0.1:")} == {
        f"127.0.0.1:{first_port + number}" for number in range(4)
    }
