# SPDX-License-Identifier: Apache-2.0
"""Two Ledger replicas on one database and clock, and the models that they are compared with.

Acme has a contract with seats, globex one without; each is named by its id or by an alias. Every method is one step:
it does the same to a replica and to the models, and asserts that they agree.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any, Self

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError

from meshkit.clock import ManualClock
from meshkit.period import add_months
from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import from_rpc_error
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.simulation.model import NEVER
from tests.simulation.shadow import CUSTOMERS, PRODUCTS, Answer, Shadow
from tests.support.ledger import CREDIT, RunningLedger, a_rate, running_ledger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

REPLICAS = 2
PRICES = {"prd_assistant": (12 * CREDIT, CREDIT), "prd_preview": (7, 3), "prd_painter": (CREDIT, 7)}
SOLD = {"cus_acme": tuple(PRODUCTS), "cus_globex": ("prd_assistant", "prd_preview")}


class World:
    """The replicas, and what they should contain."""

    def __init__(self, databases: Databases, now: datetime, starts: dict[str, datetime]) -> None:
        self.clock = ManualClock(now)
        self.starts = starts
        self.shadow = Shadow(now, starts)
        self.alert = RecordingAlert()
        self.replicas: list[RunningLedger] = []
        self.asked: list[Any] = []  # every request that was sent outside a batch
        self.aliases = {"cus_acme": {"acme"}, "cus_globex": {"globex"}}
        self.cards = {customer: f"rcd_{customer}" for customer in CUSTOMERS}
        self.cap_ids: dict[tuple[str, str, str, str], str] = {}
        self.watches: dict[str, tuple[str, int, bool]] = {}
        self._databases = databases
        self._stacks: list[AsyncExitStack] = []
        self._versions = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, databases: Databases, now: datetime, starts: dict[str, datetime], schedules: Sequence[Thing]
    ) -> AsyncIterator[Self]:
        """Start the replicas, and apply products and contracts: acme's with `schedules`, globex's with none."""
        world = cls(databases, now, starts)
        try:
            async with world.alert:
                for _ in range(REPLICAS):
                    await world._start()
                await world._set_up(schedules)
                yield world
        finally:
            for stack in world._stacks:
                await stack.aclose()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def restart(self, replica: int) -> None:
        """Stop a replica and start it with an empty cache."""
        await self._stacks[replica].aclose()
        await self._start(replica)

    # Time

    def next_instants(self) -> list[datetime]:
        """Return the future instants at which the clock alone changes something."""
        found = {self.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)}
        for pool in self.shadow.pools.values():
            found |= {pool.start, pool.end, *(hold.end for hold in pool.alive())}
            found |= {at for grant in pool.grants for at in (grant.start, grant.end)}
            found |= {add_months(pool.start, one.months * one.next) for one in pool.schedules}
            found |= {when for one in pool.schedules for when, _ in one.seats}
        return sorted(at for at in found if self.now < at < NEVER)

    def wait_until(self, at: datetime) -> None:
        self.clock.advance_to(at)
        for pool in self.shadow.pools.values():
            pool.advance(at)

    async def sweep(self, replica: int) -> None:
        await self.replicas[replica].app.run_due(self.now)

    # The gate

    async def ask(self, request: Any, replica: int, *, twice: bool = False) -> Answer:
        """Send a request to one replica, or to both at the same time; the answer must be the model's."""
        self.asked.append(request)
        calls = [self._send(request, (replica + number) % REPLICAS) for number in range(1 + twice)]
        told = await asyncio.gather(*calls)
        assert told[0] == told[-1], request
        wanted = self.shadow.answer(request, told[0])
        assert told[0] == wanted, request
        return told[0]

    async def ask_together(self, requests: Sequence[Any], replica: int) -> None:
        """Send requests to the replicas at the same time: the answers must be the model's in some order."""
        calls = [self._send(one, (replica + number) % REPLICAS) for number, one in enumerate(requests)]
        told = await asyncio.gather(*calls)
        for order in itertools.permutations(range(len(requests))):
            shadow = deepcopy(self.shadow)
            if all(told[n] == shadow.answer(requests[n], told[n]) for n in order):
                self.shadow = shadow
                return
        raise AssertionError(f"{told} fit no order of {requests}")

    async def ask_batch(self, batch: Any, replica: int) -> None:
        """Send a batch: each item must be answered as the model answers one after the other."""
        told = [_outcome(result) for result in (await self._send(batch, replica)).results]
        wanted = [self.shadow.answer(item, outcome) for item, outcome in zip(batch.items, told, strict=True)]
        assert told == wanted, batch

    async def _start(self, replica: int | None = None) -> None:
        stack = AsyncExitStack()
        running = await stack.enter_async_context(
            running_ledger(self._databases, clock=self.clock, alert_address=self.alert.address)
        )
        if replica is None:
            self.replicas.append(running)
            self._stacks.append(stack)
        else:
            self.replicas[replica], self._stacks[replica] = running, stack

    async def _send(self, request: Any, replica: int) -> Answer:
        rpc = type(request).__name__.removesuffix("Request")
        running = self.replicas[replica]
        stub = running.gate if hasattr(running.gate, rpc) else running.admin
        try:
            return await getattr(stub, rpc)(request)
        except AioRpcError as error:
            return from_rpc_error(error).reason

    # Calls of operators and other services

    async def _set_up(self, schedules: Sequence[Thing]) -> None:
        first = self.replicas[0]
        for product in PRODUCTS:
            await first.tell_product(product)
        for customer, products in SOLD.items():
            await self.price(customer, {product: PRICES[product] for product in products}, 0)
            await self.tell_customer(customer, 0)
        for one in schedules:
            self.shadow.pools["cus_acme", one.credit_type].schedules.append(one)
        for customer in CUSTOMERS:
            await self._tell_contract(customer, 0)

    async def tell_customer(self, customer: str, replica: int, **changed: Any) -> None:
        """Apply a customer: its aliases, which other customers lose, and `is_suspended` if it changes."""
        pools = self.shadow.of(customer)
        for pool in pools:
            pool.is_suspended = changed.get("is_suspended", pool.is_suspended)
        for other in self.aliases.values():
            other -= self.aliases[customer] if other is not self.aliases[customer] else set()
        self.shadow.names = {alias: owner for owner, aliases in self.aliases.items() for alias in aliases}
        self.shadow.names |= {owner: owner for owner in CUSTOMERS}
        await self.replicas[replica].tell_customer(
            customer,
            *sorted(self.aliases[customer]),
            version=next(self._versions),
            is_suspended=pools[0].is_suspended,
        )

    async def price(self, customer: str, prices: dict[str, tuple[int, int]], replica: int) -> None:
        """Apply all rates of a customer's card."""
        for pool in self.shadow.of(customer):
            pool.prices, pool.card = dict(prices), self.cards[customer]
        await self.replicas[replica].tell_card(
            *(
                a_rate(
                    product,
                    # As in the Catalog, a rate belongs to one card.
                    rate_id=f"rat_{self.cards[customer]}_{product}_{price}_{per}",
                    price_micros=price,
                    per_micros=per,
                    credit_type_id=PRODUCTS[product],
                )
                for product, (price, per) in prices.items()
            ),
            rate_card_id=self.cards[customer],
            version=next(self._versions),
        )

    async def move_card(self, customer: str, prices: dict[str, tuple[int, int]], replica: int) -> None:
        """Apply a new rate card, and move the customer's contract to it."""
        self.cards[customer] = f"rcd_{customer}_{next(self._versions)}"
        await self.price(customer, prices, replica)
        await self._tell_contract(customer, replica)

    async def allow_overage(self, customer: str, credit_type: str, cap: int | None, replica: int) -> None:
        """Let the usage of a customer's contract go on as overage. cap: None: without limit; -1: not at all."""
        self.shadow.pools[customer, credit_type].overage_cap = cap
        await self._tell_contract(customer, replica)

    async def end_contract(self, customer: str, at: datetime, replica: int) -> None:
        for pool in self.shadow.of(customer):
            pool.end_at(at)
        await self._tell_contract(customer, replica)

    async def _tell_contract(self, customer: str, replica: int) -> None:
        pools = self.shadow.of(customer)
        schedules = [one for pool in pools for one in pool.schedules]
        linked = [one for one in schedules if one.is_per_seat]
        await self.replicas[replica].apply_contract(
            customer_id=customer,
            contract_id=f"con_{customer}",
            rate_card_id=self.cards[customer],
            version=next(self._versions),
            start=self.starts[customer],
            end=None if pools[0].end == NEVER else pools[0].end,
            overage=peer_pb.OveragePolicy(
                limits=[
                    peer_pb.OverageLimit(credit_type_id=name[1], cap_micros=pool.overage_cap)
                    for name, pool in self.shadow.pools.items()
                    if name[0] == customer and pool.overage_cap != -1
                ]
            ),
            subscriptions=[
                peer_pb.SubscriptionSeats(subscription_id="sub_1", initial_quantity=one.seats[0][1])
                for one in linked[:1]
            ],
            schedules=[
                peer_pb.ScheduleTerms(
                    grant_schedule_id=one.name,
                    product_id="prd_included",
                    credit_type_id=one.credit_type,
                    unit_amount_micros=one.per_seat,
                    subscription_id="sub_1" if one.is_per_seat else "",
                    frequency=peer_pb.GRANT_FREQUENCY_MONTHLY
                    if one.months == 1
                    else peer_pb.GRANT_FREQUENCY_ANNUAL,
                    anchor_time=timestamp(self.starts[customer]),
                    priority=1,
                    prorates_increases=one.prorates,
                    period_proration=peer_pb.PERIOD_PRORATION_FIRST_AND_LAST,
                    commit_duration=one.lives,
                    scope_product_ids=one.scope,
                )
                for one in schedules
            ],
        )
        for pool in pools:
            pool.advance(self.now)

    async def change_seats(self, delta: int, at: datetime, replica: int) -> None:
        """Apply a change of acme's seats; the credits it brings at once must be the model's."""
        linked = [one for pool in self.shadow.of("cus_acme") for one in pool.schedules if one.is_per_seat]
        if not linked:
            return
        pools = self.shadow.of("cus_acme")
        before = {id(grant): grant.granted for pool in pools for grant in pool.grants}
        linked[0].seats.append((at, delta))  # they share one list
        for pool in pools:
            pool.advance(self.now)
        wanted: dict[str, int] = defaultdict(int)
        for grant in (grant for pool in pools for grant in pool.grants if grant.schedule):
            wanted[grant.schedule.name] += grant.granted - before[id(grant)]
        told = await self.replicas[replica].change_seats(delta, at, sequence=next(self._versions))
        added = {one.grant_schedule_id: one.amount_micros for one in told.credits}
        assert added == {name: credits for name, credits in wanted.items() if credits}

    async def grant(self, request: apb.IssueGrantRequest, replica: int) -> None:
        """Issue a grant, or repeat the same request."""
        told = await self._send(request, replica)
        customer = self.shadow.names.get(request.customer)
        if customer is None:
            assert told == "CUSTOMER_NOT_FOUND"
            return
        first = self.shadow.given.setdefault((customer, request.request_id), (request, told))
        assert first == (request, told)
        grants = self.shadow.pools[customer, request.credit_type_id].grants
        if all(grant.name != told.grant.grant_id for grant in grants):
            grants.append(_grant(request, told.grant.grant_id, self.now))
            self.asked.append(request)

    async def cap(
        self, customer: str, credit_type: str, user: str, limit: int, window: str, replica: int
    ) -> None:
        self.shadow.pools[customer, credit_type].caps[user, window] = limit
        told = await self.replicas[replica].set_cap(
            0,
            user=user,
            customer=customer,
            credit_type_id=credit_type,
            limit_micros=limit,
            window=apb.CapWindow.Value(f"CAP_WINDOW_{window}"),
        )
        self.cap_ids[customer, credit_type, user, window] = told.spend_cap_id

    async def limit_holds(self, customer: str, credit_type: str, who: str, most: int, replica: int) -> None:
        """Let a user ("": each; "*": all calls together) have at most so many open holds."""
        self.shadow.pools[customer, credit_type].most[who] = most
        of_user = {} if who == "*" else {"group_key": "user_id", "group_value": who}
        await self.replicas[replica].set_concurrency_cap(
            most, customer=customer, credit_type_id=credit_type, **of_user
        )

    async def lift_cap(self, customer: str, credit_type: str, user: str, window: str, replica: int) -> None:
        """Remove a cap if there is one."""
        if self.shadow.pools[customer, credit_type].caps.pop((user, window), None) is not None:
            cap_id = self.cap_ids[customer, credit_type, user, window]
            await self.replicas[replica].lift_cap(cap_id, customer=customer)

    async def watch(self, customer: str, threshold: int, is_of_spend: bool, replica: int) -> None:
        """Watch the AI credits of a customer, or of all (""): the balance, or the spend of each user."""
        alert_id = f"alr_{'spend' if is_of_spend else 'balance'}_{customer}"
        self.watches[alert_id] = (customer, threshold, is_of_spend)
        more: dict[str, Any] = (
            {"watch_kind": peer_pb.WATCH_KIND_SPEND, "group_key": "user_id"} if is_of_spend else {}
        )
        await self.replicas[replica].watch(
            0,
            alert_id=alert_id,
            customer_id=customer,
            version=next(self._versions),
            threshold_micros=threshold,
            **more,
        )


def _grant(request: apb.IssueGrantRequest, grant_id: str, now: datetime) -> Thing:
    has_start, has_end = request.HasField("effective_time"), request.HasField("expire_time")
    return Thing(
        name=grant_id,
        granted=request.amount_micros,
        captured=0,
        priority=request.priority,
        scope=tuple(request.scope_product_ids),
        is_paid=request.cost_basis_micros > 0,
        schedule=None,
        start=request.effective_time.ToDatetime(UTC) if has_start else now,
        end=request.expire_time.ToDatetime(UTC) if has_end else NEVER,
        made=now,
    )


def _outcome(result: Any) -> Answer:
    return result.response if result.HasField("response") else _reason(result.error)


def _reason(error: Status) -> str:
    info = ErrorInfo()
    assert error.details, error
    error.details[0].Unpack(info)
    return str(info.reason)
