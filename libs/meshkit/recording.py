# SPDX-License-Identifier: Apache-2.0
"""What records writes and refused calls, as this package sees it; libs/audit implements it."""

from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.errors import MeshError


class Recorder(Protocol):
    """Records the write of the present call, in the transaction of its effect."""

    async def record(self, connection: AsyncConnection, effect: object) -> None:
        """Record it. effect: plain data that names what the write has made or changed."""
        ...


class RpcRecorder(Protocol):
    """Records the calls of one rpc."""

    def begin(self, request: Any) -> None:
        """Remember the request of the present call, which has been read."""
        ...

    async def refused(self, context: Any, fault: MeshError) -> None:
        """Record that the present call is answered with a fault, if that is a refusal. It raises nothing."""
        ...


class CallRecorder(Protocol):
    """Knows which rpcs are recorded."""

    def of(self, rpc: str) -> RpcRecorder | None:
        """Return what records the calls of an rpc, by its full name; None: they are not recorded."""
        ...
