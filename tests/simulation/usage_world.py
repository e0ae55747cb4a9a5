# SPDX-License-Identifier: Apache-2.0
"""Two Ledger replicas on one database and clock, one customer with usage of every kind, and the model of it.

Every method is one step: it does the same to a replica and to the model, and asserts that they agree.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any, Self

from grpc.aio import AioRpcError

from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import from_rpc_error
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.simulation.usage_catalog import MONTHLY, PRODUCTS, RATES, TURN, set_up
from tests.simulation.usage_model import NEVER, Book, add_months
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

BEGIN = datetime(2025, 6, 10, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


class UsageWorld:
    """The replicas, and the model. steps: how many requests and events were compared."""

    def __init__(self, clock: ManualClock, replicas: Sequence[RunningLedger], sql: Sql) -> None:
        self.clock, self.replicas, self.sql = clock, replicas, sql
        self.book = Book(BEGIN, JUNE, MONTHLY, PRODUCTS, RATES)
        self.numbers = itertools.count(1)
        self.events: list[Thing] = []  # as first sent
        self.news: dict[str, int] = defaultdict(int)  # how often an event was recorded at once
        self.steps = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, databases: Databases) -> AsyncIterator[Self]:
        async with AsyncExitStack() as stack:
            clock = ManualClock(BEGIN)
            replicas = [
                await stack.enter_async_context(running_ledger(databases, clock=clock)) for _ in range(2)
            ]
            sql = await stack.enter_async_context(Sql.connected(databases.admin_url))
            await set_up(replicas[0])
            await replicas[0].set_cap(10**6, user="ann")
            await replicas[0].set_cap(10**6, user="bob", window=apb.CAP_WINDOW_DAY)
            yield cls(clock, replicas, sql)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def edges(self) -> list[datetime]:
        """Return the instants around which the rules for the time of usage change."""
        of_grants = {at for one in self.book.grants for at in (one.start, one.end) if at < NEVER}
        ends = {one.end + timedelta(days=1) for one in self.book.grants if one.end < NEVER}
        months = {add_months(JUNE, number) for number in range(12)}
        return sorted(of_grants | ends | months | {TURN, *(hold.end for hold in self.book.holds.values())})

    def wait_until(self, at: datetime) -> None:
        self.clock.advance_to(at)
        self.book.advance(at)

    async def record(self, events: Sequence[Thing], replica: int) -> None:
        told = await self._send(
            self.replicas[replica].usage.RecordUsage,
            usage.RecordUsageRequest(events=[_event(one) for one in events]),
        )
        self.steps += len(events)
        for event, result in zip(events, told.results, strict=True):
            wanted = self.book.record(event)
            same(_result(result), wanted, event)
            sums = tuple(sum(line[place] for line in wanted["lines"]) for place in (2, 3))
            same((result.credits_micros, result.shortfall_micros), sums, event)
            if wanted["status"] != "REJECTED" and not wanted["is_duplicate"]:
                self.events.append(event)

    async def record_at_once(self, batches: Sequence[Sequence[Thing]]) -> None:
        """Send the batches to both replicas at the same time; each event must be new once, whoever is first."""
        calls = [
            self.replicas[number % 2].usage.RecordUsage(
                usage.RecordUsageRequest(events=[_event(one) for one in batch])
            )
            for number, batch in enumerate(batches)
        ]
        news: dict[str, int] = defaultdict(int)
        for batch, told in zip(batches, await asyncio.gather(*calls), strict=True):
            self.steps += len(batch)
            for event, result in zip(batch, told.results, strict=True):
                seen, (_, wanted) = _result(result), self.book.events.get(event.name, (None, None))
                if wanted is None:
                    assert seen["status"] == "REJECTED", event
                else:
                    same((seen["status"], seen["differs"]), (wanted["status"], False), event)
                    news[event.name] += not seen["is_duplicate"]
        for name, count in news.items():
            self.news[name] += count

    async def void(self, name: str, replica: int) -> None:
        """Void an event or a hold, and repeat the request to the other replica."""
        self.steps += 1
        request = usage.VoidUsageRequest(
            request_id=f"void-{next(self.numbers)}",
            customer="acme",
            reason="did not happen",
            actor="ops",
            **{"hold_id" if name in self.book.holds else "transaction_id": name},
        )
        told = await self._send(self.replicas[replica].usage.VoidUsage, request)
        try:
            wanted: Any = sorted(self.book.void(name))
        except LookupError as refused:
            wanted = refused.args[0]
        same(told if isinstance(told, str) else sorted(map(_figures, told.lines)), wanted, name)
        same(await self._send(self.replicas[1 - replica].usage.VoidUsage, request), told, name)

    async def amend(self, event: Thing, replica: int) -> None:
        """Amend an event to what `event` says."""
        self.steps += 1
        request = usage.AmendUsageRequest(
            request_id=f"amend-{next(self.numbers)}",
            customer="acme",
            transaction_id=event.name,
            timestamp=timestamp(event.time),
            properties=event.properties,
            reason="the job counted wrong",
            actor="ops",
        )
        told = await self._send(self.replicas[replica].usage.AmendUsage, request)
        try:
            wanted: Any = sorted(self.book.amend(event))
        except LookupError as refused:
            wanted = refused.args[0]
        same(told if isinstance(told, str) else sorted(map(_figures, told.lines)), wanted, event)

    async def grant(self, amount: int, start: datetime, end: datetime, replica: int, **more: Any) -> None:
        self.steps += 1
        told = await self.replicas[replica].admin.IssueGrant(
            apb.IssueGrantRequest(
                request_id=f"grant-{next(self.numbers)}",
                customer="acme",
                credit_type_id=AI,
                grant_kind=pb.GRANT_KIND_TOP_UP,
                amount_micros=amount,
                effective_time=timestamp(start),
                expire_time=None if end == NEVER else timestamp(end),
                cost_basis_micros=CREDIT if more["is_paid"] else 0,
                priority=more["priority"],
                scope_product_ids=more["scope"],
            )
        )
        self.book.grant(told.grant.grant_id, amount, start, end, **more)

    async def ask(self, ask: Thing, replica: int) -> None:
        """Debit, or authorize if there is a ttl."""
        self.steps += 1
        rpc = self.replicas[replica].gate.Authorize if ask.ttl else self.replicas[replica].gate.Debit
        request: Any = (pb.AuthorizeRequest if ask.ttl else pb.DebitRequest)(
            request_id=f"ask-{next(self.numbers)}",
            customer="acme",
            product_id=ask.product,
            group_values={"user_id": ask.user},
            properties=ask.properties,
            **{"quantity_micros" if ask.in_units else "credits_micros": ask.amount},
            **({"hold_ttl": ask.ttl} if ask.ttl else {}),
        )
        told = await self._send(rpc, request)
        assert not isinstance(told, str), (told, ask)
        meter = self.book.meter(ask.product, ask.properties)
        use = Thing(
            name=getattr(told, "hold_id", ""),
            product=ask.product,
            meter=meter if ask.in_units else None,
            user=ask.user,
            amount=ask.amount,
            time=self.now,
            is_event=False,
        )
        if meter is None:
            reason, amount = "NOT_ENTITLED", 0
        elif ask.ttl:
            reason = self.book.authorize(use, ask.ttl)
            amount = 0 if reason else sum(amount for _, amount in self.book.holds[use.name].draws)
        else:
            reason, amount = self.book.debit(use)
        seen = pb.DenialReason.Name(told.denial_reason)[14:].replace("UNSPECIFIED", "")
        same((seen, told.held_micros if ask.ttl else told.debited_micros), (reason, amount), ask)
        available = 0 if reason == "NOT_ENTITLED" else self.book.available(ask.product)
        same(told.available_micros, available, ask)

    async def capture(self, name: str, amount: int, replica: int) -> None:
        self.steps += 1
        in_units = self.book.holds[name].use.meter is not None
        request = pb.CaptureRequest(
            request_id=f"capture-{next(self.numbers)}",
            customer="acme",
            hold_id=name,
            **{"quantity_micros" if in_units else "credits_micros": amount},
        )
        told = await self._send(self.replicas[replica].gate.Capture, request)
        try:
            wanted: Any = self.book.capture(name, amount)
            told = (told.captured_micros, told.released_micros, told.shortfall_micros, told.is_late)
        except LookupError as refused:
            wanted = refused.args[0]
        same(told, wanted, name)

    async def release(self, name: str, replica: int) -> None:
        self.steps += 1
        request = pb.ReleaseRequest(request_id=f"release-{next(self.numbers)}", customer="acme", hold_id=name)
        told = await self._send(self.replicas[replica].gate.Release, request)
        try:
            wanted: Any = self.book.release(name)
        except LookupError as refused:
            wanted = refused.args[0]
        same(told if isinstance(told, str) else told.released_micros, wanted, name)

    async def void_grant(self, name: str, replica: int) -> None:
        self.steps += 1
        told = await self.replicas[replica].void(name)
        same(told.voided_micros, self.book.void_grant(name), name)

    async def adjust(self, amount: int, replica: int) -> None:
        """Add credits to the balance, or take some away."""
        self.steps += 1
        request = apb.AdjustBalanceRequest(
            request_id=f"adjust-{next(self.numbers)}",
            customer="acme",
            credit_type_id=AI,
            amount_micros=amount,
            reason="a promise",
            actor="ops",
        )
        told = await self._send(self.replicas[replica].admin.AdjustBalance, request)
        wanted: Any = amount
        try:
            if amount > 0:
                self.book.grant(told.grant_id, amount, self.now, NEVER, priority=100)
            else:
                self.book.take_away(-amount)
        except LookupError as refused:
            wanted = refused.args[0]
        same(told if isinstance(told, str) else told.adjusted_micros, wanted, "adjustment")

    async def agrees(self, replica: int) -> None:
        """Check the pool, its grants, the meters, and the sums of entries by meter, and by user and usage period."""
        book = self.book
        pool = await self.replicas[replica].pool()
        short = sum(line.left for line in book.lines if line.grant is None)
        same(
            (pool.available_micros, pool.shortfall_micros),
            (book.available(), short),
            f"balance at {self.now}",
        )
        grants = await self.replicas[replica].grants()
        same(sorted(map(_grant_seen, grants)), sorted(map(self._grant_wanted, book.grants)), "grants")
        await self.meters_agree()
        await self.spends_agree(replica)
        spends: dict[Any, int] = defaultdict(int)
        for line in book.lines:
            spends[line.use.user, line.use.time] += line.left
        seen = {(row["user"], row["time"]): row["cost"] for row in await self.sql.rows(_SPENDS)}
        wanted = {key: cost for key, cost in spends.items() if cost}
        same({key: cost for key, cost in seen.items() if cost}, wanted, "entries by user and time")

    async def meters_agree(self) -> None:
        """Check every meter's quantity and cost, and that the entries add up to them."""
        book = self.book
        meters = {use.meter: book.figures(use.meter) for use in book.uses if use.meter}
        wanted = {(rate, period): figures for (_, rate, period), figures in meters.items() if any(figures)}
        same(_figures_by(await self.sql.rows(_METERS)), wanted, "meters")
        same(_figures_by(await self.sql.rows(_ENTRIES)), wanted, "entries by meter")

    async def spends_agree(self, replica: int) -> None:
        """Check what counts towards ann's cap per usage period and bob's per day."""
        for user, is_daily in (("ann", False), ("bob", True)):
            ask = pb.DecisionAsk(product_id="prd_flat", credits_micros=1, group_values={"user_id": user})
            told = await self.replicas[replica].gate.GetDecision(
                pb.GetDecisionRequest(customer="acme", ask=ask)
            )
            same([cap.used_micros for cap in told.spend_caps], [self.book.used(user, is_daily)], user)

    def _grant_wanted(self, one: Thing) -> tuple[Any, ...]:
        rest, held = self.book.rest(one), self.book.held(one)
        expired = rest if one.end <= self.now else 0
        voided = one.granted - one.captured - held if one.is_void else one.voided
        return timestamp(one.start).ToNanoseconds(), one.granted, one.captured, held, expired, voided

    async def _send(self, rpc: Any, request: Any) -> Any:
        try:
            return await rpc(request)
        except AioRpcError as error:
            return from_rpc_error(error).reason


def same(seen: Any, wanted: Any, of: object) -> None:
    assert seen == wanted, f"{of}: {seen} instead of {wanted}"


_METERS = """
    SELECT root_rate_id AS rate, period_start AS period, quantity_micros AS quantity, cost_micros AS cost
    FROM ledger.meters
"""
_ENTRIES = """
    SELECT root_rate_id AS rate, usage_period_start AS period, sum(quantity_micros)::bigint AS quantity,
        sum(shortfall_micros - amount_micros)::bigint AS cost
    FROM ledger.entries WHERE root_rate_id IS NOT NULL GROUP BY 1, 2
"""
_SPENDS = """
    SELECT coalesce(group_values->>'user_id', '') AS user, effective_time AS time,
        sum(shortfall_micros - amount_micros)::bigint AS cost
    FROM ledger.entries WHERE product_id IS NOT NULL GROUP BY 1, 2
"""


def _figures_by(rows: Sequence[dict[str, Any]]) -> dict[Any, tuple[int, int]]:
    found = {(row["rate"], row["period"]): (row["quantity"], row["cost"]) for row in rows}
    return {key: figures for key, figures in found.items() if figures != (0, 0)}


def _grant_seen(one: pb.Grant) -> tuple[Any, ...]:
    start = one.effective_time.ToNanoseconds()
    left = (one.held_micros, one.expired_micros, one.voided_micros)
    return start, one.granted_micros, one.captured_micros, *left


def _event(one: Thing) -> usage.UsageEvent:
    return usage.UsageEvent(
        transaction_id=one.name,
        customer=one.customer,
        event_type=one.type,
        timestamp=timestamp(one.time),
        properties=one.properties,
    )


def _result(told: usage.UsageResult) -> dict[str, Any]:
    return {
        "status": usage.EventStatus.Name(told.event_status)[13:],
        "reason": usage.RejectionReason.Name(told.rejection_reason)[17:],
        "field": told.field,
        "is_duplicate": told.is_duplicate,
        "differs": told.differs,
        "lines": [_figures(line) for line in told.lines],
    }


def _figures(line: Any) -> tuple[str, int, int, int]:
    return line.product_id, line.quantity_micros, line.credits_micros, line.shortfall_micros
