# SPDX-License-Identifier: Apache-2.0
"""Calls that the client library decides in process, from leases, beside the same calls decided by the Ledger: P27."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from purser_client import Gate
from tests.perf.bench import IN_FLIGHT, Bench, Shop, highest, holds, lowest
from tests.perf.goals import Figure, Spread
from tests.perf.load import Run
from tests.perf.world import PRODUCT, USERS, customer, customers

DEADLINE = timedelta(seconds=30)
LEASED, SINGLE = customer(1), customer(2)
SPREAD = customers(50, first=3)
# A lease pays for twenty calls at least: so a few large calls bring one that is large enough for a burst of small ones.
LARGE_UNITS = 10_000

# Makes one call, and says whether it was decided in process.
Call = Callable[[Gate, str, str], Awaitable[bool]]


async def authorize(gate: Gate, name: str, user: str) -> bool:
    """An AI call that takes no time: authorize and capture, one block."""
    async with gate.authorize(customer=name, product=PRODUCT, quantity=1, user_id=user) as hold:
        hold.capture()
    return hold.is_leased


async def debit(gate: Gate, name: str, user: str) -> bool:
    return (await gate.debit(customer=name, product=PRODUCT, quantity=1, user_id=user)).is_leased


CALLS: Mapping[str, Call] = {"authorize": authorize, "debit": debit}


async def in_process(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P27: bursts of calls that a lease serves, by turns with calls of a gate without leases; then a sustained load."""
    runs: dict[str, list[Run]] = {}
    async with bench.shop() as shop:
        await shop.open_for([LEASED, SINGLE, *SPREAD])
        await bench.databases.settle()
        for _ in range(bench.scale.rounds):
            for name, call in CALLS.items():
                await _round(bench, shop, name, call, runs)
        for whose, names in (("one customer", [LEASED]), (f"{len(SPREAD)} customers", SPREAD)):
            runs[f"for long, {whose}"] = [await _sustained(bench, shop, names)]
        audit = await shop.audit(run for series in runs.values() for run in series)
    bursts = [runs[f"{name} leased"] for name in CALLS]
    parts = {
        "p50": highest(Spread.of([run.p50_ms * 1e3 for run in series]) for series in bursts),
        "a second": lowest(Spread.of([run.calls_per_second for run in series]) for series in bursts),
    }
    told = {name: _told(series) for name, series in runs.items() if "large" not in name}
    rates = {name: f"{one['calls_per_second']:,}" for name, one in told.items()}
    briefly = "per second: " + ", ".join(
        f"{name} {rate}" for name, rate in rates.items() if "1 in" not in name
    )
    return {"P27": Figure(parts, {"briefly": briefly, "series": told, "audit": audit}, holds=holds(audit))}


async def _round(bench: Bench, shop: Shop, name: str, call: Call, runs: dict[str, list[Run]]) -> None:
    seconds = bench.scale.seconds

    def keep(series: str, run: Run) -> None:
        runs.setdefault(f"{name} {series}", []).append(run)

    async with Gate(shop.addresses[0], deadline=DEADLINE) as gate:
        keep("single, 1 in flight", await _calls(gate, call, [SINGLE], callers=1, seconds=seconds))
        keep("single", await _calls(gate, call, [SINGLE], callers=IN_FLIGHT, seconds=seconds))
    async with Gate(shop.addresses[0], deadline=DEADLINE, lease=True) as gate:
        keep("large", await _until_leased(gate))
        burst = _Burst(calls_max=bench.scale.burst)
        keep("leased", await _calls(gate, call, [LEASED], callers=IN_FLIGHT, seconds=seconds, burst=burst))


class _Burst:
    """Ends a run before the first call that no lease serves: what the others take is not the library's time."""

    def __init__(self, *, calls_max: int) -> None:
        self.calls_max = calls_max
        self.ended: float | None = None


async def _until_leased(gate: Gate) -> Run:
    units, is_leased, began = 0, False, time.perf_counter()
    while not is_leased:
        told = await gate.debit(customer=LEASED, product=PRODUCT, quantity=LARGE_UNITS, user_id=USERS[0])
        units, is_leased = units + LARGE_UNITS, told.is_leased
    # The audit counts calls of one unit.
    return _run(time.perf_counter() - began, [], answered=units)


async def _calls(
    gate: Gate,
    call: Call,
    names: Sequence[str],
    *,
    callers: int,
    seconds: float,
    burst: _Burst | None = None,
) -> Run:
    """Call in closed loops. With a burst, its calls and its time alone are the run's; all calls are its answers."""
    clock = time.perf_counter
    took: list[float] = []
    answered = 0
    began = clock()
    ends = began + seconds

    async def loop(number: int) -> None:
        nonlocal answered
        user = USERS[number % len(USERS)]
        while (asked := clock()) < ends and (burst is None or burst.ended is None):
            is_leased = await call(gate, names[answered % len(names)], user)
            answered += 1
            if burst is not None and (not is_leased or answered >= burst.calls_max):
                burst.ended = burst.ended or asked
                return
            took.append(clock() - asked)
            # A call that is decided in process waits for nothing: without this, nobody else had a turn.
            await asyncio.sleep(0)

    await asyncio.gather(*map(loop, range(callers)))
    return _run(((burst and burst.ended) or clock()) - began, took, answered=answered)


async def _sustained(bench: Bench, shop: Shop, names: Sequence[str]) -> Run:
    """Call without a pause, until everything is reported: what a process can use for long, however it is decided."""
    began = time.perf_counter()
    async with Gate(shop.addresses[0], deadline=DEADLINE, lease=True) as gate:
        seconds = bench.scale.rounds * bench.scale.seconds
        run = await _calls(gate, authorize, names, callers=IN_FLIGHT, seconds=seconds)
    return _run(time.perf_counter() - began, [ms / 1e3 for ms in run.latencies_ms], answered=run.answered)


def _run(seconds: float, took: Iterable[float], *, answered: int) -> Run:
    latencies = sorted(one * 1e3 for one in took)
    return Run(seconds=seconds, latencies_ms=latencies, answered=answered, refused=0, faults={})


def _told(series: Sequence[Run]) -> dict[str, Any]:
    """Return the medians of the rounds; latencies in microseconds."""
    return {
        "calls_per_second": round(Spread.of([run.calls_per_second for run in series]).median),
        "p50_us": round(Spread.of([run.p50_ms for run in series]).median * 1e3, 2),
        "p99_us": round(Spread.of([run.p99_ms for run in series]).median * 1e3, 2),
    }
