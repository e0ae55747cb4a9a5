# SPDX-License-Identifier: Apache-2.0
"""What the processes of the race have said, call by call."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Call:
    """One call of a process; times in seconds since 1970. used: what it uses if it is allowed, in micro-credits.

    outcome: "used", "nothing", "denied", "failed" (with why), or "" while nobody knows.
    """

    asked: float
    held: int
    used: int
    outcome: str = ""
    answered: float = 0.0
    is_leased: bool = False
    why: str = ""
    extending: tuple[float, int] = (0.0, 0)


@dataclass(frozen=True, slots=True)
class Denied:
    """A call or an extension of one that was denied. micros: asked for. available: as the answer said."""

    asked: float
    answered: float
    micros: int
    available: int
    reason: str
    is_extension: bool = False


@dataclass(slots=True)
class CallLog:
    """A process's calls, by number.

    killed: when it was, or None. is_closed: it has ended by itself, with everything reported. last_asked: when the
    last call was asked for that had this outcome, by whether a lease served it.
    """

    name: str
    has_spool: bool
    calls: dict[int, Call] = field(default_factory=dict)
    denied: list[Denied] = field(default_factory=list)
    killed: float | None = None
    is_closed: bool = False
    last_asked: dict[tuple[str, bool], float] = field(default_factory=dict)

    def read(self, line: str) -> str:
        """Take a line of the process; returns its event. What is not one of a client's lines raises ValueError."""
        time, event, number, *more = line.split(maxsplit=4)
        at = int(time) / 1e6
        if event == "asked":
            self.calls[int(number)] = Call(asked=at, held=int(more[0]), used=int(more[1]))
        elif event == "closed":
            self.is_closed = more == ["0"]
        else:
            self._read(self.calls[int(number)], at, event, more)
        return event

    def _read(self, call: Call, at: float, event: str, more: Sequence[str]) -> None:
        if event == "extending":
            call.extending = (at, int(more[0]))
            return
        if event == "not_extended":
            asked, micros = call.extending
            self.denied.append(Denied(asked, at, micros, int(more[0]), more[1], is_extension=True))
            return
        call.outcome, call.answered = event, at
        if event == "denied":
            self.denied.append(Denied(call.asked, at, call.held, int(more[0]), more[1]))
        elif event == "failed":
            call.why = " ".join(more)
        elif event in ("used", "nothing"):
            call.is_leased = more[0] == "1"
        else:
            raise ValueError(f"{self.name} says {event} {more}")
        kind = event, call.is_leased
        self.last_asked[kind] = max(call.asked, self.last_asked.get(kind, 0.0))

    def ended(self, outcome: str) -> list[Call]:
        return [call for call in self.calls.values() if call.outcome == outcome]

    def used(self) -> Counter[int]:
        """Return what it certainly used: the gate has taken it."""
        return Counter(call.used for call in self.ended("used"))

    def perhaps_used(self) -> Counter[int]:
        """Return all that it may have used: calls without a known outcome too."""
        return Counter(call.used for call in self.calls.values() if call.outcome in ("used", "failed", ""))


class CallLogs:
    """All processes' logs, in the order in which they started; tells who waits for denials or leases."""

    def __init__(self) -> None:
        self.all: list[CallLog] = []
        self.denials = 0
        self._heard = asyncio.Condition()

    def __iter__(self) -> Iterator[CallLog]:
        return iter(self.all)

    def new(self, name: str, *, has_spool: bool) -> CallLog:
        self.all.append(CallLog(name, has_spool))
        return self.all[-1]

    async def read(self, log: CallLog, lines: asyncio.StreamReader) -> None:
        """Read a process's lines until it has ended. A line that kill -9 has cut off says nothing."""
        while line := await lines.readline():
            if line.endswith(b"\n"):
                event = log.read(line.decode().rstrip("\n"))
                self.denials += event == "denied"
                async with self._heard:
                    self._heard.notify_all()

    async def until_denied(self, count: int) -> None:
        """Return when there were so many denials in all."""
        async with self._heard:
            await self._heard.wait_for(lambda: self.denials >= count)

    async def until_each(
        self, logs: Sequence[CallLog], outcome: str, *, after: float, is_leased: bool
    ) -> None:
        """Return when each of these processes has asked since then for a call with this outcome."""
        async with self._heard:
            await self._heard.wait_for(
                lambda: all(log.last_asked.get((outcome, is_leased), 0.0) >= after for log in logs)
            )
