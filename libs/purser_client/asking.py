# SPDX-License-Identifier: Apache-2.0
"""The blocks an AI call is made in: `async with gate.authorize(…)`, which raises, and `gate.try_authorize(…)`."""

from types import TracebackType

from purser_client.answers import Denial
from purser_client.faults import Denied
from purser_client.hold import Hold
from purser_client.holding import Holding, Terms
from purser_client.wire import Ask


class Asking:
    """One ask for a hold, to be entered and left once."""

    def __init__(self, holding: Holding, ask: Ask, terms: Terms) -> None:
        self._holding = holding
        self._ask = ask
        self._terms = terms
        self._is_entered = False
        self._hold: Hold | None = None

    async def enter(self) -> Hold | Denial:
        if self._is_entered:
            raise RuntimeError("this block was entered before; call authorize(…) for each AI call")
        self._is_entered = True
        answer = await self._holding.enter(self._ask, self._terms)
        self._hold = answer if isinstance(answer, Hold) else None
        return answer

    async def enter_or_raise(self) -> Hold:
        """Return the hold. Raises Denied."""
        answer = await self.enter()
        if isinstance(answer, Denial):
            raise Denied(answer)
        return answer

    async def leave(self, error: BaseException | None) -> None:
        if self._hold is not None:
            await self._holding.leave(self._hold, self._ask, self._terms, error)


class Authorizing:
    """`async with` this: gets a Hold, or Denied is raised."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __aenter__(self) -> Hold:
        return await self._asking.enter_or_raise()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._asking.leave(error)


class TryingToAuthorize:
    """`async with` this: gets a Hold, or a Denial."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __aenter__(self) -> Hold | Denial:
        return await self._asking.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._asking.leave(error)
