# SPDX-License-Identifier: Apache-2.0
"""What a process says and leaves in peace; each service's own tests run it whole."""

import gc
from collections.abc import Iterator

import pytest

from meshkit.errors import Unavailable
from meshkit.process import run, spare_what_stays


class OvenCold(Unavailable):
    reason = "OVEN_COLD"


@pytest.fixture
def collection_as_it_was() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_a_fault_is_one_line_with_the_name_of_the_service() -> None:
    async def work() -> None:
        raise OvenCold("the oven is cold; light it")

    with pytest.raises(SystemExit) as ended:
        run("pantry", work())

    assert ended.value.code == "pantry: the oven is cold; light it"


def test_a_bug_of_our_own_keeps_its_traceback() -> None:
    async def work() -> None:
        raise KeyError("jar")

    with pytest.raises(KeyError, match="jar"):
        run("pantry", work())


@pytest.mark.usefixtures("collection_as_it_was")
def test_what_is_there_once_the_service_is_open_is_collected_no_more() -> None:
    shelf = [["jar"]]

    spare_what_stays()

    assert gc.get_freeze_count() > 0
    assert all(one is not shelf for one in gc.get_objects())
