# SPDX-License-Identifier: Apache-2.0
"""What the client library's coalescing gains: `python -m tests.perf.coalescing`.

One client process with many callers, each in a closed loop, calls `python -m services.ledger` in another process, on
one hot pool. Rounds without and with coalescing alternate; the output is the median of each.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import postgres
from purser_client import Gate
from tests.perf.database import open_databases
from tests.perf.load import SOURCE_ROOT
from tests.perf.servers import Server, running_ledger
from tests.perf.world import PRODUCT, USERS, customer, open_stubs

HOT = customer(1)
DEADLINE = timedelta(seconds=10)
WIDTH = 100
WARM_SHARE = 4  # the warm-up before a round lasts a fourth of its time

Call = Callable[[Gate, str], Awaitable[None]]


async def debit(gate: Gate, user: str) -> None:
    await gate.debit(customer=HOT, product=PRODUCT, quantity=1, user_id=user)


async def block(gate: Gate, user: str) -> None:
    """An AI call that takes no time: a hold and its capture, two operations."""
    async with gate.authorize(customer=HOT, product=PRODUCT, quantity=1, user_id=user) as hold:
        hold.capture()


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The results of one round of closed loops; CPU in microseconds of one core per call."""

    calls_per_second: float
    p50_ms: float
    p99_ms: float
    client_us: float
    server_us: float


async def measure(gate: Gate, server: Server, call: Call, *, callers: int, seconds: float) -> Round:
    await _loops(gate, call, callers=callers, seconds=seconds / WARM_SHARE)
    client_cpu, server_cpu, began = time.process_time(), server.cpu_seconds(), time.perf_counter()
    took = await _loops(gate, call, callers=callers, seconds=seconds)
    lasted = time.perf_counter() - began
    took.sort()
    return Round(
        calls_per_second=len(took) / lasted,
        p50_ms=took[len(took) // 2] * 1e3,
        p99_ms=took[len(took) * 99 // 100] * 1e3,
        client_us=(time.process_time() - client_cpu) / len(took) * 1e6,
        server_us=(server.cpu_seconds() - server_cpu) / len(took) * 1e6,
    )


async def _loops(gate: Gate, call: Call, *, callers: int, seconds: float) -> list[float]:
    clock = time.perf_counter
    ends = clock() + seconds

    async def loop(user: str) -> list[float]:
        took: list[float] = []
        while (began := clock()) < ends:
            await call(gate, user)
            took.append(clock() - began)
        return took

    loops = await asyncio.gather(*(loop(USERS[number % len(USERS)]) for number in range(callers)))
    return [one for took in loops for one in took]


async def compare(
    admin_url: str, folder: Path, *, callers: Sequence[int], rounds: int, seconds: float
) -> Table:
    table = Table("call", "callers", "", "calls/s", "p50 ms", "p99 ms", "client µs", "server µs", "gain")
    async with (
        open_databases(admin_url, folder) as databases,
        databases.fresh() as database,
        running_ledger(database.ledger_url, folder) as server,
        open_stubs(server.address) as stubs,
        Gate(server.address, deadline=DEADLINE) as alone,
        Gate(server.address, deadline=DEADLINE, coalesce=True) as together,
    ):
        await stubs.open_shop()
        await stubs.sign([HOT])
        await stubs.grant([HOT])
        for call in (debit, block):
            for count in callers:
                found: dict[str, list[Round]] = {"alone": [], "together": []}
                for _ in range(rounds):
                    for name, gate in (("alone", alone), ("together", together)):
                        found[name].append(await measure(gate, server, call, callers=count, seconds=seconds))
                for name, measured in found.items():
                    gain = _median(measured, "calls_per_second") / _median(found["alone"], "calls_per_second")
                    told = [_median(measured, one) for one in Round.__slots__]
                    figures = [f"{told[0]:,.0f}", *(f"{one:.1f}" for one in told[1:3])]
                    figures += [f"{one:,.0f}" for one in told[3:]]
                    table.add_row(call.__name__, str(count), name, *figures, f"{gain:.2f}")
        verified = await stubs.verify()
        table.caption = (
            f"every balance recounted: {'consistent' if verified.is_consistent else 'NOT consistent'}"
        )
    return table


def _median(rounds: Sequence[Round], figure: str) -> float:
    return float(statistics.median(getattr(one, figure) for one in rounds))


def main(
    callers: Annotated[str, typer.Option(help="how many at once, such as 1,64")] = "1,8,64,256",
    rounds: Annotated[int, typer.Option(min=1, help="rounds of each series")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="seconds measured in each round")] = 2.0,
) -> None:
    """Print how many calls one client process makes, single or coalesced, and what a call costs."""
    # On the disk where `make up` keeps its data; /tmp may be a RAM disk.
    state = SOURCE_ROOT / ".purser"
    state.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="coalescing-", dir=state))
    counts = [int(one) for one in callers.split(",")]
    try:
        with postgres.open_server(folder / "postgres") as admin_url:
            told = compare(admin_url, folder, callers=counts, rounds=rounds, seconds=seconds)
            Console(highlight=False, width=WIDTH).print(asyncio.run(told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    typer.run(main)
