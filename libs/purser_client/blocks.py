# SPDX-License-Identifier: Apache-2.0
"""The blocks around an AI call: `async with gate.authorize(…)`, which raises Denied, and `gate.try_authorize(…)`."""

from types import TracebackType
from typing import Protocol

from purser_client.answers import Denial
from purser_client.faults import Denied
from purser_client.hold import Hold
from purser_client.hold_operations import HoldOperations, HoldTerms
from purser_client.wire import UsageRequest


class Block(Protocol):
    """One authorized block. It is entered once and left once; the classes below add the `with` protocols.

    `enter_now` and `leave_now` do it without a call, if they can: then they return a hold, or True.
    """

    def enter_now(self) -> Hold | None: ...

    async def enter(self) -> Hold | Denial: ...

    async def enter_or_raise(self) -> Hold:
        """Return the hold. Raises Denied."""
        ...

    def leave_now(self, error: BaseException | None) -> bool: ...

    async def leave(self, error: BaseException | None) -> None: ...


class HoldBlock:
    """A block that the Ledger decides."""

    def __init__(self, operations: HoldOperations, usage: UsageRequest, terms: HoldTerms) -> None:
        self._operations = operations
        self._usage = usage
        self._terms = terms
        self._is_entered = False
        self._hold: Hold | None = None

    def enter_now(self) -> Hold | None:
        return None

    async def enter(self) -> Hold | Denial:
        if self._is_entered:
            raise RuntimeError("this block was entered before; call authorize(…) for each AI call")
        self._is_entered = True
        answer = await self._operations.enter(self._usage, self._terms)
        self._hold = answer if isinstance(answer, Hold) else None
        return answer

    async def enter_or_raise(self) -> Hold:
        answer = await self.enter()
        if isinstance(answer, Denial):
            raise Denied(answer)
        return answer

    def leave_now(self, error: BaseException | None) -> bool:
        return False

    async def leave(self, error: BaseException | None) -> None:
        if self._hold is not None:
            await self._operations.leave(self._hold, self._usage, self._terms, error)


class AuthorizeBlock:
    """For `async with`: enters with a Hold, or raises Denied."""

    def __init__(self, block: Block) -> None:
        self._block = block

    async def __aenter__(self) -> Hold:
        return await self._block.enter_or_raise()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._block.leave(error)


class TryAuthorizeBlock:
    """For `async with`: enters with a Hold or a Denial."""

    def __init__(self, block: Block) -> None:
        self._block = block

    async def __aenter__(self) -> Hold | Denial:
        return await self._block.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._block.leave(error)
