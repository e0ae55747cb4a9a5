# SPDX-License-Identifier: Apache-2.0
"""The measured servers, each a real process: bare echoes and Ledgers; and the CPU time of processes."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from deploy.local import mesh
from deploy.local.children import Child
from deploy.local.fault import Fault
from deploy.local.ports import free_port
from deploy.local.readiness import until_serving
from meshkit.rpc.client import open_channel
from tests.perf.goals import NotMeasured

NOBODY = "127.0.0.1:1"  # nothing listens there; a Ledger needs no peer to decide
READY_SECONDS_MAX = 30.0
NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers."""

    address: str
    pid: int
    metrics_address: str = ""

    def cpu_seconds(self) -> float:
        """Return its CPU seconds so far, user and system. Raises NotMeasured without /proc."""
        return process_cpu_seconds(self.pid)


@asynccontextmanager
async def running_echo(folder: Path) -> AsyncIterator[Server]:
    address = f"127.0.0.1:{free_port()}"
    async with _running("echo", "tests.perf.echo_server", {"PURSER_ECHO_LISTEN": address}, folder) as child:
        async with open_channel(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), READY_SECONDS_MAX)
        yield Server(address=address, pid=child.pid)


@asynccontextmanager
async def running_ledger(
    url: str,
    folder: Path,
    *,
    decides: bool = True,
    access: mesh.Secured | None = None,
    has_metrics: bool = False,
    more: Mapping[str, str] = NO_SETTINGS,
) -> AsyncIterator[Server]:
    """Run `python -m services.ledger` on the database at `url`, with all settings at their defaults but for `more`.

    decides: False for a server that only answers (layer_server.py). access None: insecure. has_metrics: serves them.
    more: settings without their prefix.
    """
    address = f"127.0.0.1:{free_port()}"
    at = {"catalog": NOBODY, "contract": NOBODY, "alert": NOBODY, "ledger": address}
    settings = mesh.environment("ledger", url=url, at=at, access=access, sandbox_start_time=None)
    metrics_address = f"127.0.0.1:{free_port()}" if has_metrics else ""
    if has_metrics:
        settings["PURSER_LEDGER_METRICS_LISTEN"] = metrics_address
    settings |= {f"PURSER_LEDGER_{name}": value for name, value in more.items()}
    module = "services.ledger" if decides else "tests.perf.layer_server"
    async with _running("ledger", module, settings, folder) as child:
        await until_serving("ledger", address, access and access.identity.credentials())
        yield Server(address=address, pid=child.pid, metrics_address=metrics_address)


@asynccontextmanager
async def _running(name: str, module: str, settings: Mapping[str, str], folder: Path) -> AsyncIterator[Child]:
    """Raises NotMeasured at the end of the block when the process died during it."""
    deaths: list[Fault] = []
    child = Child(
        name,
        module,
        {**os.environ, **settings},
        log=folder / f"{name}.log",
        say=lambda line: None,
        on_death=deaths.append,
    )
    await child.start()
    try:
        yield child
    finally:
        await child.stop()
        if deaths:
            raise NotMeasured(str(deaths[0]))


def process_cpu_seconds(pid: int) -> float:
    """Return user and system time of one process with its threads. Raises NotMeasured without /proc."""
    return sum(_times(pid)[:2]) / _TICKS_PER_SECOND


def family_cpu_seconds(pid: int) -> float:
    """Return the same for a process, its running children, and its children that have ended."""
    of_children = 0.0
    for child in _children(pid):
        # A child that ends meanwhile is counted with its parent, which is read last.
        with suppress(NotMeasured):
            of_children += process_cpu_seconds(child)
    return of_children + sum(_times(pid)) / _TICKS_PER_SECOND


def memory_mb(pid: int) -> float:
    """Return the resident memory of a running process now, in 10^6 bytes. Raises NotMeasured without /proc."""
    lines = dict(line.split(":", 1) for line in _proc(f"{pid}/status").splitlines())
    return int(lines.get("VmRSS", "0").split()[0]) * 1_024 / 1e6


def peak_memory_mb(pid: int) -> float:
    """Return the most resident memory that a running process has had, in 10^6 bytes: VmHWM in proc_pid_status(5).

    0 when it has ended and was not waited for yet. Raises NotMeasured without /proc.
    """
    lines = dict(line.split(":", 1) for line in _proc(f"{pid}/status").splitlines())
    return int(lines.get("VmHWM", "0").split()[0]) * 1_024 / 1e6


def _times(pid: int) -> tuple[int, int, int, int]:
    """Return utime, stime, cutime and cstime in clock ticks: fields 14 to 17 of proc_pid_stat(5)."""
    # The second field is a name in parentheses, which may contain spaces.
    fields = _proc(f"{pid}/stat").rpartition(")")[2].split()
    return int(fields[11]), int(fields[12]), int(fields[13]), int(fields[14])


def _children(pid: int) -> Iterable[int]:
    return [int(child) for child in _proc(f"{pid}/task/{pid}/children").split()]


def _proc(file: str) -> str:
    try:
        return (Path("/proc") / file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise NotMeasured("CPU and memory are read from /proc, which this machine does not have") from None
