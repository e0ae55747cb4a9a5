# SPDX-License-Identifier: Apache-2.0
"""Several worker processes that serve one port (SO_REUSEPORT), and the parent that restarts them.

Each worker is a complete Ledger with its own cache and connections; correctness never depends on which worker gets a
call. The kernel distributes connections, not calls. Parent and worker share a socket, the worker's lifeline: the worker
writes one byte to it when it serves, and shuts down in order when the parent is gone, for whatever reason.
"""

import asyncio
import signal
import socket
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog

from meshkit.errors import PortTaken

RESTART_SECONDS_FIRST: Final = 0.1
RESTART_SECONDS_MAX: Final = 10.0
# A worker that lived this long is restarted after the first delay again.
STEADY_SECONDS: Final = 10.0
# Longer than a worker needs to finish its calls (10 s), its queue and its notices.
STOP_SECONDS_MAX: Final = 30.0
SERVES: Final = b"."

log = structlog.get_logger(__name__)


class WorkerFailed(Exception):
    """A worker failed to start serving when the service started, or did not end when asked to. One line of text."""


def hold_port(address: str) -> tuple[socket.socket, str]:
    """Bind a port without listening, and return the socket and its address; port 0 becomes a fixed free port.

    While the socket is open, only processes of this user that set SO_REUSEPORT can listen there, even while no worker
    does. Raises PortTaken, also if another set of workers listens there.
    """
    host, _, port = address.rpartition(":")
    bare_host = host.strip("[]")
    if not bare_host or not port.isdigit():
        raise PortTaken(name="ledger", address=address)
    try:
        family = socket.getaddrinfo(bare_host, int(port), type=socket.SOCK_STREAM)[0][0]
        with _bound(family, bare_host, int(port), is_shared=False) as alone:
            number = alone.getsockname()[1]
        return _bound(family, bare_host, number, is_shared=True), f"{host}:{number}"
    except (OSError, OverflowError) as error:
        raise PortTaken(name="ledger", address=address) from error


def _bound(family: socket.AddressFamily, host: str, port: int, *, is_shared: bool) -> socket.socket:
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(is_shared))
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


class Workers:
    """Keeps `count` workers serving until `stop`. stop_seconds_max: how long one may take to end.

    command: starts a worker that serves `address`; the worker's number and the file descriptor of its lifeline are
    appended as arguments.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        address: str,
        count: int,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._address = address
        self._count = count
        self._stop_seconds_max = stop_seconds_max
        self._stopping = asyncio.Event()
        self._unready = set(range(count))

    def stop(self) -> None:
        """Ask all workers to end, by SIGTERM; `run` returns when they have."""
        self._stopping.set()

    async def run(self) -> None:
        """Start the workers, and restart each one that dies, until `stop`.

        Raises WorkerFailed if a worker ends before it has ever served (then the others are stopped), or had to be
        killed at the end.
        """
        keepers = [asyncio.create_task(self._keep(worker)) for worker in range(self._count)]
        await asyncio.wait(keepers, return_when=asyncio.FIRST_EXCEPTION)
        self.stop()
        await asyncio.wait(keepers)
        for keeper in keepers:
            keeper.result()

    async def _keep(self, worker: int) -> None:
        wait_seconds = RESTART_SECONDS_FIRST
        while not self._stopping.is_set():
            began = time.monotonic()
            process = await self._live(worker)
            if self._stopping.is_set():
                break
            if worker in self._unready:
                raise WorkerFailed(
                    f"worker {worker} could not start ({_how(process)}); its own last line says why"
                )
            if time.monotonic() - began >= STEADY_SECONDS:
                wait_seconds = RESTART_SECONDS_FIRST
            log.warning(
                "worker_died",
                worker=worker,
                pid=process.pid,
                how=_how(process),
                restart_seconds=wait_seconds,
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_seconds)
            wait_seconds = min(wait_seconds * 2, RESTART_SECONDS_MAX)

    async def _live(self, worker: int) -> Process:
        """Run one worker process until it ends by itself or by `stop`. Raises WorkerFailed."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    str(worker),
                    str(theirs.fileno()),
                    stdin=DEVNULL,
                    env=self._environment,
                    pass_fds=[theirs.fileno()],
                    # Its own session: Ctrl-C in the terminal reaches only the parent, which then stops all workers.
                    start_new_session=True,
                )
            ended = asyncio.create_task(process.wait())
            serving = asyncio.create_task(self._report_serving(worker, process, ours))
            stopped = asyncio.create_task(self._stopping.wait())
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
            try:
                if not ended.done():
                    await self._end(worker, process, ended)
            finally:
                serving.cancel()
                stopped.cancel()
                await asyncio.wait((serving, stopped))
        return process

    async def _report_serving(self, worker: int, process: Process, lifeline: socket.socket) -> None:
        if await asyncio.get_running_loop().sock_recv(lifeline, len(SERVES)) == SERVES:
            log.info("worker_started", worker=worker, pid=process.pid)
            if self._unready == {worker}:
                log.info("service_started", address=self._address, workers=self._count)
            self._unready.discard(worker)

    async def _end(self, worker: int, process: Process, ended: "asyncio.Task[int]") -> None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.wait((ended,), timeout=self._stop_seconds_max)
        if not ended.done():
            process.kill()
            await ended
            raise WorkerFailed(
                f"worker {worker} did not end within {self._stop_seconds_max:.0f} s and was killed"
            )


def _how(process: Process) -> str:
    code = process.returncode
    assert code is not None
    return f"signal {-code}" if code < 0 else f"exit status {code}"
