# SPDX-License-Identifier: Apache-2.0
"""`python -m services.ledger …` as a process of its own: what it says, who its workers are, and how it ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import grpc
import grpc.aio

from deploy.local.database import SOURCE_ROOT

NOBODY = "127.0.0.1:1"  # nothing listens there: the gate asks nobody
WAIT_SECONDS_MAX = 60.0
ENOUGH_LINES = 100_000


class LedgerProcess:
    """A Ledger in production mode on a migrated database. arguments: behind `serve`, such as "--workers", "2".

    said: its log events, and lines that are none as {"line": …}, in order.
    """

    def __init__(self, url: str, *arguments: str, address: str = "127.0.0.1:0", **settings: str) -> None:
        self.said: list[dict[str, Any]] = []
        self.asked_address = address
        self._arguments = arguments
        self._environment = {
            **os.environ,
            "PURSER_LEDGER_DATABASE_URL": url,
            "PURSER_LEDGER_LISTEN": address,
            "PURSER_LEDGER_ALERT_ADDRESS": NOBODY,
            "PURSER_LEDGER_LOG_JSON": "true",
            **{f"PURSER_LEDGER_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._heard = asyncio.Condition()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def lines(self) -> list[str]:
        """What it said beside log events."""
        return [one["line"] for one in self.said if "line" in one]

    @property
    def address(self) -> str:
        """Where it serves. Only after it has said so."""
        started = self.events("service_started")[-1]
        return str(started.get("address") or f"127.0.0.1:{started['port']}")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.said if one.get("event") == name]

    def workers(self) -> dict[int, int]:
        """The process ids of the workers, each as last told."""
        return {one["worker"]: one["pid"] for one in self.events("worker_started")}

    async def start(self) -> None:
        """Start it, not waiting until it serves. What it said before is forgotten."""
        self.said.clear()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ledger", "serve", *self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=SOURCE_ROOT,
            start_new_session=True,
        )
        self._listener = asyncio.create_task(self._listen(self._process))

    async def until(self, is_so: Callable[[Self], bool]) -> None:
        """Return when it is so, asked again at each line said. Raises TimeoutError after 60 s."""
        async with asyncio.timeout(WAIT_SECONDS_MAX), self._heard:
            await self._heard.wait_for(lambda: is_so(self))

    async def until_said(self, event: str, count: int = 1) -> None:
        """Return when it has said an event that often. Raises TimeoutError, with what it said, after 60 s."""
        try:
            await self.until(lambda own: len(own.events(event)) >= count)
        except TimeoutError:
            raise TimeoutError(f"not said: {event}; but {self.said[-10:]}") from None

    def kill(self, pid: int | None = None) -> None:
        """SIGKILL a worker, or (None) the process itself."""
        os.kill(self.pid if pid is None else pid, signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    async def ended(self) -> int:
        """Return its exit status when it, and all who share its stderr, have ended. Raises TimeoutError after 60 s."""
        assert self._process is not None
        assert self._listener is not None
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await asyncio.shield(self._listener)
            return await self._process.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            try:
                event = json.loads(line)
            except ValueError:
                event = {"line": line.decode(errors="replace").rstrip()}
            async with self._heard:
                self.said.append(event)
                del self.said[:-ENOUGH_LINES]
                self._heard.notify_all()


@asynccontextmanager
async def ledger_process(
    url: str, *arguments: str, address: str = "127.0.0.1:0", **settings: str
) -> AsyncIterator[LedgerProcess]:
    """Serve until the block ends; by then it is asked to stop, unless it has ended."""
    process = LedgerProcess(url, *arguments, address=address, **settings)
    await process.start()
    try:
        await process.until_said("service_started")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.ask_to_stop()
        await process.ended()


@asynccontextmanager
async def fresh_channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel with a connection of its own: with SO_REUSEPORT, the kernel chooses a worker for each connection."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel
