# SPDX-License-Identifier: Apache-2.0
"""Concurrent callers of the replicas: each makes one call after the other, and records the answers and times."""

import asyncio
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.total_order import Observed
from tests.support.ledger import CREDIT, GateStub

AMOUNT_MAX = 20 * CREDIT
BATCH_MAX = 6
KINDS = [
    "debit",
    "debit",
    "authorize",
    "authorize",
    "capture",
    "capture",
    "release",
    "extend",
    "batch",
    "look",
]


class Caller:
    """Calls a random replica about a random customer. observed: its answers, by customer."""

    def __init__(
        self,
        name: str,
        gates: Sequence[GateStub],
        customers: Sequence[str],
        *,
        seed: int,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._name = name
        self._gates = gates
        self._customers = customers
        self._random = random.Random(f"{seed} {name}")
        self._kinds = kinds
        self._ids = (f"{name}-{number}" for number in itertools.count(1))
        self._holds: list[tuple[str, str, int]] = []  # customer, hold_id, micros held
        self.observed: dict[str, list[Observed]] = defaultdict(list)

    async def call(self, times: int) -> None:
        for _ in range(times):
            kind = self._random.choice(self._kinds)
            if kind in ("capture", "release", "extend") and not self._holds:
                kind = "authorize"
            began = time.perf_counter()
            seen = await getattr(self, f"_{kind}")(self._random.choice(self._gates))
            ended = time.perf_counter()
            for customer, name, change, after in seen:
                self.observed[customer].append(Observed(name, began, ended, change, after))

    async def _debit(self, gate: GateStub) -> list[Any]:
        request = self._ask(pb.DebitRequest)
        return [_debited(request, await gate.Debit(request))]

    async def _batch(self, gate: GateStub) -> list[Any]:
        requests = [self._ask(pb.DebitRequest) for _ in range(self._random.randint(2, BATCH_MAX))]
        told = await gate.DebitBatch(pb.DebitBatchRequest(items=requests))
        return [_debited(one, result.response) for one, result in zip(requests, told.results, strict=True)]

    async def _authorize(self, gate: GateStub) -> list[Any]:
        request = self._ask(pb.AuthorizeRequest)
        told = await gate.Authorize(request)
        assert (told.decision == pb.DECISION_DENIED) == (
            told.available_micros < request.credits_micros - told.held_micros
        )
        if told.hold_id:
            self._holds.append((request.customer, told.hold_id, told.held_micros))
        return [(request.customer, request.request_id, -told.held_micros, told.available_micros)]

    async def _capture(self, gate: GateStub) -> list[Any]:
        customer, hold_id, held = self._take_hold()
        actual = self._random.choice([held, held // 3, held + self._amount()])
        request = pb.CaptureRequest(
            request_id=next(self._ids), customer=customer, hold_id=hold_id, credits_micros=actual
        )
        told = await gate.Capture(request)
        assert told.captured_micros + told.shortfall_micros == actual
        assert not told.shortfall_micros or not told.available_micros
        return [(customer, request.request_id, held - told.captured_micros, told.available_micros)]

    async def _release(self, gate: GateStub) -> list[Any]:
        customer, hold_id, held = self._take_hold()
        request = pb.ReleaseRequest(request_id=next(self._ids), customer=customer, hold_id=hold_id)
        told = await gate.Release(request)
        assert told.released_micros == held
        return [(customer, request.request_id, held, told.available_micros)]

    async def _extend(self, gate: GateStub) -> list[Any]:
        customer, hold_id, held = self._take_hold()
        more = self._amount()
        request = pb.ExtendHoldRequest(
            request_id=next(self._ids), customer=customer, hold_id=hold_id, credits_micros=more
        )
        told = await gate.ExtendHold(request)
        is_denied = told.decision == pb.DECISION_DENIED
        assert told.held_micros == (held if is_denied else held + more)
        assert not is_denied or told.available_micros < more
        self._holds.append((customer, hold_id, told.held_micros))
        return [(customer, request.request_id, held - told.held_micros, told.available_micros)]

    async def _look(self, gate: GateStub) -> list[Any]:
        customer = self._random.choice(self._customers)
        told = await gate.GetBalance(pb.GetBalanceRequest(customer=customer))
        return [(customer, "look", 0, told.pools[0].available_micros)]

    def _take_hold(self) -> tuple[str, str, int]:
        return self._holds.pop(self._random.randrange(len(self._holds)))

    def _amount(self) -> int:
        return self._random.randint(1, AMOUNT_MAX)

    def _ask(self, kind: Any) -> Any:
        return kind(
            request_id=next(self._ids),
            customer=self._random.choice(self._customers),
            product_id="prd_assistant",
            credits_micros=self._amount(),
            group_values={"user_id": self._name},
        )


def _debited(request: pb.DebitRequest, told: pb.DebitResponse) -> tuple[str, str, int, int]:
    is_denied = told.decision == pb.DECISION_DENIED
    assert told.debited_micros == (0 if is_denied else request.credits_micros)
    assert not is_denied or told.available_micros < request.credits_micros
    return request.customer, request.request_id, -told.debited_micros, told.available_micros


async def call_together(callers: Sequence[Caller], *, times: int) -> dict[str, list[Observed]]:
    """Let all call at the same time, `times` each; returns the observations by customer."""
    await asyncio.gather(*(caller.call(times) for caller in callers))
    observed: dict[str, list[Observed]] = defaultdict(list)
    for caller in callers:
        for customer, seen in caller.observed.items():
            observed[customer] += seen
    return observed
