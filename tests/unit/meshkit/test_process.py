# SPDX-License-Identifier: Apache-2.0
"""What a process reports when it cannot continue; each service's tests run complete processes."""

import asyncpg
import pytest

from meshkit.errors import PortTaken, Unavailable
from meshkit.process import run


class OvenCold(Unavailable):
    reason = "OVEN_COLD"


def test_a_fault_is_one_line_with_the_name_of_the_service() -> None:
    async def work() -> None:
        raise OvenCold("the oven is cold; light it")

    with pytest.raises(SystemExit) as ended:
        run("pantry", work())

    assert ended.value.code == "pantry: the oven is cold; light it"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            asyncpg.InvalidPasswordError("password authentication failed\nDETAIL: x"),
            "pantry: the database is unavailable (28P01: password authentication failed)",
        ),
        (
            ConnectionRefusedError(111, "refused"),
            "pantry: the database is unavailable (ConnectionRefusedError: [Errno 111] refused)",
        ),
    ],
)
def test_what_the_database_says_is_one_line(error: Exception, line: str) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run("pantry", work())

    assert ended.value.code == line


def test_a_taken_port_is_no_matter_of_the_database() -> None:
    async def work() -> None:
        raise PortTaken(name="pantry", address="127.0.0.1:1") from OSError("in use")

    with pytest.raises(SystemExit) as ended:
        run("pantry", work())

    assert "OSError" not in str(ended.value.code)


def test_an_unexpected_error_keeps_its_traceback() -> None:
    async def work() -> None:
        raise KeyError("jar")

    with pytest.raises(KeyError, match="jar"):
        run("pantry", work())
