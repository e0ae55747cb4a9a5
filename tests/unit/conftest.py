# SPDX-License-Identifier: Apache-2.0
"""Unit tests open no socket: a test below this folder that opens one fails."""

import sys
from collections.abc import Iterator

import pytest

_guarded = False


def _refuse_sockets(event: str, _arguments: tuple[object, ...]) -> None:
    if _guarded and event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
        raise AssertionError(f"a unit test opens no socket ({event})")


sys.addaudithook(_refuse_sockets)


@pytest.fixture(autouse=True)
def _no_socket() -> Iterator[None]:
    global _guarded
    _guarded = True
    yield
    _guarded = False
