# SPDX-License-Identifier: Apache-2.0
"""Two Ledger replicas on one database and clock, customers with usage of every kind, and the model of them.

Every method is one step: it does the same to a replica and to the model, and asserts that they agree.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
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
from tests.simulation.usage_catalog import CUSTOMERS, MONTHLY, PRODUCTS, RATES, SEATS, TURN, set_up
from tests.simulation.usage_looks import CAPS, Looks, same
from tests.simulation.usage_model import Book
from tests.simulation.usage_model_customers import Customers
from tests.simulation.usage_model_prices import NEVER, Prices, add_months
from tests.support.ledger import CREDIT, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

BEGIN = datetime(2025, 6, 10, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


class UsageWorld:
    """The replicas, and the model. steps: how many requests and events were compared."""

    def __init__(self, clock: ManualClock, replicas: Sequence[RunningLedger], sql: Sql) -> None:
        self.clock, self.replicas, self.sql = clock, replicas, sql
        self.customers = Customers(
            {
                customer: Book(BEGIN, MONTHLY, SEATS, Prices(start, PRODUCTS, RATES))
                for customer, (_, start) in CUSTOMERS.items()
            },
            {customer: [customer, alias] for customer, (alias, _) in CUSTOMERS.items()},
        )
        self.looks = Looks(self.customers, replicas, sql)
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
            for customer, pool, user, _, window in CAPS:
                await replicas[0].set_cap(
                    10**6, customer=customer, credit_type_id=pool, user=user, window=window
                )
            yield cls(clock, replicas, sql)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def books(self) -> dict[str, Book]:
        return self.customers.books

    @property
    def unknown(self) -> str:
        """The name that no customer has yet."""
        return f"name-{sum(map(len, self.customers.names.values()))}"

    def owner(self, event: Thing) -> str:
        """Return whose event it is; acme if nobody's, who then does not have it."""
        return self.customers.owner(event.customer) or "cus_acme"

    def edges(self) -> list[datetime]:
        """Return the instants around which the rules for the time of usage change."""
        grants = [one for book in self.books.values() for one in book.grants]
        of_grants = {at for one in grants for at in (one.start, one.end) if at < NEVER}
        ends = {one.end + timedelta(days=1) for one in grants if one.end < NEVER}
        months = {add_months(start, number) for _, start in CUSTOMERS.values() for number in range(12)}
        holds = {hold.end for book in self.books.values() for hold in book.holds.values()}
        return sorted(of_grants | ends | months | {TURN} | holds)

    def wait_until(self, at: datetime) -> None:
        self.clock.advance_to(at)
        self.customers.advance(at)

    async def record(self, events: Sequence[Thing], replica: int) -> None:
        told = await self._send(
            self.replicas[replica].usage.RecordUsage,
            usage.RecordUsageRequest(events=[_event(one) for one in events]),
        )
        self.steps += len(events)
        for event, result in zip(events, told.results, strict=True):
            wanted = self.customers.record(event, self.now)
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
        for batch, told in zip(batches, await asyncio.gather(*calls), strict=True):
            self.steps += len(batch)
            for event, result in zip(batch, told.results, strict=True):
                events = self.books[self.owner(event)].events
                seen, (_, wanted) = _result(result), events.get(event.name, (None, None))
                if wanted is None:
                    assert seen["status"] == "REJECTED", event
                else:
                    same((seen["status"], seen["differs"]), (wanted["status"], False), event)
                    self.news[event.name] += not seen["is_duplicate"]

    async def name(self, customer: str, replica: int) -> None:
        """Give a customer the name that it did not have: what waits for it is recorded."""
        self.steps += 1
        name = self.unknown
        aliases = [*self.customers.names[customer][1:], name]
        told = self.replicas[replica].tell_customer(customer, *aliases, version=len(aliases))
        same(await told, len(aliases), name)
        self.customers.give(name, customer, self.now)

    async def void(self, customer: str, name: str, replica: int) -> None:
        """Void an event or a hold, and repeat the request to the other replica."""
        self.steps += 1
        book = self.books[customer]
        request = usage.VoidUsageRequest(
            request_id=f"void-{next(self.numbers)}",
            customer=customer,
            reason="did not happen",
            actor="ops",
            **{"hold_id" if name in book.holds else "transaction_id": name},
        )
        told = await self._send(self.replicas[replica].usage.VoidUsage, request)
        same(_changes(told), _changes(_wanted(lambda: book.void(name))), name)
        same(await self._send(self.replicas[1 - replica].usage.VoidUsage, request), told, name)

    async def amend(self, event: Thing, replica: int) -> None:
        """Amend an event to what `event` says."""
        self.steps += 1
        customer = self.owner(event)
        request = usage.AmendUsageRequest(
            request_id=f"amend-{next(self.numbers)}",
            customer=customer,
            transaction_id=event.name,
            timestamp=timestamp(event.time),
            properties=event.properties,
            reason="the job counted wrong",
            actor="ops",
        )
        told = await self._send(self.replicas[replica].usage.AmendUsage, request)
        same(_changes(told), _changes(_wanted(lambda: self.books[customer].amend(event))), event)

    async def grant(
        self,
        customer: str,
        pool: str,
        amount: int,
        start: datetime,
        end: datetime,
        replica: int,
        **more: Any,
    ) -> None:
        self.steps += 1
        told = await self.replicas[replica].admin.IssueGrant(
            apb.IssueGrantRequest(
                request_id=f"grant-{next(self.numbers)}",
                customer=customer,
                credit_type_id=pool,
                grant_kind=pb.GRANT_KIND_TOP_UP,
                amount_micros=amount,
                effective_time=timestamp(start),
                expire_time=None if end == NEVER else timestamp(end),
                cost_basis_micros=CREDIT if more["is_paid"] else 0,
                priority=more["priority"],
                scope_product_ids=more["scope"],
            )
        )
        self.books[customer].grant(told.grant.grant_id, pool, amount, start, end, **more)

    async def ask(self, customer: str, ask: Thing, replica: int) -> None:
        """Debit, or authorize if there is a ttl."""
        self.steps += 1
        book = self.books[customer]
        rpc = self.replicas[replica].gate.Authorize if ask.ttl else self.replicas[replica].gate.Debit
        request: Any = (pb.AuthorizeRequest if ask.ttl else pb.DebitRequest)(
            request_id=f"ask-{next(self.numbers)}",
            customer=customer,
            product_id=ask.product,
            group_values={"user_id": ask.user},
            properties=ask.properties,
            **{"quantity_micros" if ask.in_units else "credits_micros": ask.amount},
            **({"hold_ttl": ask.ttl} if ask.ttl else {}),
        )
        told = await self._send(rpc, request)
        assert not isinstance(told, str), (told, ask)
        use = book.prices.use(
            getattr(told, "hold_id", ""), book.prices.products[ask.product], self.now, ask.properties
        )
        meter, use.user, use.amount = use.meter, ask.user, ask.amount
        use.meter = meter if ask.in_units else None
        if meter is None:
            reason, amount = "NOT_ENTITLED", 0
        elif ask.ttl:
            reason = book.authorize(use, meter, ask.ttl)
            amount = 0 if reason else sum(amount for _, amount in book.holds[use.name].draws)
        else:
            reason, amount = book.debit(use)
        seen = pb.DenialReason.Name(told.denial_reason)[14:].replace("UNSPECIFIED", "")
        same((seen, told.held_micros if ask.ttl else told.debited_micros), (reason, amount), ask)
        available = 0 if reason == "NOT_ENTITLED" else book.available(use.pool, ask.product)
        same(told.available_micros, available, ask)

    async def capture(self, customer: str, name: str, amount: int, replica: int) -> None:
        self.steps += 1
        book = self.books[customer]
        in_units = book.holds[name].in_units
        request = pb.CaptureRequest(
            request_id=f"capture-{next(self.numbers)}",
            customer=customer,
            hold_id=name,
            **{"quantity_micros" if in_units else "credits_micros": amount},
        )
        told = await self._send(self.replicas[replica].gate.Capture, request)
        if not isinstance(told, str):
            figures = (told.captured_micros, told.released_micros, told.shortfall_micros)
            told = (*figures, told.is_late, told.differs)
        same(told, _wanted(lambda: book.capture(name, amount)), name)

    async def release(self, customer: str, name: str, replica: int) -> None:
        self.steps += 1
        request = pb.ReleaseRequest(
            request_id=f"release-{next(self.numbers)}", customer=customer, hold_id=name
        )
        told = await self._send(self.replicas[replica].gate.Release, request)
        wanted = _wanted(lambda: self.books[customer].release(name))
        same(told if isinstance(told, str) else told.released_micros, wanted, name)

    async def void_grant(self, customer: str, grant: Thing, replica: int) -> None:
        """Void a grant; one of the schedule is found by its start."""
        self.steps += 1
        grant_id = grant.name
        if not grant_id:
            grant_id = next(
                one.grant_id
                for one in await self.looks.grants(customer, replica)
                if one.grant_kind == pb.GRANT_KIND_INCLUDED
                and one.credit_type_id == grant.pool
                and one.effective_time == timestamp(grant.start)
            )
        told = await self.replicas[replica].void(grant_id, customer=customer)
        same(told.voided_micros, self.books[customer].void_grant(grant), grant)

    async def add_seats(self, customer: str, count: int, replica: int) -> None:
        self.steps += 1
        await self.replicas[replica].change_seats(
            count,
            self.now,
            sequence=(sequence := next(self.numbers)),
            customer_id=customer,
            subscription_id=f"sub_{CUSTOMERS[customer][0]}",
            seat_change_id=f"chg_{sequence}",
        )
        self.books[customer].add_seats(count)

    async def adjust(self, customer: str, pool: str, amount: int, replica: int) -> None:
        """Add credits to the balance, or take some away."""
        self.steps += 1
        book = self.books[customer]
        request = apb.AdjustBalanceRequest(
            request_id=f"adjust-{next(self.numbers)}",
            customer=customer,
            credit_type_id=pool,
            amount_micros=amount,
            reason="a promise",
            actor="ops",
        )
        told = await self._send(self.replicas[replica].admin.AdjustBalance, request)
        wanted: Any = amount
        if amount > 0:
            book.grant(told.grant_id, pool, amount, self.now, NEVER, priority=100)
        else:
            wanted = _wanted(lambda: book.take_away(pool, -amount)) or amount
        same(told if isinstance(told, str) else told.adjusted_micros, wanted, "adjustment")

    async def _send(self, rpc: Any, request: Any) -> Any:
        try:
            return await rpc(request)
        except AioRpcError as error:
            return from_rpc_error(error).reason


def _wanted(step: Any) -> Any:
    """Return what the model says, or the reason for which it refuses."""
    try:
        return step()
    except LookupError as refused:
        return refused.args[0]


def _changes(told: Any) -> Any:
    """Return what was corrected, without what had been corrected before and does not change any more."""
    if isinstance(told, str):
        return told
    lines: Iterable[Any] = told if isinstance(told, list) else map(_figures, told.lines)
    return sorted(line for line in lines if any(line[1:]))


def _event(one: Thing) -> usage.UsageEvent:
    return usage.UsageEvent(
        transaction_id=one.name,
        customer=one.customer,
        event_type=one.type,
        timestamp=timestamp(one.time),
        properties=one.properties,
        hold_id=one.hold,
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
