# SPDX-License-Identifier: Apache-2.0
"""How many calls a server takes in at once, how large their messages may be, and how long these may take to arrive.

gRPC reads the message of a unary call before any of our code runs, and waits for it without a bound. So the wrapper
(calls.py) makes streams of all requests and reads them here. On the wire the two are the same.
"""

import asyncio
import time
from collections import deque
from typing import Any, TypeAlias

from grpc.aio import EOF

from meshkit.errors import Invalid, ResourceExhausted, Unavailable

# A gate answers some 3,000 a second, so these wait for each other for some 0.3 s. One connection can take an eighth.
CALLS_MAX = 1_024
# Calls whose message has not arrived: each costs some 25 kB.
ARRIVING_MAX = 8_192
ARRIVAL_SECONDS = 5.0
# How often late messages are looked for: they may be later than ARRIVAL_SECONDS by a tenth.
LOOKS_PER_ARRIVAL = 10
# What a connection can make the server buffer is so many messages of the largest size.
READS_PER_CONNECTION = 8
# The largest message of any method: 1,000 calls of the gate, each with one line of the longest kind.
MESSAGE_BYTES_MAX = 24 * 1024 * 1024
# The largest request of a method that does not state one (server.py): gRPC's own default.
REQUEST_BYTES_MAX = 4 * 1024 * 1024

Context: TypeAlias = Any  # grpc.aio.ServicerContext; its types leave out add_done_callback's argument


class TooManyCalls(ResourceExhausted):
    """The server works on as many calls as it can; nothing was done."""

    reason = "TOO_MANY_CALLS"

    def __init__(self) -> None:
        super().__init__("the server works on too many calls; wait a moment and retry")


class MessageTooLarge(Invalid):
    """The request is larger than its rpc accepts."""

    reason = "MESSAGE_TOO_LARGE"

    def __init__(self, *, size: int, largest: int) -> None:
        super().__init__(
            f"the request has {size} bytes, and this rpc accepts {largest}; send several smaller ones",
            bytes=str(size),
            bytes_max=str(largest),
        )


class MessageLate(Unavailable):
    """The request of a call did not arrive in time; nothing was done."""

    reason = "MESSAGE_LATE"

    def __init__(self) -> None:
        super().__init__(
            f"the request did not arrive within {ARRIVAL_SECONDS:g} s; nothing was done, safe to retry"
        )


class MessageMissing(Invalid):
    """The call ended without a request."""

    reason = "MESSAGE_MISSING"

    def __init__(self) -> None:
        super().__init__("the call has no request")


class _Connection:
    """A connection's messages: how many are read now, and those that wait."""

    __slots__ = ("reading", "waiting")

    def __init__(self) -> None:
        self.reading = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Intake:
    """The calls of one server. open_calls: those it works on, and those whose response the caller has not read.

    Late messages are looked for once in a while: a timer for each call would cost 7 µs.
    """

    def __init__(self, *, calls_max: int = CALLS_MAX, arrival_seconds: float = ARRIVAL_SECONDS) -> None:
        self._calls_max = calls_max
        self._arrival_seconds = arrival_seconds
        self.open_calls = 0
        # In order of arrival: since when, on time.monotonic().
        self._arriving: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._is_looking = False
        self._connections: dict[str, _Connection] = {}

    @property
    def arriving_calls(self) -> int:
        """How many calls there are whose message has not arrived."""
        return len(self._arriving)

    @property
    def reading_calls(self) -> int:
        """How many messages are read now; only these can take memory before they have arrived."""
        return sum(connection.reading for connection in self._connections.values())

    def require_room(self) -> None:
        """Raise TooManyCalls if the server is full. Called before anything of a call is looked at."""
        if self.open_calls >= self._calls_max or len(self._arriving) >= ARRIVING_MAX:
            raise TooManyCalls

    def enter(self, context: Context) -> None:
        """Count a call until it has ended, its response read. Raises TooManyCalls."""
        if self.open_calls >= self._calls_max:
            raise TooManyCalls
        self.open_calls += 1
        # Not at the end of its coroutine: an unread response keeps its memory beyond that.
        context.add_done_callback(self._leave)

    async def read(self, context: Context, *, bytes_max: int, is_exempt: bool = False) -> bytes:
        """Return the one message of a call, and count the call unless it `is_exempt`.

        Raises TooManyCalls, MessageTooLarge, MessageLate, MessageMissing.
        """
        task = asyncio.current_task()
        assert task is not None
        if not self._is_looking:
            self._look_again()
        self._arriving[task] = time.monotonic()
        peer = context.peer()
        connection = self._connections.get(peer)
        if connection is None:
            connection = self._connections[peer] = _Connection()
        try:
            if connection.reading >= READS_PER_CONNECTION:
                await self._wait_for_turn(connection)
            else:
                connection.reading += 1
            try:
                raw = await context.read()
            finally:
                self._end_turn(connection)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise MessageLate from None
        finally:
            del self._arriving[task]
            self._late.discard(task)
            if not connection.reading:
                self._connections.pop(peer, None)
        if raw is EOF:
            raise MessageMissing
        message: bytes = raw
        size = len(message)
        if size > bytes_max:
            del raw, message  # the error's traceback would keep them
            raise MessageTooLarge(size=size, largest=bytes_max)
        if not is_exempt:
            self.enter(context)
        return message

    async def _wait_for_turn(self, connection: _Connection) -> None:
        turn = asyncio.get_running_loop().create_future()
        connection.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end_turn(connection)  # it was given to this call, which does not take it
            raise

    def _end_turn(self, connection: _Connection) -> None:
        """Give the turn of a call to the next one that waits."""
        while connection.waiting:
            turn = connection.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        connection.reading -= 1

    def _look_again(self) -> None:
        self._is_looking = True
        asyncio.get_running_loop().call_later(self._arrival_seconds / LOOKS_PER_ARRIVAL, self._look_for_late)

    def _look_for_late(self) -> None:
        """Cancel the calls that have waited too long for their message."""
        self._is_looking = False
        before = time.monotonic() - self._arrival_seconds
        for task, since in self._arriving.items():
            if since > before:
                break
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        if self._arriving:
            self._look_again()

    def _leave(self, _: Context) -> None:
        self.open_calls -= 1
