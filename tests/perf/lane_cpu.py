# SPDX-License-Identifier: Apache-2.0
"""The CPU time of an Authorize in the gate's lane, without gRPC, and which code spends it.

One process calls its own lane in a tight loop, and waiting costs no CPU time. So figures of two trees, taken by turns,
can be compared even on a machine that is not idle, although each is higher there. A signal after each millisecond of
CPU time looks at the innermost frame of our code; what a library does for it counts as its own.
"""

import asyncio
import itertools
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType

from rich.table import Table

from meshkit.clock import SystemClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.operations.gate.batch import GateRpc
from services.ledger.operations.gate.gate import Gate, gate_lane
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from services.ledger.wire.gate.gate import authorize_from_wire, authorize_to_wire
from tests.perf.bench import IN_FLIGHT, Bench, Scale
from tests.perf.database import Databases
from tests.perf.load import Generator
from tests.perf.world import PRODUCT, UNITS_MICROS, USERS, customer

CALLER = customer(1)
SAMPLE_SECONDS = 0.001
ROOT = Path(__file__).parents[2]
OUR_CODE = tuple(f"{ROOT}/{folder}/" for folder in ("libs", "services"))
AUTHORIZE = GateRpc(read=authorize_from_wire, write=authorize_to_wire)


class NoRelay:
    """There are no notices to send."""

    def wake(self) -> None:
        pass


async def measure(databases: Databases, folder: Path, scale: Scale) -> Table:
    """Return the CPU µs of an Authorize by file, 64 in flight, one customer."""
    async with Generator(warm_seconds=scale.warm_seconds, seconds=scale.seconds) as generator:
        bench = Bench(scale=scale, databases=databases, generator=generator, folder=folder)
        async with bench.shop() as shop:
            await shop.open_for((CALLER,))
            async with _open_gate(shop.database.ledger_url) as gate:
                await _authorize(gate, seconds=scale.warm_seconds)
                with _sampled() as samples:
                    cpu_us = [await _authorize(gate, seconds=scale.seconds) for _ in range(scale.rounds)]
    return _table(cpu_us, samples)


@asynccontextmanager
async def _open_gate(url: str) -> AsyncIterator[Gate]:
    clock = SystemClock()
    ids = Ids(clock)
    pool = await open_pool(url, size=4)
    store = PostgresStore(pool, wall=clock, ids=ids)
    lane = gate_lane(store=store, clock=clock, ids=ids, relay=NoRelay())
    lane.start()
    try:
        yield Gate(lane, left_seconds=lambda: None)
    finally:
        await lane.stop()
        pool.terminate()


async def _authorize(gate: Gate, *, seconds: float) -> float:
    """Authorize for so many seconds of CPU time; returns the CPU µs of one."""
    calls = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds:
        answers = await asyncio.gather(*(gate.call(_request(), AUTHORIZE) for _ in range(IN_FLIGHT)))
        assert all(answer.hold_id for answer in answers)
        calls += IN_FLIGHT
    return spent / calls * 1e6


_numbers = itertools.count()


def _request() -> pb.AuthorizeRequest:
    number = next(_numbers)
    return pb.AuthorizeRequest(
        request_id=f"{number:032x}",
        customer=CALLER,
        product_id=PRODUCT,
        quantity_micros=UNITS_MICROS,
        group_values={"user_id": USERS[number % len(USERS)]},
    )


@contextmanager
def _sampled() -> Iterator[Counter[str]]:
    """Count, after each millisecond of CPU time, the file of ours that is at work."""
    samples: Counter[str] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        samples[_file_of_ours(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _file_of_ours(frame: FrameType | None) -> str:
    """Return the file of the innermost frame of our code."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OUR_CODE):
            return str(Path(name).relative_to(ROOT))
        frame = frame.f_back
    return "the caller and the event loop"


def _table(cpu_us: Sequence[float], samples: Counter[str]) -> Table:
    per_call = min(cpu_us)
    total = sum(samples.values())
    table = Table("code", "µs", title=f"CPU of an Authorize in the lane: {per_call:.1f} µs")
    for name, count in samples.most_common():
        table.add_row(name, f"{count / total * per_call:.1f}")
    return table
