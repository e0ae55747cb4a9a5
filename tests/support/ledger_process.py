# SPDX-License-Identifier: Apache-2.0
"""Runs `python -m services.ledger …` as a separate process, reads its log, knows its workers, stops and kills it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio

from deploy.local.database import SOURCE_ROOT

NOBODY = "127.0.0.1:1"  # nothing listens there; the gate needs no peer
WAIT_SECONDS_MAX = 60.0
ENOUGH_LINES = 100_000


class ProcessEnded(Exception):
    """A Ledger ended while a caller waited for something else; in one line."""


class LedgerProcess:
    """A Ledger in production mode on a migrated database.

    arguments: follow `serve` on the command line, such as "--workers", "2".
    said: its log events in order; a line that is no log event appears as {"line": …}.
    patience_seconds: the longest wait for it; a wait ends early, with ProcessEnded, when the process has ended.
    workers: the process ids of the workers that serve now, by worker number.
    unexplained_ends: one line for each process of this Ledger that ended and was neither killed nor stopped from here.
    """

    def __init__(
        self,
        url: str,
        *arguments: str,
        address: str = "127.0.0.1:0",
        patience_seconds: float = WAIT_SECONDS_MAX,
        **settings: str,
    ) -> None:
        self.said: list[dict[str, Any]] = []
        self.workers: dict[int, int] = {}
        self.unexplained_ends: list[str] = []
        self.asked_address = address
        self._arguments = arguments
        self._patience_seconds = patience_seconds
        self._environment = {
            **os.environ,
            "PURSER_LEDGER_DATABASE_URL": url,
            "PURSER_LEDGER_LISTEN": address,
            "PURSER_INSECURE": "true",
            "PURSER_LEDGER_ALERT_ADDRESS": NOBODY,
            "PURSER_LEDGER_LOG_JSON": "true",
            "PURSER_LEDGER_DRAIN_SECONDS": "0",
            **{f"PURSER_LEDGER_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._heard = asyncio.Condition()
        self._killed: set[int] = set()
        self._has_ended = False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def lines(self) -> list[str]:
        """The lines it wrote that are no log events."""
        return [one["line"] for one in self.said if "line" in one]

    @property
    def address(self) -> str:
        """The address it serves. Call this only after its event `service_started`."""
        started = self.events("service_started")[-1]
        return str(started.get("address") or f"127.0.0.1:{started['port']}")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.said if one.get("event") == name]

    async def start(self) -> None:
        """Start the process; returns before it serves. Clears `said` and `workers`."""
        self.said.clear()
        self.workers = {}
        self._has_ended = False
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
        """Return when `is_so` holds; checks it after each line of the log. Raises TimeoutError and ProcessEnded."""
        async with asyncio.timeout(self._patience_seconds), self._heard:
            await self._heard.wait_for(lambda: is_so(self) or self._has_ended)
        if not is_so(self):
            raise ProcessEnded(f"the Ledger ended; its last events: {self.said[-10:]}")

    async def until_said(self, event: str, count: int = 1) -> None:
        """Return when the log has `count` events of this name.

        Raises TimeoutError and ProcessEnded, each with the last events.
        """
        try:
            await self.until(lambda own: len(own.events(event)) >= count)
        except TimeoutError:
            raise TimeoutError(f"not said: {event}; but {self.said[-10:]}") from None

    def kill(self) -> None:
        """SIGKILL the process itself. If it has ended before, `unexplained_ends` says so."""
        assert self._process is not None
        if self._process.returncode is not None:
            self.unexplained_ends.append(f"pid {self.pid} ended with status {self._process.returncode}")
        else:
            self._process.kill()

    async def kill_worker(self, worker: int) -> int:
        """SIGKILL the worker that serves under this number now, and return its process id.

        A worker can end between its last log line and the signal: then its successor is killed. Raises TimeoutError
        when no worker serves under this number within the patience.
        """
        while True:
            await self.until(lambda own: worker in own.workers)
            pid = self.workers[worker]
            self._killed.add(pid)
            if kill_child(pid, parent=self.pid):
                return pid
            self._killed.remove(pid)
            await self.until(partial(_serves_no_longer, worker, pid))

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    async def ended(self) -> int:
        """Return the exit status when the process and all that share its stderr have ended.

        Raises TimeoutError when that takes longer than the patience.
        """
        assert self._process is not None
        assert self._listener is not None
        async with asyncio.timeout(self._patience_seconds):
            await asyncio.shield(self._listener)
            return await self._process.wait()

    async def restart(self) -> None:
        """Start it again once it has ended, after `kill` or `ask_to_stop`; returns when it serves."""
        await self.ended()
        await self.start()
        await self.until_said("service_started")

    async def stop(self) -> None:
        """Stop it, and wait until it has ended; kill it when that takes longer than the patience."""
        try:
            with suppress(ProcessLookupError):
                self.ask_to_stop()
            await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            try:
                event = json.loads(line)
            except ValueError:
                event = {"line": line.decode(errors="replace").rstrip()}
            async with self._heard:
                self.said.append(event)
                self.workers = workers_after(self.workers, event)
                if event.get("event") == "worker_died" and event["pid"] not in self._killed:
                    self.unexplained_ends.append(
                        f"worker {event['worker']} (pid {event['pid']}) ended: {event['how']}"
                    )
                del self.said[:-ENOUGH_LINES]
                self._heard.notify_all()
        async with self._heard:
            self._has_ended = True
            self._heard.notify_all()


def _serves_no_longer(worker: int, pid: int, process: LedgerProcess) -> bool:
    return process.workers.get(worker) != pid


def workers_after(workers: Mapping[int, int], event: Mapping[str, Any]) -> dict[int, int]:
    """Return the serving workers, by number, after one more log event. A late report of an earlier end is ignored."""
    match event:
        case {"event": "worker_started", "worker": worker, "pid": pid}:
            return {**workers, worker: pid}
        case {"event": "worker_died", "pid": ended}:
            return {worker: pid for worker, pid in workers.items() if pid != ended}
        case _:
            return dict(workers)


def kill_child(pid: int, *, parent: int) -> bool:
    """SIGKILL `pid` if it is alive and a child of `parent`; returns whether it was.

    The process is pinned by a pidfd before its parent is read, so a stranger that was given a freed number is safe.
    """
    try:
        pinned = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if parent_of(pid) != parent:
            return False
        signal.pidfd_send_signal(pinned, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(pinned)
    return True


def parent_of(pid: int) -> int | None:
    """Return the parent of a running process; None when it has ended, also while its parent has not reaped it."""
    try:
        # "pid (name) state ppid …"; the name may contain anything, so the last parenthesis counts: proc_pid_stat(5).
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(parent)


@asynccontextmanager
async def ledger_process(
    url: str, *arguments: str, address: str = "127.0.0.1:0", **settings: str
) -> AsyncIterator[LedgerProcess]:
    """Serve until the block ends, then stop it unless it has ended before."""
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
    """A channel on a new connection: with SO_REUSEPORT, the kernel chooses a worker for each connection."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel
