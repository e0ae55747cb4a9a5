# SPDX-License-Identifier: Apache-2.0
"""Concurrent callers use up a pool on two replicas, and must be allowed as soon as there are credits again: P13."""

import asyncio
import bisect
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import grpc.aio

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.perf.bench import Bench
from tests.perf.goals import Figure, Spread
from tests.perf.world import (
    CALL_MICROS,
    PRODUCT,
    UNITS_MICROS,
    USERS,
    Stubs,
    customer,
    open_stubs,
    used_micros,
)

CALLERS = 32
TOP_UPS = 3
# After this many denials in total, credits are granted again.
DENIALS_BETWEEN = 2 * CALLERS
RACE_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to one call, with times of this process's monotonic clock."""

    asked: float
    answered: float
    is_allowed: bool


@dataclass(slots=True)
class Race:
    """All events of one pool. grants: when each was acknowledged, and how many calls it pays for."""

    grants: list[tuple[float, int]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    # When calls with an unknown outcome were made.
    unknown: list[float] = field(default_factory=list)

    @property
    def granted(self) -> int:
        return sum(worth for _, worth in self.grants)

    @property
    def allowed(self) -> int:
        return sum(told.is_allowed for told in self.told)

    @property
    def denied(self) -> int:
        return len(self.told) - self.allowed

    def false_denials(self) -> int:
        """Return the denials of calls during which the credits were certainly available the whole time.

        Certainly available means: granted before the call was made, and not spent even if every allowed call that began
        before the denial was decided before it.
        """
        begun = sorted([*self.unknown, *(told.asked for told in self.told if told.is_allowed)])
        found = 0
        for told in self.told:
            if not told.is_allowed:
                granted = sum(worth for at, worth in self.grants if at <= told.asked)
                spent_at_most = bisect.bisect_right(begun, told.answered)
                found += granted > spent_at_most
        return found


async def past_zero(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P13: several races, each on a separate pool."""
    overspent, false_denials, races = [], [], []
    allowed = denied = 0
    async with bench.shop(replicas=2) as shop, open_stubs(shop.addresses[1]) as other:
        replicas = (shop.stubs, other)
        for number in range(1, bench.scale.races + 1):
            race = await _race(replicas, customer(number), calls=bench.scale.race_calls)
            stored = await used_micros(shop.database.ledger_url, [customer(number)])
            allowed, denied = allowed + race.allowed, denied + race.denied
            spent = max(race.allowed * CALL_MICROS, stored)
            overspent.append(max(0, spent - race.granted * CALL_MICROS) / MICROS)
            false_denials.append(race.false_denials())
            races.append(
                {
                    "granted_calls": race.granted,
                    "allowed_calls": race.allowed,
                    "denied_calls": race.denied,
                    "reasons": dict(race.reasons),
                    "faults": dict(race.faults),
                    "is_spent_exactly": stored == race.granted * CALL_MICROS == race.allowed * CALL_MICROS,
                }
            )
        found = [await replica.verify() for replica in replicas]
    is_consistent = all(one.is_consistent for one in found)
    told = f"{len(races)} races, {allowed:,} calls allowed, {denied:,} denied"
    detail = {
        "briefly": told,
        "callers": CALLERS,
        "replicas": 2,
        "races": races,
        "audit": {"is_consistent": is_consistent},
    }
    parts = {
        # Not the median: the worst race counts.
        "credits overspent": _worst(overspent),
        "false denials": _worst(false_denials),
    }
    return {"P13": Figure(parts, detail, holds=is_consistent)}


async def _race(replicas: Sequence[Stubs], name: str, *, calls: int) -> Race:
    race = Race()
    await replicas[0].sign([name])
    await _top_up(race, replicas[0], name, calls)
    is_over = asyncio.Event()
    denied = asyncio.Condition()
    async with asyncio.timeout(RACE_SECONDS_MAX), asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(_call_until(is_over, race, denied, replicas[number % 2], name, number))
        for number in range(TOP_UPS + 1):
            wanted = race.denied + DENIALS_BETWEEN
            async with denied:
                await denied.wait_for(lambda wanted=wanted: race.denied >= wanted)  # type: ignore[misc]
            if number < TOP_UPS:
                # By the replicas in turn, so that each time the other one has not seen the grant.
                await _top_up(race, replicas[number % 2], name, calls)
        is_over.set()
    return race


async def _top_up(race: Race, stubs: Stubs, name: str, calls: int) -> None:
    await stubs.add_credits(name, micros=calls * CALL_MICROS, request_id=secrets.token_hex(16))
    race.grants.append((time.monotonic(), calls))


async def _call_until(
    is_over: asyncio.Event, race: Race, denied: asyncio.Condition, stubs: Stubs, name: str, number: int
) -> None:
    """Half of the callers debit, the other half authorize and capture the whole hold."""
    ask = _debit if number // 2 % 2 else _authorize
    user = USERS[number % len(USERS)]
    while not is_over.is_set():
        asked = time.monotonic()
        try:
            answer = await ask(stubs, name, user)
        except grpc.aio.AioRpcError as error:
            race.faults[error.code().name] += 1
            race.unknown.append(asked)
            continue
        is_allowed = answer.decision == ledger.DECISION_ALLOWED
        race.told.append(Told(asked, time.monotonic(), is_allowed))
        if not is_allowed:
            race.reasons[ledger.DenialReason.Name(answer.denial_reason)] += 1
            async with denied:
                denied.notify_all()
        elif isinstance(answer, ledger.AuthorizeResponse):
            await _capture(race, stubs, name, answer.hold_id)


async def _authorize(stubs: Stubs, name: str, user: str) -> ledger.AuthorizeResponse:
    return await stubs.gate.Authorize(
        ledger.AuthorizeRequest(
            request_id=secrets.token_hex(16),
            customer=name,
            product_id=PRODUCT,
            quantity_micros=UNITS_MICROS,
            group_values={"user_id": user},
        )
    )


async def _debit(stubs: Stubs, name: str, user: str) -> ledger.DebitResponse:
    return await stubs.gate.Debit(
        ledger.DebitRequest(
            request_id=secrets.token_hex(16),
            customer=name,
            product_id=PRODUCT,
            quantity_micros=UNITS_MICROS,
            group_values={"user_id": user},
        )
    )


async def _capture(race: Race, stubs: Stubs, name: str, hold_id: str) -> None:
    """Capture a whole hold; after an error it stays held, which is equivalent for the sums."""
    try:
        await stubs.gate.Capture(
            ledger.CaptureRequest(request_id=secrets.token_hex(16), customer=name, hold_id=hold_id)
        )
    except grpc.aio.AioRpcError as error:
        race.faults[error.code().name] += 1


def _worst(values: Sequence[float]) -> Spread:
    spread = Spread.of(values)
    return Spread(spread.high, spread.low, spread.high, spread.rounds)
