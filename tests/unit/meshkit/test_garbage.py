# SPDX-License-Identifier: Apache-2.0
"""The collector does not traverse long-lived objects again and again, and still frees garbage."""

import asyncio
import gc
import weakref

from prometheus_client import REGISTRY

from meshkit.garbage import THRESHOLDS, incremental_garbage_collection


class Shelf:
    """Refers to itself, so only a collection can free it."""

    def __init__(self) -> None:
        self.itself = self


def _collections(generation: int) -> float:
    told = REGISTRY.get_sample_value("mesh_garbage_seconds_count", {"generation": str(generation)})
    return told or 0.0


async def test_objects_from_before_the_start_are_not_traversed_again() -> None:
    shelf = [["jar"]]

    async with incremental_garbage_collection():
        assert gc.get_freeze_count() > 0
        assert all(one is not shelf for one in gc.get_objects())


async def test_young_garbage_is_freed_automatically() -> None:
    async with incremental_garbage_collection():
        shelf = weakref.ref(Shelf())
        crowd = [[number] for number in range(10 * THRESHOLDS[0])]

        assert shelf() is None
        assert crowd


async def test_old_garbage_stays_until_a_full_collection() -> None:
    async with incremental_garbage_collection(every_seconds=0):
        shelf = Shelf()
        gone = asyncio.Event()
        last_words = weakref.ref(shelf, lambda _: gone.set())
        gc.collect()
        del shelf
        gc.collect(1)
        assert last_words() is not None

        await gone.wait()


async def test_each_collection_is_timed() -> None:
    async with incremental_garbage_collection():
        before = _collections(0)
        gc.collect(0)

        assert _collections(0) > before


async def test_the_collectors_settings_are_restored() -> None:
    before = (gc.get_threshold(), gc.get_freeze_count(), list(gc.callbacks))

    async with incremental_garbage_collection():
        assert gc.get_threshold() == THRESHOLDS

    assert (gc.get_threshold(), gc.get_freeze_count(), list(gc.callbacks)) == before
