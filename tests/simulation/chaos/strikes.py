# SPDX-License-Identifier: Apache-2.0
"""Callers call all the time, one fault after the other strikes and is healed, and then everything is compared."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpc.aio import AioRpcError
from rich.console import Console

from deploy.local.seatsco import Stubs
from deploy.local.webhook_receiver import WebhookReceiver
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser_client import FailOpen, FileSpool, Gate
from tests.simulation.chaos.callers import Buyer, Resender, use_gate
from tests.simulation.chaos.faults import FAULTS, OFFSETS, Stage, plan_of
from tests.simulation.chaos.mesh import ChaosMesh, Replica
from tests.simulation.chaos.outcome import Outcome, Strike, longest_gap
from tests.simulation.chaos.recount import differences, end_waits, read, until_settled
from tests.simulation.chaos.world import GATED, HOT, PLAIN, SEATED, World, open_stubs
from tests.simulation.crash_recount import recount
from tests.simulation.crash_writers import Writer

PROBE_SECONDS = 1.0
VERIFY_SECONDS_MAX = 120.0
# The longest that any single wait of a run may last: for a machine that is busy, not a goal.
PATIENCE_SECONDS = 300.0
SETTLE_SECONDS = 2.0
# Between two requests of a writer until the return: a process that starts needs the processor more.
PAUSE_SECONDS = 0.2
SPOOL = "gate.spool"
# Those of the first kind may strike while one of the second does: they never strike the same.
OF_REPLICAS = ("replica killed", "replica paused", "replica cut off", "replica silent")
NOT_OF_REPLICAS = ("database killed", "database paused", "database cut off", "database silent", "log full")


class RunStopped(Exception):
    """The run cannot continue: something did not happen within the patience; in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """seconds: how long faults strike; with `rounds`, until each has struck so often. counts: replicas by service.

    lasts_seconds: the shortest and the longest time that a fault lasts. pause_seconds: between two faults.
    pair_share: of the faults that strike no replica, those during which another one does.
    ends_waits: do not wait until notices are due again, for up to 30 s.
    """

    seed: int
    seconds: float = 0.0
    rounds: int = 0
    faults: Sequence[str] = tuple(FAULTS)
    counts: Mapping[str, int] = field(default_factory=dict)
    lasts_seconds: tuple[float, float] = (1.0, 8.0)
    pause_seconds: float = 2.0
    writers: int = 4
    cut_share: float = 0.005
    disk_megabytes: int | None = 1_200
    pair_share: float = 0.0
    ends_waits: bool = False


@dataclass(slots=True, kw_only=True)
class Run:
    """One run: who calls, and what strikes."""

    plan: Plan
    mesh: ChaosMesh
    outcome: Outcome
    dice: random.Random
    folder: Path
    receiver: WebhookReceiver
    stubs: Stubs
    world: World
    say: Console | None
    writers: list[Writer] = field(default_factory=list)
    probes: int = 0

    async def strike_under_load(self) -> None:
        """Let callers call, strike and heal; returns when the plan is done and the last request is answered."""
        stopped = asyncio.Event()
        gate = self._gate()
        writers = self.writers = [self._writer(f"w{number}") for number in range(self.plan.writers)]
        try:
            async with gate, asyncio.TaskGroup() as everybody:
                callers = [everybody.create_task(call) for call in self._calls(gate, writers, stopped)]
                try:
                    await self._strike_all()
                finally:
                    stopped.set()
                _, late = await asyncio.wait(callers, timeout=PATIENCE_SECONDS)
                if late:
                    waiting = [f"{one.waits_for}" for one in writers if one.waits_for]
                    raise RunStopped(f"{len(late)} callers have no answer: {waiting}")
                await self._billed(gate)
        finally:
            for writer in writers:
                await writer.close()

    def _gate(self) -> Gate:
        return Gate(
            self.mesh.addresses["ledger"],
            credentials=self.mesh.identity.credentials(),
            token=self.mesh.identity.token("gate", subject="feature"),
            unreachable=FailOpen(spool=FileSpool(self.folder / SPOOL)),
        )

    def _writer(self, name: str) -> Writer:
        return Writer(
            name,
            self.mesh.addresses["ledger"],
            self.outcome.book,
            random.Random(self.dice.random()),
            wares=self.world.wares,
            credentials=self.mesh.credentials,
        )

    def _calls(
        self, gate: Gate, writers: Sequence[Writer], stopped: asyncio.Event
    ) -> Iterator[Coroutine[Any, Any, None]]:
        deeds, world = self.outcome.deeds, self.world
        for writer in writers:
            yield self._noting(writer.write_until(stopped))
        for _ in range(2):
            dice = random.Random(self.dice.random())
            yield self._noting(use_gate(gate, world, dice, deeds, stopped))
        for alias in SEATED:
            buyer = Buyer(self.stubs, world, alias, random.Random(self.dice.random()), deeds)
            yield self._noting(buyer.buy_until(stopped))
        yield self._noting(Resender("again", self.stubs, world).resend_until(stopped, deeds))

    async def _noting(self, calls: Coroutine[Any, Any, None]) -> None:
        """Note an answer that a caller must never get; that caller stops."""
        try:
            await calls
        except AioRpcError as error:
            self.outcome.wrong.append(f"{error.code().name}: {error.details()}")

    async def _strike_all(self) -> None:
        plan, outcome = self.plan, self.outcome
        names = [name for name in plan.faults if name not in outcome.left_out]
        if "clock wrong" in names:
            outcome.book.clock_ahead = max(OFFSETS)
        stage = Stage(self.mesh, self.receiver, self.dice)
        ends = time.monotonic() + plan.seconds
        count = plan.rounds * len(names) or 10 * int(plan.seconds)
        for name in plan_of(names, count, self.dice):
            if plan.seconds and time.monotonic() > ends:
                break
            strike = await self._strike(stage, name)
            outcome.strikes.append(strike)
            self._say(strike)
            await self._verify()
            await asyncio.sleep(plan.pause_seconds)

    async def _strike(self, stage: Stage, name: str) -> Strike:
        book = self.outcome.book
        errors = book.retries.copy()
        is_pair = name in NOT_OF_REPLICAS and self.dice.random() < self.plan.pair_share
        other = self.dice.choice(OF_REPLICAS) if is_pair else ""
        began = time.monotonic()
        async with AsyncExitStack() as struck_together:
            second = await struck_together.enter_async_context(FAULTS[other](stage)) if other else ""
            # Healed first, so that a replica starts with its database.
            struck = await struck_together.enter_async_context(FAULTS[name](stage))
            await asyncio.sleep(self.dice.uniform(*self.plan.lasts_seconds))
        if other:
            name, struck = f"{name}, and a replica", f"{struck}; {second} {other.removeprefix('replica ')}"
        healed = time.monotonic()
        self._set_pause(PAUSE_SECONDS)
        await _within_patience(f"the return after {name} ({struck})", self._until_back())
        self._set_pause(0)
        back = time.monotonic()
        return Strike(
            fault=name,
            struck=struck,
            lasted_seconds=healed - began,
            gap_seconds=longest_gap(book.answer_times, began, back),
            back_seconds=back - healed,
            errors=book.retries - errors,
        )

    def _set_pause(self, seconds: float) -> None:
        for writer in self.writers:
            writer.pause_seconds = seconds

    async def _until_back(self) -> None:
        """Return when every replica has answered a write."""
        await asyncio.gather(*(self._until_writes(replica) for replica in self.mesh.all_replicas))
        await self.outcome.book.until_more(10)

    async def _until_writes(self, replica: Replica) -> None:
        self.probes += 1
        name = f"probe-{self.probes}"
        if replica.service == "ledger":
            writer = Writer(
                name,
                replica.address,
                self.outcome.book,
                random.Random(name),
                attempt_seconds=PROBE_SECONDS,
                wares=self.world.wares,
                credentials=self.mesh.credentials,
            )
            try:
                await writer.debit_once(self.world.ids[HOT])
            finally:
                await writer.close()
        else:
            addresses = {**self.mesh.addresses, replica.service: replica.address}
            async with open_stubs(addresses, self.mesh.credentials) as stubs:
                again = Resender(name, stubs, self.world)
                await again.resend(replica.service, Counter(), seconds=PROBE_SECONDS)

    async def _verify(self) -> None:
        """Let the Ledger recount itself, under load."""
        request = admin.VerifyLedgerRequest()
        try:
            found = await self.stubs.ledger_admin.VerifyLedger(request, timeout=VERIFY_SECONDS_MAX)
        except AioRpcError as error:  # its connection may have been cut
            self.outcome.book.retries[error.code().name] += 1
            return
        self.outcome.verified += 1
        if not found.is_consistent:
            self.outcome.wrong += [str(one) for one in found.discrepancies] or ["VerifyLedger: inconsistent"]

    async def _billed(self, gate: Gate) -> None:
        """Let the gate report what it has recorded."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while gate.pending_count:
            if time.monotonic() > deadline:
                raise RunStopped(f"{gate.pending_count} records of the spool are not billed")
            await gate.flush()
        self.outcome.wrong += [f"the spool's record was not billed: {one}" for one in gate.unbilled]

    async def compare(self) -> None:
        """Compare everything, when all notices are delivered."""
        outcome, mesh = self.outcome, self.mesh
        if self.plan.ends_waits:
            await until_settled(mesh.admin_url, seconds_max=SETTLE_SECONDS)
            await end_waits(mesh.admin_url)
        drained = await until_settled(mesh.admin_url, seconds_max=PATIENCE_SECONDS)
        outcome.drained_seconds = PATIENCE_SECONDS if drained is None else drained
        before = outcome.verified
        while outcome.verified == before:
            await self._verify()
        writers = {self.world.ids[name] for name in PLAIN if name != GATED}
        outcome.wrong += await recount(mesh.admin_url, outcome.book, writers)
        stored = await read(mesh.admin_url)
        outcome.wrong += differences(self.world, outcome.deeds, self.receiver.received, stored)
        outcome.checked = {
            "answers of the Ledger": len(outcome.book.answers),
            "seat changes": len(stored["seats"]),
            "paid top-ups": len(outcome.deeds.top_ups),
            "alarms raised or ended": sum(row["alert_id"] is not None for row in stored["events"]),
            "webhooks": len(stored["deliveries"]),
        }

    def _say(self, strike: Strike) -> None:
        if self.say is not None:
            self.say.print(
                f"[dim]{len(self.outcome.strikes):>4}: {strike.fault} ({strike.struck}) for"
                f" {strike.lasted_seconds:.1f} s, back after {strike.back_seconds:.1f} s;"
                f" {len(self.outcome.book.answers):,} answers[/]"
            )


async def _within_patience(what: str, awaited: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await awaited
    except TimeoutError as error:
        raise RunStopped(f"{what} did not come within {PATIENCE_SECONDS:.0f} s") from error
    except AioRpcError as error:
        raise RunStopped(f"{what} did not come: {error.code().name}: {error.details()}") from error
