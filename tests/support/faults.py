# SPDX-License-Identifier: Apache-2.0
"""Context managers that expect a call to fail with a given error."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.errors import InvalidFields, MeshError
from meshkit.rpc.status import from_rpc_error


@contextmanager
def fault(code: StatusCode, reason: str, **metadata: str) -> Iterator[None]:
    """Expect a fault with this status, this reason and at least this metadata."""
    with pytest.raises(AioRpcError) as raised:
        yield
    told = from_rpc_error(raised.value)
    assert (raised.value.code(), told.reason) == (code, reason), raised.value.details()
    assert metadata.items() <= told.metadata.items()


@contextmanager
def bad_fields(*fields: str) -> Iterator[None]:
    """Expect INVALID_FIELDS that names exactly these fields."""
    with pytest.raises(AioRpcError) as raised:
        yield
    told: MeshError = from_rpc_error(raised.value)
    assert isinstance(told, InvalidFields), raised.value.details()
    assert raised.value.code() is StatusCode.INVALID_ARGUMENT
    assert sorted(violation.field for violation in told.violations) == sorted(fields)
