# SPDX-License-Identifier: Apache-2.0
"""Garbage collection in steps too short to delay a call noticeably.

By default, CPython's collector scans young objects after a number of allocations, and occasionally all objects. A
service frees its cached state by reference counting, so a full scan finds nothing while all calls wait: 82 ms for the
10,000 customers that a Ledger may cache. Therefore young objects are scanned often, in small numbers. All objects are
scanned once an hour, except those that existed at the previous full scan. Figures: services/DECISIONS.md 27.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from meshkit.metrics import GARBAGE_SECONDS

# Young objects per scan; young scans per scan of the middle generation; effectively no automatic full scan.
THRESHOLDS: Final = (5_000, 4, 1_000_000_000)
EVERY_SECONDS: Final = 3_600.0


@asynccontextmanager
async def incremental_garbage_collection(every_seconds: float = EVERY_SECONDS) -> AsyncIterator[None]:
    """Collect this way until the block ends. Enter it once the service is open: existing objects are never scanned."""
    thresholds = gc.get_threshold()
    stopwatch = _Stopwatch()
    gc.callbacks.append(stopwatch)
    gc.set_threshold(*THRESHOLDS)
    _collect_all()
    full_collections = asyncio.create_task(_collect_all_periodically(every_seconds))
    try:
        yield
    finally:
        full_collections.cancel()
        with suppress(asyncio.CancelledError):
            await full_collections
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(stopwatch)


def _collect_all() -> None:
    gc.collect()
    gc.freeze()


async def _collect_all_periodically(every_seconds: float) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        _collect_all()


class _Stopwatch:
    """Records the duration of each collection for /metrics, to explain slow calls."""

    def __init__(self) -> None:
        self._began = 0.0
        self._seconds = [GARBAGE_SECONDS.labels(str(generation)) for generation in range(3)]

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._seconds[info["generation"]].observe(time.perf_counter() - self._began)
