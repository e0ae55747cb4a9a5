# SPDX-License-Identifier: Apache-2.0
"""What a process reports when it cannot continue; each service's tests run complete processes."""

import pytest

from meshkit.errors import Unavailable
from meshkit.process import run


class OvenCold(Unavailable):
    reason = "OVEN_COLD"


def test_a_fault_is_one_line_with_the_name_of_the_service() -> None:
    async def work() -> None:
        raise OvenCold("the oven is cold; light it")

    with pytest.raises(SystemExit) as ended:
        run("pantry", work())

    assert ended.value.code == "pantry: the oven is cold; light it"


def test_an_unexpected_error_keeps_its_traceback() -> None:
    async def work() -> None:
        raise KeyError("jar")

    with pytest.raises(KeyError, match="jar"):
        run("pantry", work())
