# SPDX-License-Identifier: Apache-2.0
"""Context managers that expect a call to fail with a given error."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.errors import InvalidFields, MeshError
from meshkit.rpc.status import DETAILS_KEY, from_rpc_error


@contextmanager
def fault(code: StatusCode, reason: str, **metadata: str) -> Iterator[None]:
    """Expect a fault with this status, this reason and at least this metadata."""
    with pytest.raises(AioRpcError) as raised:
        yield
    told = from_rpc_error(raised.value)
    assert (raised.value.code(), told.reason) == (code, reason), raised.value.details()
    assert metadata.items() <= told.metadata.items()


async def outcome(call: Awaitable[object]) -> tuple[StatusCode, str]:
    """Return how a call ended: its status, and the reason it gave."""
    try:
        await call
    except AioRpcError as error:
        return error.code(), _reason(error)
    return StatusCode.OK, ""


def _reason(error: AioRpcError) -> str:
    info = ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            Status.FromString(value).details[0].Unpack(info)
    return str(info.reason)


@contextmanager
def bad_fields(*fields: str) -> Iterator[None]:
    """Expect INVALID_FIELDS that names exactly these fields."""
    with pytest.raises(AioRpcError) as raised:
        yield
    told: MeshError = from_rpc_error(raised.value)
    assert isinstance(told, InvalidFields), raised.value.details()
    assert raised.value.code() is StatusCode.INVALID_ARGUMENT
    assert sorted(violation.field for violation in told.violations) == sorted(fields)
