# SPDX-License-Identifier: Apache-2.0
"""A process of the race: it calls through a gate with leases until its stdin ends, and writes what happens to stdout.

A line is in the pipe before the process goes on, so what was said survives kill -9. The lines are read by call_log.py.
"""

import asyncio
import json
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from purser_client import (
    Credits,
    DebitResult,
    Denial,
    Denied,
    FailClosed,
    FileSpool,
    Gate,
    Hold,
    LeasePolicy,
    PurserError,
    Quantity,
    SyncGate,
)
from tests.perf.world import PRODUCT

TASKS = 3  # or threads
# Amounts are of millionths of a unit, which cost 12 micro-credits each: so each can be asked for in both measures.
MICROS_PER_UNIT = 12
COST_UNITS_MAX = 2_000_000 // MICROS_PER_UNIT
PAUSE_SECONDS_MAX = 0.03
# Of a call. What reports, at the end too, has more time: a machine may stand still for seconds.
DEADLINE = timedelta(seconds=1)
REPORT_DEADLINE = timedelta(seconds=60)

Answer = DebitResult | Hold | Denial


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What a process is told. name: its user. spool: its path, or "". ttl_seconds: of its leases."""

    name: str
    address: str
    customer: str
    is_sync: bool
    spool: str
    seed: int
    ttl_seconds: float

    def gate(self) -> dict[str, Any]:
        """Return the arguments of its gate."""
        return {
            "addresses": self.address,
            "deadline": REPORT_DEADLINE,
            "unreachable": FailClosed(spool=FileSpool(self.spool) if self.spool else None),
            "lease": LeasePolicy(ttl=timedelta(seconds=self.ttl_seconds)),
        }

    def to_argument(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call. held, used: micro-credits; of a debit both are the same. No two calls of a process use the same.

    more: what the block asks for in addition, or 0. is_quantity: amounts are asked for in units.
    """

    number: int
    held: int
    used: int
    more: int
    is_debit: bool
    is_quantity: bool
    pause_seconds: float

    def amount(self, micros: int) -> Quantity | Credits:
        return Quantity(micros // MICROS_PER_UNIT) if self.is_quantity else Credits(micros)

    def asked(self, micros: int) -> dict[str, Any]:
        measure = "quantity" if self.is_quantity else "credits"
        return {"deadline": DEADLINE, measure: self.amount(micros)}


def planned_calls(dice: random.Random) -> Iterator[PlannedCall]:
    """Yield calls without an end: debits, and blocks that use all, a part, or nothing of what was authorized."""
    seen: set[int] = set()
    for number in count(1):
        units = dice.randint(COST_UNITS_MAX // 20, COST_UNITS_MAX)
        is_debit = dice.random() < 0.5
        used = units if is_debit else dice.choices((units, dice.randint(1, units), 0), (9, 9, 2))[0]
        if used in seen:
            continue
        if used:
            seen.add(used)
        yield PlannedCall(
            number=number,
            held=units * MICROS_PER_UNIT,
            used=used * MICROS_PER_UNIT,
            more=units * MICROS_PER_UNIT if not is_debit and dice.random() < 0.2 else 0,
            is_debit=is_debit,
            is_quantity=dice.random() < 0.5,
            pause_seconds=dice.uniform(0, PAUSE_SECONDS_MAX),
        )


class Client:
    """Makes calls, and says what becomes of them; in tasks or in threads."""

    def __init__(self, settings: ClientSettings, stopped: threading.Event) -> None:
        self.settings = settings
        self.stopped = stopped
        self._planned = planned_calls(random.Random(settings.seed))
        self._drawing = threading.Lock()

    def calls(self) -> Iterator[PlannedCall]:
        """Yield calls, to several tasks or threads, until the race is over."""
        while not self.stopped.is_set():
            with self._drawing:
                call = next(self._planned)
            say("asked", call.number, call.held, call.used)
            yield call

    def arguments(self, call: PlannedCall) -> dict[str, Any]:
        who = {"customer": self.settings.customer, "user_id": self.settings.name, "product": PRODUCT}
        return who | call.asked(call.held)

    async def race_in_tasks(self) -> None:
        async def race() -> None:
            for call in self.calls():
                arguments = self.arguments(call)
                with failing(call):
                    if call.is_debit:
                        answer: Answer = await gate.try_debit(**arguments)
                    else:
                        async with gate.try_authorize(**arguments) as answer:
                            if call.more and isinstance(answer, Hold):
                                with extending(call):
                                    await gate.extend(answer, **call.asked(call.more))
                            use(call, answer)
                    answered(call, answer)
                await asyncio.sleep(call.pause_seconds)

        async with Gate(**self.settings.gate()) as gate:
            await asyncio.gather(*(race() for _ in range(TASKS)))
            await gate.flush()
            pending = gate.pending_count
        say("closed", 0, pending)

    def race_in_threads(self) -> None:
        def race() -> None:
            for call in self.calls():
                arguments = self.arguments(call)
                with failing(call):
                    if call.is_debit:
                        answer: Answer = gate.try_debit(**arguments)
                    else:
                        with gate.try_authorize(**arguments) as answer:
                            if call.more and isinstance(answer, Hold):
                                with extending(call):
                                    gate.extend(answer, **call.asked(call.more))
                            use(call, answer)
                    answered(call, answer)
                time.sleep(call.pause_seconds)

        with SyncGate(**self.settings.gate()) as gate:
            with ThreadPoolExecutor(TASKS) as threads:
                for done in [threads.submit(race) for _ in range(TASKS)]:
                    done.result()
            gate.flush()
            pending = gate.pending_count
        say("closed", 0, pending)


def say(event: str, number: int, *more: object) -> None:
    """Write a line: the time in microseconds since 1970, an event, the number of the call, and more."""
    line = " ".join(str(one) for one in (time.time_ns() // 1_000, event, number, *more))
    os.write(1, f"{line}\n".encode())  # less than PIPE_BUF bytes, so lines of threads do not mix


def use(call: PlannedCall, answer: Hold | Denial) -> None:
    """Capture, inside the block. Nothing is used by a capture of nothing, or by none."""
    if isinstance(answer, Hold) and (call.used or call.number % 2):
        answer.capture(call.amount(call.used))


def answered(call: PlannedCall, answer: Answer) -> None:
    if isinstance(answer, Denial):
        say("denied", call.number, answer.available.micros, answer.reason.name)
    else:
        say("used" if call.used else "nothing", call.number, int(answer.is_leased))


@contextmanager
def extending(call: PlannedCall) -> Iterator[None]:
    """Say what becomes of an extension; the block goes on without it."""
    say("extending", call.number, call.more)
    try:
        yield
    except Denied as error:
        say("not_extended", call.number, error.denial.available.micros, error.denial.reason.name)


@contextmanager
def failing(call: PlannedCall) -> Iterator[None]:
    """Say what fails: whether the call was executed is unknown then."""
    try:
        yield
    except PurserError as fault:
        say("failed", call.number, type(fault).__name__, fault)


def main(argument: str) -> None:
    # Calls without an answer are what a race is about; its table counts them.
    logging.getLogger("purser_client").setLevel(logging.CRITICAL)
    stopped = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        stopped.set()

    threading.Thread(target=listen, daemon=True).start()
    client = Client(ClientSettings(**json.loads(argument)), stopped)
    if client.settings.is_sync:
        client.race_in_threads()
    else:
        asyncio.run(client.race_in_tasks())


if __name__ == "__main__":
    main(sys.argv[1])
