# SPDX-License-Identifier: Apache-2.0
"""Who calls the mesh while faults strike, beside the writers of the crash test: gates, buyers, and who sends again.

All repeat a request with its request_id until it is answered, and keep what was acknowledged in `Deeds`.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from grpc.aio import AioRpcError

from deploy.local.seatsco import Stubs
from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from purser_client import Credits, Gate, GateUnreachable
from tests.simulation.chaos.world import GATED, World
from tests.simulation.crash_writers import AGAIN

ATTEMPT_SECONDS = 3.0
PAUSE_SECONDS = 0.1
GATE_PAUSE_SECONDS = 0.02
CAPTURED_MICROS_MAX = 3 * MICROS

T = TypeVar("T")


@dataclass(slots=True)
class Deeds:
    """What was acknowledged, beside the book of the writers.

    seat_changes: the quantity_delta by seat change. top_ups: those paid. captured_micros: what gates captured or
    recorded in their spool. gated: blocks of gates that ended so. recorded: those of them that were recorded.
    unreachable: blocks that were not entered. retries: attempts without an answer, by status.
    """

    retries: Counter[str]
    seat_changes: dict[str, int] = field(default_factory=dict)
    top_ups: list[str] = field(default_factory=list)
    sent_again: int = 0
    captured_micros: int = 0
    gated: int = 0
    recorded: int = 0
    unreachable: int = 0


async def insist(
    call: Callable[..., Awaitable[T]],
    request: Any,
    retries: Counter[str],
    *,
    seconds: float = ATTEMPT_SECONDS,
) -> T:
    """Send a request until it is answered, each attempt for `seconds`. Raises AioRpcError: refused for good."""
    while True:
        try:
            return await call(request, timeout=seconds)
        except AioRpcError as error:
            if error.code() not in AGAIN:
                raise
            retries[error.code().name] += 1
            await asyncio.sleep(PAUSE_SECONDS)


async def use_gate(
    gate: Gate, world: World, dice: random.Random, deeds: Deeds, stopped: asyncio.Event
) -> None:
    """Ask the gate before each of many AI calls, and capture what each used."""
    while not stopped.is_set():
        used = dice.randint(1, CAPTURED_MICROS_MAX)
        try:
            async with gate.authorize(
                customer=GATED,
                product=world.wares.product,
                credits=Credits(micros=CAPTURED_MICROS_MAX),
                user_id="ann",
            ) as hold:
                hold.capture(Credits(micros=used))
        except GateUnreachable:
            deeds.unreachable += 1
        else:
            deeds.captured_micros += used
            deeds.gated += 1
            deeds.recorded += hold.is_recorded
        await asyncio.sleep(GATE_PAUSE_SECONDS)


class Buyer:
    """Changes the seats of a customer, and buys credits for it."""

    def __init__(self, stubs: Stubs, world: World, alias: str, dice: random.Random, deeds: Deeds) -> None:
        self._stubs = stubs
        self._world = world
        self._contract = world.contracts[alias]
        self._dice = dice
        self._deeds = deeds
        self._ids = (f"{alias}-{number}" for number in itertools.count(1))
        self._added = 0

    async def buy_until(self, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            if self._dice.random() < 0.3:
                await self._top_up()
            else:
                await self._change_seats()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _change_seats(self) -> None:
        delta = -1 if self._added > 0 and self._dice.random() < 0.4 else self._dice.randint(1, 3)
        request = contract.ChangeSeatsRequest(
            request_id=next(self._ids), contract_id=self._contract.contract_id, quantity_delta=delta
        )
        answer = await insist(self._stubs.contract.ChangeSeats, request, self._deeds.retries)
        self._added += delta
        self._deeds.seat_changes[answer.seat_change.seat_change_id] = delta

    async def _top_up(self) -> None:
        order = contract.OrderTopUpRequest(
            request_id=next(self._ids),
            contract_id=self._contract.contract_id,
            top_up_pack_id=self._world.offer.pack,
            payment_gate=contract.PAYMENT_GATE_EXTERNAL,
        )
        ordered = await insist(self._stubs.contract.OrderTopUp, order, self._deeds.retries)
        paid = contract.ResolveTopUpPaymentRequest(
            request_id=next(self._ids),
            top_up_id=ordered.top_up.top_up_id,
            outcome=contract.PAYMENT_OUTCOME_PAID,
        )
        await insist(self._stubs.contract.ResolveTopUpPayment, paid, self._deeds.retries)
        self._deeds.top_ups.append(ordered.top_up.top_up_id)


class Resender:
    """Lets Catalog, Contract and Alert send again what the Ledger knows: writes that change nothing there."""

    def __init__(self, name: str, stubs: Stubs, world: World) -> None:
        self._stubs = stubs
        self._world = world
        self._ids = (f"{name}-{number}" for number in itertools.count(1))

    async def resend_until(self, stopped: asyncio.Event, deeds: Deeds) -> None:
        for service in itertools.cycle(("catalog", "contract", "alert")):
            if stopped.is_set():
                return
            await self.resend(service, deeds.retries)
            deeds.sent_again += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def resend(self, service: str, retries: Counter[str], *, seconds: float = ATTEMPT_SECONDS) -> None:
        """Let one service send again; returns when it has stored that."""
        request_id, world, stubs = next(self._ids), self._world, self._stubs
        match service:
            case "catalog":
                product = catalog.ResendProductRequest(request_id=request_id, product_id=world.wares.product)
                await insist(stubs.catalog.ResendProduct, product, retries, seconds=seconds)
            case "contract":
                customer = contract.ResendCustomerRequest(request_id=request_id, customer=GATED)
                await insist(stubs.contract.ResendCustomer, customer, retries, seconds=seconds)
            case _:
                watch = alert.ResendAlertRequest(request_id=request_id, alert_id=world.alert_id)
                await insist(stubs.alert.ResendAlert, watch, retries, seconds=seconds)
