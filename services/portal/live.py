# SPDX-License-Identifier: Apache-2.0
"""Balances as they fall: one question a second for each customer that somebody looks at, shared by all its viewers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from grpc import StatusCode
from grpc.aio import AioRpcError

from purser.ledger.v1.ledger_pb2 import GetBalanceRequest, GetBalanceResponse
from services.portal.session import Viewer

POLL_SECONDS: Final = 1.0
_REFUSED: Final = (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)

log = structlog.get_logger(__name__)


class Watch:
    """The balance of one customer while it is looked at.

    balance: the latest; None before the first answer. is_current: whether the Ledger answered the last question.
    version: counts the changes, so that nobody misses one while an event is written.
    """

    def __init__(self, poll_seconds: float) -> None:
        self.balance: GetBalanceResponse | None = None
        self.is_current = True
        self.version = 0
        self.viewers: list[Viewer] = []
        self._poll_seconds = poll_seconds
        self._changed = asyncio.Event()

    async def until_after(self, version: int, seconds_max: float) -> int:
        """Return the version as soon as it is later than `version`, and otherwise after `seconds_max`."""
        if self.version <= version:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds_max)
        return self.version

    async def poll(self) -> None:
        """Ask again and again, with the token of whoever looks longest."""
        while True:
            if self.viewers:
                await self._ask(self.viewers[0])
            await asyncio.sleep(self._poll_seconds)

    def wake(self) -> None:
        """Wake everybody who waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _change(self) -> None:
        self.version += 1
        self.wake()

    async def _ask(self, viewer: Viewer) -> None:
        try:
            balance = await viewer.mesh.ledger.GetBalance(GetBalanceRequest(customer=viewer.customer_id))
        except AioRpcError as error:
            if error.code() in _REFUSED and viewer in self.viewers:
                self.viewers.remove(viewer)
                self.wake()
            elif self.is_current:
                log.warning("balance_unavailable", customer_id=viewer.customer_id, code=error.code().name)
                self.is_current = False
                self._change()
            return
        if not self.is_current or _figures(balance) != _figures(self.balance):
            self.balance, self.is_current = balance, True
            self._change()


class LiveBalances:
    """All watches of this process. poll_seconds: between two questions for one customer."""

    def __init__(self, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._watches: dict[str, tuple[Watch, asyncio.Task[None]]] = {}
        self.is_closing = False

    @property
    def watched(self) -> int:
        """How many customers are watched now."""
        return len(self._watches)

    @asynccontextmanager
    async def watch(self, viewer: Viewer) -> AsyncIterator[Watch]:
        """Watch the balance of the viewer's customer until the block ends."""
        customer_id = viewer.customer_id
        if customer_id not in self._watches:
            watch = Watch(self._poll_seconds)
            self._watches[customer_id] = watch, asyncio.create_task(watch.poll())
        watch, polling = self._watches[customer_id]
        watch.viewers.append(viewer)
        try:
            yield watch
        finally:
            if viewer in watch.viewers:
                watch.viewers.remove(viewer)
            if not watch.viewers and self._watches.get(customer_id) == (watch, polling):
                del self._watches[customer_id]
                polling.cancel()

    def close(self) -> None:
        """Let all streams end, so that the process can."""
        self.is_closing = True
        for watch, _ in self._watches.values():
            watch.wake()


def _figures(balance: GetBalanceResponse | None) -> bytes:
    """Return what is compared: everything but the instant of the answer."""
    if balance is None:
        return b""
    copy = GetBalanceResponse()
    copy.CopyFrom(balance)
    copy.ClearField("as_of_time")
    return copy.SerializeToString(deterministic=True)
