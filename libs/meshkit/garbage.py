# SPDX-License-Identifier: Apache-2.0
"""Garbage collection in steps too short for a call to feel.

The collector walks what is young every so many allocations, and now and then all there is. What a service keeps in
memory dies by reference counts, so that to walk it finds nothing, and everybody waits: 82 ms for the 10,000 customers
that a Ledger may remember. So the young are walked often, in small numbers, and all there is once an hour, but for
what was there an hour before. Figures: services/DECISIONS.md 27.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from meshkit.metrics import GARBAGE_SECONDS

# Objects that are young at most; how many of such steps make one of the middle generation; never by itself.
THRESHOLDS: Final = (5_000, 4, 1_000_000_000)
EVERY_SECONDS: Final = 3_600.0


@asynccontextmanager
async def collected_in_steps(every_seconds: float = EVERY_SECONDS) -> AsyncIterator[None]:
    """Collect so until the block ends. To be entered once the service is open: what is there by then stays."""
    thresholds = gc.get_threshold()
    stopwatch = _Stopwatch()
    gc.callbacks.append(stopwatch)
    gc.set_threshold(*THRESHOLDS)
    _collect_all()
    again = asyncio.create_task(_collect_all_again(every_seconds))
    try:
        yield
    finally:
        again.cancel()
        with suppress(asyncio.CancelledError):
            await again
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(stopwatch)


def _collect_all() -> None:
    gc.collect()
    gc.freeze()


async def _collect_all_again(every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        _collect_all()


class _Stopwatch:
    """Tells /metrics how long each collection took, so that a slow call can be explained."""

    def __init__(self) -> None:
        self._began = 0.0
        self._seconds = [GARBAGE_SECONDS.labels(str(generation)) for generation in range(3)]

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._seconds[info["generation"]].observe(time.perf_counter() - self._began)
