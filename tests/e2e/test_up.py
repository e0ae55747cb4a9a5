# SPDX-License-Identifier: Apache-2.0
"""`make up`: a mesh on fixed ports with its pages, seeded with Acme's first weeks, and its data survives a restart."""

import asyncio
import os
import random
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local import database, mesh
from deploy.local.fault import Fault
from tests.support.grpcurl import paste

README = database.SOURCE_ROOT / "README.md"
READY = "Ctrl-C stops the mesh"
SECONDS_MAX = 60


def _free_ports() -> int:
    """Return the first of free ports in a row, with the ports for services free too, that no client gets."""
    for first in random.sample(range(10_000, 20_000, 20), 100):
        try:
            mesh.addresses(first)
            mesh.front_addresses(first)
            mesh.addresses(first + mesh.PEER_PORTS_AFTER)
        except Fault:
            continue
        return first
    raise AssertionError("no free ports in a row")


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


@dataclass(frozen=True)
class Printed:
    """What it prints before it reports that it is ready: links to the pages, and grpcurl lines.

    pages: the links as README.md shows them, each after the line that says whose they are.
    """

    pages: str
    links: list[str]
    calls: list[str]


async def _printed(process: Process) -> Printed:
    assert process.stdout is not None
    lines: list[str] = []
    async for line in process.stdout:
        text = line.decode().rstrip()
        if text.startswith(READY):
            linked = [number for number, one in enumerate(lines) if "/enter?token=" in one]
            pages = "\n\n".join("\n".join(lines[number - 1 : number + 1]) for number in linked)
            return Printed(
                pages=re.sub("token=.*", "token=…", pages),
                links=[lines[number].strip() for number in linked],
                calls=[one for one in lines if one.startswith("grpcurl")],
            )
        lines.append(text)
    assert process.stderr is not None
    raise AssertionError((await process.stderr.read()).decode() or lines)


async def _page(link: str) -> tuple[str, str]:
    """Open a link; returns the path that it leads to, and the page."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=SECONDS_MAX) as http:
        opened = await http.get(link)
    assert opened.status_code == httpx.codes.OK, opened.text
    return opened.url.path, opened.text


async def test_the_printed_links_and_lines_work_also_after_a_restart(tmp_path: Path) -> None:
    first_port = _free_ports()
    async with _up(first_port, tmp_path) as process:
        before = await _printed(process)
        *_, ask, balance, _, _ = before.calls
        opened = [await _page(link) for link in before.links]
        allowed = await paste(ask)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0

    async with _up(first_port, tmp_path) as process:
        after = await _printed(process)
        again = await paste(ask)
        left = await paste(balance)
        edge = await _page(f"http://127.0.0.1:{first_port + 5}/healthz")
        opened_again = [await _page(link) for link in after.links]

    assert [path for path, _ in opened] == [path for path, _ in opened_again] == ["/", "/operator"]
    assert before.pages.replace(f":{first_port + 4}/", ":7005/") in README.read_text()
    assert "710.5" in opened[0][1]
    assert "698.5" in opened_again[0][1]
    assert edge[0] == "/healthz"
    assert allowed["decision"] == "DECISION_ALLOWED"
    assert after.calls == before.calls
    assert again["holdId"] == allowed["holdId"]
    assert left["pools"][0]["heldMicros"] == "12000000"
    assert {one for line in before.calls for one in line.split() if one.startswith("127.0.0.1:")} == {
        f"127.0.0.1:{first_port + number}" for number in range(4)
    }
